"""How many synapses of embedded tables are redundant; settings are chosen inside each fold."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
from sklearn.model_selection import StratifiedKFold

from bench.leaderboard.runs import processes
from bench.paper.mnist import WITHIN
from bench.paper.networks import Indices, Outcome, Setting, accuracy, cells, change, full, pruned
from bench.paper.problems import TABLES, Problem, table
from bench.report import Report

SHARES = (0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5)
INNER = 3  # folds of a training part, which choose,
JUDGED = 300  # repeated until about so many samples are judged


LR = (0.03, 0.1, 0.3)
L1 = (0.0, 1e-3, 3e-3, 1e-2)
EPOCHS = 200
CRITERIA = ("wsf", "fisher")
CHOICES = {"wsf": ("wsf",), "any": CRITERIA}  # of the pruned network


@dataclass(frozen=True)
class Job:
    """One outer fold, and the share of its synapses that a network may have."""

    problem: Problem
    repeat: int
    fold: int
    share: float
    epochs: int


Choice = tuple[Outcome, Setting]  # what came of it, and the pruned network's setting


def tables(report: Report, repeats: range, *, quick: bool) -> None:
    """Prune to a tenth, or as far as holds."""
    epochs = 30 if quick else EPOCHS
    report.text("## Redundant synapses: embedded tables")
    report.text(
        f"d-20-c, repeats {repeats[0]} to {repeats[-1]} of 5 stratified folds. Within each "
        f"training part {INNER} folds of it, repeated on small tables until {JUDGED} samples are "
        "judged, choose a setting for the full network and one for the pruned network: learning "
        f"rate {_listed(LR)}, L1 {_listed(L1)}, and of the pruned network the criterion: wsf "
        f"alone, or {_listed(CRITERIA)}. "
        f"All start at {Setting.init_scale} of Glorot's range and train {epochs} epochs. "
        "Differences of test accuracy are paired by fold; the interval is Student's at 95 %, and "
        "too narrow, since folds share samples. Shares are tried downwards from 90 % until the "
        "mean is within half a point of the full network; where the interval reaches farther, it "
        "holds by the mean alone."
    )
    rows, verdicts = [], []
    with ProcessPoolExecutor(processes(), get_context("spawn")) as pool:
        for problem in map(table, TABLES):
            held: dict[str, str] = {}
            for share in SHARES:
                jobs = [Job(problem, r, f, share, epochs) for r in repeats for f in range(5)]
                folds = list(pool.map(nested, jobs))
                for name in CHOICES.keys() - held.keys():
                    outcomes, settings = zip(*(fold[name] for fold in folds), strict=True)
                    cut = f"{1 - share:.1%}"
                    rows.append([problem.name, name, cut, *cells(outcomes), _usual(settings)])
                    if change(outcomes)[0] >= -WITHIN:
                        held[name] = verdict(share, outcomes)
                if len(held) == len(CHOICES):
                    break
            verdicts += [
                f"{problem.name}, {name}: {held.get(name, 'no share that was tried holds')}."
                for name in CHOICES
            ]
    rows.sort(key=lambda row: (TABLES.index(row[0]), list(CHOICES).index(row[1])))
    report.table(
        ["table", "choice", "removed", "synapses", "full", "pruned", "change", "interval",
         "chosen most often"], rows,
    )  # fmt: skip
    report.text(" ".join(verdicts))


def verdict(share: float, outcomes: Sequence[Outcome]) -> str:
    """Say what holds in the mean, and whether the interval goes along."""
    removed = f"{1 - share:.1%}"
    said = f"{removed} removed holds" if share == SHARES[0] else f"{removed} is what holds"
    return said + " by the mean alone" * (change(outcomes)[1] < -WITHIN)


def nested(job: Job) -> dict[str, Choice]:
    """Choose inside the training part, train on all of it, test on the rest."""
    problem, seed = job.problem, job.repeat
    train, test = _folds(problem, np.arange(len(problem.y)), seed, 5)[job.fold]
    times = max(1, JUDGED // len(train))
    inner = [p for k in range(times) for p in _folds(problem, train, 1000 * k + seed, INNER)]
    n = round(job.share * problem.n_synapses)

    def of_full(s: Setting, rows: Indices, others: Indices) -> float:
        return accuracy(full(problem, rows, s, seed), problem, others)

    def of_pruned(s: Setting, rows: Indices, others: Indices) -> float:
        return accuracy(pruned(problem, rows, s, seed, n, train[:1]).smallest, problem, others)

    settings = [Setting(lr=lr, l1=l1, epochs=job.epochs) for l1, lr in itertools.product(L1, LR)]
    rankings = [replace(s, criterion=c) for s, c in itertools.product(settings, CRITERIA)]
    by_full = {s: sum(of_full(s, *parts) for parts in inner) for s in settings}
    by_pruned = {s: sum(of_pruned(s, *parts) for parts in inner) for s in rankings}
    best = max(settings, key=by_full.__getitem__)  # of equals the first
    of_best = of_full(best, train, test)
    choices = {}
    for name, criteria in CHOICES.items():
        few = [s for s in rankings if s.criterion in criteria]
        chosen = max(few, key=by_pruned.__getitem__)
        choices[name] = Outcome(of_best, of_pruned(chosen, train, test), n), chosen
    return choices


def _folds(problem: Problem, rows: Indices, seed: int, n: int) -> list[tuple[Indices, Indices]]:
    split = StratifiedKFold(n, shuffle=True, random_state=seed)
    return [(rows[train], rows[test]) for train, test in split.split(rows, problem.y[rows])]


def _listed(values: Sequence[object]) -> str:
    return " or ".join(map(str, values))


def _usual(chosen: Sequence[Setting]) -> str:
    (s, times), *_ = Counter(chosen).most_common()
    return f"{s.criterion}, lr {s.lr:g}, L1 {s.l1:g} ({times} of {len(chosen)})"
