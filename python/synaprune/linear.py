"""`SparseLinear`: one sparse matrix on its own, for code that brings its own training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.layers import SparseLayer, check_layer
from synaprune.state import instance_attributes
from synaprune.threads import Threads, check_threads


@dataclass(frozen=True)
class LinearGradients:
    """Gradients of a loss by what went into a `SparseLinear`.

    Attributes
    ----------
    values : ndarray of float32, shape (n_synapses,)
        By the weights, in CSR order.
    bias : ndarray of float32, shape (n_out,)
    X : ndarray of float32, shape (n_in, n)
    """

    values: NDArray[np.float32]
    bias: NDArray[np.float32]
    X: NDArray[np.float32]


class SparseLinear:
    """Y = W X + b with W sparse, and its gradients, at the speed of the training kernels.

    Samples stand side by side in the columns of X, as in ``scipy.sparse``'s ``W @ X``. Calls may
    come from several threads and then take turns; scratch memory is kept between them.

    Parameters
    ----------
    weights : SparseLayer
        The matrix and its bias; copied. ``initial`` is not used.

    Attributes
    ----------
    weights : SparseLayer
        What it was made of, as read-only copies.

    Raises
    ------
    TypeError, ValueError
        If the weights are not canonical CSR of the right dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from synaprune import SparseLayer, SparseLinear
    >>> w = np.array([2.0, 3.0], np.float32)
    >>> layer = SparseLayer(3, np.array([0, 1, 2]), np.array([2, 0]), w, w, np.zeros(2))
    >>> SparseLinear(layer).forward(np.array([[1.0], [10.0], [100.0]], np.float32)).tolist()
    [[200.0], [3.0]]
    """

    def __init__(self, weights: SparseLayer) -> None:
        check_layer("weights", weights)
        n_in, *arrays = weights.to_core()
        indptr, indices, values, _, bias = (a.copy() for a in arrays)
        self._core = _core.Linear(n_in, indptr, indices, values, bias)
        self.weights = SparseLayer(n_in, indptr, indices, values, values, bias).read_only()

    @property
    def shape(self) -> tuple[int, int]:
        """(n_out, n_in)."""
        return self.weights.shape

    @property
    def n_synapses(self) -> int:
        """Number of weights, without the biases."""
        return len(self.weights.values)

    def __getstate__(self) -> dict[str, Any]:
        return instance_attributes(self) | {"_core": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        SparseLinear.__init__(self, state["weights"])
        for name in state.keys() - {"_core", "weights"}:
            setattr(self, name, state[name])

    def __repr__(self) -> str:
        n_out, n_in = self.shape
        return f"{type(self).__name__}({n_in} to {n_out}, {self.n_synapses} synapses)"

    def forward(
        self, X: Any, *, threads: Threads = None, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return W X + b.

        Parameters
        ----------
        X : ndarray of float32, shape (n_in, n)
            C-ordered; nothing is converted. Fastest if it begins on a cache line (64 bytes).
        threads : int, optional
            As OpenMP offers if left out. Results never depend on it.
        out : ndarray of float32, shape (n_out, n), optional
            Where to write the result; it may share memory with X.

        Returns
        -------
        ndarray of float32, shape (n_out, n)

        Raises
        ------
        TypeError, ValueError
            If dtype, shape or layout of an array is another.
        """
        if out is not None:
            _check_array("out", out)
        return self._core.forward(_check_array("X", X), check_threads(threads), out)

    def backward(self, X: Any, D: Any, *, threads: Threads = None) -> LinearGradients:
        """Return the gradients of a loss whose gradient by Y = W X + b is D.

        They are D Xᵀ at the synapses, the row sums of D, and Wᵀ D.

        Parameters
        ----------
        X : ndarray of float32, shape (n_in, n)
            What `forward` was given; C-ordered.
        D : ndarray of float32, shape (n_out, n)
            C-ordered.
        threads : int, optional

        Returns
        -------
        LinearGradients

        Raises
        ------
        TypeError, ValueError
            If dtype, shape or layout of an array is another.
        """
        arrays = _check_array("X", X), _check_array("D", D)
        return LinearGradients(*self._core.backward(*arrays, check_threads(threads)))


def _check_array(name: str, value: Any) -> NDArray[Any]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be an array of float32, got {type(value).__name__}")
    return value
