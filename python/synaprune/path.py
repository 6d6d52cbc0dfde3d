"""`PruningPath`: every accepted network of a run, from the full one to the smallest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core, io
from synaprune.checks import check_float, check_int
from synaprune.network import SparseMLP, Weights

_RECORD = (
    "step", "n_synapses", "n_inputs", "n_removed", "structure", "criterion", "epochs",
    "accuracy_before", "accuracy", "p_value",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PathStep:
    """One accepted network, and how it came about.

    Attributes
    ----------
    step : int
        0 is the full network.
    n_synapses, n_inputs : int
        What lives.
    n_removed : int
        Synapses that this step removed, clean-up of dead neurons included.
    structure : str
        Such as "465-20-10".
    criterion : str
        What ranked the synapses.
    epochs : int
        Epochs trained after the cut.
    accuracy_before, accuracy : float
        On the validation split, right after the cut and at the end of the step.
    p_value : float
        McNemar's exact test of this network against step 0 on the validation split: how likely a
        difference as large would be by chance if both were equally accurate.
    living : ndarray of int64, shape (n_synapses,)
        Positions of the living synapses among those of step 0, ascending.
    values : ndarray of float32, shape (n_synapses,)
        Their weights.
    biases : ndarray of float32
        Biases of all layers, one after another.
    rng_state : int
        The random state, from which training goes on.
    """

    step: int
    n_synapses: int
    n_inputs: int
    n_removed: int
    structure: str
    criterion: str
    epochs: int
    accuracy_before: float
    accuracy: float
    p_value: float
    living: NDArray[np.int64] = field(repr=False)
    values: NDArray[np.float32] = field(repr=False)
    biases: NDArray[np.float32] = field(repr=False)
    rng_state: int = field(repr=False)

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON values, without the network."""
        return {name: getattr(self, name) for name in _RECORD}


