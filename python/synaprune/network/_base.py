"""`SparseNetwork`: what a network is, apart from what it does with data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synaprune import _core, io
from synaprune.arrays import Labels
from synaprune.checks import check_float, check_int
from synaprune.network._checks import (
    ACTIVATIONS,
    INPUT_SCALINGS,
    brief,
    check_pair,
    one_of,
    read_classes,
    resolve_loss,
)
from synaprune.network._weights import CSR, Weights, carried


class SparseNetwork:
    """Layers, labels and input transform of a network; its copies and its files.

    The public class is `SparseMLP`, which adds training and prediction.
    """

    def __init__(
        self,
        layers: Sequence[int],
        *,
        activation: str = "relu",
        loss: str = "auto",
        init_scale: float = 0.05,
        input_scaling: str | tuple[ArrayLike, ArrayLike] = "auto",
        seed: int = 0,
    ) -> None:
        if isinstance(layers, str) or not isinstance(layers, Iterable):
            raise TypeError(f"layers must be a sequence of ints, got {layers!r}")
        self.layers = tuple(check_int("each size in layers", n, 1) for n in layers)
        if len(self.layers) < 2:
            raise ValueError(f"layers must name at least inputs and outputs, got {self.layers}")
        self.activation = one_of("activation", activation, ACTIVATIONS)
        self.loss = resolve_loss(loss, self.layers[-1])
        self.init_scale = check_float("init_scale", init_scale, 0.0, open_low=True)
        self.input_scaling = (
            one_of("input_scaling", input_scaling, INPUT_SCALINGS)
            if isinstance(input_scaling, str)
            else check_pair(input_scaling, self.layers[0])
        )
        self.input_names: tuple[str, ...] | None = None
        self.seed = check_int("seed", seed, 0, 2**64 - 1)
        self.reset()

    def reset(self, seed: int | None = None) -> Self:
        """Begin anew: fully connected, fresh initial weights, no classes; returns self.

        Parameters
        ----------
        seed : int, optional
            The seed to draw from; the old one if left out, which gives the same weights again.
        """
        if seed is not None:
            self.seed = check_int("seed", seed, 0, 2**64 - 1)
        self.core = _core.Network(
            list(self.layers), self.activation, self.loss, self.init_scale, self.seed
        )
        self._classes: Labels | None = None
        if not isinstance(self.input_scaling, str):
            self._set_transform(*self.input_scaling)
        return self

    # ---- what it is

    @property
    def classes(self) -> Labels:
        """The labels, sorted; a ValueError if the network was never fitted."""
        if self._classes is None:
            raise ValueError("the network was never fitted, so that it knows no labels: call fit")
        return self._classes

    @property
    def structure(self) -> str:
        """Living inputs, living hidden neurons of each layer, outputs: "465-20-10"."""
        return "-".join(map(str, self.core.structure))

    @property
    def n_synapses(self) -> int:
        """Number of living synapses; biases do not count."""
        return self.core.n_synapses

    @property
    def n_inputs(self) -> int:
        """Number of inputs that have a synapse out."""
        return self.core.structure[0]

    @property
    def used_inputs(self) -> NDArray[np.int32]:
        """Positions of the inputs that have a synapse out, ascending, int32."""
        return np.unique(self.weights[0].indices)

    @property
    def n_bytes(self) -> int:
        """Bytes of the living part in CSR form: 8 a synapse, 12 a hidden neuron or output."""
        return 8 * self.n_synapses + 12 * sum(self.core.structure[1:])

    @property
    def weights(self) -> list[Weights]:
        """The layers in CSR form, as copies."""
        return [Weights(*layer) for layer in self.core.layers()]

    @property
    def frozen_synapses(self) -> list[NDArray[np.bool_]]:
        """Which synapses training leaves as they are, one array of bool a layer; see `freeze`."""
        frozen, weights = self.core.frozen, self.weights
        if frozen is None:
            return [np.zeros(len(w.values), bool) for w in weights]
        ends = np.cumsum([n for w in weights for n in (len(w.values), len(w.bias))])
        return [part != 0 for part in np.split(frozen, ends[:-1])[::2]]

    @property
    def input_transform(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(shift, scale), each of shape (n_inputs,): the network sees (x - shift)·scale."""
        return self.core.input_transform

    def set_weights(self, weights: Sequence[Weights]) -> Self:
        """Replace all layers, structure and initial weights included; returns self.

        What is frozen stays so where it lives on.

        Parameters
        ----------
        weights : sequence of Weights
            One per layer, of the network's shapes; arrays are copied.

        Raises
        ------
        ValueError
            If shapes differ, CSR is not canonical, or values are not finite.
        """
        shapes = [w.shape for w in weights]
        expected = list(zip(self.layers[1:], self.layers[:-1], strict=True))
        if shapes != expected:
            raise ValueError(f"weights must have shapes {expected}, got {shapes}")
        core = _core.Network.from_layers(
            [w.to_core() for w in weights], self.activation, self.loss, self.core.rng_state
        )
        core.input_transform = self.core.input_transform
        if (frozen := self.core.frozen) is not None:
            core.frozen = carried(frozen, self.weights, weights)
        self.core.assign(core)
        return self

    def copy(self) -> Self:
        """Return an independent copy, the optimiser's and the random state included."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.core = self.core.copy()
        return twin

    def __repr__(self) -> str:
        classes = "not fitted" if self._classes is None else f"classes {brief(self._classes)}"
        figures = f"{self.structure}, {self.n_synapses} synapses, {self.activation}, {classes}"
        return f"{type(self).__name__}({figures})"

    # ---- state and files

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return (JSON values, arrays) from which `from_state` makes an equal network.

        Optimiser state (momentum) is not part of it.
        """
        shift, scale = self.input_transform
        arrays: dict[str, NDArray[Any]] = {"input_shift": shift, "input_scale": scale}
        for i, w in enumerate(self.weights):
            for name in CSR:
                arrays[f"layer{i}_{name}"] = getattr(w, name)
        if (frozen := self.core.frozen) is not None:
            arrays["frozen"] = frozen
        scaling = self.input_scaling if isinstance(self.input_scaling, str) else "given"
        header = {
            "layers": list(self.layers),
            "activation": self.activation,
            "loss": self.loss,
            "init_scale": self.init_scale,
            "input_scaling": scaling,
            "seed": self.seed,
            "rng_state": self.core.rng_state,
            "classes": None if self._classes is None else self._classes.tolist(),
            "labels": None if self._classes is None else self._classes.dtype.str,
            "input_names": None if self.input_names is None else list(self.input_names),
        }
        return header, arrays

    @classmethod
    def from_state(cls, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Rebuild a network from what `state` returned.

        Parameters
        ----------
        header : dict
            JSON values.
        arrays : dict of ndarray

        Returns
        -------
        SparseMLP
        """
        net = cls.__new__(cls)
        net.layers = tuple(check_int("each size in layers", n, 1) for n in header["layers"])
        net.activation = one_of("activation", header["activation"], ACTIVATIONS)
        net.loss = resolve_loss(header["loss"], net.layers[-1])
        net.init_scale = header["init_scale"]
        net.seed = check_int("seed", header["seed"], 0, 2**64 - 1)
        net.core = _core.Network.from_layers(
            [
                Weights(n_in, *(arrays[f"layer{i}_{name}"] for name in CSR)).to_core()
                for i, n_in in enumerate(net.layers[:-1])
            ],
            net.activation,
            net.loss,
            header["rng_state"],
        )
        transform = (arrays["input_shift"], arrays["input_scale"])
        net._set_transform(*transform)
        net.core.frozen = arrays.get("frozen")
        scaling = header["input_scaling"]
        net.input_scaling = (
            transform if scaling == "given" else one_of("input_scaling", scaling, INPUT_SCALINGS)
        )
        labels = header["classes"]
        net._classes = (
            None if labels is None else read_classes(labels, header["labels"], net.layers[-1])
        )
        names = header["input_names"]
        net.input_names = None if names is None else tuple(names)
        return net

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_state, self.state())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (``.npz``); equal networks give equal bytes.

        Parameters
        ----------
        path : path-like
            Where to; an older file is replaced only when the new one is whole.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        header, arrays = self.state()
        io.write_model(
            path,
            {"version": _core.__version__, "network": header},
            {f"network/{name}": a for name, a in arrays.items()},
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the network of a model file, whether `save` or `PruningPath.save` wrote it.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        SparseMLP

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If it is not a whole and unaltered model file.
        """
        header, arrays = io.read_model(path)
        prefix = "network/"
        try:
            return cls.from_state(
                header["network"],
                {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)},
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise io.ModelFileError(f"{path} does not describe a network: {error}") from error

    def _set_transform(self, shift: ArrayLike, scale: ArrayLike) -> None:
        full = [
            np.ascontiguousarray(np.broadcast_to(np.asarray(a, np.float32), self.layers[:1]))
            for a in (shift, scale)
        ]
        self.core.input_transform = (full[0], full[1])
