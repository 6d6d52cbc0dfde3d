"""Ablation: what a network loses without one of its units, in correct samples or in R²."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Labels, finite
from synaprune.checks import check_choice, check_int, check_type, shown
from synaprune.data import CheckedData
from synaprune.network import SparseMLP
from synaprune.scaling import TargetScaler
from synaprune.state import build_core
from synaprune.stats import r2_score
from synaprune.threads import Threads, check_threads

KINDS = ("input", "neuron", "synapse")


@dataclass(frozen=True)
class Unit:
    """An input, a hidden neuron or a synapse of a network.

    Attributes
    ----------
    kind : {"input", "neuron", "synapse"}
    layer : int
        Of a synapse the layer of ``net.weights`` that holds it; of a hidden neuron the layer that
        computes it, 0 for the first hidden layer; -1 for inputs.
    index : int
        The input; the neuron within its layer; or the neuron to which the synapse leads.
    source : int
        The neuron (or input) from which a synapse comes, else -1.
    """

    kind: str
    layer: int
    index: int
    source: int = -1

    def __str__(self) -> str:
        if self.kind == "input":
            return f"input {self.index}"
        name = self.index if self.kind == "neuron" else f"{self.source} → {self.index}"
        return f"{self.kind} {name} of layer {self.layer}"


@dataclass(frozen=True, eq=False)
class Ablation:
    """How many samples change between correct and wrong when one unit is removed.

    Attributes
    ----------
    units : tuple of Unit
        Used inputs, hidden neurons layer by layer, synapses layer by layer.
    classes : ndarray, shape (n_classes,)
    n : ndarray of int64, shape (n_classes,)
        Number of samples of each class.
    correct : ndarray of int64, shape (n_classes,)
        How many of them the whole network predicts correctly.
    changes : ndarray of int64, shape (n_changes, 4)
        Unit (its row in `units`), class, and how many samples of it are correct only with, and only
        without, the unit; sorted, of the pairs for which one of both is not 0.
    """

    units: tuple[Unit, ...]
    classes: Labels
    n: NDArray[np.int64]
    correct: NDArray[np.int64]
    changes: NDArray[np.int64]

    @property
    def lost(self) -> NDArray[np.int64]:
        """Samples that are correct only with the unit, shape (n_units, n_classes)."""
        return self._matrix(self.changes[:, 2])

    @property
    def won(self) -> NDArray[np.int64]:
        """Samples that are correct only without the unit, shape (n_units, n_classes)."""
        return self._matrix(self.changes[:, 3])

    @property
    def loss(self) -> NDArray[np.float64]:
        """Drop in accuracy by class, shape (n_units, n_classes); negative for a gain."""
        change = self._matrix(self.changes[:, 2] - self.changes[:, 3])
        loss: NDArray[np.float64] = change / np.maximum(self.n, 1)
        return loss

    @property
    def total_loss(self) -> NDArray[np.float64]:
        """Drop in accuracy over all samples, shape (n_units,)."""
        units, _, lost, won = self.changes.T
        total: NDArray[np.float64] = np.bincount(units, lost - won, len(self)) / self.n.sum()
        return total

    def of_unit(self, row: int) -> Ablation:
        """Return the ablation of one unit alone; it costs no more than its changes.

        Parameters
        ----------
        row : int
            Its position in `units`.

        Returns
        -------
        Ablation

        Raises
        ------
        TypeError, ValueError
            If there is no such unit.
        """
        row = check_int("row", row, 0, len(self) - 1)
        first, last = np.searchsorted(self.changes[:, 0], (row, row + 1))
        return self._of([row], _renumbered(self.changes[first:last], np.array([row])))

    def _of(self, rows: Sequence[int], changes: NDArray[np.int64]) -> Ablation:
        units = tuple(self.units[i] for i in rows)
        return Ablation(units, self.classes, self.n, self.correct, changes)

    def _matrix(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place a number of each change by unit and class."""
        matrix = np.zeros((len(self), len(self.classes)), np.int64)
        matrix[self.changes[:, 0], self.changes[:, 1]] = counts
        return matrix

    def only(self, kind: str) -> Ablation:
        """Return the rows of one kind of unit.

        Parameters
        ----------
        kind : {"input", "neuron", "synapse"}

        Returns
        -------
        Ablation

        Raises
        ------
        ValueError
            If the kind is unknown.
        """
        rows = _of_kind(self.units, kind)
        return self._of(rows, _renumbered(self.changes, np.array(rows, np.int64)))

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True, eq=False)
class RegressionAblation:
    """How much R² a network that predicts numbers loses when one unit is removed.

    Attributes
    ----------
    units : tuple of Unit
        Used inputs, hidden neurons layer by layer, synapses layer by layer.
    r2 : ndarray of float64, shape (n_outputs,)
        R² of the whole network, by output, as `SparseMLP.score` defines it.
    loss : ndarray of float64, shape (n_units, n_outputs)
        Drop in R² by output, negative for a gain; 0 for an output of which y is constant.
    """

    units: tuple[Unit, ...]
    r2: NDArray[np.float64]
    loss: NDArray[np.float64]

    @property
    def total_loss(self) -> NDArray[np.float64]:
        """Drop in the mean R² of all outputs, shape (n_units,)."""
        total: NDArray[np.float64] = self.loss.mean(axis=1)
        return total

    def only(self, kind: str) -> RegressionAblation:
        """Return the rows of one kind of unit.

        Parameters
        ----------
        kind : {"input", "neuron", "synapse"}

        Returns
        -------
        RegressionAblation

        Raises
        ------
        ValueError
            If the kind is unknown.
        """
        rows = _of_kind(self.units, kind)
        return RegressionAblation(tuple(self.units[i] for i in rows), self.r2, self.loss[rows])

    def __len__(self) -> int:
        return len(self.units)


