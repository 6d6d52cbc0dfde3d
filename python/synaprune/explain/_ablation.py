"""Ablation: how many samples of each class a network loses without one of its units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Labels, finite
from synaprune.checks import shown
from synaprune.network import SparseMLP
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
    lost, won : ndarray of int64, shape (n_units, n_classes)
        Samples that are correct only with, or only without, the unit.
    """

    units: tuple[Unit, ...]
    classes: Labels
    n: NDArray[np.int64]
    correct: NDArray[np.int64]
    lost: NDArray[np.int64]
    won: NDArray[np.int64]

    @property
    def loss(self) -> NDArray[np.float64]:
        """Drop in accuracy by class, shape (n_units, n_classes); negative for a gain."""
        return (self.lost - self.won) / np.maximum(self.n, 1)

    @property
    def total_loss(self) -> NDArray[np.float64]:
        """Drop in accuracy over all samples, shape (n_units,)."""
        total: NDArray[np.float64] = (self.lost - self.won).sum(axis=1) / self.n.sum()
        return total

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
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {shown(kind)}")
        rows = [i for i, unit in enumerate(self.units) if unit.kind == kind]
        units = tuple(self.units[i] for i in rows)
        return Ablation(units, self.classes, self.n, self.correct, self.lost[rows], self.won[rows])

    def __len__(self) -> int:
        return len(self.units)


def ablate(
    net: SparseMLP,
    X: Any,
    y: Any = None,
    *,
    kinds: Sequence[str] = KINDS,
    threads: Threads = None,
) -> Ablation:
    """Remove each input, hidden neuron and synapse, one at a time, and count the samples lost.

    The output of a removed unit is 0. A removed input is 0 after input scaling, so that a centred
    input takes its mean. Nothing is retrained. The counts are those of ``net.without(...)`` on the
    same samples, except where two outputs are equal up to rounding. The core keeps the weighted
    sums of the whole network, so that one unit costs only the computation above it.

    Parameters
    ----------
    net : SparseMLP
        A trained network; it is not changed.
    X, y : array_like, shapes (n, n_features) and (n,), or a CheckedData alone
        Held-out samples, if the counts are to describe new data.
    kinds : sequence of str
        Which kinds of units: "input", "neuron", "synapse".
    threads : int or "auto", optional
        Results do not depend on it.

    Returns
    -------
    Ablation

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
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"kinds must be among {', '.join(KINDS)}, got {shown(kind)}")
    net = net.copy()  # another thread may prune it meanwhile
    data, n_threads = net.check_data(X, y), check_threads(threads)
    n_classes = len(net.classes)
    predicted = finite(net._core.classify(data.X, n_threads))
    units: list[Unit] = []
    lost = [np.zeros((0, n_classes), np.int64)]
    won = [np.zeros((0, n_classes), np.int64)]
    for kind in kinds:
        for layer, rows, named in _rows(net, kind):
            part = "synapses" if kind == "synapse" else "columns"
            counts = finite(_core.ablate(net._core, data.X, data.y, layer, part, n_threads))
            units += named
            lost.append(counts[0][rows])
            won.append(counts[1][rows])
    return Ablation(
        tuple(units),
        net.classes,
        np.bincount(data.y, minlength=n_classes),
        np.bincount(data.y[predicted == data.y], minlength=n_classes),
        np.concatenate(lost),
        np.concatenate(won),
    )


def _rows(net: SparseMLP, kind: str) -> Iterator[tuple[int, Any, list[Unit]]]:
    """Yield the core's layer, which rows of its counts to take, and the units of these rows."""
    for layer, w in enumerate(net.weights):
        if kind == "synapse":
            pairs = zip(w.rows.tolist(), w.indices.tolist(), strict=True)
            yield layer, slice(None), [Unit(kind, layer, row, source) for row, source in pairs]
        elif (kind == "input") == (layer == 0):
            used = np.unique(w.indices)
            yield layer, used, [Unit(kind, layer - 1, j) for j in used.tolist()]
