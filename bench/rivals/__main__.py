"""Our networks of a count beside what else makes small classifiers, at equal sizes.

    python -m bench.rivals --data-dir DIR              development shuffles, from 1000 on
    python -m bench.rivals --data-dir DIR --final      announced shuffles, 11 and 12

Digits, letter and the six largest other tables of DIR/tables. Each shuffle holds a fifth of the
rows out, which nothing sees before it is tested on them. ``--final`` writes bench/results/rivals.md
and rivals.png, and appends the use to bench/results/final_log.md. With ``--json`` a run that was
interrupted goes on where it ended.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import statistics
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import synaprune as sn

from bench.data import data_folder
from bench.final import RESULTS, commit, write_results
from bench.machine import cpu_model
from bench.peers import optional, versions
from bench.report import Report
from bench.rivals import figure, peers
from bench.rivals.figure import mean_error
from bench.rivals.runs import CONTENDERS, FIRST, MOST_ROWS, TABLES, Record, run

TITLES = {
    "ours": "ours", "torch": "torch", "lassonet": "LassoNet", "tree": "tree",
    "splits": "tree, splits alone",
}  # fmt: skip
CLEARLY = 1.0  # points of error that count as better


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, print Markdown, and record it under ``--final``."""
    args = _arguments(arguments)
    warnings.simplefilter("ignore")  # of networks that hardly learn, and of trainings cut short
    shuffles = range(FIRST[args.final], FIRST[args.final] + args.shuffles)
    records = _completed(args, shuffles)
    command = f"python -m bench.rivals{' --final' * args.final} --shuffles {args.shuffles}"
    if args.tables != list(TABLES):
        command += f" --tables {' '.join(args.tables)}"
    report = Report()
    describe(report, records, command)
    if args.picture:
        figure.draw(records, args.picture)
    if args.final:
        whole = args.tables == list(TABLES)
        if whole:
            figure.draw(records, RESULTS / "rivals.png")
            report.text("![size against test error](rivals.png)")
        title = "Small classifiers at equal sizes" if whole else ""
        write_results("rivals", title, command, report.markdown())


def describe(report: Report, records: Sequence[Record], command: str) -> None:
    """Say how the figures came about, what they are, and who wins where."""
    commits = ", ".join(sorted({r.commit for r in records}))
    lasso = f"lassonet {version}" if (version := _version("lassonet")) else "no lassonet"
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commits}, "
        f"{cpu_model()}, ISA {sn.build_info()['isa']}, {versions()}, {lasso}; one thread. Shuffles "
        f"{', '.join(str(s) for s in sorted({r.shuffle for r in records}))}; each holds a fifth of "
        f"the rows out for the test. Of the others, at most {MOST_ROWS[0]} train, and at most "
        f"{MOST_ROWS[1]} choose, the same for all; inputs are those of our TableEncoder, "
        "standardised. The full tables would give every contender lower errors."
    )
    report.text(
        "Size is the number of weights without biases; of a tree that of splits and leaves. Ours "
        "is `smallest_network(X, y, n_synapses=N, validation=...)`. torch is magnitude pruning by "
        "the cubic schedule of Zhu & Gupta (2017) over all layers, Adam with a cosine and batches "
        f"of {peers.BATCH_SIZE}, in the CPU time that our search took: starts "
        f"{', '.join('-'.join(map(str, s)) or 'linear' for s in peers.SHAPES)}, rates "
        f"{', '.join(f'{lr:g}' for lr in peers.LEARNING_RATES)} and L1 penalties until the last "
        f"cut of {', '.join(f'{l1:g}' for l1 in peers.L1)} compete in {peers.ROUNDS} rounds: "
        "of the first the best options of each start enter the second, of that the best the last. "
        f"LassoNet has {peers.HIDDEN} hidden neurons and everything else as it comes; of its path "
        "the network counts that is small enough and best on the validation rows, all weights "
        "that are not zero counted. Trees are scikit-learn's, both criteria, pruned by cost "
        "complexity to at most the size and further where that is better on the validation rows."
    )
    rows = []
    for table in [t for t in TABLES if any(r.table == t for r in records)]:
        of = [r for r in records if r.table == table]
        n_rows = "/".join(str(n) for n in of[0].rows)
        about = f"{n_rows}, {of[0].inputs}, {of[0].classes}"
        for n in TABLES[table]:
            errors = {name: mean_error(of, name, n) for name in CONTENDERS}
            least = min(e for name, e in errors.items() if e is not None and name != "splits")
            cells = [_shown(errors[name], least) for name in CONTENDERS]
            seconds = statistics.fmean(r.seconds[str(n)] for r in of)
            structures = of[0].found["ours"][str(n)]["chosen"]
            rows.append([table, about, str(n), *cells, f"{seconds:.1f}", structures])
            table, about = "", ""
    header = ["table", "rows, inputs, classes", "size", *TITLES.values(), "seconds", "our network"]
    report.table(header, rows)
    report.text(
        "Test error, mean over the shuffles; the least of a row is bold, not counting the last "
        "column of trees. Seconds are the CPU time of our search; our network is that of the first "
        "shuffle. – is no network so small."
    )
    report.text("## Who wins where")
    for sentence in verdict(records):
        report.text(sentence)


