"""One layer Y = W X as other libraries compute it, features by samples as ours.

Each class takes a `Layer` and offers ``passes``: name of a pass to a call that returns what the
pass computes, of Y, dW (dense or at the synapses) and dX. Conversions are made beforehand.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.peers import optional

Pass: TypeAlias = Callable[[], tuple[Any, ...]]
FORWARD, BACKWARD, BOTH = "forward", "backward", "forward+backward"


@dataclass(frozen=True)
class Layer:
    """A random sparse W (n_out, n_in), samples X (n_in, n) and gradient D (n_out, n)."""

    W: NDArray[np.float32]
    X: NDArray[np.float32]
    D: NDArray[np.float32]
    weights: sn.SparseLayer

    @classmethod
    def random(cls, n_in: int, n_out: int, n: int, density: float, seed: int) -> Layer:
        """Draw a layer whose synapses are ``density`` of all, anywhere."""
        rng = np.random.default_rng(seed)
        living = np.zeros(n_out * n_in, bool)
        living[rng.permutation(living.size)[: round(density * living.size)]] = True
        living = living.reshape(n_out, n_in)
        values = rng.uniform(0.5, 1.5, np.count_nonzero(living)).astype(np.float32)
        values *= rng.choice(np.array([-1, 1], np.float32), values.size)
        W = np.zeros(living.shape, np.float32)
        W[living] = values
        indptr = np.concatenate([[0], np.cumsum(living.sum(axis=1))])
        indices = np.nonzero(living)[1].astype(np.int32)
        weights = sn.SparseLayer(n_in, indptr, indices, values, values, np.zeros(n_out, np.float32))
        X, D = (aligned(rng.standard_normal((m, n), np.float32)) for m in (n_in, n_out))
        return cls(aligned(W), X, D, weights)


def aligned(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy that begins on a cache line, as torch's own arrays do."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    begin = -memory.ctypes.data % 64
    copy = memory[begin : begin + array.nbytes].view(np.float32).reshape(array.shape)
    copy[...] = array
    return copy


class Ours:
    """`synaprune.SparseLinear`, which adds a bias and gives its gradient as well."""

    name = "synaprune"

    def __init__(self, layer: Layer, threads: int) -> None:
        linear = sn.SparseLinear(layer.weights)

        def forward() -> tuple[Any, ...]:
            return (linear.forward(layer.X, threads=threads),)

        def backward() -> tuple[Any, ...]:
            gradients = linear.backward(layer.X, layer.D, threads=threads)
            return gradients.values, gradients.X

        self.passes: Mapping[str, Pass] = {
            FORWARD: forward,
            BACKWARD: backward,
            BOTH: lambda: forward() + backward(),
        }


class TorchDense:
    """Dense matrices: what masks cost, since zeros are multiplied too."""

    name = "torch dense"
    module = "torch"

    def __init__(self, layer: Layer) -> None:
        W, X, D = map(optional("torch").from_numpy, (layer.W, layer.X, layer.D))

        def forward() -> tuple[Any, ...]:
            return (W @ X,)

        def backward() -> tuple[Any, ...]:
            return D @ X.T, W.T @ D

        self.passes: Mapping[str, Pass] = {
            FORWARD: forward,
            BACKWARD: backward,
            BOTH: lambda: forward() + backward(),
        }


class TorchCSR:
    """torch's CSR tensors (MKL). Wᵀ is held ready, which training would have to refresh."""

    name = "torch CSR (MKL)"
    module = "torch"

    def __init__(self, layer: Layer) -> None:
        torch = optional("torch")
        W, X, D = map(torch.from_numpy, (layer.W, layer.X, layer.D))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # CSR "is in beta state"
            csr, transposed = W.to_sparse_csr(), W.T.contiguous().to_sparse_csr()

        def forward() -> tuple[Any, ...]:
            return (csr @ X,)

        def backward() -> tuple[Any, ...]:
            return torch.sparse.sampled_addmm(csr, D, X.T, beta=0.0), transposed @ D

        self.passes: Mapping[str, Pass] = {
            FORWARD: forward,
            BACKWARD: backward,
            BOTH: lambda: forward() + backward(),
        }


class ScipyCSR:
    """scipy's CSR matrices: one thread, forward only."""

    name = "scipy CSR"
    module = "scipy"

    def __init__(self, layer: Layer) -> None:
        w = layer.weights
        csr = optional("scipy.sparse").csr_array((w.values, w.indices, w.indptr), shape=w.shape)
        self.passes: Mapping[str, Pass] = {FORWARD: lambda: (csr @ layer.X,)}


class SparseLab:
    """SparseLab's autograd function, without the transposes that its module adds; no padding."""

    name = "SparseLab"
    module = "sparselab"

    def __init__(self, layer: Layer) -> None:
        torch, ops = optional("torch"), optional("sparselab.ops")
        # Its cache of transposes goes by id(), which a new matrix may share with a dead one.
        ops._clear_transpose_cache()
        csr = optional("sparselab.layout").from_dense(torch.from_numpy(layer.W), padding_ratio=0.0)
        values = torch.from_numpy(np.asarray(csr.values)).requires_grad_()
        X, D = map(torch.from_numpy, (layer.X, layer.D))
        X_leaf = X.clone().requires_grad_()

        def both() -> tuple[Any, ...]:
            values.grad = X_leaf.grad = None
            Y = ops._SpMMFunction.apply(values, csr, X_leaf, "simd")
            Y.backward(D)
            return Y.detach(), values.grad, X_leaf.grad

        self.passes: Mapping[str, Pass] = {FORWARD: lambda: (ops.spmm(csr, X),), BOTH: both}


PEERS = (TorchDense, TorchCSR, ScipyCSR, SparseLab)
