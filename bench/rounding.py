"""What whole numbers cost on public tables: `quantize` to 8 bits, and `round_weights`.

    python -m bench.rounding --data-dir DIR              development shuffles, from 1000 on
    python -m bench.rounding --data-dir DIR --final      announced shuffles, from 11 on

The tables of DIR/tables. Three fifths of each shuffle give the network, by `smallest_network`, and
retrain it where the contract asks for that; one fifth is the validation split of the contract; the
last fifth tells what was lost. ``--final`` writes bench/results/rounding.md and appends the use to
bench/results/final_log.md.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from synaprune import metrics
from synaprune.tables import read_target

from bench.data import data_folder
from bench.final import commit, write_results
from bench.machine import cpu_model
from bench.report import Report

FIRST = {False: 1000, True: 11}  # shuffle, by whether it is final
MAX_DROP = 0.005
WEIGHTS = (5, 2)  # the largest of `round_weights`


@dataclass(frozen=True)
class Record:
    """What a shuffle found.

    Attributes
    ----------
    table, metric, structure : str
    rows : int
    score : float
        Of the network on the test rows.
    losses : dict of RoundingLoss
        On the validation split, by "int8" and "points of 5" and the like.
    lost : dict of float
        On the test rows.
    plain : dict of float
        On the test rows by rounding alone, where that broke the contract; the same as `lost` where
        it did not.
    seconds : dict of float
        Of `quantize` and `round_weights`.
    """

    table: str
    metric: str
    structure: str
    rows: int
    score: float
    losses: dict[str, Any]
    lost: dict[str, float]
    plain: dict[str, float]
    seconds: dict[str, float]


def run(job: tuple[Path, int]) -> Record:
    """Train on one shuffle of a table, round, and judge."""
    file, shuffle = job
    warnings.simplefilter("ignore")  # of tables whose network learned nothing
    table = sn.read_table(file)
    target = read_target(table, "target", as_numbers=False)
    X, y = table.without(["target"]).take(target.rows), target.values
    order, n = np.random.default_rng(shuffle).permutation(len(y)), len(y) // 5
    train = order[2 * n :]
    # Neither contract nor test can be about labels that training has never seen.
    test, validation = (part[np.isin(y[part], y[train])] for part in (order[:n], order[n : 2 * n]))
    result = sn.smallest_network(X.take(train), y[train], seed=shuffle, threads=1)
    net, metric = result.network, result.metric
    known = np.isin(y[validation], net.classes)
    validation, test = validation[known], test[np.isin(y[test], net.classes)]
    train = train[np.isin(y[train], net.classes)]
    data = (X.take(train), y[train])
    options = {"validation": (X.take(validation), y[validation]), "metric": metric}
    unseen = net.check_data(X.take(test), y[test])

    def score(model: Any) -> float:
        told = model.predict(unseen.X)
        predicted = np.searchsorted(net.classes, told).astype(np.int32)
        return metrics.measure(metric, net.classes, unseen.y, predicted, predicted == unseen.y)

    ways = {"int8": (sn.quantize, {"bits": 8})}
    ways |= {f"points of {m}": (sn.round_weights, {"max_weight": m}) for m in WEIGHTS}
    losses, lost, plain, seconds = {}, {}, {}, {}
    given = score(net)
    for way, (rounding, own) in ways.items():
        begin = time.perf_counter()
        made = rounding(net, *data, **options, **own, max_drop=MAX_DROP)
        seconds[way] = time.perf_counter() - begin
        losses[way] = made.loss
        lost[way] = given - score(made.integers if way == "int8" else made.network)
        bare = rounding(net, *data, **options, **own, max_drop=1.0)  # which never retrains
        plain[way] = given - score(bare.integers if way == "int8" else bare.network)
    name = file.name.removesuffix(".csv.gz")
    return Record(name, metric, net.structure, len(y), given, losses, lost, plain, seconds)


def main() -> None:
    """Run all shuffles of all tables, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--final", action="store_true", help="announced shuffles, log")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--shuffles", type=int, default=2)
    args = parser.parse_args()
    files = sorted((data_folder(args.data_dir) / "tables").glob("*.csv.gz"))
    shuffles = range(FIRST[args.final], FIRST[args.final] + args.shuffles)
    jobs = [(file, shuffle) for file in files for shuffle in shuffles]
    with ProcessPoolExecutor(args.jobs) as pool:
        records = []
        for record in pool.map(run, jobs):
            records.append(record)
            print(f"{len(records)} of {len(jobs)}: {record.table}", file=sys.stderr, flush=True)
    command = "python -m bench.rounding" + " --final" * args.final
    command += f" --shuffles {args.shuffles} --jobs {args.jobs}"
    report = Report()
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, "
        f"{cpu_model()}."
    )
    report.text(
        f"{len(files)} tables, shuffles {shuffles[0]} to {shuffles[-1]}. `smallest_network` gives "
        f"the network; the contract of `quantize` and `round_weights` is max_drop={MAX_DROP} in "
        "its metric, on a validation split that did not choose the network. Percentage points "
        "lost (negative: won) on test rows, mean over the shuffles; in brackets those of rounding "
        "alone, where that broke the contract and the network was retrained."
    )
    told(records, report)
    if args.final:
        write_results("rounding", "What whole numbers cost", command, report.markdown())


def told(records: list[Record], report: Report) -> None:
    """Print a summary and a row for each table."""
    ways = list(records[0].lost)
    rows = []
    for way in ways:
        losses = [r.losses[way] for r in records]
        retrained = [r for r in records if r.losses[way].rounded < r.losses[way].least]
        rows.append([
            way,
            f"{100 * np.mean([r.plain[way] for r in records]):+.2f}",
            f"{100 * np.mean([r.lost[way] for r in records]):+.2f}",
            f"{100 * max(r.lost[way] for r in records):+.2f}",
            f"{len(retrained)} of {len(records)}",
            f"{sum(loss.holds for loss in losses)} of {len(records)}",
            f"{np.median([r.seconds[way] for r in records]):.1f}, "
            f"{max(r.seconds[way] for r in records):.1f}",
        ])  # fmt: skip
    report.table(
        [
            "numbers", "lost, rounded", "lost, under the contract", "worst run", "retrained",
            "contract holds", "seconds, median and most",
        ],
        rows,
    )  # fmt: skip
    rows = []
    for table in dict.fromkeys(r.table for r in records):
        of_table = [r for r in records if r.table == table]
        cells = []
        for way in ways:
            after = 100 * np.mean([r.lost[way] for r in of_table])
            before = 100 * np.mean([r.plain[way] for r in of_table])
            cells.append(f"{after:+.2f}" + (f" ({before:+.2f})" if after != before else ""))
        first = of_table[0]
        name = table + (" (balanced)" if first.metric == "balanced_accuracy" else "")
        score = f"{100 * np.mean([r.score for r in of_table]):.1f}%"
        rows.append([name, str(first.rows), first.structure, score, *cells])
    report.table(["table", "rows", "network", "score", *ways], rows)


if __name__ == "__main__":
    main()
