"""How many units of a network get a label, and how many labels are replicated.

    python -m bench.explain --data-dir DIR             development seeds; half of the validation
                                                       split labels, the other half tests
    python -m bench.explain --data-dir DIR --final     announced seeds; the validation split labels,
                                                       the test split tests

``--final`` writes bench/results/explain.md and appends the use to bench/results/final_log.md.
"""

from __future__ import annotations

import datetime
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import synaprune as sn
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from synaprune import explain
from synaprune.cli.flags import job_from_flags

from bench.final import commit, console, parse_arguments, write_results
from bench.machine import cpu_model
from bench.paper.generated import MAX_DROP, PROBLEMS
from bench.paper.mnist import CONSOLE
from bench.paper.networks import pruned
from bench.report import Report, duration

Pair = tuple[NDArray[np.uint8], NDArray[np.int64]]
XOR_RUNS = 100
PROBLEM_SEEDS = 20


def main() -> None:
    """Run all parts and print Markdown."""
    args = parse_arguments(__doc__.splitlines()[0])
    data = sn.datasets.mnist(args.data_dir)
    seeds = range(11, 16) if args.final else range(1011, 1016)
    known, fresh = _splits(data, final=args.final)
    report = Report()
    networks = labels(report, args.data_dir, known, fresh, seeds)
    ablation_time(report, networks[0], data.train.X[:10000], data.train.y[:10000])
    attributions(report, networks[0], data.train.X[:1000])
    xor(report, 101 if args.final else 1000)
    energy(report, range(1, 1 + PROBLEM_SEEDS) if args.final else range(1001, 1001 + PROBLEM_SEEDS))
    command = f"python -m bench.explain{' --final' * args.final}"
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
        f"{cpu_model()}, ISA {sn.build_info()['isa']}."
    )
    if args.final:
        write_results("explain", "What is explained, and the proof", command, report.markdown())


def _splits(data: sn.datasets.Dataset, *, final: bool) -> tuple[Pair, Pair]:
    X, y = data.validation
    if final:
        return (X, y), (data.test.X, data.test.y)
    half = np.arange(len(y)) % 2 == 0
    return (X[half], y[half]), (X[~half], y[~half])


def labels(
    report: Report, data_dir: str, known: Pair, fresh: Pair, seeds: range
) -> list[sn.SparseMLP]:
    """Label units on one split and test the labels on another; return the larger networks."""
    report.text("## Labels, and how many are replicated on fresh samples")
    report.text(
        f"MNIST 784-20-10, by the console, seeds {seeds[0]} to {seeds[-1]}, together; labelled on "
        f"{len(known[1])} held-out samples, tested again on {len(fresh[1])} others. At random: the "
        "share of labels that would be replicated if each were drawn at random among all sets of "
        "as many classes."
    )
    rows, kept = [], []
    for flags in list(CONSOLE)[:2]:
        counts: dict[str, list[explain.Replication]] = {}
        for seed in seeds:
            net = _pruned(data_dir, flags, seed)
            kept += [net] * (flags[1] == "1259")
            given, proof = explain.ablate(net, *known), explain.ablate(net, *fresh)
            for kind in ("neuron", "synapse", "input"):
                found = explain.annotate_units(given.only(kind))
                counts.setdefault(kind, []).append(explain.replicate(found, proof.only(kind)))
        for kind, each in counts.items():
            units, named, sure = (
                sum(getattr(c, name) for c in each)
                for name in ("n_units", "n_labelled", "n_replicated")
            )
            chance = sum(c.chance * c.n_labelled for c in each) / max(1, named)
            rows.append([
                flags[1], f"{kind}s", str(units), f"{named / units:.1%}",
                *((f"{sure / named:.1%}", f"{chance:.1%}") if named else ("–", "–")),
            ])  # fmt: skip
    report.table(["synapses", "units", "all", "labelled", "replicated", "at random"], rows)
    return kept


