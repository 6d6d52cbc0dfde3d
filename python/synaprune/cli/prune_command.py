"""``synaprune prune``: from a dataset to its smallest network."""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from synaprune import __version__, datasets
from synaprune.cli.flags import add_flags, job_for
from synaprune.cli.report_command import write as write_report
from synaprune.cli.runs import run_side_by_side
from synaprune.io import write_atomically
from synaprune.job import Result
from synaprune.pruning import PruningInterrupted
from synaprune.threads import Threads, check_threads

_MOST_JOBS = 61  # processes that Python can wait for on Windows


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an int, at least 1, got {text}")
    return int(text)


def _threads(text: str) -> Threads:
    return "auto" if text == "auto" else _positive(text)


def add_parser(commands: Any) -> None:
    """Add the command to the console's parser."""
    p = commands.add_parser(
        "prune",
        help="train a network on a dataset and prune it",
        description="Train a network on DATASET, then prune it as far as the accuracy allows. "
        "Options left out come from the dataset's preset.",
    )
    p.set_defaults(run=run)
    p.add_argument(
        "dataset", nargs="?", default="digits", metavar="DATASET",
        help="xor, digits (default), mnist, or a CSV or NPZ file",
    )  # fmt: skip
    p.add_argument("--target", metavar="COLUMN", help="label column of a CSV (array of an NPZ)")
    p.add_argument("--data-dir", metavar="DIR", help="folder that holds MNIST's files")
    add_flags(p)
    p.add_argument("--runs", type=_positive, default=1, metavar="N", help="seeds S, S+1, …")
    p.add_argument("--seed", type=int, default=0, metavar="S")
    p.add_argument(
        "--jobs", type=_positive, metavar="N",
        help="runs side by side, each on one thread or as many as --threads says (default: as many "
        "as OpenMP offers threads, one with --threads N)",
    )  # fmt: skip
    p.add_argument(
        "--threads", type=_threads, metavar="N",
        help="of a run, or 'auto' (default): one or all, whichever proves faster",
    )  # fmt: skip
    p.add_argument("--out", metavar="MODEL.npz", help="save the network and its path")
    p.add_argument("--report", metavar="FILE.html", help="write a page that explains the network")
    p.add_argument("--json", metavar="FILE", help="write all figures")
    p.add_argument("--quiet", action="store_true", help="print nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from synaprune.extras import require

    require("rich", "cli")
    from synaprune.cli import display

    _check_outputs(args)
    data = datasets.load(args.dataset, target=args.target, data_dir=args.data_dir)
    job = job_for(data, vars(args))
    begin = time.perf_counter()
    records: list[dict[str, Any]] = []
    result = None
    seeds = range(args.seed, args.seed + args.runs)
    fixed = isinstance(args.threads, int)  # then it is not ours to share out
    threads = check_threads(args.threads)
    jobs = min(args.runs, args.jobs or (1 if fixed else threads), _MOST_JOBS)
    with display.ProgressBar(quiet=args.quiet, runs=args.runs) as bar:
        try:
            if jobs > 1:
                for record in run_side_by_side(
                    data, job, seeds, jobs=jobs, threads=threads if fixed else 1
                ):
                    bar.next_run()
                    records.append(record)
            else:
                for seed in seeds:
                    bar.next_run()
                    result = job.run(data, seed=seed, threads=args.threads, callback=bar)
                    records.append(result.record())
        except BaseException as error:  # what was finished is not lost with the rest
            if isinstance(error, PruningInterrupted):
                _save_interrupted(error, args.out)
            if records and args.json:
                _write_json(args, records, time.perf_counter() - begin)
            raise
    seconds = time.perf_counter() - begin
    if not args.quiet:  # first, so that a disk that fills up does not take the table along
        _show(display, data, result, records, seconds)
    if args.json:
        _write_json(args, records, seconds)
    if args.out and result is not None:
        result.path.save(args.out)
    if args.report and result is not None:
        write_report(args.report, result.path, data)
    return 0


def _write_json(args: argparse.Namespace, records: list[dict[str, Any]], seconds: float) -> None:
    record = records[0] if args.runs == 1 else _summary(args.seed, records, seconds)
    write_atomically(args.json, (json.dumps(record, indent=1) + "\n").encode())


def _show(
    display: Any,
    data: datasets.Dataset,
    result: Result | None,
    records: list[dict[str, Any]],
    seconds: float,
) -> None:
    if len(records) == 1 and result is not None:
        display.show_result(result, data)
    else:
        display.show_runs(records, seconds)


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse what would only fail after all the work is done."""
    files = {"--out": args.out, "--json": args.json, "--report": args.report}
    for flag in ("--out", "--report"):
        if files[flag] and args.runs > 1:
            raise ValueError(
                f"{flag} goes with one run; repeat the one you want with its own --seed"
            )
    for flag, file in files.items():
        if file is not None and not Path(file).absolute().parent.is_dir():
            raise FileNotFoundError(f"{flag}: the folder of {file} does not exist")
        if file is not None and Path(file).is_dir():
            raise IsADirectoryError(f"{flag}: {file} is a folder")
    for (one, a), (other, b) in itertools.combinations(files.items(), 2):
        if a and b and Path(a).absolute() == Path(b).absolute():
            raise ValueError(f"{one} and {other} name the same file, {a}")
    for flag, file in files.items():
        both = file is not None and Path(file).exists() and Path(args.dataset).exists()
        if both and Path(file).samefile(args.dataset):
            raise ValueError(f"{flag} would overwrite the data in {file}")
    if args.seed < 0:
        raise ValueError(f"--seed must be at least 0, got {args.seed}")


def _save_interrupted(interrupt: PruningInterrupted, out: str | None) -> None:
    if out and len(interrupt.path):
        interrupt.path.stop_reason = "interrupted"
        interrupt.path.save(out)
        interrupt.args = (f"{interrupt.args[0]}; the last one is saved in {out}",)


def _summary(seed: int, runs: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    return {
        "dataset": runs[0]["dataset"],
        "seed": seed,
        "options": runs[0]["options"],
        "seconds": round(seconds, 3),
        "version": __version__,
        "runs": runs,
        "structures": dict(Counter(r["final"]["structure"] for r in runs).most_common()),
    }
