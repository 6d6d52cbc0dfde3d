"""`smallest_network` on numeric targets, beside ridge regression and MLPRegressor.

    python -m bench.regression --data-dir DIR              development shuffles, from 1000 on
    python -m bench.regression --data-dir DIR --final      announced shuffles, 11 to 20

The seven tables of DIR/regression, the diabetes data of scikit-learn and Friedman's three functions
(500 rows each; noise of standard deviation 1, 125 and 0.1, as in Friedman, 1991). Each shuffle
holds a fifth of the rows out, which nothing sees before it is tested on them. ``--final`` writes
bench/results/regression.md and appends the use to bench/results/final_log.md.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
import sklearn.datasets
import synaprune as sn
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from synaprune.tables import read_target

from bench.data import data_folder
from bench.final import commit, write_results
from bench.machine import cpu_model
from bench.report import Report

SHUFFLES = 10
FIRST = {False: 1000, True: 11}  # shuffle, by whether it is final
HIDDEN = 100
FRIEDMAN = {
    "friedman1": (sklearn.datasets.make_friedman1, 1.0),
    "friedman2": (sklearn.datasets.make_friedman2, 125.0),
    "friedman3": (sklearn.datasets.make_friedman3, 0.1),
}
INFORMATIVE = {0, 1, 2, 3, 4}  # inputs of friedman1


class Problem(NamedTuple):
    """Rows of a table, or of an array, and their numbers."""

    X: Any
    y: Any


@dataclass(frozen=True)
class Record:
    """What a shuffle found: R² on the test rows by contender, and the network.

    Attributes
    ----------
    problem : str
    rows, inputs : int
    r2 : dict of float
        By "full", "pruned", "ridge", "mlp" and "mlp_scaled".
    n_synapses : int
    used_inputs : list of int
    inside : bool
        Whether the test R² is in the 90 % interval, widened by the test rows' own sampling error.
    seconds : float
    remark : str
    """

    problem: str
    rows: int
    inputs: int
    r2: dict[str, float]
    n_synapses: int
    used_inputs: list[int]
    inside: bool
    seconds: float
    remark: str


def problems(data_dir: Path) -> list[str]:
    """Return the names of all problems."""
    files = sorted((data_dir / "regression").glob("*.csv.gz"))
    return [file.name.removesuffix(".csv.gz") for file in files] + ["diabetes", *FRIEDMAN]


def load(data_dir: Path, name: str, shuffle: int) -> Problem:
    """Return a problem; Friedman's functions are drawn anew for each shuffle."""
    if name in FRIEDMAN:
        make, noise = FRIEDMAN[name]
        return Problem(*make(500, noise=noise, random_state=shuffle))
    if name == "diabetes":
        return Problem(*sklearn.datasets.load_diabetes(return_X_y=True))
    table = sn.read_table(data_dir / "regression" / f"{name}.csv.gz")
    target = read_target(table, "target", as_numbers=True)
    return Problem(table.without(["target"]).take(target.rows), target.values)


def run(job: tuple[Path, str, int]) -> Record:
    """Train ours and the peers on one shuffle, and judge them."""
    data_dir, name, shuffle = job
    X, y = load(data_dir, name, shuffle)
    order = np.random.default_rng(shuffle).permutation(len(y))
    test, train = order[: len(y) // 5], order[len(y) // 5 :]
    take = X.take if isinstance(X, sn.Table) else X.__getitem__
    given, unseen = take(train), take(test)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what no network learned stands in the remark
        result = sn.smallest_network(given, y[train], metric="r2", seed=shuffle, threads=1)
    seconds = time.perf_counter() - begin
    said = {"full": result.full.predict(unseen), "pruned": result.network.predict(unseen)}
    encoder = result.network.encoder
    plain = given if encoder is None else encoder.transform(given)
    plain_test = unseen if encoder is None else encoder.transform(unseen)
    mlp = MLPRegressor(hidden_layer_sizes=(HIDDEN,), random_state=shuffle, max_iter=1000)
    peers = {
        "ridge": RidgeCV(np.logspace(-3, 3, 13)),
        "mlp": mlp,
        "mlp_scaled": TransformedTargetRegressor(mlp, transformer=StandardScaler()),
    }
    for peer, model in peers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a training that could go on
            fitted = make_pipeline(StandardScaler(), model).fit(plain, y[train])
        said[peer] = fitted.predict(plain_test)
    r2 = {contender: float(r2_score(y[test], numbers)) for contender, numbers in said.items()}
    return Record(
        problem=name,
        rows=len(y),
        inputs=plain.shape[1],
        r2=r2,
        n_synapses=result.network.n_synapses,
        used_inputs=result.network.used_inputs.tolist(),
        inside=covered(result.expected, y[test], said["pruned"]),
        seconds=seconds,
        remark=result.remark,
    )


def covered(expected: Any, y: Any, predicted: Any) -> bool:
    """Return whether R² of test rows is in an interval that is widened by their sampling error."""
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, len(y), len(y)) for _ in range(200))
    error = 1.645 * float(np.std([r2_score(y[rows], predicted[rows]) for rows in drawn]))
    half = (expected.high - expected.low) / 2
    return bool(abs(r2_score(y, predicted) - expected.value) <= np.hypot(half, error))