def ablate(
    net: SparseMLP,
    X: Any,
    y: Any = None,
    *,
    kinds: Sequence[str] = KINDS,
    threads: Threads = None,
) -> Ablation | RegressionAblation:
    """Remove each input, hidden neuron and synapse, one at a time, and measure what is lost.

    The output of a removed unit is 0. A removed input is 0 after input scaling, so that a centred
    input takes its mean. Nothing is retrained. The losses, in correct samples of each class or in
    R² of each number, are those of ``net.without(...)`` on the same samples, except where two
    outputs are equal up to rounding. The core keeps the weighted sums of the whole network, so that
    one unit costs only the computation above it.

    Parameters
    ----------
    net : SparseMLP
        A trained network; it is not changed.
    X, y : array_like, shapes (n, n_features) and as in `SparseMLP.score`, or a CheckedData alone
        Held-out samples, if the losses are to describe new data.
    kinds : sequence of str
        Which kinds of units: "input", "neuron", "synapse".
    threads : int or "auto", optional
        Results do not depend on it.

    Returns
    -------
    Ablation, or RegressionAblation of a network that predicts numbers

    Raises
    ------
    TypeError, ValueError
        If the data do not fit, a kind is unknown, or the network was never fitted.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> ablation = sn.explain.ablate(net, *data.validation)
    >>> len(ablation.only("neuron")), ablation.loss.shape[1]
    (8, 10)
    """
    check_type("net", net, SparseMLP)
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"kinds must be among {', '.join(KINDS)}, got {shown(kind)}")
    net = net.copy()  # another thread may prune it meanwhile
    data, n_threads = net.check_data(X, y), check_threads(threads)
    if net.is_regression:
        return _ablate_regression(net, data, kinds, n_threads)
    n_classes = len(net.classes)
    predicted = finite(net._core.classify(data.X, n_threads))
    units: list[Unit] = []
    changes = [np.zeros((0, 4), np.int64)]
    for kind in kinds:
        for layer, part, rows, named in _rows(net, kind):
            found = finite(_core.ablate(net._core, data.X, data.y, layer, part, n_threads))
            changes.append(_renumbered(found, rows, first=len(units)))
            units += named
    return Ablation(
        tuple(units),
        net.classes,
        np.bincount(data.y, minlength=n_classes),
        np.bincount(data.y[predicted == data.y], minlength=n_classes),
        np.concatenate(changes),
    )