def _pruned(data_dir: str, flags: tuple[str, ...], seed: int) -> sn.SparseMLP:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.npz"
        console(
            "prune", "mnist", "--hidden", "20", *flags, "--seed", str(seed),
            "--data-dir", str(Path(data_dir).resolve()), "--out", str(model),
        )  # fmt: skip
        return sn.SparseMLP.load(model)


def ablation_time(
    report: Report, net: sn.SparseMLP, X: NDArray[np.uint8], y: NDArray[np.int64]
) -> None:
    """Time the removal of every unit, one at a time."""
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        n = len(explain.ablate(net, X, y))
        times.append(time.perf_counter() - begin)
    report.text(
        f"All {n} single ablations of {net.structure} with {net.n_synapses} synapses on {len(y)} "
        f"images: {duration(statistics.median(times[1:]))[0]} (median of 5)."
    )


def attributions(report: Report, net: sn.SparseMLP, X: NDArray[np.uint8]) -> None:
    """Compare the sum of attributions and bias with the logit that the core computes."""
    logits = explain.activations(net, X, -1)
    worst = 0.0
    for c, label in enumerate(net.classes.tolist()):
        found = explain.attributions(net, X, label)
        terms = abs(found.values).sum(axis=1) + abs(found.bias)
        worst = max(worst, float((abs(found.totals - logits[:, c]) / terms).max()))
    report.text(
        f"Attributions and bias sum to the logit of every class within {worst:.1e} of the sum of "
        f"absolute terms, on {len(X)} samples."
    )


def xor(report: Report, first: int) -> None:
    """Count the runs whose printed rule is exclusive or."""
    data = sn.datasets.xor()
    job = job_from_flags(data, [])
    expected = np.array([False, True, True, False])
    right = 0
    for seed in range(first, first + XOR_RUNS):
        net = job.run(data, seed=seed, threads=1).path.smallest
        rule = explain.truth_tables(net)[-1]
        text = " xor ".join(data.input_names)
        right += rule.text == text and np.array_equal(rule.table, expected)
    report.text(
        f"XOR, seeds {first} to {first + XOR_RUNS - 1}: the rule printed for class 1 is `{text}` "
        f"in {right} of {XOR_RUNS} runs."
    )


def energy(report: Report, seeds: range) -> None:
    """Rank inputs by feature energy, where it is known which ones matter."""
    report.text("## Feature energy and the inputs that matter")
    report.text(
        f"Generated problems, seeds {seeds[0]} to {seeds[-1]}, pruned as by `bench.paper`; inputs "
        "ranked by feature energy of the smallest network within a point of its path's best. Mean "
        "average precision; inputs of equal energy count as ranked last first."
    )
    rows = []
    for make, setting in PROBLEMS:
        plain, weighted = [], []
        for seed in seeds:
            problem = make(seed)
            rows_ = np.arange(len(problem.y))
            fit, val = train_test_split(rows_, test_size=0.2, stratify=problem.y, random_state=seed)
            path = pruned(problem, fit, setting, seed, 2, val)
            net = path.select(min_accuracy=max(step.score for step in path) - MAX_DROP)
            for kept, X in ((plain, None), (weighted, problem.X[val])):
                ranked = explain.feature_energy(net, X)[:, 0]
                kept.append(average_precision(ranked, problem.informative))
        rows.append([
            problem.name, f"{statistics.fmean(plain):.3f}", f"{min(plain):.3f}",
            f"{statistics.fmean(weighted):.3f}",
        ])  # fmt: skip
    report.table(["problem", "mean average precision", "worst", "weighted by activations"], rows)


def average_precision(scores: NDArray[np.float64], wanted: tuple[int, ...]) -> float:
    """Return the mean of the precision at each wanted one's rank; ties count against it."""
    order = np.lexsort((np.isin(np.arange(len(scores)), wanted), -scores))
    hits = np.isin(order, wanted)
    precision = np.cumsum(hits) / np.arange(1, len(order) + 1)
    return float(precision[hits].mean())


if __name__ == "__main__":
    main()
