"""Whether pruning finds the inputs that matter, where they are known."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split

from bench.leaderboard.runs import processes
from bench.paper.mnist import WITHIN
from bench.paper.networks import Indices, Outcome, Setting, accuracy, cells, full, pruned
from bench.paper.problems import Problem, classification, moons, parity
from bench.paper.stats import precision_recall, verdict
from bench.report import Report

MAX_DROP = 0.01  # from the best network of the path, on validation
SETTING = Setting()
PAIR = ("full", "pruned")
# make, setting; a small start does not learn parity
PROBLEMS: tuple[tuple[Callable[[int], Problem], Setting], ...] = (
    (classification, SETTING), (moons, SETTING), (parity, replace(SETTING, init_scale=1.0)),
)  # fmt: skip


@dataclass(frozen=True)
class Found(Outcome):
    """Also the full network trained with the pruned one's L1, and which inputs were found."""

    penalised: float
    precision: float
    recall: float


def generated(report: Report, repeats: range) -> None:
    """Prune to next to nothing, and see what is left."""
    report.text("## Redundant synapses and inputs: generated problems")
    report.text(
        f"d-20-1, repeats {repeats[0]} to {repeats[-1]} of 5 stratified folds, each on a problem "
        f"of its own; a fifth of each training part validates. {SETTING} (initial weights 1 of "
        "Glorot's range for parity, which a small start does not learn), for full networks without "
        "L1. All train equally long from the same weights. Pruned to next to nothing; taken is the "
        f"smallest network of the path whose validation accuracy is within {MAX_DROP} of the "
        "path's best. Nothing knows how many inputs matter. Pruning trains with L1; "
        "so that the part of this is seen, the last column is a full network with the same L1."
    )
    rows, held = [], []
    with ProcessPoolExecutor(processes(), get_context("spawn")) as pool:
        for make, setting in PROBLEMS:
            problems = [make(seed) for seed in repeats]
            jobs = [(p, s, setting) for p, s in zip(problems, repeats, strict=True)]
            folds = [fold for repeat in pool.map(_repeat, jobs) for fold in repeat]
            name, n_full = problems[0].name, problems[0].n_synapses
            removed = 1 - statistics.fmean(f.n_synapses for f in folds) / n_full
            penalised = statistics.fmean(f.penalised for f in folds)
            rows.append([
                name, f"{removed:.1%}", *cells(folds),
                f"{statistics.fmean(f.precision for f in folds):.3f}",
                f"{statistics.fmean(f.recall for f in folds):.3f}", f"{penalised:.2%}",
            ])  # fmt: skip
            of_full, of_pruned = (statistics.fmean(getattr(f, n) for f in folds) for n in PAIR)
            ok = [removed >= 0.9 and of - of_pruned <= WITHIN for of in (of_full, penalised)]
            held.append(f"{name}: {verdict('of the full network', ok[0])}")
            held.append(verdict("of the one with L1", ok[1]))
    report.table(
        ["problem", "removed", "synapses", "full", "pruned", "change", "interval", "precision",
         "recall", "full, L1"], rows,
    )  # fmt: skip
    report.text("At least 90 % removed, within half a point. " + " ".join(held))


def fold(problem: Problem, train: Indices, test: Indices, s: Setting, seed: int) -> Found:
    """Train three networks on one fold, and test them."""
    fit, val = train_test_split(train, test_size=0.2, stratify=problem.y[train], random_state=seed)
    plain, penalised = (full(problem, fit, replace(s, l1=l1), seed) for l1 in (0.0, s.l1))
    path = pruned(problem, fit, s, seed, 2, val)
    small = path.select(min_accuracy=max(step.score for step in path) - MAX_DROP)
    precision, recall = precision_recall(small.used_inputs.tolist(), problem.informative)
    of_plain, of_penalised, of_small = (
        accuracy(net, problem, test) for net in (plain, penalised, small)
    )
    return Found(of_plain, of_small, small.n_synapses, of_penalised, precision, recall)


def _repeat(job: tuple[Problem, int, Setting]) -> list[Found]:
    problem, seed, setting = job
    split = StratifiedKFold(5, shuffle=True, random_state=seed)
    parts = split.split(np.zeros(len(problem.y)), problem.y)
    return [fold(problem, train, test, setting, seed) for train, test in parts]
