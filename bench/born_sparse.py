"""Networks that start sparse: SET's largest, 10^8 synapses, and accuracy of SET and RigL on MNIST.

    python -m bench.born_sparse [--data-dir DIR] [--only million,memory,mnist] [--synapses N]

Writes bench/results/born_sparse.md, section by section. Seeds are from 1000 on, accuracies those of
the validation split. Memory is measured in a process of its own for each figure, as by how much its
resident memory grows to its peak, the samples aside.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import itertools
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn

from bench.data import data_folder
from bench.final import commit
from bench.machine import cpu_model
from bench.memory import resident
from bench.peers import cores

RESULTS = Path(__file__).parent / "results" / "born_sparse.md"
# Liu et al. 2021 (arXiv 1901.09181): leukaemia, 54675 gene expressions, 18 classes, 2096 samples,
# of which two thirds train. Three hidden layers of 600000 neurons make the 1.85 million neurons.
MILLION = (54_675, 600_000, 600_000, 600_000, 18)
SAMPLES = 1397
Tell = Callable[[list[str]], None]  # writes the lines of a section so far
LARGE = (100_000, 100_000, 100_000, 100_000, 10)


def samples(n: int, n_inputs: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random samples, whose classes a few inputs tell."""
    rng = np.random.default_rng(1000)
    y = rng.permutation(np.arange(n) % n_classes)
    X = rng.integers(0, 256, (n, n_inputs), dtype=np.uint8)
    X[np.arange(n), y] = 255
    return X, y


def growth(call: Callable[[], object], n: int) -> dict[str, float]:
    """Return by how many bytes a synapse memory grew, at its peak and after a call; and seconds."""
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    begin = time.perf_counter()
    kept = call()
    seconds = time.perf_counter() - begin
    result = {
        "peak": (resident("VmHWM") - before) / n,
        "after": (resident("VmRSS") - before) / n,
        "seconds": seconds,
    }
    del kept
    return result


def child(job: str, options: dict[str, object]) -> dict[str, Any]:
    """Run a job in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.born_sparse", "--job", job, json.dumps(options)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"{job} {options}: {done.returncode}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def memory_job(synapses: int, action: str, momentum: float, rewire: str) -> dict[str, object]:
    """Measure one action on a network of so many synapses."""
    X, y = samples(64, LARGE[0], LARGE[-1])
    weights = [n * m for n, m in itertools.pairwise(LARGE)]
    last = LARGE[-2] * 2  # of the output layer: a fifth
    density = [(synapses - last) / sum(weights[:-1])] * 3 + [last / weights[-1]]
    nets: list[sn.SparseMLP] = []

    def construct() -> object:
        nets.append(sn.SparseMLP(LARGE, density=density, init_scale=1.0, seed=1000))
        return nets

    if action == "construct":
        return growth(construct, synapses) | {"n": nets[0].n_synapses}
    base = resident("VmRSS")
    construct()
    (net,) = nets
    recipe = sn.Training(
        3, batch_size=64, optimizer=sn.SGD(0.01, momentum=momentum),
        rewire={"": None, "SET": sn.SET(), "RigL": sn.RigL(every=1, candidates=2.0)}[rewire],
    )  # fmt: skip
    epochs: list[float] = []

    def callback(progress: sn.Progress) -> None:
        epochs.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        calls: dict[str, Callable[[], object]] = {
            "train": lambda: net.fit(X, y, training=recipe, callback=callback),
            "cut": lambda: net._core.cut(net._core.score("magnitude"), synapses // 2),
            "save": lambda: net.save(Path(folder) / "net.npz"),
        }
        told = growth(calls[action], synapses)
    told["peak"] = (resident("VmHWM") - base) / synapses  # the network included
    return told | {"epoch": epochs[-1] - epochs[-2] if len(epochs) > 1 else None}


def memory(n: int, tell: Tell) -> None:
    """Bytes a synapse while a large network is made, trained, cut and saved."""
    lines = [
        f"## {n:.3g} synapses",
        "",
        f"{'-'.join(map(str, LARGE))}, one batch of 64 samples. Peak resident memory over what "
        "the process had with the samples loaded, the network included, a synapse. Three epochs "
        "by `fit`, of one update each. RigL exchanges after each epoch, too, with two "
        "candidates a synapse.",
        "",
        "| what | bytes a synapse at the peak | seconds | seconds an epoch |",
        "| --- | --: | --: | --: |",
    ]
    for name, action, momentum, rewire in (
        ("construct", "construct", 0.0, ""),
        ("train, SGD", "train", 0.0, ""),
        ("train with SET, SGD", "train", 0.0, "SET"),
        ("train with RigL, SGD", "train", 0.0, "RigL"),
        ("train with SET, momentum", "train", 0.9, "SET"),
        ("cut half by magnitude", "cut", 0.0, ""),
        ("save (a tenth of the synapses)", "save", 0.0, ""),
    ):
        size = n // 10 if action == "save" else n
        options = {"synapses": size, "action": action, "momentum": momentum, "rewire": rewire}
        told = child("memory", options)
        epoch = told.get("epoch")
        lines.append(
            f"| {name} | {told['peak']:.1f} | {told['seconds']:.1f} | "
            f"{'' if epoch is None else f'{epoch:.1f}'} |"
        )
        tell(lines)


def million_job(epsilon: float, batch_size: int, updates: int) -> dict[str, object]:
    """Train the network of SET's largest experiment for two short epochs, on one thread."""
    X, y = samples(updates * batch_size, MILLION[0], MILLION[-1])
    base = resident("VmRSS")
    begin = time.process_time()
    net = sn.SparseMLP(MILLION, epsilon=epsilon, init_scale=1.0, seed=1000)
    made = time.process_time() - begin
    walls, times = [time.perf_counter()], [time.process_time()]

    def callback(progress: sn.Progress) -> None:
        walls.append(time.perf_counter())
        times.append(time.process_time())

    optimizer = sn.SGD(0.01, momentum=0.9, weight_decay=0.0002)
    recipe = sn.Training(2, batch_size=batch_size, optimizer=optimizer, rewire=sn.SET())
    net.fit(X, y, training=recipe, callback=callback, threads=1)
    update = (times[2] - times[1]) / updates
    return {
        "n": net.n_synapses,
        "made": made,
        "update": update,
        "wall": (walls[2] - walls[1]) / updates,
        "exchange": times[1] - times[0] - updates * update,
        "bytes": (resident("VmHWM") - base) / net.n_synapses,
    }


