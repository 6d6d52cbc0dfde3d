"""Inference of the Sparse DNN Challenge on generated networks, beside scipy and GraphBLAS.

    python -m bench.radix --data-dir DIR [--inputs 60000] [--write]

Y = min(max(W Y + b, 0), 32) through 120 layers of 32 synapses a neuron of weight 1/16, b = -0.3
(1024 neurons) or -0.35 (4096): the sizes, weights and biases of the Sparse Deep Neural Network
Graph Challenge (Kepner, Alford, Gadepally, Jones, Milechin, Robinett & Samsi, HPEC 2019). Layers
are made here in the way of RadiX-Nets (Robinett & Kepner 2019): neuron j reads j + k s for k < 32,
modulo the layer's neurons, and the strides s of layers one after another reach everything; neurons
are then renumbered at random. Inputs are MNIST's training images, resized to a square of as many
pixels, 1 where a pixel is lit. --write writes bench/results/radix.md.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.data import check
from bench.final import RESULTS, commit
from bench.machine import cpu_model
from bench.peers import cores, optional
from bench.report import Report

N_LAYERS, FAN_IN, CAP = 120, 32, 32.0
STRIDES = {1024: (1, 32), 4096: (1, 32, 128)}
BIAS = {1024: -0.3, 4096: -0.35}
SLAB = 512  # inputs that pass through all layers together
EVERY = 8  # layers after which inputs that have come to nothing are left out
PEERS = 2048  # inputs that the peers are given

Dense = NDArray[np.float32]
Infer = Callable[[Dense], tuple[NDArray[np.int64], Dense]]


def radix_net(neurons: int, seed: int = 1000) -> list[sn.SparseLayer]:
    """Return the layers, each neuron with `FAN_IN` synapses."""
    rng = np.random.default_rng(seed)
    below = np.arange(neurons)
    layers = []
    for number in range(N_LAYERS):
        stride = STRIDES[neurons][number % len(STRIDES[neurons])]
        reads = (np.arange(neurons)[:, None] + stride * np.arange(FAN_IN)) % neurons
        above = rng.permutation(neurons)
        indices = np.empty((neurons, FAN_IN), np.int32)
        indices[above] = np.sort(below[reads], axis=1)
        values = np.full(indices.size, 1 / 16, np.float32)
        bias = np.full(neurons, BIAS[neurons], np.float32)
        indptr = np.arange(neurons + 1) * FAN_IN
        layers.append(sn.SparseLayer(neurons, indptr, indices.ravel(), values, values, bias))
        below = above
    return layers


def lit(X: NDArray[np.uint8], neurons: int) -> NDArray[np.bool_]:
    """Return images as columns of a square of so many pixels, true where one is lit."""
    side = int(np.sqrt(neurons))
    at = np.arange(side) * 28 // side
    return (X.reshape(-1, 28, 28)[:, at][:, :, at] > 0).reshape(len(X), -1).T


def slabs(X: NDArray[np.bool_]) -> Iterator[tuple[int, Dense]]:
    """Yield (first column, some columns)."""
    for first in range(0, X.shape[1], SLAB):
        yield first, np.ascontiguousarray(X[:, first : first + SLAB], np.float32)


def through(Y: Dense, products: list[Callable[[Dense], Dense]]) -> tuple[NDArray[np.int64], Dense]:
    """Return (columns that are not all 0 at the end, what they hold)."""
    alive = np.arange(Y.shape[1])
    for number, product in enumerate(products):
        Y = product(Y)
        np.clip(Y, 0.0, CAP, out=Y)
        if number % EVERY == EVERY - 1 or number == N_LAYERS - 1:
            some = Y.any(axis=0)
            alive, Y = alive[some], np.ascontiguousarray(Y[:, some])
    return alive, Y


def ours(layers: list[sn.SparseLayer]) -> Infer:
    """Return `SparseLinear` on one thread."""
    linear = [sn.SparseLinear(layer) for layer in layers]
    products = [lambda Y, one=one: one.forward(Y, threads=1) for one in linear]
    return lambda Y: through(Y, products)


def scipy_csr(layers: list[sn.SparseLayer]) -> Infer:
    """Return scipy's product of a CSR matrix and a dense one."""
    sparse = optional("scipy.sparse")
    matrices = [sparse.csr_array((w.values, w.indices, w.indptr), shape=w.shape) for w in layers]
    bias = layers[0].bias[:, None]
    products = [lambda Y, W=W: W @ Y + bias for W in matrices]
    return lambda Y: through(Y, products)


