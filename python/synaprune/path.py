"""`PruningPath`: every accepted network of a run, from the full one to the smallest."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from synaprune import _core, io
from synaprune.checks import check_float, check_int, shown, shown_structure
from synaprune.layers import SynapseIndex, carried, position_dtype
from synaprune.network import SparseMLP
from synaprune.state import OptimizerState, build_core, pack_optimizer, unpack_optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FACTS = ("epochs", "stop_reason", "options", "data_sha256")  # of the run, saved along
_ESTIMATES = ("expected", "expected_full")  # saved along, but older files have none
_ARRAYS = ("living", "values", "biases")  # of each step, saved end to end
_RECORD = {  # attribute of a step: key in JSON
    "step": "step",
    "n_synapses": "n_synapses",
    "n_inputs": "n_inputs",
    "n_removed": "n_removed",
    "structure": "structure",
    "criterion": "criterion",
    "epochs": "epochs",
    "score_after_cut": "accuracy_before",
    "score": "accuracy",
    "p_value": "p_value",
    "bound": "bound",
}


_TYPES: dict[str, Any] = {  # what JSON values of a file must be
    **dict.fromkeys(("step", "n_synapses", "n_inputs", "n_removed", "epochs", "rng_state"), int),
    **dict.fromkeys(("structure", "criterion", "stop_reason", "metric"), str),
    **dict.fromkeys(("score_after_cut", "score", "p_value"), int | float),
    "bound": int | float | None,
    "options": dict,
    "data_sha256": str | None,
    **dict.fromkeys(_ESTIMATES, dict | None),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PathStep:
    """One accepted network, and how it came about.

    Attributes
    ----------
    step : int
        0 is the full network.
    n_synapses, n_inputs : int
        Synapses and used inputs that are left.
    n_removed : int
        Synapses that this step removed, clean-up of dead neurons included.
    structure : str
        Such as "465-20-10".
    criterion : str
        What ranked the synapses.
    epochs : int
        Epochs trained after the cut.
    score_after_cut, score : float
        On the validation split, right after the cut and at the end of the step: the accuracy, or
        the ``metric`` that `prune` was given.
    p_value : float
        McNemar's exact test of this network against step 0 on the validation split, for numbers
        that of the mean of paired squared errors: how likely a difference as large would be by
        chance if both were equally accurate.
    bound : float or None
        What a `prune` with ``confidence`` is sure of: with ``max_drop`` the upper bound of the
        drop in accuracy from step 0, with ``min_accuracy`` the lower bound of the accuracy.
    living : ndarray of int32, shape (n_synapses,)
        Positions of the synapses among those of step 0, ascending (int64 if step 0 has 2**31 or
        more).
    values : ndarray of float32, shape (n_synapses,)
        Their weights.
    biases : ndarray of float32, shape (n_biases,)
        Biases of all layers, one after another.
    rng_state : int
        The random state, from which training goes on.
    optimizer_state : (str, int, ndarray of float32) or None
        Kind, updates so far, and the moments of momentum (1 row) or Adam (2 rows), shape
        (rows, n_synapses + n_biases), layer by layer, synapses and then biases. None for plain SGD.
    """

    step: int
    n_synapses: int
    n_inputs: int
    n_removed: int
    structure: str
    criterion: str
    epochs: int
    score_after_cut: float
    score: float
    p_value: float
    bound: float | None = None
    living: NDArray[np.int32] | NDArray[np.int64]
    values: NDArray[np.float32]
    biases: NDArray[np.float32]
    rng_state: int
    optimizer_state: OptimizerState = None

    @property
    def n_bytes(self) -> int:
        """Bytes of its arrays: 8 per synapse, 4 per bias, and 4 for each by momentum, 8 by Adam."""
        moments = 0 if self.optimizer_state is None else self.optimizer_state[2].nbytes
        return self.living.nbytes + self.values.nbytes + self.biases.nbytes + moments

    def __repr__(self) -> str:
        structure = shown_structure(self.structure)
        figures = f"{structure}, {self.n_synapses} synapses, score {self.score:.4f}"
        return f"{type(self).__name__}({self.step}: {figures})"

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON values, without the network.

        Keys are the attributes' names, but for ``accuracy_before`` (`score_after_cut`) and
        ``accuracy`` (`score`).

        Returns
        -------
        dict
        """
        return {key: getattr(self, name) for name, key in _RECORD.items()}


