"""`Weights`: one layer of a network as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CSR = ("indptr", "indices", "values", "initial", "bias")  # the arrays of a layer, in order


@dataclass(frozen=True)
class Weights:
    """One layer in canonical CSR form, rows the layer's neurons, columns those below.

    Attributes
    ----------
    n_in : int
        Neurons below, living or not.
    indptr : ndarray of int64, shape (n_out + 1,)
    indices : ndarray of int32, shape (nnz,)
        Columns, ascending and unique in each row.
    values, initial : ndarray of float32, shape (nnz,)
        Weights now and at initialisation.
    bias : ndarray of float32, shape (n_out,)
    """

    n_in: int
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    initial: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_out, n_in)."""
        return len(self.bias), self.n_in

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of each synapse, as `indices` is its column."""
        return np.repeat(np.arange(len(self.bias), dtype=np.int64), np.diff(self.indptr))

    @property
    def keys(self) -> NDArray[np.int64]:
        """One ascending number a synapse: row * n_in + column."""
        return self.rows * self.n_in + self.indices

    def to_dense(self) -> NDArray[np.float32]:
        """Return the weights as an array of shape (n_out, n_in), zero where no synapse is."""
        dense = np.zeros(self.shape, np.float32)
        dense[self.rows, self.indices] = self.values
        return dense

    def to_core(self) -> tuple[Any, ...]:
        """Return the tuple that the core takes, each array in the core's dtype and layout."""
        return (
            int(self.n_in),
            _integers("indptr", self.indptr, np.int64),
            _integers("indices", self.indices, np.int32),
            *(np.ascontiguousarray(a, np.float32) for a in (self.values, self.initial, self.bias)),
        )


def split_by_layer(flat: NDArray[np.uint8], weights: Sequence[Weights]) -> list[NDArray[np.uint8]]:
    """Return what belongs to each layer's synapses and to its biases, one after the other."""
    ends = np.cumsum([n for w in weights for n in (len(w.values), len(w.bias))])
    return np.split(flat, ends[:-1])


def carried(
    frozen: NDArray[np.uint8], before: Sequence[Weights], after: Sequence[Weights]
) -> NDArray[np.uint8]:
    """Return what of other layers of the same shapes is frozen, given what of these was.

    Parameters
    ----------
    frozen : ndarray of uint8
        As `_core.Network.frozen`: of each layer its synapses, then its biases.
    before, after : sequence of Weights
    """
    parts = split_by_layer(frozen, before)
    new = []
    for layer, (old, now) in enumerate(zip(before, after, strict=True)):
        held = old.keys[parts[2 * layer] != 0]
        new += [np.isin(now.keys, held).astype(np.uint8), parts[2 * layer + 1]]
    return np.concatenate(new)


def _integers(name: str, given: NDArray[Any], dtype: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Return whole numbers in the core's dtype, or raise where that would change one."""
    array = np.asarray(given)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold ints, got dtype {array.dtype}")
    converted = np.ascontiguousarray(array, dtype)
    if not np.array_equal(converted, array):
        raise ValueError(f"{name} holds numbers that do not fit {np.dtype(dtype)}")
    return converted