def graphblas(layers: list[sn.SparseLayer]) -> Infer:
    """Return products of sparse matrices in SuiteSparse:GraphBLAS, which keeps no zeros."""
    gb: Any = optional("graphblas")
    matrices = [gb.Matrix.from_csr(w.indptr, w.indices, w.values, ncols=w.shape[1]) for w in layers]
    bias, cap = float(layers[0].bias[0]), np.float32(CAP)

    def infer(X: Dense) -> tuple[NDArray[np.int64], Dense]:
        rows, columns = np.nonzero(X)
        Y = gb.Matrix.from_coo(rows, columns, X[rows, columns], nrows=X.shape[0], ncols=X.shape[1])
        for W in matrices:
            Y = W.mxm(Y, gb.semiring.plus_times[gb.dtypes.FP32]).new(gb.dtypes.FP32)
            Y << Y.apply(gb.binary.plus[gb.dtypes.FP32], right=bias)
            Y << Y.select("valuegt", 0)
            Y << Y.apply(gb.binary.min[gb.dtypes.FP32], right=cap)
        dense = np.zeros(X.shape, np.float32)
        rows, columns, values = Y.to_coo()
        dense[rows, columns] = values
        alive = np.flatnonzero(dense.any(axis=0))
        return alive, dense[:, alive]

    return infer


def timed(infers: list[Infer], X: NDArray[np.bool_]) -> tuple[float, list[Any]]:
    """Return (seconds, results) of all columns, one thread an `Infer`."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(infers)) as pool:
        free = list(infers)

        def one(slab: tuple[int, Dense]) -> tuple[NDArray[np.int64], Dense]:
            infer = free.pop()
            try:
                alive, Y = infer(slab[1])
            finally:
                free.append(infer)
            return alive + slab[0], Y

        results = list(pool.map(one, slabs(X)))
    return time.perf_counter() - begin, results


def joined(results: list[Any]) -> tuple[NDArray[np.int64], Dense]:
    """Return slabs side by side."""
    return np.concatenate([r[0] for r in results]), np.concatenate([r[1] for r in results], axis=1)


def main() -> None:
    """Run both sizes and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that holds mnist/")
    parser.add_argument("--inputs", type=int, default=60000)
    parser.add_argument("--write", action="store_true", help="write bench/results/radix.md")
    args = parser.parse_args()
    data = sn.datasets.mnist(args.data_dir)
    images = np.concatenate([data.train.X, data.validation.X])[: args.inputs]
    report = Report()
    report.text(
        f"`python -m bench.radix`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit "
        f"{commit()}, {cpu_model()}, {cores()} cores, ISA {sn.build_info()['isa']}. Edges a second "
        "are inputs times synapses of the network by seconds, whatever is skipped: all leave out "
        f"inputs that have become 0. Ours and scipy take {SLAB} inputs at a time, ours on all "
        "cores, scipy on the one that it uses; GraphBLAS takes all of its inputs at once, on all "
        f"cores. The peers are given {PEERS} inputs, on which all agree: the same inputs are not 0 "
        "at the end, and their numbers are equal to 1e-4."
    )
    header = ["network", "inputs", "not 0 at the end", "seconds", "edges/s"]
    peers = {"scipy": scipy_csr, "graphblas": graphblas}
    rows = []
    for neurons in STRIDES:
        layers = radix_net(neurons)
        X = lit(images, neurons)
        edges = sum(len(w.values) for w in layers)
        seconds, results = timed([ours(layers) for _ in range(cores())], X)
        ours_rate = edges * X.shape[1] / seconds
        row = [f"{neurons} x {N_LAYERS}", str(X.shape[1]), str(len(joined(results)[0]))]
        row += [f"{seconds:.1f}", f"{ours_rate:.3g}"]
        few = X[:, :PEERS]
        same_seconds, results = timed([ours(layers) for _ in range(cores())], few)
        alive, Y = joined(results)
        for name, peer in peers.items():
            if optional("scipy.sparse" if name == "scipy" else name) is None:
                row.append("not installed")
                continue
            if name == "scipy":
                seconds, theirs = timed([peer(layers)], few)
                others = joined(theirs)
            else:
                infer = peer(layers)
                begin = time.perf_counter()
                others = infer(few.astype(np.float32))
                seconds = time.perf_counter() - begin
            check(np.array_equal(others[0], alive), f"{name} has other categories")
            check(np.allclose(others[1], Y, rtol=1e-4), f"{name} has other numbers")
            rate = edges * few.shape[1] / seconds
            row.append(f"{rate:.3g}, {seconds / same_seconds:.1f}×")
        rows.append(row)
    report.table([*header, *(f"{name} / ours" for name in peers)], rows)
    if args.write:
        (RESULTS / "radix.md").write_text(
            f"# Sparse DNN Challenge on generated RadiX-Nets\n\n{report.markdown()}"
        )


if __name__ == "__main__":
    main()
