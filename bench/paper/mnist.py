"""XOR and MNIST as the poster has them, through the console; speed; learning again."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import synaprune as sn

from bench.final import console
from bench.paper.stats import mean_interval, verdict
from bench.report import Report, duration

_FEW = ("--inputs", "20", "--shift", "0", "--epochs", "150", "--regrow-budget", "10")
CONSOLE = {  # flags, what the poster has: inputs at most, accuracy at least, and whether it is kept
    ("--synapses", "1259"): ("465-20-10, accuracy kept on 97 %", 465, 0.97, True),
    ("--synapses", "38", *_FEW): ("20 inputs, 50 %", 20, 0.5, False),
    ("--max-drop", "0.01"): ("no figure", 784, 0.0, False),
}
POSTER_XOR = 0.92
WITHIN = 0.005  # that a network keeps its accuracy, in the mean
TARGETS = (0.90, 0.94, 0.95)  # validation accuracies to learn again


def xor(report: Report, *, final: bool, quick: bool) -> None:
    """How often 2-100-1 ends as 2-2-1."""
    report.text("## XOR, 2-100-1 (the poster: 92 of 100 end as 2-2-1 with 6 synapses)")
    runs = 20 if quick else 100
    rows: list[list[str]] = []
    shares: dict[str, list[float]] = {}
    for seed in (101, 202, 303) if final else (1000, 2000, 3000):
        for budget in ((), ("--search-budget", "0")):
            record = console("prune", "xor", "--runs", str(runs), "--seed", str(seed), *budget)
            ends = [r["final"] for r in record["runs"]]
            n = sum(e["structure"] == "2-2-1" and e["n_synapses"] == 6 for e in ends)
            what = "one way" if budget else "with going back"
            rows.append([str(seed), what, f"{n} of {runs}", f"{record['seconds']:.1f}"])
            shares.setdefault(what, []).append(n / runs)
    report.table(["first seed", "search", "2-2-1 with 6 synapses", "seconds"], rows)
    for what, values in shares.items():
        claim = f"At least {POSTER_XOR:.0%}, whatever the first seed, {what}"
        report.text(verdict(claim, min(values) >= POSTER_XOR))


def console_runs(report: Report, data_dir: Path, seeds: range, *, final: bool, quick: bool) -> None:
    """784-20-10 to 1259 and to 38 synapses, and within a point."""
    report.text("## MNIST, 784-20-10")
    splits = ("validation", "test") if final else ("validation",)
    for flags, (poster, most_inputs, least, kept) in CONSOLE.items():
        budget = "--search-budget" if "--max-drop" in flags else "--regrow-budget"
        short = ("--epochs", "10", budget, "0") if quick else ()
        arguments = ("prune", "mnist", "--hidden", "20", *flags, *short)
        record = console(
            *arguments, "--data-dir", str(data_dir.resolve()), "--seed", str(seeds[0]),
            "--runs", str(len(seeds)),
        )  # fmt: skip
        runs = record["runs"] if len(seeds) > 1 else [record]
        ends = [r["final"] for r in runs]
        report.text(f"`synaprune {' '.join(arguments)}` (the poster: {poster}):")
        rows = [
            [str(r["seed"]), e["structure"], str(e["n_synapses"]), str(e["n_inputs"])]
            + [f"{r[end]['accuracy'][s]:.2%}" for s in splits for end in ("start", "final")]
            for r, e in zip(runs, ends, strict=True)
        ]
        columns = [f"{s} {when}" for s in splits for when in ("before", "after")]
        report.table(["seed", "structure", "synapses", "inputs", *columns], rows)
        for s in splits:
            values = [e["accuracy"][s] for e in ends]
            sd = statistics.stdev(values) if len(values) > 1 else 0.0
            lost = [r["start"]["accuracy"][s] - r["final"]["accuracy"][s] for r in runs]
            drop, low, high = mean_interval(lost)
            report.text(
                f"Mean {s} accuracy {statistics.fmean(values):.2%} ± {sd:.2%}; "
                f"{1 - ends[0]['n_synapses'] / runs[0]['start']['n_synapses']:.1%} of the synapses "
                f"cost {100 * drop:.2f} points (t interval {100 * low:.2f} to {100 * high:.2f})."
            )
            if least:
                few = max(e["n_inputs"] for e in ends) <= most_inputs
                claim = f"At most {most_inputs} inputs and {least:.0%} {s} accuracy in the mean"
                report.text(verdict(claim, few and statistics.fmean(values) >= least))
            if kept:
                claim = f"Within {100 * WITHIN:g} points of the full network's mean {s} accuracy"
                report.text(verdict(claim, drop <= WITHIN))


def pruned(
    data: sn.datasets.Dataset, seed: int, epochs: int
) -> tuple[sn.SparseMLP, sn.PruningPath]:
    """Return a trained full network, and the path of a fresh copy to 1259 synapses."""
    net = sn.SparseMLP((784, 20, 10), input_scaling="center", seed=seed)
    fresh = net.copy()
    sgd = sn.SGD(lr=0.2)
    net.fit(
        *data.train,
        training=sn.Training(epochs, optimizer=sgd, lr_schedule=sn.ConstantThenCosine()),
    )
    path = sn.prune(
        fresh, *data.train, validation=data.validation, n_synapses=1259,
        training=sn.Training(epochs, optimizer=replace(sgd, l1=1e-4)),
        strategy=sn.Gradual(final_optimizer=sgd),
    )  # fmt: skip
    return net, path


def speed(report: Report, data: sn.datasets.Dataset, seed: int, *, quick: bool) -> None:
    """Time of an epoch and of predictions, full and pruned, in turns on one thread."""
    report.text("## Faster learning and prediction: full against 1259 synapses, one thread")
    full, path = pruned(data, seed, 3 if quick else 10)
    nets = {"full": full, "pruned": path.smallest}
    jobs = {
        "an epoch of training": lambda net: net.copy().fit(
            *data.train, training=sn.Training(1), threads=1
        ),
        f"{len(data.train)} predictions": lambda net: net.predict(data.train.X, threads=1),
    }
    rows, ratios = [], []
    for name, job in jobs.items():
        times: dict[str, list[float]] = {which: [] for which in nets}
        for _ in range(3 if quick else 9):
            for which, net in nets.items():
                begin = time.perf_counter()
                job(net)
                times[which].append(time.perf_counter() - begin)
        a, b = (statistics.median(times[which]) for which in nets)
        ratios.append(a / b)
        rows.append([name, duration(a)[0], duration(b)[0], f"{a / b:.1f}×"])
    sizes = [net.n_bytes for net in nets.values()]
    rows.append(["bytes", *map(str, sizes), f"{sizes[0] / sizes[1]:.1f}×"])
    report.table(["", "full", "pruned", "ratio"], rows)
    report.text(verdict("Learning and prediction are faster", min(ratios) > 1))


def relearn(report: Report, data: sn.datasets.Dataset, seeds: range, *, quick: bool) -> None:
    """Epochs that both structures need from their initial weights on."""
    report.text("## Learning again from scratch")
    report.text(
        "The pruned structure is set back to its initial weights and trained like the full one. "
        "Epochs (seconds) to a validation accuracy, medians over the seeds, on one thread."
    )
    most = 5 if quick else 40
    reached: dict[str, list[list[float]]] = {"full": [], "pruned": []}
    for seed in seeds:
        full, path = pruned(data, seed, 5 if quick else 40)
        for name, net in (("full", full.reset()), ("pruned", _reset(path.smallest))):
            reached[name].append(_epochs(net, data, most))
    rows, medians = [], []
    for name, runs in reached.items():
        columns = np.median(np.array(runs), axis=0)
        medians.append(columns)
        epochs, seconds = columns[: len(TARGETS)], columns[len(TARGETS) :]
        rows.append([name] + [
            f"{e:.0f} ({s:.2f})" if e <= most else f"more than {most}"
            for e, s in zip(epochs, seconds, strict=True)
        ])  # fmt: skip
    report.table(["structure", *(f"{t:.0%}" for t in TARGETS)], rows)
    enough = np.isfinite(medians[1]) & (medians[1] <= medians[0])
    for what, held in (("epochs", enough[: len(TARGETS)]), ("time", enough[len(TARGETS) :])):
        claim = f"The pruned structure needs no more {what} to any of them"
        report.text(verdict(claim, bool(held.all())))


def _reset(net: sn.SparseMLP) -> sn.SparseMLP:
    return net.set_weights(
        [replace(w, values=w.initial, bias=np.zeros_like(w.bias)) for w in net.weights]
    )


def _epochs(net: sn.SparseMLP, data: sn.datasets.Dataset, most: int) -> list[float]:
    """Epochs to each target, then seconds; infinite where it is not reached."""
    epochs, seconds = [np.inf] * len(TARGETS), [np.inf] * len(TARGETS)
    spent, begin = 0.0, time.perf_counter()

    def note(progress: sn.Progress) -> object:
        nonlocal spent, begin
        spent += time.perf_counter() - begin
        for i, target in enumerate(TARGETS):
            if progress.score is not None and progress.score >= target and epochs[i] > most:
                epochs[i], seconds[i] = progress.epoch, spent
        begin = time.perf_counter()
        return sn.STOP if max(epochs) <= most else None

    net.fit(
        *data.train, training=sn.Training(most, optimizer=sn.SGD(0.2)),
        validation=tuple(data.validation), threads=1, callback=note,
    )  # fmt: skip
    return [*epochs, *seconds]
