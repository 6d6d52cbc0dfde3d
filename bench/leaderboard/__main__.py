"""The smallest networks on MNIST beside the published ones; criteria and options side by side.

    python -m bench.leaderboard --data-dir DIR                  validation figures, seeds 1001-1005
    python -m bench.leaderboard --data-dir DIR --final          test figures too, seeds 11-15
    python -m bench.leaderboard --data-dir DIR --row NAME --seed S     one row, one seed
    python -m bench.leaderboard --data-dir DIR --only smallest --rows NAME …   some rows

``--final`` writes each section to bench/results, as Markdown with a picture, and appends the use
to bench/results/final_log.md, so that no look at the test split goes unrecorded.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import synaprune as sn

from bench.final import RESULTS, commit, write_results
from bench.leaderboard import figure
from bench.leaderboard.rows import (
    ASKED,
    BASE,
    DEEP_BASE,
    DEPTH,
    LOOPS,
    OPTIONS,
    PLAIN,
    PUBLISHED,
    ROWS,
    SHARE_DROP,
    Recipe,
)
from bench.leaderboard.runs import N_VALUES, Outcome, Shared, processes, run, side_by_side
from bench.machine import cpu_model
from bench.report import Report

SEEDS = {"development": range(1001, 1006), "final": range(11, 16)}


def main() -> None:
    """Run the sections that are asked for and print Markdown."""
    args = _arguments()
    if args.row:
        outcome = run(sn.datasets.mnist(args.data_dir), ROWS[args.row], args.seed)
        figures = vars(outcome) | {f"shared {n}": v for n, v in vars(outcome.shared).items()}
        del figures["shared"]
        figures = {n: v for n, v in figures.items() if args.final or not n.endswith("test")}
        print(*(f"{name} {value}" for name, value in figures.items()), sep="\n")
        return
    seeds = SEEDS["final" if args.final else "development"]

    def outcomes(recipes: Mapping[str, Recipe | int]) -> dict[str, list[Outcome]]:
        jobs = [(recipe, seed) for recipe in recipes.values() for seed in seeds]
        at_a_time = 1 if any(isinstance(r, int) for r in recipes.values()) else processes()
        done = list(side_by_side(args.data_dir, jobs, at_a_time))
        n = len(seeds)
        return {name: done[i * n : (i + 1) * n] for i, name in enumerate(recipes)}

    for name in args.only or SECTIONS:
        title, section = SECTIONS[name]
        command = f"python -m bench.leaderboard --only {name}{' --final' * args.final}"
        if args.rows:
            section, name = partial(_some_rows, args.rows), "_".join([name, *args.rows])
            command += f" --rows {' '.join(args.rows)}"
        report = Report()
        report.text(
            f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
            f"{cpu_model()}, ISA {sn.build_info()['isa']}. Mean ± standard deviation over seeds "
            f"{seeds[0]} to {seeds[-1]}, of final networks; a run takes one thread, and its "
            "seconds are of the CPU."
        )
        section(report, outcomes, args.final)
        if args.final:
            write_results(name, title, command, report.markdown())


Outcomes = Callable[[Mapping[str, Recipe | int]], dict[str, list[Outcome]]]


def _rows(report: Report, outcomes: Outcomes, final: bool) -> None:
    done = _some_rows(ROWS, report, outcomes, final)
    if final:
        report.table(
            ["published", "weights", "test accuracy"],
            [[name, str(n), f"{1 - error:.2%}"] for name, (n, error) in PUBLISHED.items()],
        )
        figure.draw(done, RESULTS / "smallest.png")
        report.text("![synapses against test error](smallest.png)")


def _some_rows(
    names: Iterable[str], report: Report, outcomes: Outcomes, final: bool
) -> dict[str, list[Outcome]]:
    done = outcomes({name: ROWS[name] for name in names})
    header = ["row", "start", "end", "synapses", "inputs", *_splits(final), "values", "bits"]
    header += [f"{split} with them" for split in _splits(final)] + ["seconds", "recipe"]
    report.table(
        header,
        [
            [
                name,
                "-".join(map(str, (784, *ROWS[name].hidden, 10))),
                runs[0].structure,
                str(max(r.n_synapses for r in runs)),
                str(max(r.n_inputs for r in runs)),
                *_accuracies(runs, final),
                str(max(r.n_values for r in shared)),
                str(max(r.bits for r in shared)),
                *_accuracies(shared, final),
                f"{statistics.fmean(r.seconds for r in runs):.0f}",
                ROWS[name].text(),
            ]
            for name, runs in done.items()
            for shared in [[r.shared for r in runs if r.shared is not None]]
        ],
    )
    report.text(
        "The structure is that of the first seed; synapses, inputs, values and bits are the "
        "largest of all. With all_images the validation split is trained on, and says nothing. "
        f"Values is the least of {', '.join(map(str, N_VALUES))} different weights a layer with "
        "which `share_weights` loses at most "
        f"{100 * SHARE_DROP:g} points on the validation split, or else the last; bits is what "
        "`count_bits` counts of that network: places of values, codebooks, biases in float32, "
        "places of synapses and inputs. Seconds are without that."
    )
    return done


def _criteria(report: Report, outcomes: Outcomes, final: bool) -> None:
    report.text(f"784-20-10 to {PLAIN.n_synapses} synapses; {PLAIN.text()}.")
    for what, loop in LOOPS.items():
        done = outcomes({c: replace(loop, criterion=c) for c in sn.CRITERIA})
        report.text(f"With {what}:")
        _compared(report, "criterion", done, final)
        report.text(_verdict(done))


def _verdict(done: dict[str, list[Outcome]]) -> str:
    """Say which criterion is best on validation, and how WSF stands to it."""
    means = {name: statistics.fmean(r.validation for r in runs) for name, runs in done.items()}
    best = max(means, key=lambda name: means[name])
    if best == "wsf":
        return "WSF is the best of them on validation."
    gain = 100 * (means[best] - means["wsf"])
    pairs = [b.validation - w.validation for b, w in zip(done[best], done["wsf"], strict=True)]
    error = 100 * statistics.stdev(pairs) / len(pairs) ** 0.5
    return (
        f"It is not WSF: {best} is the best of them on validation, {gain:.2f} points above WSF "
        f"(standard error of the paired difference {error:.2f})."
    )


def _options(report: Report, outcomes: Outcomes, final: bool) -> None:
    report.text(f"784-20-10 to {BASE.n_synapses} synapses, WSF; the base is {BASE.text()}.")
    _compared(report, "with", outcomes(OPTIONS), final)


def _depth(report: Report, outcomes: Outcomes, final: bool) -> None:
    report.text(f"To {DEEP_BASE.n_synapses} synapses; the base is {DEEP_BASE.text()}.")
    _compared(report, "with", outcomes(DEPTH), final)


def _asked(report: Report, outcomes: Outcomes, final: bool) -> None:
    report.text(
        "`smallest_network(X, y, n_synapses=N)` on the 60000 training images and nothing else: "
        "what it promises on fresh data is `expected`. These runs use all threads, and their "
        "seconds are of the clock."
    )
    splits = ["test"] if final else []
    report.table(
        ["asked", "seed", "end", "synapses", "inputs", "expected", *splits, "seconds", "chosen"],
        [
            [
                str(n),
                str(r.seed),
                r.structure,
                str(r.n_synapses),
                str(r.n_inputs),
                f"{r.validation:.2%}",
                *([f"{r.test:.2%}"] if final else []),
                f"{r.seconds:.0f}",
                r.chosen,
            ]
            for n, runs in outcomes({str(n): n for n in ASKED}).items()
            for r in runs
        ],
    )


def _compared(report: Report, what: str, done: dict[str, list[Outcome]], final: bool) -> None:
    report.table(
        [what, "inputs", *_splits(final), "seconds"],
        [
            [
                name,
                f"{statistics.fmean(r.n_inputs for r in runs):.0f}",
                *_accuracies(runs, final),
                f"{statistics.fmean(r.seconds for r in runs):.1f}",
            ]
            for name, runs in done.items()
        ],
    )


def _splits(final: bool) -> list[str]:
    return ["validation", "test"] if final else ["validation"]


def _accuracies(runs: Sequence[Outcome | Shared], final: bool) -> list[str]:
    cells = []
    for split in _splits(final):
        values = [getattr(r, split) for r in runs]
        cells.append(f"{statistics.fmean(values):.2%} ± {statistics.stdev(values):.2%}")
    return cells


SECTIONS = {  # title and section; results/NAME.md
    "smallest": ("The smallest networks on MNIST", _rows),
    "asked": ("The best network of a count, without a recipe", _asked),
    "depth": ("Depth, schedules and options of deep starts, one at a time", _depth),
    "criteria": ("Criteria under one loop", _criteria),
    "options": ("Options of training, one at a time", _options),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that holds mnist/")
    parser.add_argument("--final", action="store_true", help="announced seeds, test figures, log")
    parser.add_argument("--only", nargs="+", choices=tuple(SECTIONS), help="sections")
    parser.add_argument("--row", choices=tuple(ROWS), help="one row alone")
    parser.add_argument("--seed", type=int, default=1001, help="of --row")
    parser.add_argument("--rows", nargs="+", choices=tuple(ROWS), help="of --only smallest")
    args = parser.parse_args()
    if args.rows and args.only != ["smallest"]:
        parser.error("--rows goes with --only smallest")
    return args


if __name__ == "__main__":
    main()
