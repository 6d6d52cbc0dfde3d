"""``synaprune prune``: from a dataset to its smallest network."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from synaprune import __version__, datasets, metrics
from synaprune.checkpoint import CheckpointFile
from synaprune.cli.checkpoints import opened_for
from synaprune.cli.flags import FLAG, add_flags, whole_number
from synaprune.cli.found import Found, find, is_search
from synaprune.cli.report_command import write_data_report
from synaprune.cli.runs import on_workers, run_job, run_search
from synaprune.io import write_atomically
from synaprune.job import Result
from synaprune.job_options import KINDS, all_options, job_for
from synaprune.network import REGRESSION_LOSSES
from synaprune.presets import COUNTED, PRESETS, SEARCHED
from synaprune.pruning import Limits, PruningInterrupted
from synaprune.report import write_report
from synaprune.sweeping import Run, run_all
from synaprune.tables import Table
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
        description="Find the smallest network for a FILE, or for digits, that keeps the accuracy, "
        "or with --synapses the best of that count: shapes and sizes are tried on folds of the "
        "rows, and the choice is trained on all of them. With any option of a recipe, or another "
        "goal than --max-drop or --synapses, for xor, and for mnist without --synapses, one "
        "network is trained on 60 % of the rows and pruned by the accuracy on 20 %.",
    )
    p.set_defaults(run=run)
    p.add_argument(
        "dataset", nargs="?", metavar="DATASET",
        help="xor, digits (default), mnist, or a file (CSV, Excel, Parquet, JSON, NPZ, …)",
    )  # fmt: skip
    p.add_argument(
        "--target", metavar="COLUMN",
        help="column of the labels, by name or position, -1 being the last (array of an NPZ)",
    )  # fmt: skip
    p.add_argument(
        "--drop", metavar="COLUMN", action="append", default=[],
        help="leave a column out; may be repeated",
    )  # fmt: skip
    p.add_argument(
        "--keep", metavar="COLUMN", action="append", default=[],
        help="use a column that looks like a name or number of the row; may be repeated",
    )  # fmt: skip
    p.add_argument("--separator", metavar="C", help="what separates cells; found out if left out")
    p.add_argument(
        "--no-header", dest="header", action="store_const", const=False,
        help="the first row holds no names; found out if left out",
    )  # fmt: skip
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
        "--scheduler", metavar="ADDRESS",
        help="do the runs on the workers of a Dask cluster, such as tcp://host:8786",
    )  # fmt: skip
    p.add_argument(
        "--threads", type=_threads, metavar="N",
        help="of a run, or 'auto' (default): one or all, whichever proves faster",
    )  # fmt: skip
    p.add_argument(
        "--checkpoint", metavar="FILE", help="keep what is finished, for --resume after a crash"
    )  # fmt: skip
    p.add_argument(
        "--resume", metavar="FILE",
        help="go on with the run of a checkpoint, to the same bits; its options need not be given",
    )  # fmt: skip
    p.add_argument(
        "--time-limit", type=float, metavar="S",
        help="end after so many seconds with what was reached",
    )  # fmt: skip
    p.add_argument(
        "--max-epochs", type=whole_number, metavar="N",
        help="end after so many epochs with what was reached",
    )  # fmt: skip
    p.add_argument("--out", metavar="MODEL.npz", help="save the network and its path")
    p.add_argument("--report", metavar="FILE.html", help="write a page that explains the network")
    p.add_argument("--json", metavar="FILE", help="write all figures; to stdout if -")
    p.add_argument("--quiet", action="store_true", help="print nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from synaprune.extras import require

    require("rich", "cli")
    if args.resume is None:
        _check_outputs(args)
        if args.checkpoint is None:
            return _run(args, None)
    elif args.checkpoint is not None:
        raise ValueError("--resume goes on in its own file; leave --checkpoint out")
    try:
        with opened_for(args, _parsed) as file:
            _check_outputs(args)
            return _run(args, file)
    except KeyboardInterrupt as interrupt:
        text, name = str(interrupt) or "interrupted", str(args.resume or args.checkpoint)
        if Path(name).exists():
            interrupt.args = (f"{text}; to go on: synaprune prune --resume {name}",)
        raise


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="synaprune", allow_abbrev=False)
    add_parser(parser.add_subparsers(required=True))
    return parser.parse_args(arguments)


def _run(args: argparse.Namespace, file: CheckpointFile | None) -> int:
    from synaprune.cli import display

    args.dataset = args.dataset or "digits"
    _check_shares(args)
    _check_limits(args)
    _check_workers(args)
    begin = time.perf_counter()
    records: list[dict[str, Any]] = []
    last: Result | Found | None = None
    with display.ProgressBar(quiet=args.quiet, runs=args.runs) as bar:
        try:
            last = _do_runs(args, bar, file, records)
        except BaseException as error:  # what was finished is not lost with the rest
            if isinstance(error, PruningInterrupted):
                _save_interrupted(error, args.out)
            records.sort(key=itemgetter("seed"))
            if records and args.json:
                _write_json(args, records, time.perf_counter() - begin)
            raise
    seconds = time.perf_counter() - begin
    records.sort(key=itemgetter("seed"))
    try:
        _write_files(args, records, last, seconds)
    finally:  # a disk that is full does not take the figures along
        if args.json == "-":
            sys.stdout.write(_json(args, records, seconds))
        elif not args.quiet and last is None:
            display.show_runs(records, seconds)
        elif not args.quiet and isinstance(last, Found):
            display.show_found(last, _next_step(args))
        elif not args.quiet and isinstance(last, Result):
            display.show_result(last)
    return 0


def _do_runs(
    args: argparse.Namespace,
    bar: Any,
    checkpoint: CheckpointFile | None,
    records: list[dict[str, Any]],
) -> Result | Found | None:
    """Do the runs and add the record of each; return the result if there is one alone."""
    given = [key for key in (*all_options(), *KINDS) if getattr(args, key, None) is not None]
    reading = {"drop": args.drop, "separator": args.separator, "header": args.header}
    file = args.dataset not in PRESETS
    if not file and (args.keep or any(reading.values()) or args.header is not None):
        raise ValueError("--drop, --keep, --separator and --no-header apply to files")
    if file and not Path(args.dataset).exists():
        datasets.load(args.dataset)  # which says that there is none
    bar.next_run()
    searched = COUNTED if args.n_synapses else SEARCHED
    if (file or args.dataset in searched) and is_search(given):
        if args.jobs:
            raise ValueError(
                "--jobs does not apply here: the search for the smallest network runs side by side "
                "on all --threads"
            )
        as_numbers = _as_numbers(args)
        if file:
            rows = datasets.load_rows(args.dataset, args.target, as_numbers=as_numbers, **reading)
        else:
            data = datasets.load(args.dataset, target=args.target, data_dir=args.data_dir)
            rows = datasets.Rows.of(data, keep_test=args.dataset not in SEARCHED)
        if args.max_epochs is not None:
            raise ValueError(
                "--max-epochs does not apply here: the search for the smallest network trains "
                "several; use --time-limit"
            )
        asked = {key: getattr(args, key) for key in given}
        if args.runs == 1:
            found = find(
                rows,
                asked,
                keep=args.keep,
                seed=args.seed,
                threads=args.threads,
                callback=bar.trained,
                checkpoint=checkpoint,
                time_limit=args.time_limit,
            )
            records.append(found.record)
            return found
        content = {"rows": rows.y, **_columns(rows.X)}
        _do_many(
            args, bar, checkpoint, records, run_search, (rows, asked, args.keep), content, asked
        )
        return None
    data = (
        datasets.load_table(
            args.dataset, args.target, keep=args.keep, as_numbers=_as_numbers(args), **reading
        )
        if file
        else datasets.load(args.dataset, target=args.target, data_dir=args.data_dir)
    )
    job = job_for(data, vars(args), FLAG)
    if args.runs == 1:
        result = job.run(
            data, seed=args.seed, threads=args.threads, callback=bar, checkpoint=checkpoint,
            time_limit=args.time_limit, max_epochs=args.max_epochs,
        )  # fmt: skip
        records.append(result.record())
        return result
    _do_many(
        args, bar, checkpoint, records, run_job, (data, job), {"data": data.sha256}, job.options()
    )
    return None


def _do_many(
    args: argparse.Namespace,
    bar: Any,
    checkpoint: CheckpointFile | None,
    records: list[dict[str, Any]],
    work: Callable[..., Run],
    shared: Any,
    data: Mapping[str, Any],
    options: Mapping[str, Any],
) -> None:
    """Do several runs, side by side where that is asked for, and add their records."""
    fixed = isinstance(args.threads, int)  # then it is not ours to share out
    free = 1 if fixed or work is run_search else check_threads(args.threads)
    jobs = min(args.runs, args.jobs or free, _MOST_JOBS)
    if args.scheduler is None and jobs == 1:  # in this thread
        callback = bar.trained if work is run_search else bar
        work = partial(work, threads=args.threads, callback=callback)
    else:
        work = partial(work, threads=args.threads if fixed else 1)
    if checkpoint is not None:
        checkpoint.identify("runs", data, {**options, "seed": args.seed})

    def tell(seed: str, run: Run) -> None:
        records.append(run.record)
        if len(records) < args.runs:
            bar.next_run()

    seeds = {str(seed): seed for seed in range(args.seed, args.seed + args.runs)}
    with on_workers(args.scheduler):
        run_all(work, seeds, shared, n_jobs=jobs, file=checkpoint, tell=tell)


def _columns(X: Any) -> Mapping[str, Any]:
    """Return the columns of a table, or an array, by name."""
    return {"columns": dict(X.columns)} if isinstance(X, Table) else {"X": X}


def _as_numbers(args: argparse.Namespace) -> bool | None:
    """Return whether loss or metric say that the target holds numbers to predict."""
    if args.loss not in (None, "auto"):
        return bool(args.loss in REGRESSION_LOSSES)
    return None if args.metric is None else bool(args.metric in metrics.REGRESSION_METRICS)


def _next_step(args: argparse.Namespace) -> str:
    if args.out and args.dataset not in PRESETS:
        return f"Next: synaprune predict {args.out} NEW_ROWS.csv"
    if args.dataset in PRESETS:
        return "Next: synaprune prune FILE.csv, with a table of your own."
    return "Next: --out MODEL.npz keeps the network, --report PAGE.html explains it."


def _write_files(
    args: argparse.Namespace,
    records: list[dict[str, Any]],
    last: Result | Found | None,
    seconds: float,
) -> None:
    if args.json and args.json != "-":
        _write_json(args, records, seconds)
    if last is None:
        return
    path = last.path if isinstance(last, Result) else last.result.path
    if args.out:
        path.save(args.out)
    if args.report and isinstance(last, Found):
        rows = last.rows
        write_report(
            args.report, path, validation=rows.test or (last.inputs, rows.y), title=rows.name,
            image_shape=rows.image_shape,
        )  # fmt: skip
    elif args.report and isinstance(last, Result):
        write_data_report(args.report, path, last.data)


def _json(args: argparse.Namespace, records: list[dict[str, Any]], seconds: float) -> str:
    record = records[0] if args.runs == 1 else _summary(args.seed, records, seconds)
    return json.dumps(record, indent=1) + "\n"


def _write_json(args: argparse.Namespace, records: list[dict[str, Any]], seconds: float) -> None:
    write_atomically(args.json, _json(args, records, seconds).encode())


def _check_shares(args: argparse.Namespace) -> None:
    """Refuse points where fractions are meant."""
    drop = args.max_drop
    if drop is not None and drop >= 0.5 and not str(args.metric).startswith("neg_"):
        raise ValueError(
            f"--max-drop is a fraction, 0.01 for one percentage point; got {drop:g}, which would "
            "allow any network"
        )


def _check_workers(args: argparse.Namespace) -> None:
    if args.scheduler is None:
        return
    if args.runs == 1:
        raise ValueError("--scheduler goes with several --runs, which it does side by side")
    if args.jobs:
        raise ValueError("--jobs does not go with --scheduler, which knows its workers")


def _check_limits(args: argparse.Namespace) -> None:
    Limits(args.time_limit, args.max_epochs)
    for flag in ("time_limit", "max_epochs"):
        if args.runs > 1 and getattr(args, flag) is not None:
            raise ValueError(f"--{flag.replace('_', '-')} goes with one run")


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse what would only fail after all the work is done."""
    files = {"--out": args.out, "--report": args.report, "--checkpoint": args.checkpoint}
    files["--resume"] = args.resume
    files["--json"] = None if args.json == "-" else args.json
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
        if file is not None:
            try:
                with tempfile.TemporaryFile(dir=Path(file).absolute().parent) as trial:
                    trial.write(b"0" * 4096)
            except OSError as error:
                raise OSError(f"{flag}: {file} cannot be written ({error.strerror})") from None
    for (one, a), (other, b) in itertools.combinations(files.items(), 2):
        if a and b and Path(a).absolute() == Path(b).absolute():
            raise ValueError(f"{one} and {other} name the same file, {a}")
    for flag, file in files.items():
        both = file is not None and Path(file).exists() and Path(args.dataset or "digits").exists()
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