class PruningPath:
    """The accepted networks of one run of `prune`, and what it cost.

    A step takes 8 bytes per synapse and 4 per hidden neuron or output, and 4 more for each of
    both where momentum was used, 8 with Adam (`PathStep.n_bytes`); structure and initial weights of
    the full network are kept once. Training goes on from a step's network as it would have gone on
    at that time, to the bit.

    Parameters
    ----------
    start : SparseMLP
        The network that step 0 is; copied.

    Attributes
    ----------
    steps : list of PathStep
    epochs : int
        Epochs trained in the whole run, rejected attempts included.
    stop_reason : str
        Why the run ended.
    metric : str
        Name of what the scores of the steps are, such as "accuracy" or "r2".
    options : dict
        JSON values that were in force, saved along.
    data_sha256 : str or None
        Hash of the data, if the caller knows it; saved along.
    expected, expected_full : dict or None
        What `smallest_network` expects of the last network and of its full network on fresh data,
        as JSON values: the fields of its `Estimate`, of the metric `metric`. Saved along; `undo`
        drops them.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 6, 1), seed=0)
    >>> path = sn.prune(net.fit(*data.train), *data.train, validation=data.validation,
    ...                 n_synapses=6, training=sn.Training(10))
    >>> [step.n_synapses for step in path.steps][0], path.smallest.n_synapses <= 6
    (18, True)
    """

    def __init__(self, start: SparseMLP) -> None:
        self._start = start.copy()
        self._index = SynapseIndex(self._start.weights)
        self.steps: list[PathStep] = []
        self.epochs = 0
        self.stop_reason = ""
        self.metric = "r2" if start.is_regression else "accuracy"
        self.options: dict[str, Any] = {}
        self.data_sha256: str | None = None
        self.expected: dict[str, Any] | None = None
        self.expected_full: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[PathStep]:
        return iter(self.steps)

    def __repr__(self) -> str:
        if not self.steps:
            return "PruningPath(empty)"
        first, last = self.steps[0], self.steps[-1]
        structures = [shown_structure(step.structure) for step in (first, last)]
        return (
            f"PruningPath({len(self.steps)} steps, {' → '.join(structures)}, "
            f"{first.n_synapses} → {last.n_synapses} synapses, "
            f"score {first.score:.4f} → {last.score:.4f})"
        )

    # ---- its networks

    def add(self, net: SparseMLP, **record: Any) -> PathStep:
        """Append the network as the next step.

        Parameters
        ----------
        net : SparseMLP
            Its synapses must be among those of the start.
        **record
            The figures of `PathStep` that the network does not hold: criterion, epochs,
            score_after_cut, score, p_value, and bound, if there is one.

        Returns
        -------
        PathStep
        """
        weights = net.weights
        step = PathStep(
            step=len(self.steps),
            n_synapses=net.n_synapses,
            n_inputs=net.n_used_inputs,
            n_removed=self.steps[-1].n_synapses - net.n_synapses if self.steps else 0,
            structure=net.structure,
            living=self._index.positions(weights),
            values=np.concatenate([w.values for w in weights]),
            biases=np.concatenate([w.bias for w in weights]),
            rng_state=net._core.rng_state,
            optimizer_state=net._core.optimizer_state,
            **record,
        )
        self.steps.append(step)
        return step

    def _at(self, step: int) -> PathStep:
        check_int("step", step, -(2**31))
        try:
            return self.steps[step]
        except IndexError:
            n = len(self.steps)
            raise IndexError(f"step must be from {-n} to {n - 1}, got {step}") from None

    def network(self, step: int) -> SparseMLP:
        """Return the network of a step, bit for bit as it was accepted.

        Weights, initial weights, biases, the random and the optimiser's state are those of that
        time, so that training goes on as it would have then.

        Parameters
        ----------
        step : int
            From 0, the full network; negative numbers count from the smallest.

        Returns
        -------
        SparseMLP

        Raises
        ------
        IndexError
            If there is no such step.
        """
        s = self._at(step)
        layers = self._index.select(s.living, s.values, s.biases)
        net = self._start.copy()
        frozen = net._core.frozen
        net._core = build_core(
            layers,
            activation=net.activation,
            loss=net.loss,
            rng_state=s.rng_state,
            input_transform=net._core.input_transform,
            frozen=None if frozen is None else carried(frozen, self._index.layers, layers),
            optimizer_state=s.optimizer_state,
        )
        return net

    @property
    def smallest(self) -> SparseMLP:
        """The network of the last step; each access builds it anew."""
        return self.network(-1)

    def select(
        self,
        *,
        n_synapses: int | None = None,
        min_accuracy: float | None = None,
        n_inputs: int | None = None,
    ) -> SparseMLP:
        """Return the smallest network that meets all that is given.

        Parameters
        ----------
        n_synapses : int, optional
            Maximum number of synapses.
        min_accuracy : float, optional
            Minimum accuracy on the validation split, a fraction (or the minimum of the metric by
            which the path was judged).
        n_inputs : int, optional
            Maximum number of used inputs.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If a number is none, or no step meets it; the message names the nearest.
        """
        wanted = {"n_synapses": n_synapses, "n_inputs": n_inputs, "min_accuracy": min_accuracy}
        given = {name: value for name, value in wanted.items() if value is not None}
        for name, value in given.items():
            if name == "min_accuracy":
                check_float(name, value, -math.inf)
            else:
                check_int(name, value, 0)
        if not self.steps:
            raise ValueError("the path has no step to select from")

        def misses(step: PathStep) -> float:
            """By how much, relatively, a step misses what is wanted."""
            miss = 0.0
            for name, value in given.items():
                if name == "min_accuracy":
                    miss += max(0.0, value - 1e-9 - step.score)
                else:
                    miss += max(0.0, (getattr(step, name) - value) / max(value, 1))
            return miss

        fitting = [s for s in self.steps if misses(s) == 0.0]
        if not fitting:
            near = min(self.steps, key=misses)
            asked = ", ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(
                f"no network of the path meets {asked}; the nearest is step {near.step}: "
                f"{shown_structure(near.structure)}, {near.n_synapses} synapses, "
                f"score {near.score:.4f}"
            )
        return self.network(min(fitting, key=lambda s: (s.n_synapses, -s.score)).step)

    def undo(self, steps: int = 1) -> SparseMLP:
        """Drop the last steps; the synapses that they removed are back.

        Figures of the whole run, such as its epochs, stay as they are.

        Parameters
        ----------
        steps : int
            How many; step 0 always stays.

        Returns
        -------
        SparseMLP
            The network that is the last one then, as `network` gives it.

        Raises
        ------
        TypeError, ValueError
            If there are not that many; nothing has changed then.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> path.undo(len(path) - 1).n_synapses
        18
        """
        steps = check_int("steps", steps, 1)
        if steps >= len(self.steps):
            raise ValueError(
                f"steps must be less than the {len(self.steps)} of the path, got {steps}"
            )
        del self.steps[-steps:]
        self.expected = self.expected_full = None  # of the network that was the last
        return self.smallest

    def removed(self, step: int) -> list[NDArray[np.int32]]:
        """Return which synapses a step removed, clean-up of dead neurons included.

        Parameters
        ----------
        step : int
            As in `network`. Step 0 removed nothing.

        Returns
        -------
        list of ndarray of int32, shape (n, 2)
            One array a layer, a row a synapse: the neuron that it led to, and the neuron (or input)
            below that it came from, both counted as in `SparseMLP.weights`; ascending.

        Raises
        ------
        IndexError
            If there is no such step.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> sum(len(pairs) for pairs in path.removed(1)) == path.steps[1].n_removed
        True
        """
        s = self._at(step)
        before = self.steps[max(s.step - 1, 0)]
        gone = np.setdiff1d(before.living, s.living, assume_unique=True)
        return self._index.rows_and_columns(gone)

    # ---- ways to show it

    def table(self) -> str:
        """Return the path as a text table, one line a step, with bounds where there are any.

        Returns
        -------
        str
        """
        bounded = any(s.bound is not None for s in self.steps)
        head = f"{'step':>4} {'synapses':>9} {'inputs':>7} {'structure':<18} {'epochs':>6}"
        head = f"{head} {'after cut':>10} {'score':>9} {'p':>7}"
        lines = [f"{head} {'bound':>7}" if bounded else head]
        for s in self.steps:
            line = (
                f"{s.step:>4} {s.n_synapses:>9} {s.n_inputs:>7} {s.structure:<18} {s.epochs:>6} "
                f"{s.score_after_cut:>10.4f} {s.score:>9.4f} {s.p_value:>7.3f}"
            )
            bound = "" if s.bound is None else f"{s.bound:.4f}"
            lines.append(f"{line} {bound:>7}" if bounded else line)
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the score on the validation split against synapses, a point a step.

        Needs matplotlib: ``pip install "synaprune[plot]"``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; several paths may share one. A new figure if left out.

        Returns
        -------
        matplotlib Axes
            Its x axis is logarithmic. The dashed line is the score of step 0, the ring the
            smallest network.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError, ValueError
            If ``ax`` is no Axes, or the path is empty.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> path.plot().figure.savefig("path.png")  # doctest: +SKIP
        """
        from synaprune.plots import plot_path

        return plot_path(self, ax)

    def report(
        self,
        file: str | os.PathLike[str],
        *,
        validation: Any = None,
        test: Any = None,
        image_shape: tuple[int, int] | None = None,
    ) -> None:
        """Write one self-contained page about the smallest network; see `report.write_report`.

        Parameters
        ----------
        file : path-like
            An HTML file.
        validation, test : (X, y), optional
            Samples by which parts are labelled, and fresh ones that prove it again. Without them
            the sections that need samples say so.
        image_shape : (int, int), optional
            Rows and columns, where the inputs are an image.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, or the path is empty.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 6, 1), seed=0)
        >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
        ...                 training=sn.Training(10))
        >>> path.report("xor.html", validation=data.validation)  # doctest: +SKIP
        """
        from synaprune.report import write_report

        write_report(file, self, validation=validation, test=test, image_shape=image_shape)

    def to_json(self) -> str:
        """Return the steps' figures as a JSON array.

        Returns
        -------
        str
        """
        return json.dumps([s.record() for s in self.steps])

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file with the smallest network and the whole path.

        Equal runs give equal bytes. `SparseMLP.load` reads the network alone.

        Parameters
        ----------
        path : path-like
            An older file is replaced only when the new one is whole.

        Raises
        ------
        ValueError
            If the path is empty.
        OSError
            If it cannot be written.
        """
        io.write_model(path, *self.state())

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return (JSON values, arrays) from which `from_state` makes an equal path.

        Returns
        -------
        header : dict
        arrays : dict of ndarray

        Raises
        ------
        ValueError
            If the path is empty.
        """
        if not self.steps:
            raise ValueError("the path has no step to save")
        network_header, network = self.smallest.state()
        start_header, start = self._start.state()
        records, steps = pack_steps(self.steps)
        parts = {"network": network, "start": start, "path": steps}
        header = {
            "version": _core.__version__,
            "network": network_header,
            "start": start_header,
            "path": records,
            **{name: getattr(self, name) for name in (*_FACTS, *_ESTIMATES)},
            "metric": self.metric,
        }
        arrays = {f"{part}/{name}": a for part, named in parts.items() for name, a in named.items()}
        return header, arrays

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PruningPath:
        """Read a path that `save` wrote.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        PruningPath

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If it is not a whole and unaltered model file of this version's format, or holds a
            network without a path.
        """
        header, arrays = io.read_model(path)
        if "path" not in header:
            raise io.ModelFileError(f"{path} holds a network without a path; use SparseMLP.load")
        try:
            return cls.from_state(header, arrays)
        except (KeyError, TypeError, ValueError, IndexError) as error:  # parts that do not fit
            raise io.ModelFileError(f"{path} does not describe a path: {error}") from error

    @classmethod
    def from_state(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a path from what `state` returned.

        Parameters
        ----------
        header : mapping
            JSON values.
        arrays : mapping of str to ndarray

        Returns
        -------
        PruningPath

        Raises
        ------
        KeyError, TypeError, ValueError, IndexError
            If the parts do not fit each other.
        """
        loaded = cls(SparseMLP.from_state(header["start"], io.below("start/", arrays)))
        n_synapses = loaded._start.n_synapses
        loaded.steps = unpack_steps(header["path"], io.below("path/", arrays), n_synapses)
        for name in _FACTS:
            setattr(loaded, name, _typed(name, header[name]))
        # older files have no metric and no estimates
        loaded.metric = _typed("metric", header.get("metric", loaded.metric))
        for name in _ESTIMATES:
            setattr(loaded, name, _typed(name, header.get(name)))
        for i, step in enumerate(loaded):
            if step.step != i:
                raise ValueError(f"step {i} is called {step.step}")
            net = loaded.network(i)
            if (net.n_synapses, net.structure) != (step.n_synapses, step.structure):
                raise ValueError(
                    f"step {step.step} does not hold {step.n_synapses} synapses, "
                    f"{shown_structure(step.structure)}"
                )
        return loaded


