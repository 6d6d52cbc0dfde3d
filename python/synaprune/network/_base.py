"""`SparseNetwork`: what a network is, apart from its files and what it does with data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synaprune import _core
from synaprune.arrays import Labels
from synaprune.checks import check_float, check_int
from synaprune.network._checks import (
    ACTIVATIONS,
    INPUT_SCALINGS,
    brief,
    check_pair,
    one_of,
    resolve_loss,
)
from synaprune.network._weights import Weights, carried, split_by_layer


class SparseNetwork:
    """Layers, labels and input transform of a network, and its copies.

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

    def input_name(self, i: int) -> str:
        """Return what an input is called, "x3" if nobody named it.

        Parameters
        ----------
        i : int
            Its position.

        Returns
        -------
        str
        """
        return f"x{i}" if self.input_names is None else self.input_names[i]

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
        return [part != 0 for part in split_by_layer(frozen, weights)[::2]]

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

    def _set_transform(self, shift: ArrayLike, scale: ArrayLike) -> None:
        full = [
            np.ascontiguousarray(np.broadcast_to(np.asarray(a, np.float32), self.layers[:1]))
            for a in (shift, scale)
        ]
        self.core.input_transform = (full[0], full[1])
