"""One layer forward and backward at several densities, against dense and sparse peers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data import Settings, check
from bench.peers import cores, optional
from bench.peers.layers import BACKWARD, BOTH, FORWARD, PEERS, Layer, Ours
from bench.report import Report, against, spread
from bench.timing import Contender, Timing, measure

SMALL_DENSITIES = (1.0, 0.5, 0.35, 0.2, 0.1, 0.08, 0.05, 0.01)  # 0.08: the poster's 1259 of 15880
DENSITIES = (1.0, 0.5, 0.35, 0.2, 0.1, 0.05, 0.01)
SHAPES = ((784, 20, 64), (1024, 1024, 128), (4096, 4096, 256))  # n_in, n_out, samples
# What a pass returns; each part takes one multiply-add a synapse and sample.
PARTS = {FORWARD: ("Y",), BACKWARD: ("dW", "dX"), BOTH: ("Y", "dW", "dX")}


def run(settings: Settings, report: Report) -> None:
    """Measure the section."""
    threads = cores()
    peak = 0.0
    report.text("## Kernels")
    report.text(
        f"One layer, {threads} threads each (scipy has one). Everybody's arrays begin on cache "
        "lines, as torch's own do. The dense BLAS peak is the rate of "
        f"the best float32 product of {'torch' if optional('torch') else 'numpy'} so far."
    )
    for shape in SHAPES[:2] if settings.quick else SHAPES:
        densities = SMALL_DENSITIES if shape == SHAPES[0] else DENSITIES
        peak = max(peak, blas_peak(threads, 1024 if settings.quick else 2048))
        report.text(f"### {shape[0]} inputs, {shape[1]} outputs, {shape[2]} samples")
        report.text(f"Dense BLAS peak: {peak / 1e9:.0f} GMAC/s.")
        peers = [peer.name for peer in PEERS if optional(peer.module)]
        rows = []
        for density in (1.0, 0.08) if settings.quick else densities:
            for name, timings in density_timings(shape, density, threads, settings.quick):
                ours = timings[Ours.name]
                rate = len(PARTS[name]) * round(density * shape[0] * shape[1]) * shape[2]
                rate /= ours.median
                cells = [against(ours, timings[p]) if p in timings else "" for p in peers]
                label = f"{density:g}, {name}"
                figures = [spread(ours), f"{rate / 1e9:.1f}", f"{rate / peak:.0%}"]
                rows.append([label, *figures, *cells])
                report.record(
                    "kernels", list(timings.values()), shape=shape, density=density, name=name,
                    blas_peak=peak, macs_per_second=rate,
                )  # fmt: skip
        report.table(["density, pass", "synaprune", "GMAC/s", "of peak", *peers], rows)


def density_timings(
    shape: tuple[int, int, int], density: float, threads: int, quick: bool
) -> Iterator[tuple[str, dict[str, Timing]]]:
    """Check and time every pass of one layer; yields (pass, timings by contender)."""
    layer = Layer.random(*shape, density, seed=1000)
    entrants = [Ours(layer, threads), *(p(layer) for p in PEERS if optional(p.module))]
    expected = reference(layer)
    for name in PARTS:
        able = [e for e in entrants if name in e.passes]
        for entrant in able:
            verify(entrant, name, layer, expected)
        contenders = [Contender(e.name, e.passes[name], threads) for e in able]
        rounds, budget = ((3, 5), 0.3) if quick else ((5, 9), 0.5)
        yield name, {t.name: t for t in measure(contenders, rounds=rounds, budget=budget)}


def reference(layer: Layer) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Return Y, dW at the synapses and dX in double precision, each with Σ|terms|."""
    W, X, D = (a.astype(np.float64) for a in (layer.W, layer.X, layer.D))
    living = layer.W != 0
    values, terms = (
        (A @ B, (C @ B.T)[living], A.T @ C) for A, B, C in ((W, X, D), (abs(W), abs(X), abs(D)))
    )
    return dict(zip(PARTS[BOTH], zip(values, terms, strict=True), strict=True))


def verify(
    entrant: Any, name: str, layer: Layer, expected: dict[str, tuple[NDArray[Any], NDArray[Any]]]
) -> None:
    """End the run unless a pass gives the reference's results within c·eps·Σ|terms|."""
    for part, got in zip(PARTS[name], entrant.passes[name](), strict=True):
        array = np.asarray(got.values() if getattr(got, "is_sparse_csr", False) else got)
        if part == "dW" and array.ndim == 2:
            array = array[layer.W != 0]
        value, terms = expected[part]
        check(
            array.shape == value.shape
            and (abs(array - value) <= 64 * np.finfo(np.float32).eps * terms).all(),
            f"{part} of {entrant.name}, {name}, {layer.W.shape}, {len(layer.weights.values)} "
            "synapses, differs from the reference",
        )


def blas_peak(threads: int, n: int) -> float:
    """Multiply-adds a second of the best of some dense float32 products, n by n by n."""
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal((n, n), np.float32) for _ in range(2))
    torch = optional("torch")
    if torch:
        A, B = torch.from_numpy(A), torch.from_numpy(B)
    product = Contender("BLAS", lambda: A @ B, threads)
    return n**3 / measure([product], rounds=(10, 20), budget=1.0)[0].low
