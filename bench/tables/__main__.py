"""`smallest_network` on public tables, beside scikit-learn's classifiers and LassoNet.

    python -m bench.tables --data-dir DIR              development shuffles, 1000 and following
    python -m bench.tables --data-dir DIR --final      announced shuffles: 11 to 20, or to 13 from
                                                       1000 rows on

Each shuffle holds a fifth of the rows out, which nothing sees before it is tested on them.
``--final`` appends the use to bench/results/final_log.md; with ``--write`` it also writes
bench/results/tables.md and tables.png. Other runs leave bench/results alone. With ``--json`` a run
that was interrupted goes on where it ended, if it is repeated at the same commit.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path

import sklearn
import synaprune as sn

from bench.data import data_folder
from bench.final import RESULTS, commit, write_results
from bench.machine import cpu_model
from bench.report import Report
from bench.tables import figure, summary
from bench.tables.peers import ABOUT, PEERS
from bench.tables.runs import (
    FIRST,
    LARGE,
    SHUFFLES,
    Job,
    Record,
    completed,
    load,
    read,
    shuffles,
    table_names,
)  # fmt: skip

TITLE = "The smallest networks on public tables"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, print Markdown, and record it under ``--final``."""
    args = _arguments(arguments)
    if args.no_runs:
        records, failed = _kept(args), []
    else:
        records, failed = completed(_jobs(args), args.json, args.jobs)
    if not records:
        raise SystemExit("no run ended well: " + "; ".join(failed) if failed else "no records")
    report = Report()
    describe(report, records, args)
    if args.write:
        figure.draw(records, RESULTS / "tables.png")
        report.text("![size against score on fresh data](tables.png)")
    for line in failed:
        report.text(f"Failed: {line}")
    if args.final:
        write_results("tables", TITLE if args.write else "", _command(args), report.markdown())
    if failed:
        raise SystemExit(f"{len(failed)} runs failed")


def describe(report: Report, records: Sequence[Record], args: argparse.Namespace) -> None:
    """Say how the figures came about, and what they are."""
    chosen = sorted({r.shuffle for r in records})
    several = f"s {chosen[0]} to {chosen[-1]} (fewer from {LARGE} rows on)"
    told = several if len(chosen) > 1 else f" {chosen[0]}"
    threads = "" if args.jobs == 1 else ", one thread each"
    commits = ", ".join(sorted({r.commit for r in records}))
    report.text(
        f"`{_command(args)}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commits}, "
        f"{cpu_model()}, ISA {sn.build_info()['isa']}, scikit-learn {sklearn.__version__}; "
        f"{args.jobs} run{'s' * (args.jobs > 1)} at a time{threads}."
    )
    report.text(
        f"{len({r.table for r in records})} tables, shuffle{told}. Each holds out a fifth of "
        "the rows, on which all are tested, and trains on the others. Ours is "
        "`smallest_network(table, 'target')`; full is the best full network that it tried. The "
        "metric is what it used: accuracy, or balanced accuracy "
        f"where one class has over 80 % of the rows. {ABOUT}"
    )  # fmt: skip
    for sentence in summary.absences(records):
        report.text(sentence)
    report.text("## What the runs show")
    report.table(["what", "value"], summary.lines(records))
    report.text(
        "The interval is widened by the sampling error of the test rows, as the root of the sum "
        "of squares. Rows can tell if the standard error of the chosen size's drop is below "
        f"{summary.TELLING:.1%}; where the full network is chosen, that of the next smaller size."
    )
    report.text("## Tables")
    header, rows = summary.table_rows(records)
    report.table(header, rows)
    report.text(
        "Means over shuffles; medians of synapses, columns and seconds. Synapses are those of the "
        "best full network and of the pruned one; expected is what `smallest_network` "
        "said of fresh data, standard error that of the drop it chose by."
    )


def _jobs(args: argparse.Namespace) -> list[Job]:
    folder = args.data_dir
    known = table_names(folder)
    unknown = [name for name in args.tables or () if name not in known]
    if unknown or not known:
        raise SystemExit(f"{folder / 'tables'} holds no {', '.join(unknown) or '*.csv.gz'}")
    threads = None if args.jobs == 1 else 1
    state = commit()
    return [
        Job(folder, name, shuffle, args.peers, threads, state)
        for name in known
        if name in (args.tables or known)
        for shuffle in shuffles(
            len(load(folder, name)[1].rows), final=args.final, given=args.shuffles
        )
    ]


def _kept(args: argparse.Namespace) -> list[Record]:
    """Return the records of --json, the last one of each shuffle."""
    chosen = [r for r in read(args.json) if (r.shuffle < FIRST[False]) == args.final]
    return list({(r.table, r.shuffle): r for r in chosen}.values())


def _command(args: argparse.Namespace) -> str:
    told = "python -m bench.tables" + " --final" * args.final
    if args.tables:
        told += f" --tables {','.join(args.tables)}"
    if args.shuffles:
        told += f" --shuffles {args.shuffles}"
    if args.peers != tuple(PEERS):
        told += f" --peers {','.join(args.peers)}"
    return f"{told} --jobs {args.jobs}{' --no-runs' * args.no_runs}{' --write' * args.write}"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.tables", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data-dir", type=Path, help="folder that holds tables/")
    parser.add_argument("--final", action="store_true", help="announced shuffles, log")
    parser.add_argument("--tables", type=_names, metavar="A,B", help="these alone")
    parser.add_argument(
        "--shuffles", type=_count, metavar="N", help=f"of each table, instead of {SHUFFLES[False]} "
        f"below {LARGE} rows and {SHUFFLES[True]} from there on",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=_count, default=2, metavar="N",
        help="runs at a time, of one thread each; a single one has the default threads",
    )  # fmt: skip
    parser.add_argument(
        "--peers", type=_names, default=tuple(PEERS), metavar="A,B", help=",".join(PEERS)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="append the records to it")
    parser.add_argument(
        "--no-runs", action="store_true", help="report what --json holds, whatever its commit"
    )
    parser.add_argument(
        "--write", action="store_true", help="write tables.md and tables.png, of all --final runs"
    )
    args = parser.parse_args(arguments)
    if args.write and (not args.final or args.tables or args.shuffles):
        parser.error("--write goes with --final, and with all tables and shuffles")
    if unknown := [name for name in args.peers if name not in PEERS]:
        parser.error(f"unknown peer {', '.join(unknown)}: choose {', '.join(PEERS)}")
    if args.no_runs and (not args.json or args.tables or args.shuffles):
        parser.error("--no-runs goes with --json, and not with --tables or --shuffles")
    args.data_dir = data_folder(args.data_dir)
    return args


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in text.split(",") if name))


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    main()