def pack_steps(steps: Sequence[PathStep]) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Return the steps' JSON values, and their arrays, those of all steps end to end.

    What a file need not hold is left out: a step of plain SGD has no entry ``optimizer``, and a
    path of such steps no array ``moments``.
    """
    records, moments = [], []
    for s in steps:
        record = {**s.record(), "rng_state": s.rng_state}
        optimizer, flat = pack_optimizer(s.optimizer_state)
        if optimizer is not None:
            record["optimizer"] = optimizer
            moments.append(flat)
        records.append(record)
    arrays = {name: np.concatenate([getattr(s, name) for s in steps]) for name in _ARRAYS}
    if moments:
        arrays["moments"] = np.concatenate(moments)
    return records, arrays


def unpack_steps(
    records: Sequence[dict[str, Any]], arrays: Mapping[str, NDArray[Any]], n_synapses: int
) -> list[PathStep]:
    """Return the steps that `pack_steps` took apart, of a network that began with ``n_synapses``.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the parts do not fit each other.
    """
    counts = [check_int("n_synapses", record["n_synapses"], 0, n_synapses) for record in records]
    living, values = arrays["living"], arrays["values"]
    for name in ("values", "biases", "moments"):
        array = arrays.get(name, np.empty(0, np.float32))
        if array.dtype != np.float32 or array.ndim != 1:
            raise ValueError(f"its {name} are not float32 in one axis")
    if not counts or {len(living), len(values)} != {sum(counts)}:
        raise ValueError("its steps do not fit its arrays")
    if living.dtype.kind not in "iu" or (living.size and _outside(living, n_synapses)):
        raise ValueError(f"its positions are not ints from 0 to {n_synapses - 1}")
    biases = np.split(arrays["biases"], len(records))
    optimizers = [record.get("optimizer") for record in records]
    sizes = [
        0 if optimizer is None else optimizer[2] * (n + len(biases[0]))
        for n, optimizer in zip(counts, optimizers, strict=True)
    ]
    moments = arrays.get("moments", np.empty(0, np.float32))
    if len(moments) != sum(sizes):
        raise ValueError("its optimiser states do not fit its arrays")
    names = {key: name for name, key in _RECORD.items()} | {"rng_state": "rng_state"}
    ends = np.cumsum(counts)[:-1]
    parts = zip(
        records,
        np.split(living.astype(position_dtype(n_synapses)), ends),
        np.split(values, ends),
        biases,
        optimizers,
        np.split(moments, np.cumsum(sizes)[:-1]),
        strict=True,
    )
    return [
        PathStep(
            **_figures({names[k]: value for k, value in record.items() if k != "optimizer"}),
            living=_ascending(positions),
            values=weights,
            biases=bias,
            optimizer_state=unpack_optimizer(optimizer, flat),
        )
        for record, positions, weights, bias, optimizer, flat in parts
    ]


def _figures(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _typed(name, value) for name, value in values.items()}


def _typed(name: str, value: Any) -> Any:
    """Return a JSON value of a file, or raise a TypeError unless its type is what it must be."""
    if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
        raise TypeError(f"{name} is {shown(value)}")
    return value


def _ascending(positions: NDArray[Any]) -> NDArray[Any]:
    if len(positions) > 1 and (np.diff(positions) <= 0).any():
        raise ValueError("positions of a step must be ascending and unique")
    return positions


def _outside(positions: NDArray[Any], n: int) -> bool:
    return bool(positions.min() < 0 or positions.max() >= n)
