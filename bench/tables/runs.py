"""One shuffle of one table: our call and its peers on four fifths, judged on the rest."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from synaprune.tables import Target, read_target

from bench.peers import cores
from bench.tables.peers import PEERS

LARGE = 1000  # rows from which a table is shuffled less often
SHUFFLES = {False: 10, True: 3}  # by whether a table is large
FIRST = {False: 1000, True: 11}  # shuffle, by whether it is final
_TEST = 5  # one row of so many is tested on
_HIDDEN = 100  # neurons of the network that sizes are compared with

Rows = NDArray[np.intp]
Labels = NDArray[Any]


@dataclass(frozen=True)
class Job:
    """What a run is asked for."""

    data_dir: Path
    table: str
    shuffle: int
    peers: tuple[str, ...]
    threads: int | None
    commit: str


@dataclass(frozen=True)
class Record:
    """What a run found, all scores on the test rows.

    Attributes
    ----------
    commit, table : str
    shuffle, threads : int
    peers : list of str
        That were asked for.
    absent : dict of str
        Why some of them have no figures.
    rows, columns, inputs, classes : int
        Of the table without its target; inputs and classes of the training rows.
    metric : str
        What "auto" stood for.
    accuracy, balanced_accuracy, seconds : dict of float
        By contender: "full" and "pruned" (together "ours"), and the names of `PEERS`.
    weights : dict of int
        Without biases: of "full" and "pruned", of the "start" that was pruned, and of "mlp" and
        "lr", by their shape.
    structure : str
        Of the pruned network.
    used_inputs, used_columns : int
    expected, low, high : float
        The estimate for the pruned network.
    drop, standard_error : float
        Of the size that was chosen, on rows held out.
    telling_error : float
        How well these rows tell drops: as `told_by`.
    test_error : float
        Standard error of the pruned network's score, from the number of test rows.
    one_class : bool
        Whether the pruned network says the same of all test rows.
    remark : str
    """

    commit: str
    table: str
    shuffle: int
    threads: int
    peers: list[str]
    absent: dict[str, str]
    rows: int
    columns: int
    inputs: int
    classes: int
    metric: str
    accuracy: dict[str, float]
    balanced_accuracy: dict[str, float]
    seconds: dict[str, float]
    weights: dict[str, int]
    structure: str
    used_inputs: int
    used_columns: int
    expected: float
    low: float
    high: float
    drop: float
    standard_error: float
    telling_error: float
    test_error: float
    one_class: bool
    remark: str

    def score(self, contender: str) -> float:
        """Return the metric that ours used."""
        by_contender: dict[str, float] = getattr(self, self.metric)
        return by_contender[contender]

    def answers(self, job: Job) -> bool:
        """Return whether this is what a job would find."""
        asked = (job.commit, job.table, job.shuffle, job.threads or cores())
        mine = (self.commit, self.table, self.shuffle, self.threads)
        return mine == asked and set(job.peers) <= set(self.peers)


# ---- tables


def folder(data_dir: Path) -> Path:
    """Return where the tables are."""
    return data_dir / "tables"


def table_names(data_dir: Path) -> list[str]:
    """Return the names of all tables, the largest file first, so that no long run comes last."""
    files = folder(data_dir).glob("*.csv.gz")
    ordered = sorted(files, key=lambda file: (-file.stat().st_size, file.name))
    return [file.name.removesuffix(".csv.gz") for file in ordered]


@functools.lru_cache(2)
def load(data_dir: Path, name: str) -> tuple[sn.Table, Target]:
    """Return a table and the labels in it."""
    table = sn.read_table(folder(data_dir) / f"{name}.csv.gz")
    return table, read_target(table, "target", False)


def shuffles(n_rows: int, *, final: bool, given: int | None = None) -> range:
    """Return the numbers of a table's shuffles."""
    first = FIRST[final]
    return range(first, first + (given or SHUFFLES[n_rows >= LARGE]))


def split(labels: Labels, shuffle: int) -> tuple[Rows, Rows]:
    """Return positions of the rows to train on and to test on, stratified.

    A class of one row is trained on; every other class has rows in the training part.
    """
    rng = np.random.default_rng(shuffle)
    part = np.full(len(labels), -1)
    first = int(rng.integers(_TEST))
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) > 1:
            part[rows] = (first + np.arange(len(rows))) % _TEST
            first += len(rows)
    return np.flatnonzero(part != 0), np.flatnonzero(part == 0)


# ---- scores


def scores(truth: Labels, said: Labels) -> dict[str, float]:
    """Return accuracy and balanced accuracy, the latter over the classes that occur in truth."""
    right = said == truth
    recalls = [right[truth == label].mean() for label in np.unique(truth)]
    return {"accuracy": float(right.mean()), "balanced_accuracy": float(np.mean(recalls))}


def sampling_error(metric: str, truth: Labels, said: Labels) -> float:
    """Return the standard error of a score, by its number of rows.

    One right and one wrong row are added to each share, since a share of 1 has an error as well.
    """
    right = said == truth
    parts = [right] if metric == "accuracy" else [right[truth == c] for c in np.unique(truth)]
    shares = [((part.sum() + 1) / (len(part) + 2), len(part)) for part in parts]
    return math.sqrt(sum(p * (1 - p) / n for p, n in shares)) / len(parts)