def million(tell: Tell) -> None:
    """Seconds an epoch of SET's largest network."""
    neurons = sum(MILLION)
    lines = [
        "## SET's largest network",
        "",
        f"{'-'.join(map(str, MILLION))}: {neurons} neurons, relu, SGD with momentum 0.9 and weight "
        "decay, share 0.3, on random numbers of the shape of the leukaemia data. The shape is our "
        "reading of Liu et al. (2021): 54675 inputs, 18 classes and 1.85 million neurons are "
        "theirs, three equal hidden layers follow from these. Their figure is 112 minutes an epoch "
        "on a laptop. Uncertain are epsilon (their public code has 20 by default; 10 here), the "
        f"batch size (2 in that code) and the rows (two thirds of 2096, {SAMPLES}, here); neither "
        "the data nor their machine are at hand. Seconds are CPU time of one thread. An epoch is "
        f"the updates of {SAMPLES} rows, of which a few were timed, and one exchange.",
        "",
        "| epsilon | synapses | batch | CPU seconds: to make, an update, an exchange | "
        "wall seconds an update | CPU seconds an epoch | bytes a synapse at the peak |",
        "| --: | --: | --: | --: | --: | --: | --: |",
    ]
    for epsilon, batch_size, updates in ((10.0, 64, 3), (10.0, 2, 9)):
        told = child("million", {"epsilon": epsilon, "batch_size": batch_size, "updates": updates})
        epoch = told["update"] * math.ceil(SAMPLES / batch_size) + told["exchange"]
        lines.append(
            f"| {epsilon:g} | {told['n']} | {batch_size} | {told['made']:.1f}, "
            f"{told['update']:.2f}, {told['exchange']:.1f} | {told['wall']:.2f} | {epoch:.0f} | "
            f"{told['bytes']:.1f} |"
        )
        tell(lines)


