"""How many synapses are redundant, and whether the inputs that matter are found."""

from __future__ import annotations

import itertools
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

from bench.leaderboard.runs import processes
from bench.paper.folds import SETTING, FoldResult, Setting, run_folds
from bench.paper.mnist import WITHIN
from bench.paper.problems import GENERATED, TABLES, Problem, table
from bench.paper.stats import mean_interval, precision_recall
from bench.report import Report

BY_CRITERION = (SETTING, replace(SETTING, criterion="wsf"))  # the best, and the poster's
SHARES = (0.1, 0.125, 0.15, 0.2, 0.3)


def tables(report: Report, seeds: range) -> None:
    """Pruned to a tenth, or as far as holds, on embedded tables."""
    report.text("## Redundant synapses: embedded tables")
    report.text(
        f"d-20-c, repeats {seeds[0]} to {seeds[-1]} of 5 stratified folds; a fifth of each "
        f"training part validates; {SETTING}, but for the criterion. Differences of test accuracy "
        "are paired by fold; the interval is Student's at 95 %, and too narrow, since folds share "
        "training samples. Shares of synapses are tried upwards until the mean is within half a "
        "point of the full network; where the interval reaches farther, it holds by the mean alone."
    )
    rows, verdicts = [], []
    with ProcessPoolExecutor(processes(), get_context("spawn")) as pool:
        for problem, setting in itertools.product(map(table, TABLES), BY_CRITERION):
            criterion = setting.criterion
            held = "no share that was tried holds"
            for share in SHARES:
                jobs = [(problem, seed, share, setting) for seed in seeds]
                results = _all(pool.map(_fold, jobs))
                rows.append([problem.name, criterion, f"{1 - share:.1%}", *_cells(results)])
                if _drop(results)[0] <= WITHIN:
                    held = _held(share, results)
                    break
            verdicts.append(f"{problem.name} by {criterion}: {held}.")
    report.table(
        ["table", "criterion", "removed", "synapses", "full", "pruned", "change", "interval"], rows
    )
    report.text(" ".join(verdicts))


def _held(share: float, results: list[FoldResult]) -> str:
    """Say what holds in the mean, and whether the interval goes along."""
    removed = f"{1 - share:.1%}"
    said = f"{removed} removed holds" if share == SHARES[0] else f"{removed} is what holds"
    return said + " by the mean alone" * (_drop(results)[2] > WITHIN)


def generated(report: Report, seeds: range) -> None:
    """Problems whose informative inputs are known."""
    report.text("## Redundant synapses and inputs: generated problems")
    report.text(
        f"As on the tables, repeats {seeds[0]} to {seeds[-1]}, each on a problem of its own. "
        "Pruned to next to nothing; taken is the smallest network of the path whose validation "
        "accuracy is within "
        f"{SETTING.max_drop} of the path's best. Nothing knows how many inputs matter. "
        "Pruning trains on with L1; so that the part of this is seen, the last column is the full "
        "network trained on as long with the same L1."
    )
    rows, held = [], []
    with ProcessPoolExecutor(processes(), get_context("spawn")) as pool:
        for make in GENERATED:
            problems = [make(seed) for seed in seeds]
            jobs = [(p, seed, None, None) for p, seed in zip(problems, seeds, strict=True)]
            by_repeat = list(pool.map(_fold, jobs))
            results = _all(by_repeat)
            found = [
                precision_recall(r.used_inputs, p.informative)
                for p, repeat in zip(problems, by_repeat, strict=True)
                for r in repeat
            ]
            precision, recall = (statistics.fmean(values) for values in zip(*found, strict=True))
            n_in, hidden, n_out = problems[0].layers
            n_full = hidden * (n_in + n_out)
            removed = 1 - statistics.fmean(r.n_synapses for r in results) / n_full
            penalised = statistics.fmean(r.penalised for r in results if r.penalised is not None)
            rows.append([
                problems[0].name, f"{removed:.1%}", *_cells(results), f"{precision:.3f}",
                f"{recall:.3f}", f"{penalised:.2%}",
            ])  # fmt: skip
            best = max(penalised, statistics.fmean(r.full for r in results))
            ok = removed >= 0.9 and best - statistics.fmean(r.pruned for r in results) <= WITHIN
            held.append(f"{problems[0].name}: {'holds' if ok else 'does not hold'}.")
    report.table(
        ["problem", "removed", "synapses", "full", "pruned", "change", "interval", "precision",
         "recall", "full, L1"], rows,
    )  # fmt: skip
    report.text(
        "At least 90 % removed, within half a point of the better full network: " + " ".join(held)
    )


def _fold(job: tuple[Problem, int, float | None, Setting | None]) -> list[FoldResult]:
    return run_folds(*job)


def _all(parts: object) -> list[FoldResult]:
    return [result for part in parts for result in part]  # type: ignore[attr-defined]


def _drop(results: list[FoldResult]) -> tuple[float, float, float]:
    return mean_interval([r.full - r.pruned for r in results])


def _cells(results: list[FoldResult]) -> list[str]:
    drop, low, high = _drop(results)
    return [
        f"{statistics.fmean(r.n_synapses for r in results):.0f}",
        f"{statistics.fmean(r.full for r in results):.2%}",
        f"{statistics.fmean(r.pruned for r in results):.2%}",
        f"{-100 * drop:+.2f}",
        f"{-100 * high:+.2f} to {-100 * low:+.2f}",
    ]