def verdict(records: Sequence[Record]) -> list[str]:
    """Say in words how ours compares with each rival, over all tables and sizes."""
    told = []
    for name in CONTENDERS[1:]:
        differences = {
            (table, n): 100 * (theirs - mine)
            for table, counts in TABLES.items()
            for n in counts
            for of in [[r for r in records if r.table == table]]
            for theirs, mine in [(mean_error(of, name, n), mean_error(of, "ours", n))]
            if theirs is not None and mine is not None
        }
        if not differences:
            told.append(f"{TITLES[name]}: no figures.")
            continue
        won = {place: d for place, d in differences.items() if d >= CLEARLY}
        lost = {place: d for place, d in differences.items() if d <= -CLEARLY}
        told.append(
            f"Against {TITLES[name]}: of {len(differences)} sizes of tables ours has at least "
            f"{CLEARLY:g} point less error in {len(won)} and at least {CLEARLY:g} more in "
            f"{len(lost)}; the mean difference is {-statistics.fmean(differences.values()):+.2f} "
            f"points. Ours is better at {_listed(won)}; worse at {_listed(lost)}."
        )
    ended = {r.without_lassonet for r in records if r.without_lassonet}
    for why in sorted(ended):
        tables = dict.fromkeys(r.table for r in records if r.without_lassonet == why)
        told.append(f"LassoNet on {', '.join(tables)}: {why}; what it had until then counts.")
    return told


def _listed(differences: dict[tuple[str, int], float]) -> str:
    by_table: dict[str, list[str]] = {}
    for (table, n), difference in differences.items():
        by_table.setdefault(table, []).append(f"{n} ({-difference:+.1f})")
    return "; ".join(f"{table} {', '.join(of)}" for table, of in by_table.items()) or "none"


def _shown(error: float | None, least: float) -> str:
    if error is None:
        return "–"
    return f"**{error:.1%}**" if error == least else f"{error:.1%}"


def _version(module: str) -> str:
    import importlib.metadata

    return importlib.metadata.version(module) if optional(module) else ""


def _completed(args: argparse.Namespace, shuffles: range) -> list[Record]:
    """Return the records of all tables and shuffles; run those that --json does not hold."""
    known = {}
    if args.json is not None and args.json.exists():
        for line in args.json.read_text().splitlines():
            record = Record(**json.loads(line))
            known[record.table, record.shuffle] = record
    state = commit()
    for shuffle in shuffles:
        for table in args.tables:
            if (table, shuffle) in known:
                continue
            record = known[table, shuffle] = run(args.data_dir, table, shuffle, state)
            print(f"{table} {shuffle}: {sum(record.seconds.values()):.1f} s", file=sys.stderr)
            if args.json is not None:
                with args.json.open("a") as lines:
                    lines.write(json.dumps(dataclasses.asdict(record)) + "\n")
    return [known[table, shuffle] for table in args.tables for shuffle in shuffles]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.rivals", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data-dir", type=Path, help="folder that holds tables/")
    parser.add_argument("--final", action="store_true", help="announced shuffles, results, log")
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--shuffles", type=int, default=2, help="of each table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append the records to it")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw this one, too")
    args = parser.parse_args(arguments)
    args.data_dir = data_folder(args.data_dir)
    return args


if __name__ == "__main__":
    main()
