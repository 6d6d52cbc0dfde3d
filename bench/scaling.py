"""How training grows with synapses, samples and threads, and what memory it takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.data import SGD, Settings, check
from bench.peers import cores
from bench.report import Report, duration, spread
from bench.timing import Contender, Timing, measure

INPUTS, CLASSES = 1000, 10
BATCH_SIZE = 64
N_SAMPLES = 1024
EPOCHS = 2  # of a call


def run(settings: Settings, report: Report) -> None:
    """Measure the section."""
    top = 6 if settings.quick else 7
    report.text("## Scaling")
    report.text(
        f"Seconds per epoch of `fit`, {INPUTS} inputs, one full hidden layer, {CLASSES} classes, "
        f"batch {BATCH_SIZE}, {cores()} threads."
    )
    counts = np.round(10 ** np.arange(3, top + 0.1, 1.0 if settings.quick else 0.5)).astype(int)
    nets = [network(int(n)) for n in counts]
    by_size(report, f"synapses, {N_SAMPLES} samples", "synapses", [n.n_synapses for n in nets],
            [contender(net, N_SAMPLES, cores()) for net in nets], settings.quick)  # fmt: skip
    numbers = [4**k * 64 for k in range(2, 5 if settings.quick else 6)]
    net = network(100_000)
    by_size(report, f"samples, {net.n_synapses} synapses", "samples", numbers,
            [contender(net, n, cores()) for n in numbers], settings.quick)  # fmt: skip
    by_threads(report, settings.quick)
    by_memory(report, 10**top)


def by_size(
    report: Report,
    title: str,
    what: str,
    sizes: Sequence[int],
    contenders: Sequence[Contender],
    quick: bool,
) -> None:
    """Table seconds against sizes, and the law that fits them."""
    timings = measure(contenders, rounds=(2, 3) if quick else (5, 9), budget=20)
    report.table(
        [title, "an epoch", f"a {what[:-1]}"],
        [
            [f"{size}", spread(t), duration(t.median / size * 1e9)[0].removesuffix(" s") + " ns"]
            for size, t in zip(sizes, timings, strict=True)
        ],
    )
    a, b, k = fit_power(sizes, timings)
    report.text(f"Least squares on the logarithms: {duration(a)[0]} + {b:.3g} s · {what}^{k:.2f}.")
    report.record("scaling", timings, by=what, sizes=list(sizes), a=a, b=b, exponent=k)


def fit_power(sizes: Sequence[int], timings: Sequence[Timing]) -> tuple[float, float, float]:
    """Fit time = a + b·n^k, a and b not negative, by least squares on the logarithms.

    Every pair of k and a / b on a grid has its best b in closed form.
    """
    n = np.asarray(sizes, float)
    log_t = np.log([t.median for t in timings])
    best = (np.inf, 0.0, 0.0, 0.0)
    for k in np.arange(0.5, 1.5, 0.005):
        for ratio in np.append(0.0, np.geomspace(n[0] ** k / 100, n[-1] ** k, 400)):
            gap = log_t - np.log(ratio + n**k)
            error = float(np.var(gap))
            if error < best[0]:
                b = float(np.exp(gap.mean()))
                best = (error, float(ratio) * b, b, float(k))
    return best[1:]


def by_threads(report: Report, quick: bool) -> None:
    """Table seconds against threads."""
    threads = sorted({2**i for i in range(cores().bit_length())} | {cores()})
    rows = []
    for synapses in (10**4, 10**5, 10**6):
        net = network(synapses)
        verify(net, threads)
        timings = measure(
            [contender(net, N_SAMPLES, t) for t in threads],
            rounds=(2, 3) if quick else (5, 9), budget=5,
        )  # fmt: skip
        gains = (f"{spread(t)}, {timings[0].median / t.median:.2f}×" for t in timings)
        rows.append([str(net.n_synapses), *gains])
        report.record("scaling", timings, by="threads", synapses=net.n_synapses)
    header = [f"{t} thread{'s' * (t > 1)}" for t in threads]
    report.table([f"synapses, {N_SAMPLES} samples", *header], rows)


def verify(net: sn.SparseMLP, threads: Sequence[int]) -> None:
    """End the run unless an epoch gives the same bits for every number of threads."""
    results = []
    for t in threads:
        twin = net.copy()
        contender(twin, 256, t).call()
        results.append([w.values.tobytes() for w in twin.weights])
    check(all(r == results[0] for r in results), "weights depend on the number of threads")


def by_memory(report: Report, synapses: int) -> None:
    """Say what training takes a synapse, batch buffers and copies apart."""
    if not Path("/proc/self/clear_refs").exists():
        report.text("Memory: skipped, needs Linux's /proc.")
        return
    rows = []
    for threads in sorted({1, cores()}):
        once, twice = (memory(synapses, b, threads) for b in (BATCH_SIZE, 2 * BATCH_SIZE))
        without = (2 * once - twice) / synapses
        rows.append([str(threads), f"{once / synapses:.1f}", f"{without:.1f}"])
        report.record(
            "scaling", by="memory", synapses=synapses, threads=threads,
            bytes_batch_64=once, bytes_batch_128=twice, bytes_per_synapse=without,
        )  # fmt: skip
    report.text(
        f"Memory of a training epoch at {synapses} synapses, above data: growth of the resident "
        f"set to its peak, in a process of its own, through the core's `train_epoch`, since `fit` "
        "keeps a copy to roll back to. Batch buffers are told apart by doubling the batch."
    )
    header = ["threads", f"bytes a synapse, batch {BATCH_SIZE}", "without batch buffers"]
    report.table(header, rows)


def memory(synapses: int, batch_size: int, threads: int) -> int:
    """Return what bench.memory prints."""
    command = [sys.executable, "-m", "bench.memory", *map(str, (synapses, batch_size, threads))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"bench.memory failed: {done.stderr.strip()}")
    return int(done.stdout)


def network(synapses: int) -> sn.SparseMLP:
    """Return a full network with one hidden layer and about so many synapses."""
    hidden = max(1, round(synapses / (INPUTS + CLASSES)))
    return sn.SparseMLP((INPUTS, hidden, CLASSES), seed=1000)


def samples(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return noise with labels that depend on it."""
    rng = np.random.default_rng(1000)
    X = rng.standard_normal((n, INPUTS), np.float32)
    y = X[:, :CLASSES].argmax(axis=1)
    y[:CLASSES] = np.arange(CLASSES)
    return X, y


def contender(net: sn.SparseMLP, n_samples: int, threads: int) -> Contender:
    """Return whole calls of `fit`, each of which goes on training."""
    X, y = samples(n_samples)
    training = sn.Training(EPOCHS, batch_size=BATCH_SIZE, optimizer=SGD)
    fit = partial(net.fit, X, y, training=training, threads=threads)
    return Contender(str(net.n_synapses), fit, threads, EPOCHS)
