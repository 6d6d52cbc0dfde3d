"""``python -m bench.streams``: training and prediction on rows that do not fit into memory.

A cheap generator makes the rows block by block; nothing is stored. The same shapes are trained in
memory, as many rows as a tenth of a gigabyte holds, turn by turn with the stream of those rows. The
resident memory of the process is read before and at its peak. ``--mnist DIR`` adds what shuffling
in blocks costs in accuracy (validation split; seeds from 1000 on).
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn

from bench.final import commit
from bench.machine import cpu_model
from bench.memory import resident
from bench.peers import cores

N_FEATURES, N_CLASSES = 784, 10
ROWS = 5_000  # of a block: 16 MB
LAYERS = (N_FEATURES, 20, N_CLASSES)
WIDE = (N_FEATURES, 200, N_CLASSES)
SEEDS = range(1000, 1003)


class Simulation:
    """Rows of a made-up table, anew in each pass: a few random blocks, moved by another number.

    ``seconds`` is the time that making them took in all passes so far.
    """

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self.n, self.seconds = n, 0.0
        self._X = [rng.random((ROWS, N_FEATURES), np.float32) - np.float32(0.5) for _ in range(4)]
        weights = rng.normal(size=(N_FEATURES, N_CLASSES)).astype(np.float32)
        self._y = [(x @ weights).argmax(axis=1) for x in self._X]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for i, first in enumerate(range(0, self.n, ROWS)):
            begin = time.perf_counter()
            rows = min(ROWS, self.n - first)
            shift = np.float32(1 + i // 4 % 1000 * 1e-4)
            block = self._X[i % 4][:rows] * shift, self._y[i % 4][:rows]
            self.seconds += time.perf_counter() - begin
            yield block


def seconds(call: Callable[[], object]) -> float:
    """Wall time of a call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def network(layers: tuple[int, ...] = LAYERS) -> sn.SparseMLP:
    """Return the fresh network of all runs."""
    return sn.SparseMLP(layers, init_scale=1.0, seed=1000)


def verify(layers: tuple[int, ...]) -> None:
    """Raise unless rows that fit into one chunk give the network that arrays give."""
    source, recipe = Simulation(2 * ROWS), sn.Training(2)
    X, y = (np.concatenate(a) for a in zip(*source, strict=True))
    nets = [
        network(layers).fit(*data, training=recipe, threads=1)
        for data in ((X, y), (sn.Blocks(source),))
    ]
    for one, other in zip(*(net.weights for net in nets), strict=True):
        if one.values.tobytes() != other.values.tobytes():
            raise SystemExit("blocks and arrays train to other bits")


def speed(n: int, rounds: int, threads: int, layers: tuple[int, ...]) -> list[str]:
    """Rows a second of arrays and of blocks, turn by turn; the answers are compared first."""
    verify(layers)
    source = Simulation(n)
    X, y = (np.concatenate(a) for a in zip(*source, strict=True))
    recipe = sn.Training(2)
    nets = {name: network(layers) for name in ("arrays", "blocks")}
    times: dict[str, list[float]] = {
        f"{call} {name}": [] for call in ("fit", "predict") for name in nets
    }
    blocks = sn.Blocks(source)
    own: dict[str, list[float]] = {"fit": [], "predict": []}
    for _ in range(rounds):
        for name, data in (("arrays", (X, y)), ("blocks", (blocks,))):
            nets[name], source.seconds = network(layers), 0.0
            fit = seconds(lambda: nets[name].fit(*data, training=recipe, threads=threads))  # noqa: B023
            if name == "blocks":
                own["fit"].append(source.seconds)
            times[f"fit {name}"].append(fit)
            source.seconds = 0.0
            predict = seconds(lambda: nets[name].predict(data[0], threads=threads))  # noqa: B023
            if name == "blocks":
                own["predict"].append(source.seconds)
            times[f"predict {name}"].append(predict)
    right = [f"{100 * net.score(X, y):.1f}" for net in nets.values()]
    lines = [
        f"{'-'.join(map(str, layers))}, {n} rows of {N_FEATURES} float32, {X.nbytes / 1e9:.2f} GB, "
        f"{rounds} rounds, threads={threads}; accuracy on these rows {right[0]} % after arrays, "
        f"{right[1]} % after blocks, whose order is another; rows that fit into one chunk "
        "give equal bits.",
        "",
        "| | arrays, s | blocks, s | of it the generator's own | blocks ÷ arrays, rows a second |",
        "|---|---|---|---|---|",
    ]
    for call in own:
        arrays, stream = (statistics.median(times[f"{call} {name}"]) for name in nets)
        generator = statistics.median(own[call])
        apart = [
            a / (b - g)
            for a, b, g in zip(
                times[f"{call} arrays"], times[f"{call} blocks"], own[call], strict=True
            )
        ]
        whole = [
            a / b for a, b in zip(times[f"{call} arrays"], times[f"{call} blocks"], strict=True)
        ]
        name = "fit, 2 epochs" if call == "fit" else call
        lines.append(
            f"| {name} | {arrays:.2f} | {stream:.2f} | {generator:.2f} | "
            f"{statistics.median(whole):.2f}; {statistics.median(apart):.2f} with the generator's "
            "time apart |"
        )
    return lines