def mnist(folder: Path, tell: Tell) -> None:
    """Accuracy of SET and RigL beside random masks and gradual pruning, at equal synapses."""
    data = sn.datasets.mnist(folder)
    layers, density, seeds, epochs = (784, 300, 100, 10), 0.02, (1000, 1001), 8
    recipe = sn.Training(epochs, optimizer=sn.SGD(0.1, momentum=0.9), lr_schedule=_schedule())
    arms: dict[str, sn.SET | sn.RigL | None] = {
        "random masks, static": None,
        "SET": sn.SET(),
        "RigL, 10 candidates": sn.RigL(),
        "RigL, all positions": sn.RigL(candidates=float("inf")),
    }
    told: dict[str, list[float]] = {name: [] for name in (*arms, "dense, Gradual")}
    taken: dict[str, list[float]] = {name: [] for name in told}
    n = sn.SparseMLP(layers, epsilon=_epsilon(layers, density)).n_synapses
    for seed in seeds:
        for name, rewire in arms.items():
            begin = time.perf_counter()
            net = sn.SparseMLP(
                layers, epsilon=_epsilon(layers, density), init_scale=1.0, seed=seed,
                input_scaling="center",
            )  # fmt: skip
            net.fit(*data.train, training=replace(recipe, rewire=rewire))
            taken[name].append(time.perf_counter() - begin)
            told[name].append(net.score(*data.validation))
        begin = time.perf_counter()
        net = sn.SparseMLP(layers, init_scale=1.0, seed=seed, input_scaling="center")
        path = sn.prune(
            net, *data.train, validation=data.validation, n_synapses=n, training=recipe,
            criterion="magnitude",
        )  # fmt: skip
        taken["dense, Gradual"].append(time.perf_counter() - begin)
        told["dense, Gradual"].append(path.smallest.score(*data.validation))
    lines = [
        "## MNIST",
        "",
        f"{'-'.join(map(str, layers))}, {n} synapses (Erdős–Rényi, {density:.0%} of all), "
        f"{epochs} epochs, SGD(0.1, momentum=0.9) along a half cosine, seeds {seeds[0]} to "
        f"{seeds[-1]}, validation split.",
        "",
        "| what | accuracy of each seed | mean | seconds |",
        "| --- | --: | --: | --: |",
    ]
    for name, scores in told.items():
        each = ", ".join(f"{score:.2%}" for score in scores)
        seconds = statistics.mean(taken[name])
        lines.append(f"| {name} | {each} | {statistics.mean(scores):.2%} | {seconds:.0f} |")
    tell(lines)


def _schedule() -> sn.ConstantThenCosine:
    return sn.ConstantThenCosine(turn=0.5)


def _epsilon(layers: tuple[int, ...], density: float) -> float:
    """Return the epsilon that gives a share of all synapses; no layer is full."""
    pairs = list(itertools.pairwise(layers))
    return density * sum(n * m for n, m in pairs) / sum(n + m for n, m in pairs)


def write(section: str, lines: list[str]) -> None:
    """Put a section in place of the older one."""
    print(lines[-1], flush=True)
    parts = RESULTS.read_text().split("\n## ") if RESULTS.exists() else ["# Born sparse\n"]
    title = lines[0].removeprefix("## ")
    where = (
        f"`python -m bench.born_sparse --only {section}`, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, {cpu_model()}, "
        f"{cores()} cores, which others used meanwhile."
    )
    key = {"million": "SET's", "mnist": "MNIST"}.get(section, title)
    rest = [part for part in parts[1:] if not part.startswith(key)]
    text = "\n".join([title, "", where, *lines[1:]])
    RESULTS.write_text(
        "\n## ".join([parts[0], *(part.rstrip("\n") + "\n" for part in [*rest, text])])
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--only", default="million,memory,mnist")
    parser.add_argument("--synapses", type=int, default=10**8)
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        jobs = {"memory": memory_job, "million": million_job}
        print(json.dumps(jobs[given.job[0]](**json.loads(given.job[1]))))
        return
    sections: dict[str, Callable[[Tell], None]] = {
        "million": million,
        "memory": lambda tell: memory(given.synapses, tell),
        "mnist": lambda tell: mnist(data_folder(given.data_dir), tell),
    }
    for name in given.only.split(","):
        sections[name](functools.partial(write, name))


if __name__ == "__main__":
    main()