def told_by(result: sn.SearchResult) -> float:
    """Return the standard error of the chosen size's drop.

    If that is 0, as for the best full network itself, it is that of the candidate's next smaller
    size.
    """
    at = next(i for i, point in enumerate(result.curve) if point is result.chosen)
    same_candidate = [p for p in result.curve[at:] if p.candidate == result.chosen.candidate]
    return next((p.standard_error for p in same_candidate if p.standard_error > 0.0), 0.0)


def n_weights(*layers: int) -> int:
    """Return the number of weights between layers; two classes have one output."""
    *others, classes = layers
    return sum(a * b for a, b in itertools.pairwise((*others, 1 if classes == 2 else classes)))


# ---- runs


def run(job: Job) -> Record:
    """Train ours and the peers of a job, and judge them."""
    table, target = load(job.data_dir, job.table)
    train, test = split(target.values, job.shuffle)
    given, unseen = table.take(target.rows[train]), table.take(target.rows[test])
    truth = target.values[test]
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what no network learned stands in the remark
        result = sn.smallest_network(given, "target", threads=job.threads)
    seconds = {"ours": time.perf_counter() - begin}
    said = {"full": result.full.predict(unseen), "pruned": result.network.predict(unseen)}

    encoder = sn.TableEncoder.fit(given.without(["target"]))
    scaler = StandardScaler().fit(encoder.transform(given))
    X, X_test = (scaler.transform(encoder.transform(t)) for t in (given, unseen))
    classes, codes = np.unique(target.values[train], return_inverse=True)
    metric = str(result.metric)
    absent = {}
    for name in job.peers:
        begin = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of rare classes, and of training that could go on
                model = PEERS[name](X, codes, metric, job.shuffle)
        except (ImportError, TimeoutError) as error:
            absent[name] = str(error)
            continue
        seconds[name] = time.perf_counter() - begin
        said[name] = classes[np.asarray(model.predict(X_test))]

    judged = {name: scores(truth, answers) for name, answers in said.items()}
    net, encoded = result.network, encoder.input_names
    return Record(
        commit=job.commit,
        table=job.table,
        shuffle=job.shuffle,
        threads=job.threads or cores(),
        peers=list(job.peers),
        absent=absent,
        rows=len(target.rows),
        columns=len(table.names) - 1,
        inputs=len(encoded),
        classes=len(classes),
        metric=metric,
        accuracy={name: score["accuracy"] for name, score in judged.items()},
        balanced_accuracy={name: score["balanced_accuracy"] for name, score in judged.items()},
        seconds=seconds,
        weights={
            "full": result.full.n_synapses,
            "pruned": net.n_synapses,
            "start": next(iter(result.path)).n_synapses,
            "mlp": n_weights(len(encoded), _HIDDEN, len(classes)),
            "lr": n_weights(len(encoded), len(classes)),
        },
        structure=net.structure,
        used_inputs=net.n_used_inputs,
        used_columns=len(net.used_columns),
        expected=result.expected.value,
        low=result.expected.low,
        high=result.expected.high,
        drop=result.chosen.drop,
        standard_error=result.chosen.standard_error,
        telling_error=told_by(result),
        test_error=sampling_error(metric, truth, said["pruned"]),
        one_class=len(np.unique(said["pruned"])) == 1,
        remark=result.remark,
    )


def side_by_side(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Record | Exception]]:
    """Yield each job as it ends, with what it found or why it failed."""
    if processes == 1:
        for job in jobs:
            try:
                yield job, run(job)
            except Exception as error:
                yield job, error
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(run, job): job for job in jobs}
        for future in as_completed(waiting):
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error
            yield waiting[future], error or future.result()


# ---- files


def read(file: Path | None) -> list[Record]:
    """Return the records of a file of JSON lines, none if there is no file."""
    if file is None or not file.exists():
        return []
    return [Record(**json.loads(line)) for line in file.read_text().splitlines()]


def completed(
    jobs: Iterable[Job], file: Path | None, processes: int
) -> tuple[list[Record], list[str]]:
    """Return the records of all jobs and what failed; run those that a file does not have.

    Each record is appended to the file at once. Nothing is taken from a file if the tree has
    changes that are not committed, which any two trees may call by the same name.
    """
    known = [record for record in read(file) if not record.commit.endswith("-dirty")]
    found, waiting, failed = [], [], []
    for job in jobs:
        match = next((record for record in reversed(known) if record.answers(job)), None)
        if match is None:
            waiting.append(job)
        else:
            found.append(match)
    for n, (job, outcome) in enumerate(side_by_side(waiting, processes), 1):
        name = f"{job.table} {job.shuffle}"
        if isinstance(outcome, Exception):
            failed.append(f"{name}: {type(outcome).__name__}: {outcome}")
            told = failed[-1]
        else:
            found.append(outcome)
            told = f"{name}: {outcome.seconds['ours']:.1f} s, {outcome.score('pruned'):.1%}"
            if file is not None:
                with file.open("a") as lines:
                    lines.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
        print(f"{n}/{len(waiting)} {told}", file=sys.stderr, flush=True)
    return found, failed