def long_run(gigabytes: float, threads: int) -> list[str]:
    """Stream so many bytes through fit and predict, and watch the resident memory."""
    n = int(gigabytes * 1e9) // (4 * N_FEATURES)
    source = Simulation(n)
    blocks, net = sn.Blocks(source), network()
    before = resident("VmRSS")
    lines = [
        f"{n} rows, {gigabytes:g} GB, threads={threads}; resident memory of the process before: "
        f"{before / 1e6:.0f} MB.",
        "",
        "| | s | generator's own s | rows a second | peak of resident memory above that |",
        "|---|---|---|---|---|",
    ]
    calls: dict[str, tuple[int, Callable[[], object]]] = {
        "fit, one epoch (two passes)": (
            2 * n,
            lambda: net.fit(blocks, training=sn.Training(1), threads=threads),
        ),
        "predict": (n, lambda: net.predict(blocks, threads=threads)),
    }
    for name, (rows, call) in calls.items():
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        source.seconds = 0.0
        took = seconds(call)
        peak = resident("VmHWM") - before
        lines.append(
            f"| {name} | {took:.0f} | {source.seconds:.0f} | {rows / took:.0f} | "
            f"{peak / 1e6:.0f} MB |"
        )
    return lines


def shuffling(folder: str) -> list[str]:
    """Accuracy on MNIST's validation split: shuffled whole, and in blocks, as it is and sorted."""
    data = sn.datasets.load("mnist", data_dir=folder)
    X, y = data.train
    by_label = np.argsort(y, kind="stable")
    recipe = sn.Training(5, optimizer=sn.SGD(lr=0.1))
    lines = [
        f"MNIST, {len(y)} training rows of uint8 (39 MB), 784-20-10, 5 epochs, seeds "
        f"{SEEDS.start}-{SEEDS.stop - 1}, validation accuracy in %, mean (lowest).",
        "",
        "| rows | chunk | as they stand | sorted by label |",
        "|---|---|---|---|",
    ]

    def told(data_of: Callable[[Any, Any], tuple[Any, ...]]) -> str:
        cells = []
        for order in (np.arange(len(y)), by_label):
            scores = []
            for seed in SEEDS:
                net = sn.SparseMLP(LAYERS, seed=seed, input_scaling="center")
                net.fit(*data_of(X[order], y[order]), training=recipe, threads=1)
                scores.append(100 * net.score(*data.validation))
            cells.append(f"{statistics.mean(scores):.2f} ({min(scores):.2f})")
        return " | ".join(cells)

    def in_order(X: Any, y: Any, memory: int) -> tuple[Any, ...]:
        return (sn.Blocks([(X[a : a + 500], y[a : a + 500]) for a in range(0, len(y), 500)],
                          memory=memory),)  # fmt: skip

    def in_parts(X: Any, y: Any, memory: int) -> tuple[Any, ...]:
        parts = [
            [(X[b : b + 100], y[b : b + 100]) for b in range(a, min(a + 2000, len(y)), 100)]
            for a in range(0, len(y), 2000)
        ]
        return (sn.Blocks(*parts, memory=memory),)

    lines.append(f"| arrays, shuffled whole | all | {told(lambda X, y: (X, y))} |")
    for memory in (2**24, 2**20):
        chunk = f"{memory // 2 // len(X[0])} rows"
        of = {
            "arrays on disk (`from_arrays`)": lambda X, y: (
                sn.Blocks.from_arrays(X, y, memory=memory),  # noqa: B023
            ),
            "parts of 2000 rows (files, row groups)": lambda X, y: in_parts(X, y, memory),  # noqa: B023
            "one part, read in its order": lambda X, y: in_order(X, y, memory),  # noqa: B023
        }
        for name, data_of in of.items():
            lines.append(f"| {name} | {chunk} | {told(data_of)} |")
    return lines


def mapped(threads: int) -> list[str]:
    """Resident memory of a fit on a memory map of float64."""
    n = 200_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "X.npy")
        X = np.lib.format.open_memmap(path, "w+", np.float64, (n, N_FEATURES))
        at = 0
        labels = []
        for block, y in Simulation(n):
            X[at : at + len(block)] = block
            at += len(block)
            labels.append(y)
        X.flush()
        del X
        X, y = np.load(path, mmap_mode="r"), np.concatenate(labels)
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        took = seconds(lambda: network().fit(X, y, training=sn.Training(1), threads=threads))
        peak = resident("VmHWM") - before
        return [
            f"A map of {n} rows of float64, {X.nbytes / 1e9:.2f} GB, `fit`, one epoch: {took:.0f} "
            f"s, peak of resident memory {peak / 1e6:.0f} MB above that before."
        ]


def main() -> None:
    """Measure and print, or write bench/results/streams.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=150_000, help="of the pairs in memory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mnist", metavar="DIR")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    info = sn.build_info()
    parts = {
        "Memory over a long stream": long_run(args.gigabytes, args.threads),
        "Speed beside arrays": [
            *speed(args.rows, args.rounds, args.threads, LAYERS),
            "",
            *speed(args.rows, args.rounds, args.threads, WIDE),
        ],
        "A memory map of float64": mapped(args.threads),
    }
    if args.mnist:
        parts["Shuffling in blocks"] = shuffling(args.mnist)
    lines = [
        "# Data past memory",
        "",
        f"`python -m bench.streams --gigabytes {args.gigabytes:g}`, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}. {cpu_model()}, "
        f"{cores()} cores; ISA {info['isa']}. Network {'-'.join(map(str, LAYERS))}, batch 64, "
        "blocks of 16 MB, the default budget of 128 MB.",
    ]
    for title, told in parts.items():
        lines += ["", f"## {title}", "", *told]
    text = "\n".join(lines) + "\n"
    if args.write:
        Path(__file__).with_name("results").joinpath("streams.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