def informative(shuffles: range, jobs: int) -> tuple[int, int]:
    """Return in how many runs on Friedman's first function its five inputs are used, and alone."""
    with ProcessPoolExecutor(jobs) as pool:
        used = list(pool.map(_used, shuffles))
    return sum(inputs >= INFORMATIVE for inputs in used), sum(i == INFORMATIVE for i in used)


def _used(shuffle: int) -> set[int]:
    X, y = sklearn.datasets.make_friedman1(500, noise=1.0, random_state=shuffle)
    network = sn.smallest_network(X, y, metric="r2", seed=shuffle, threads=1).network
    return set(network.used_inputs.tolist())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all shuffles and print Markdown."""
    args = _arguments(arguments)
    shuffles = range(FIRST[args.final], FIRST[args.final] + args.shuffles)
    names, state = problems(args.data_dir), commit()
    with ProcessPoolExecutor(args.jobs) as pool:
        work = [(args.data_dir, name, shuffle) for name in names for shuffle in shuffles]
        records = list(pool.map(run, work))
    report = Report()
    command = "python -m bench.regression" + " --final" * args.final
    if args.runs:
        command += f" --runs {args.runs}"
    if args.shuffles != SHUFFLES:
        command += f" --shuffles {args.shuffles}"
    report.text(
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {state}, "
        f"{cpu_model()}, scikit-learn {sklearn.__version__}; one thread a run."
    )
    report.text(
        f"R² on a fifth of the rows that nothing saw, means over {len(shuffles)} shuffles. Ours is "
        "`smallest_network(table, y)`; ridge is RidgeCV with 13 penalties from 0.001 to 1000, MLP "
        f"scikit-learn's MLPRegressor(({HIDDEN},), max_iter=1000), both behind StandardScaler; "
        "scaled is the same MLP on a standardised target."
    )
    _tell(report, records)
    if args.runs:
        first = FIRST[args.final]
        found, alone = informative(range(first, first + args.runs), args.jobs)
        report.text(
            f"Friedman's first function, {args.runs} runs: in {found} the network uses the five "
            f"inputs of ten that matter, in {alone} these alone."
        )
    if args.final:
        write_results("regression", "Networks that predict numbers", command, report.markdown())


def _tell(report: Report, records: Sequence[Record]) -> None:
    by_name: dict[str, list[Record]] = {}
    for record in records:
        by_name.setdefault(record.problem, []).append(record)
    rows, gaps, scaled, losses, sizes = [], [], [], [], []
    for name, of in by_name.items():
        mean = {c: statistics.fmean(r.r2[c] for r in of) for c in of[0].r2}
        weights = of[0].inputs * HIDDEN + HIDDEN
        n_synapses = statistics.median(r.n_synapses for r in of)
        gaps.append(mean["pruned"] - max(mean["ridge"], mean["mlp"]))
        scaled.append(mean["pruned"] - max(mean["ridge"], mean["mlp_scaled"]))
        losses.append(mean["full"] - mean["pruned"])
        sizes.append(n_synapses / weights)
        rows.append([
            name, str(of[0].rows), str(of[0].inputs), *(f"{mean[c]:.3f}" for c in mean),
            f"{n_synapses:.0f}", str(weights),
            f"{statistics.median(len(r.used_inputs) for r in of):g}",
            f"{statistics.median(r.seconds for r in of):.1f}",
        ])  # fmt: skip
    inside = statistics.fmean(r.inside for r in records)
    report.table(["what", "value"], [
        ["pruned - better of ridge and MLP, mean over tables", f"{statistics.fmean(gaps):+.4f}"],
        ["tables more than 0.015 below that", str(sum(gap < -0.015 for gap in gaps))],
        ["pruned - better of ridge and scaled MLP", f"{statistics.fmean(scaled):+.4f}"],
        ["pruned - full, mean over tables", f"{-statistics.fmean(losses):+.4f}"],
        ["worst table", f"{-max(losses):+.4f}"],
        ["weights, pruned / MLP, median table", f"{statistics.median(sizes):.1%}"],
        ["test R² inside the 90 % interval", f"{inside:.1%} of {len(records)}"],
    ])  # fmt: skip
    report.table(
        ["table", "rows", "inputs", "full", "pruned", "ridge", "MLP", "scaled", "synapses",
         "MLP's",         "inputs used", "seconds"], rows,
    )  # fmt: skip


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder that holds regression/")
    parser.add_argument("--final", action="store_true", help="announced shuffles, results, log")
    parser.add_argument("--shuffles", type=int, default=SHUFFLES, metavar="N")
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="on Friedman's first")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs side by side")
    args = parser.parse_args(arguments)
    args.data_dir = data_folder(args.data_dir)
    return args


if __name__ == "__main__":
    main()