def _ablate_regression(
    net: SparseMLP, data: CheckedData, kinds: Sequence[str], n_threads: int
) -> RegressionAblation:
    """Return the drops in R², from the core's mean of (z - t)² / 2 for one output z at a time.

    In units of y an error is `scale` times as large, hence the drop is
    2·n·scale² / Σ(y - mean)² times the growth of that mean.
    """
    scaler, y = net._targets, data.y
    assert isinstance(scaler, TargetScaler)
    predicted = net.predict(data.X, threads=n_threads).reshape(y.shape)
    r2 = np.array([r2_score(y[:, [k]], predicted[:, [k]]) for k in range(y.shape[1])])
    total = np.square(y - y.mean(axis=0)).sum(axis=0)
    factor = np.divide(2 * len(y) * scaler.scale**2, total, np.zeros_like(total), where=total > 0)
    cores = [_core_of_output(net, k) for k in range(y.shape[1])]
    # Of the outputs left out, both sides of the difference are 0.
    targets = [scaler.encode(y) * row for row in np.eye(y.shape[1], dtype=np.float32)]
    units: list[Unit] = []
    loss = [np.zeros((0, y.shape[1]))]
    for kind in kinds:
        for layer, part, rows, named in _rows(net, kind):
            growth = [
                finite(_core.ablate(core, data.X, t, layer, part, n_threads))[rows]
                for core, t in zip(cores, targets, strict=True)
            ]
            units += named
            loss.append(np.stack(growth, axis=1) * factor)
    return RegressionAblation(tuple(units), r2, np.concatenate(loss))


def _core_of_output(net: SparseMLP, k: int) -> _core.Network:
    """Return a core of the same synapses, judged by squared errors, whose other outputs are 0."""
    *below, last = net.weights
    last = replace(
        last,
        values=np.where(last.rows == k, last.values, np.float32(0)),
        bias=np.where(np.arange(len(last.bias)) == k, last.bias, np.float32(0)),
    )
    return build_core(
        [*below, last],
        activation=net.activation,
        loss="squared_error",
        rng_state=net._core.rng_state,
        input_transform=net.input_transform,
    )


def _of_kind(units: Sequence[Unit], kind: str) -> list[int]:
    """Return the positions of the units of a kind, or raise."""
    check_choice("kind", kind, KINDS)
    return [i for i, unit in enumerate(units) if unit.kind == kind]


def _renumbered(
    changes: NDArray[np.int64], rows: NDArray[np.integer[Any]], first: int = 0
) -> NDArray[np.int64]:
    """Return the changes of some units (ascending), which get the numbers first, first + 1 …."""
    kept = changes[np.isin(changes[:, 0], rows)]
    kept[:, 0] = np.searchsorted(rows, kept[:, 0]) + first
    return kept


def _rows(
    net: SparseMLP, kind: str
) -> Iterator[tuple[int, str, NDArray[np.integer[Any]], list[Unit]]]:
    """Yield the core's layer and part, which of its rows to take, and the units of these rows."""
    for layer, w in enumerate(net.weights):
        if kind == "synapse":
            pairs = zip(w.rows.tolist(), w.indices.tolist(), strict=True)
            units = [Unit(kind, layer, row, source) for row, source in pairs]
            yield layer, "synapses", np.arange(len(units)), units
        elif (kind == "input") == (layer == 0):
            used = np.unique(w.indices)
            yield layer, "columns", used, [Unit(kind, layer - 1, j) for j in used.tolist()]
