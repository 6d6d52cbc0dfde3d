"""``synaprune prune``: from a dataset to its smallest network."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from synaprune import __version__, datasets
from synaprune.cli.job import Options, Result, run_job
from synaprune.cli.presets import Preset, preset_for
from synaprune.cli.report_command import write as write_report
from synaprune.cli.runs import run_side_by_side
from synaprune.criteria import CRITERIA
from synaprune.io import write_atomically
from synaprune.network import ACTIVATIONS, LOSSES
from synaprune.pruning import METRICS, STRATEGIES, PruningInterrupted
from synaprune.scaling import INPUT_SCALINGS
from synaprune.threads import Threads, check_threads

_MOST_JOBS = 61  # processes that Python can wait for on Windows
# flags that override the preset's field of the same name
_OVERRIDES = tuple(
    field.name for field in dataclasses.fields(Preset) if field.name not in ("stop_at",)
)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an int, at least 1, got {text}")
    return int(text)


def _count(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(_positive(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"must be ints, each at least 1, got {text}") from None


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
    p.add_argument("--inputs", type=_positive, metavar="N", help="prune to N inputs")
    goal = p.add_mutually_exclusive_group()
    goal.add_argument("--synapses", type=_positive, metavar="N", help="prune to N synapses")
    goal.add_argument("--min-accuracy", type=float, metavar="A", help="validation accuracy to keep")
    goal.add_argument(
        "--max-drop", type=float, metavar="D",
        help="validation accuracy that may be lost, as a fraction (default 0.005)",
    )  # fmt: skip
    p.add_argument(
        "--confidence", type=float, metavar="C",
        help="one-sided confidence with which the accuracy must be kept, such as 0.95",
    )  # fmt: skip
    p.add_argument(
        "--metric", choices=METRICS, default="accuracy", help="what is kept on validation"
    )
    p.add_argument(
        "--effort", type=float, metavar="E",
        help="go back and cut otherwise, for so many times the work of the first way (default: 1, "
        "towards a count 0)",
    )  # fmt: skip
    p.add_argument("--strategy", choices=STRATEGIES, default="auto")
    p.add_argument("--criterion", choices=tuple(CRITERIA), help="what ranks synapses")
    p.add_argument(
        "--concentration", type=float, metavar="C", help="favour emptying inputs and neurons"
    )
    p.add_argument("--hidden", type=_sizes, metavar="N[,N…]", help="hidden neurons of each layer")
    p.add_argument("--activation", choices=ACTIVATIONS)
    p.add_argument("--loss", choices=LOSSES)
    p.add_argument("--init-scale", type=float, metavar="S", help="share of Glorot's range")
    p.add_argument(
        "--input-scaling", choices=INPUT_SCALINGS, help="what the network sees of the inputs"
    )
    p.add_argument("--optimizer", choices=("sgd", "adam"))
    p.add_argument("--lr", type=float, metavar="R", help="learning rate")
    p.add_argument(
        "--l1", type=float, metavar="R",
        help="L1 penalty on the weights; towards a count, until the last cut",
    )  # fmt: skip
    p.add_argument("--weight-decay", type=float, metavar="R", help="L2 penalty on the weights")
    p.add_argument(
        "--shift", type=_count, metavar="PIXELS",
        help="move training images at random by up to so many pixels",
    )  # fmt: skip
    p.add_argument("--shift-probability", type=float, metavar="P", help="that an image is moved")
    p.add_argument(
        "--label-smoothing", type=float, metavar="S", help="share of a target for all classes"
    )
    p.add_argument("--batch-size", type=_positive, metavar="N")
    p.add_argument(
        "--epochs", type=_positive, metavar="N", help="of the full network, and of gradual pruning"
    )
    p.add_argument("--retrain-epochs", type=_positive, metavar="N", help="at most, after a cut")
    p.add_argument("--patience", type=_positive, metavar="N", help="epochs without improvement")
    p.add_argument(
        "--attempts", type=_positive, metavar="N",
        help="single synapses to try before the ladder ends",
    )  # fmt: skip
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
    options = _options(args, data.name)
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
                    data, options, seeds, jobs=jobs, threads=threads if fixed else 1
                ):
                    bar.next_run()
                    records.append(record)
            else:
                for seed in seeds:
                    bar.next_run()
                    result = run_job(data, options, seed=seed, threads=args.threads, callback=bar)
                    records.append(result.record())
        except BaseException as error:  # what was finished is not lost with the rest
            if isinstance(error, PruningInterrupted):
                _save_interrupted(error, args.out)
            if records and args.json:
                _write_json(args, records, time.perf_counter() - begin)
            raise
    seconds = time.perf_counter() - begin
    if not args.quiet:  # first, so that a disk that fills up does not take the table along
        _show(display, result, records, seconds)
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
    display: Any, result: Result | None, records: list[dict[str, Any]], seconds: float
) -> None:
    if len(records) == 1 and result is not None:
        display.show_result(result)
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


def _options(args: argparse.Namespace, dataset: str) -> Options:
    flags = {name: getattr(args, name) for name in _OVERRIDES}
    preset = dataclasses.replace(
        preset_for(dataset), **{name: value for name, value in flags.items() if value is not None}
    )
    goals = {
        "n_synapses": args.synapses,
        "n_inputs": args.inputs,
        "min_accuracy": args.min_accuracy,
        "max_drop": args.max_drop,
    }
    target = {name: value for name, value in goals.items() if value is not None}
    return Options(
        preset, args.strategy, target or {"max_drop": 0.005}, args.confidence, args.metric
    )


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
