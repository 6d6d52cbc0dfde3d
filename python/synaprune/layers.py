"""`SparseLayer`: one layer of a network as arrays, and numbers for the synapses of all layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_bool, shown
from synaprune.extras import require

CSR = ("indptr", "indices", "values", "initial", "bias")  # the arrays of a layer, in order
Positions: TypeAlias = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class SparseLayer:
    """One layer in canonical CSR form: a row per neuron of the layer, a column per neuron below.

    Attributes
    ----------
    n_in : int
        Neurons (or inputs) below, whether they have synapses or not.
    indptr : ndarray of int64, shape (n_out + 1,)
    indices : ndarray of int32, shape (nnz,)
        Columns, ascending and unique in each row.
    values, initial : ndarray of float32, shape (nnz,)
        Weights now and at initialisation.
    bias : ndarray of float32, shape (n_out,)

    Examples
    --------
    >>> import dataclasses
    >>> import synaprune as sn
    >>> net = sn.SparseMLP((4, 3, 2), seed=0)
    >>> first, last = net.weights
    >>> half = dataclasses.replace(first, values=first.values / 2)
    >>> bool(net.set_weights([half, last]).weights[0].values[0] == first.values[0] / 2)
    True
    """

    n_in: int
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    initial: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __repr__(self) -> str:
        n_out, n_in = self.shape
        return f"{type(self).__name__}({n_in} to {n_out}, {len(self.values)} synapses)"

    @classmethod
    def from_dense(
        cls, values: Any, bias: Any = None, *, initial: Any = None, keep_zeros: bool = False
    ) -> Self:
        """Return a layer of dense weights; where they are zero there is no synapse.

        Parameters
        ----------
        values : array_like, shape (n_out, n_in)
            Each becomes float32.
        bias : array_like, shape (n_out,), optional
            Zeros if left out.
        initial : array_like, shape (n_out, n_in), optional
            Weights at initialisation. Zeros if left out: WSF then ranks by magnitude.
        keep_zeros : bool
            Whether weights of zero are synapses, too.

        Returns
        -------
        SparseLayer

        Raises
        ------
        TypeError, ValueError
            If they are no numbers, or shapes differ.

        Examples
        --------
        >>> SparseLayer.from_dense([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
        SparseLayer(2 to 3, 2 synapses)
        """
        check_bool("keep_zeros", keep_zeros)
        dense = _float32("values", values, None)
        if dense.ndim != 2:
            raise ValueError(f"values must have shape (n_out, n_in), got {dense.shape}")
        n_out, n_in = dense.shape
        first = (
            np.zeros_like(dense) if initial is None else _float32("initial", initial, (n_out, n_in))
        )
        kept = np.ones(dense.shape, bool) if keep_zeros else dense != 0.0
        return cls(
            n_in,
            np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64),
            np.nonzero(kept)[1].astype(np.int32),
            dense[kept],
            first[kept],
            np.zeros(n_out, np.float32) if bias is None else _float32("bias", bias, (n_out,)),
        )

    @classmethod
    def from_scipy(cls, matrix: Any, bias: Any = None, *, initial: Any = None) -> Self:
        """Return a layer of a sparse matrix of SciPy; stored zeros are synapses.

        Parameters
        ----------
        matrix : sparse array or matrix, shape (n_out, n_in)
            Of any format; entries that are stored twice are added.
        bias : array_like, shape (n_out,), optional
            Zeros if left out.
        initial : sparse array or matrix, shape (n_out, n_in), optional
            Weights at initialisation, zero where nothing is stored. Zeros if left out: WSF then
            ranks by magnitude.

        Returns
        -------
        SparseLayer

        Raises
        ------
        TypeError, ValueError
            If it is no sparse matrix, or shapes differ.

        Examples
        --------
        >>> import synaprune as sn
        >>> layer = sn.SparseMLP((4, 3, 2), seed=0).weights[0]
        >>> SparseLayer.from_scipy(layer.to_scipy(), layer.bias)
        SparseLayer(4 to 3, 12 synapses)
        """
        csr = _csr("matrix", matrix)
        n_out, n_in = csr.shape
        rows = np.repeat(np.arange(n_out), np.diff(csr.indptr))
        values = np.ascontiguousarray(csr.data, np.float32)
        first = np.zeros_like(values)
        if initial is not None:
            given = _csr("initial", initial)
            if given.shape != csr.shape:
                raise ValueError(f"initial must have shape {csr.shape}, got {given.shape}")
            keys = np.repeat(np.arange(n_out), np.diff(given.indptr)) * n_in + given.indices
            _, here, there = np.intersect1d(rows * n_in + csr.indices, keys, return_indices=True)
            first[here] = given.data[there]
        return cls(
            n_in,
            csr.indptr.astype(np.int64),
            csr.indices.astype(np.int32),
            values,
            first,
            np.zeros(n_out, np.float32) if bias is None else _float32("bias", bias, (n_out,)),
        )

    def to_scipy(self) -> Any:
        """Return the weights as a sparse array of SciPy, which shares nothing with the layer.

        Returns
        -------
        scipy.sparse.csr_array of float32, shape (n_out, n_in)

        Raises
        ------
        ImportError
            If SciPy is not installed; the extra "sklearn" brings it.
        """
        sparse = require("scipy.sparse", "sklearn")
        return sparse.csr_array((self.values, self.indices, self.indptr), self.shape, copy=True)

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
        """One ascending number per synapse: row * n_in + column."""
        return self.rows * self.n_in + self.indices

    def to_dense(self) -> NDArray[np.float32]:
        """Return the weights as a dense array, zero where there is no synapse.

        Returns
        -------
        ndarray of float32, shape (n_out, n_in)
        """
        dense = np.zeros(self.shape, np.float32)
        dense[self.rows, self.indices] = self.values
        return dense

    def to_core(self) -> tuple[Any, ...]:
        """Return the tuple that the core takes, each array in the core's dtype and layout.

        Returns
        -------
        tuple
        """
        return (
            int(self.n_in),
            _integers("indptr", self.indptr, np.int64),
            _integers("indices", self.indices, np.int32),
            *(np.ascontiguousarray(a, np.float32) for a in (self.values, self.initial, self.bias)),
        )

    def read_only(self) -> SparseLayer:
        """Mark the layer's arrays as read-only and return the layer.

        Returns
        -------
        SparseLayer
        """
        for name in CSR:
            getattr(self, name).flags.writeable = False
        return self


def split_synapses(flat: NDArray[Any], layers: Sequence[SparseLayer]) -> list[NDArray[Any]]:
    """Split an array with one entry per synapse, layer by layer in CSR order, into layers.

    Parameters
    ----------
    flat : ndarray, shape (n_synapses, ...)
    layers : sequence of SparseLayer

    Returns
    -------
    list of ndarray
        Views, one per layer.
    """
    return np.split(flat, np.cumsum([len(layer.values) for layer in layers])[:-1])


def split_biases(flat: NDArray[Any], layers: Sequence[SparseLayer]) -> list[NDArray[Any]]:
    """Split an array with one entry per bias, layer by layer, into layers.

    Parameters
    ----------
    flat : ndarray, shape (n_biases, ...)
    layers : sequence of SparseLayer

    Returns
    -------
    list of ndarray
        Views, one per layer.
    """
    return np.split(flat, np.cumsum([len(layer.bias) for layer in layers])[:-1])


def split_parameters(
    flat: NDArray[Any], layers: Sequence[SparseLayer]
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Split an array with one entry per parameter into (synapses, biases) of each layer.

    Parameters
    ----------
    flat : ndarray, shape (n_synapses + n_biases, ...)
        The order of the core: layer by layer, the synapses of a layer before its biases.
    layers : sequence of SparseLayer

    Returns
    -------
    list of (ndarray, ndarray)
        Views, one pair per layer.
    """
    sizes = [n for layer in layers for n in (len(layer.values), len(layer.bias))]
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return list(zip(parts[::2], parts[1::2], strict=True))


def carried(
    frozen: NDArray[np.uint8], before: Sequence[SparseLayer], after: Sequence[SparseLayer]
) -> NDArray[np.uint8]:
    """Return which parameters are frozen after synapses were removed or added.

    Parameters
    ----------
    frozen : ndarray of uint8
        1 for each frozen parameter of `before`, in the order of `split_parameters`.
    before, after : sequence of SparseLayer
        Layers of the same shapes.

    Returns
    -------
    ndarray of uint8
        The same for `after`: what was frozen stays frozen if it is still there.
    """
    parts = []
    pairs = split_parameters(frozen, before)
    for (synapses, biases), old, new in zip(pairs, before, after, strict=True):
        parts += [np.isin(new.keys, old.keys[synapses != 0]).astype(np.uint8), biases]
    return np.concatenate(parts)


class SynapseIndex:
    """Numbers for the synapses of a network, layer by layer in CSR order.

    Parameters
    ----------
    layers : sequence of SparseLayer
        The layers of the network whose synapses are numbered.
    """

    def __init__(self, layers: Sequence[SparseLayer]) -> None:
        self.layers = layers
        self.ends = np.cumsum([len(layer.values) for layer in layers], dtype=np.int64)
        self.dtype = position_dtype(int(self.ends[-1]))

    def positions(self, layers: Sequence[SparseLayer]) -> Positions:
        """Return the numbers, ascending, of another network's synapses, which are all numbered."""
        begins = [0, *self.ends[:-1]]
        parts = [
            begin + np.searchsorted(full.keys, part.keys)
            for begin, full, part in zip(begins, self.layers, layers, strict=True)
        ]
        positions: Positions = np.concatenate(parts).astype(self.dtype)
        return positions

    def split(self, positions: NDArray[Any]) -> list[NDArray[np.int64]]:
        """Return ascending numbers layer by layer, counted from each layer's first synapse."""
        parts = np.split(positions, np.searchsorted(positions, self.ends[:-1]))
        begins = [0, *self.ends[:-1]]
        return [part - np.int64(begin) for part, begin in zip(parts, begins, strict=True)]

    def select(
        self, positions: NDArray[Any], values: NDArray[np.float32], biases: NDArray[np.float32]
    ) -> list[SparseLayer]:
        """Return layers with these synapses only, and with these weights and biases.

        Parameters
        ----------
        positions : ndarray of int, shape (n_synapses,)
            Ascending.
        values : ndarray of float32, shape (n_synapses,)
        biases : ndarray of float32, shape (n_biases,)
        """
        local = self.split(positions)
        parts = np.split(values, np.cumsum([len(part) for part in local])[:-1])
        return [
            SparseLayer(
                full.n_in,
                np.searchsorted(part, full.indptr).astype(np.int64),
                full.indices[part],
                value,
                full.initial[part],
                bias,
            )
            for full, part, value, bias in zip(
                self.layers, local, parts, split_biases(biases, self.layers), strict=True
            )
        ]

    def rows_and_columns(self, positions: NDArray[Any]) -> list[NDArray[np.int32]]:
        """Return (neuron, neuron below) of each synapse: one array a layer, shape (n, 2)."""
        pairs = []
        for layer, local in zip(self.layers, self.split(positions), strict=True):
            rows = np.searchsorted(layer.indptr, local, side="right") - 1
            pairs.append(np.stack([rows.astype(np.int32), layer.indices[local]], axis=1))
        return pairs


def position_dtype(n_synapses: int) -> type[np.signedinteger[Any]]:
    """Return the smallest dtype that numbers the synapses: int32, beyond its range int64."""
    return np.int32 if n_synapses <= np.iinfo(np.int32).max else np.int64


def _float32(name: str, given: Any, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Return numbers as a new array; those beyond float32 become infinite."""
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    with np.errstate(over="ignore"):  # the core refuses what is not finite
        return np.array(array, np.float32, order="C")


def _csr(name: str, given: Any, *, copy: bool = True) -> Any:
    """Return a sparse matrix in canonical CSR form, a copy unless it is that and need not be."""
    sparse = require("scipy.sparse", "sklearn")
    if not sparse.issparse(given) or given.ndim != 2:
        raise TypeError(f"{name} must be a sparse matrix of SciPy, got {shown(given)}")
    csr = sparse.csr_array(given, copy=copy)
    if not (copy or csr.has_canonical_format):
        csr = csr.copy()
    if csr.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {csr.dtype}")
    csr.sum_duplicates()  # which sorts, too
    return csr


def mask_arrays(name: str, given: Any) -> tuple[int, int, NDArray[np.int64], NDArray[np.int32]]:
    """Return (n_out, n_in, indptr, indices) of what a sparse matrix stores.

    Parameters
    ----------
    name : str
        What errors call it.
    given : sparse array or matrix

    Raises
    ------
    TypeError
        If it is no sparse matrix of SciPy.
    """
    csr = _csr(name, given, copy=False)
    return *csr.shape, csr.indptr.astype(np.int64), csr.indices.astype(np.int32)


def _integers(name: str, given: NDArray[Any], dtype: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Return whole numbers in the core's dtype, or raise where that would change one."""
    array = np.asarray(given)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold ints, got dtype {array.dtype}")
    converted = np.ascontiguousarray(array, dtype)
    if not np.array_equal(converted, array):
        raise ValueError(f"{name} holds numbers that do not fit {np.dtype(dtype)}")
    return converted


def check_layer(name: str, layer: object) -> None:
    """Raise a TypeError naming the argument unless it is a `SparseLayer`."""
    if not isinstance(layer, SparseLayer):
        raise TypeError(f"{name} must be a SparseLayer, got {shown(layer)}")