class PruningPath:
    """The accepted networks of one run of `prune`, and what it cost.

    A step takes 12 bytes a living synapse and 4 a neuron; structure and initial weights of the full
    network are kept once.

    Parameters
    ----------
    start : SparseMLP
        The network that step 0 is; copied.

    Attributes
    ----------
    steps : list of PathStep
    epochs : int
        Epochs trained in the whole run, rejected attempts included.
    verdict : str
        Why the run ended.
    options : dict
        JSON values that were in force, saved along.
    data_sha256 : str or None
        Hash of the data, if the caller knows it; saved along.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 6, 1), seed=0)
    >>> path = sn.prune(net.fit(*data.train), *data.train, validation=data.validation,
    ...                 n_synapses=6, epochs=10)
    >>> [step.n_synapses for step in path.steps][0], path.smallest.n_synapses <= 6
    (18, True)
    """

    def __init__(self, start: SparseMLP) -> None:
        self._start = start.copy()
        self._weights = self._start.weights
        self.steps: list[PathStep] = []
        self.epochs = 0
        self.verdict = ""
        self.options: dict[str, Any] = {}
        self.data_sha256: str | None = None

    def add(self, net: SparseMLP, **record: Any) -> PathStep:
        """Append the network as the next step.

        Parameters
        ----------
        net : SparseMLP
            Its synapses must be among those of the start.
        **record
            The figures of `PathStep` that the network cannot tell itself: criterion, epochs,
            accuracy_before, accuracy, p_value.

        Returns
        -------
        PathStep
        """
        living: list[NDArray[np.int64]] = []
        offset = 0
        now = net.weights
        for full, part in zip(self._weights, now, strict=True):
            living.append(offset + np.searchsorted(_keys(full), _keys(part)))
            offset += len(full.values)
        step = PathStep(
            step=len(self.steps),
            n_synapses=net.n_synapses,
            n_inputs=net.n_inputs,
            n_removed=self.steps[-1].n_synapses - net.n_synapses if self.steps else 0,
            structure=net.structure,
            living=np.concatenate(living),
            values=np.concatenate([w.values for w in now]),
            biases=np.concatenate([w.bias for w in now]),
            rng_state=net.core.rng_state,
            **record,
        )
        self.steps.append(step)
        return step

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[PathStep]:
        return iter(self.steps)

    def network(self, step: int) -> SparseMLP:
        """Return the network of a step, weights and random state bit for bit as it was accepted.

        Parameters
        ----------
        step : int
            From 0, the full network; negative numbers count from the smallest.

        Raises
        ------
        IndexError
            If there is no such step.
        """
        s = self.steps[step]
        layers, synapse, neuron = [], 0, 0
        taken = 0
        for full in self._weights:
            end = synapse + len(full.values)
            upto = taken + int(np.searchsorted(s.living[taken:], end))
            local = s.living[taken:upto] - synapse
            n_out = len(full.bias)
            layers.append(
                Weights(
                    full.n_in,
                    np.searchsorted(local, full.indptr).astype(np.int64),
                    full.indices[local],
                    s.values[taken:upto],
                    full.initial[local],
                    s.biases[neuron : neuron + n_out],
                )
            )
            synapse, taken, neuron = end, upto, neuron + n_out
        net = self._start.copy()
        net.core = _core.Network.from_layers(
            [w.to_core() for w in layers], net.activation, net.loss, s.rng_state
        )
        net.core.input_transform = self._start.input_transform
        return net

    @property
    def smallest(self) -> SparseMLP:
        """The network of the last step."""
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
        n_synapses, n_inputs : int, optional
            At most so many.
        min_accuracy : float, optional
            At least this accuracy on the validation split, a fraction.

        Returns
        -------
        SparseMLP

        Raises
        ------
        ValueError
            If no step meets it; the message names the nearest.
        """
        wanted = {"n_synapses": n_synapses, "n_inputs": n_inputs, "min_accuracy": min_accuracy}
        given = {name: value for name, value in wanted.items() if value is not None}

        for name, value in given.items():
            if name == "min_accuracy":
                check_float(name, value, 0.0, 1.0)
            else:
                check_int(name, value, 0)
        if not self.steps:
            raise ValueError("the path has no step to select from")

        def misses(step: PathStep) -> float:
            """By how much, relatively, a step misses what is wanted."""
            miss = 0.0
            for name, value in given.items():
                if name == "min_accuracy":
                    miss += max(0.0, value - 1e-9 - step.accuracy)
                else:
                    miss += max(0.0, (getattr(step, name) - value) / max(value, 1))
            return miss

        fitting = [s for s in self.steps if misses(s) == 0.0]
        if not fitting:
            near = min(self.steps, key=misses)
            asked = ", ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(
                f"no network of the path meets {asked}; the nearest is step {near.step}: "
                f"{near.structure}, {near.n_synapses} synapses, accuracy {near.accuracy:.4f}"
            )
        return self.network(min(fitting, key=lambda s: (s.n_synapses, -s.accuracy)).step)

    def table(self) -> str:
        """Return the path as a text table, one line a step."""
        head = f"{'step':>4} {'synapses':>9} {'inputs':>7} {'structure':<18} {'epochs':>6}"
        lines = [f"{head} {'after cut':>10} {'accuracy':>9} {'p':>7}"]
        for s in self.steps:
            lines.append(
                f"{s.step:>4} {s.n_synapses:>9} {s.n_inputs:>7} {s.structure:<18} {s.epochs:>6} "
                f"{s.accuracy_before:>10.4f} {s.accuracy:>9.4f} {s.p_value:>7.3f}"
            )
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the steps' figures as a JSON array."""
        return json.dumps([s.record() for s in self.steps])

    def __repr__(self) -> str:
        if not self.steps:
            return "PruningPath(empty)"
        first, last = self.steps[0], self.steps[-1]
        return (
            f"PruningPath({len(self.steps)} steps, {first.structure} → {last.structure}, "
            f"{first.n_synapses} → {last.n_synapses} synapses, "
            f"accuracy {first.accuracy:.4f} → {last.accuracy:.4f})"
        )

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
        if not self.steps:
            raise ValueError("the path has no step to save")
        header, arrays = self.smallest.state()
        start_header, start = self._start.state()
        members = {f"network/{name}": a for name, a in arrays.items()}
        members |= {f"start/{name}": a for name, a in start.items()}
        for name in ("living", "values", "biases"):
            members[f"path/{name}"] = np.concatenate([getattr(s, name) for s in self.steps])
        io.write_model(
            path,
            {
                "version": _core.__version__,
                "network": header,
                "start": start_header,
                "path": [{**s.record(), "rng_state": s.rng_state} for s in self.steps],
                "epochs": self.epochs,
                "verdict": self.verdict,
                "options": self.options,
                "data_sha256": self.data_sha256,
            },
            members,
        )

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
            If it is not a whole and unaltered model file, or holds a network without a path.
        """
        header, arrays = io.read_model(path)
        if "path" not in header:
            raise io.ModelFileError(f"{path} holds a network without a path; use SparseMLP.load")
        try:
            start = {n.removeprefix("start/"): a for n, a in arrays.items()}
            loaded = cls(SparseMLP.from_state(header["start"], start))
            for name in ("epochs", "verdict", "options", "data_sha256"):
                setattr(loaded, name, header[name])
            counts = [s["n_synapses"] for s in header["path"]]
            lengths = {len(arrays["path/living"]), len(arrays["path/values"]), sum(counts)}
            if not counts or len(lengths) != 1:
                raise ValueError("its steps do not fit its arrays")
            ends = np.cumsum(counts)[:-1]
            parts = zip(
                header["path"],
                np.split(arrays["path/living"], ends),
                np.split(arrays["path/values"], ends),
                np.split(arrays["path/biases"], len(header["path"])),
                strict=True,
            )
            loaded.steps = [
                PathStep(**record, living=living, values=values, biases=biases)
                for record, living, values, biases in parts
            ]
            for step in loaded:
                if loaded.network(step.step).n_synapses != step.n_synapses:
                    raise ValueError(f"step {step.step} does not hold {step.n_synapses} synapses")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise io.ModelFileError(f"{path} does not describe a path: {error}") from error
        return loaded


def _keys(w: Weights) -> NDArray[np.int64]:
    """One ascending number per synapse: row * n_in + column."""
    rows = np.repeat(np.arange(len(w.bias), dtype=np.int64), np.diff(w.indptr))
    keys: NDArray[np.int64] = rows * w.n_in + w.indices
    return keys
