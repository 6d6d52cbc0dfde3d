"""`Places`: a network's synapses as numbers, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.network import Weights

Positions: TypeAlias = NDArray[np.int32] | NDArray[np.int64]


class Places:
    """The synapses of a network, numbered layer by layer in CSR order.

    Parameters
    ----------
    weights : sequence of Weights
        The network's layers.
    """

    def __init__(self, weights: Sequence[Weights]) -> None:
        self.weights = weights
        self.ends = np.cumsum([len(w.values) for w in weights], dtype=np.int64)
        self.dtype = smallest_dtype(int(self.ends[-1]))

    def of(self, weights: Sequence[Weights]) -> Positions:
        """Return the numbers, ascending, of the synapses of another network, all of them ours."""
        begins = [0, *self.ends[:-1]]
        parts = [
            begin + np.searchsorted(full.keys, part.keys)
            for begin, full, part in zip(begins, self.weights, weights, strict=True)
        ]
        positions: Positions = np.concatenate(parts).astype(self.dtype)
        return positions

    def split(self, positions: NDArray[Any]) -> list[NDArray[np.int64]]:
        """Return ascending numbers layer by layer, counted from each layer's first synapse."""
        parts = np.split(positions, np.searchsorted(positions, self.ends[:-1]))
        begins = [0, *self.ends[:-1]]
        return [part - np.int64(begin) for part, begin in zip(parts, begins, strict=True)]

    def layers(
        self, positions: NDArray[Any], values: NDArray[np.float32], biases: NDArray[np.float32]
    ) -> list[Weights]:
        """Return the layers that have only these synapses, with these weights and biases."""
        locals_ = self.split(positions)
        return [
            Weights(
                w.n_in,
                np.searchsorted(local, w.indptr).astype(np.int64),
                w.indices[local],
                value,
                w.initial[local],
                bias,
            )
            for w, local, value, bias in zip(
                self.weights,
                locals_,
                np.split(values, np.cumsum([len(local) for local in locals_])[:-1]),
                np.split(biases, np.cumsum([len(w.bias) for w in self.weights])[:-1]),
                strict=True,
            )
        ]

    def rows_and_columns(self, positions: NDArray[Any]) -> list[NDArray[np.int32]]:
        """Return (neuron, neuron below) of each synapse: one array a layer, shape (n, 2)."""
        pairs = []
        for w, local in zip(self.weights, self.split(positions), strict=True):
            rows = np.searchsorted(w.indptr, local, side="right") - 1
            pairs.append(np.stack([rows.astype(np.int32), w.indices[local]], axis=1))
        return pairs


def smallest_dtype(n_synapses: int) -> type[np.signedinteger[Any]]:
    """Return the dtype that numbers so many synapses: int32, beyond its range int64."""
    return np.int32 if n_synapses <= np.iinfo(np.int32).max else np.int64
