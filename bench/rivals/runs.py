"""One shuffle of one table: our call at each count of synapses, and its rivals at that size."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from sklearn.preprocessing import StandardScaler

from bench.peers import optional
from bench.rivals import peers
from bench.rivals.peers import Found, Rows
from bench.tables.runs import load, split

# Digits, letter and the six other tables of the most rows, with the sizes that are asked for.
TABLES = {
    "digits": (30, 100, 300, 1000),
    "letter": (100, 300, 1000, 3000),
    "electricity": (30, 100, 300, 1000),
    "credit": (10, 30, 100, 300),
    "magic": (30, 100, 300, 1000),
    "mushroom": (10, 30, 100, 300),
    "phoneme": (30, 100, 300, 1000),
    "bank": (10, 30, 100, 300),
}
MOST_ROWS = (2400, 600)  # of training and of validation
CONTENDERS = ("ours", "torch", "lassonet", "tree", "splits")
FIRST = {False: 1000, True: 11}  # shuffle, by whether it is final


@dataclass(frozen=True)
class Record:
    """What a shuffle of a table found.

    Attributes
    ----------
    commit, table : str
    shuffle : int
    rows : list of int
        For training, validation and test.
    inputs, classes : int
    found : dict of dict
        By contender ("ours", "torch", "lassonet", "tree", and "splits", a tree of which splits
        alone count) and size asked for, the fields of `Found`.
    seconds : dict of float
        CPU time of our searches by the size asked for, which is what torch has, too.
    without_lassonet : str
        Why its path ended early, or "".
    """

    commit: str
    table: str
    shuffle: int
    rows: list[int]
    inputs: int
    classes: int
    found: dict[str, dict[str, dict[str, Any]]]
    seconds: dict[str, float]
    without_lassonet: str

    def error(self, contender: str, asked: int) -> float | None:
        """Return the share of wrong answers on the test rows; None if there is no such network."""
        found = self.found[contender].get(str(asked))
        return None if found is None else found["test"]


def rows_of(data_dir: Path, name: str, shuffle: int) -> Rows:
    """Return the rows of a shuffle: a fifth is for the test, a fifth of the others for choices.

    What every contender gets is encoded by a `TableEncoder` and standardised, both fitted to the
    training rows.
    """
    if name == "digits":
        parts = sn.datasets.digits()
        pairs = (parts.train, parts.validation, parts.test)
        X, labels = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    else:
        table, target = load(data_dir, name)
        table, labels = table.take(target.rows).without(["target"]), target.values
    rest, test = split(labels, shuffle)
    chosen, judging = (rest[part] for part in split(labels[rest], shuffle))
    rng = np.random.default_rng(shuffle)
    train, validation = (
        rng.permutation(part)[:most]
        for part, most in zip((chosen, judging), MOST_ROWS, strict=True)
    )
    if name != "digits":
        X = sn.TableEncoder.fit(table.take(train)).transform(table)
    y = np.unique(labels, return_inverse=True)[1]
    scaler = StandardScaler().fit(X[train])
    scaled = scaler.transform(X).astype(np.float32)
    return Rows(*((scaled[part], y[part]) for part in (train, validation, test)))


def ours(rows: Rows, n_synapses: int, seed: int) -> Found:
    """Return the best network of so many synapses, as `smallest_network` finds it by itself."""
    result = sn.smallest_network(
        *rows.train, n_synapses=n_synapses, validation=rows.validation, metric="accuracy",
        seed=seed, threads=1,
    )  # fmt: skip
    net = result.network
    said = [peers.error(net.predict(A), b) for A, b in (rows.validation, rows.test)]
    return Found(net.n_synapses, *said, net.structure)


def run(data_dir: Path, name: str, shuffle: int, commit: str) -> Record:
    """Train all contenders on a shuffle, at each size of the table, on one thread."""
    if optional("torch"):
        optional("torch").set_num_threads(1)
    rows, counts = rows_of(data_dir, name, shuffle), TABLES[name]
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in CONTENDERS}
    seconds = {}
    for n in counts:
        begin = time.process_time()
        found["ours"][str(n)] = asdict(ours(rows, n, shuffle))
        seconds[str(n)] = spent = time.process_time() - begin
        if optional("torch"):
            made = peers.magnitude_pruning(rows, n, spent, shuffle)
            found["torch"][str(n)] = asdict(made)
        found["tree"][str(n)] = asdict(peers.tree(rows, (n + 1) // 2, shuffle))
        found["splits"][str(n)] = asdict(peers.tree(rows, n + 1, shuffle))
    patience = peers.PATIENCE * max(seconds.values())
    by_size, why = peers.lassonet(rows, counts, patience, shuffle)
    found["lassonet"] = {str(n): asdict(made) for n, made in by_size.items()}
    parts = (rows.train, rows.validation, rows.test)
    sizes = [len(y) for _, y in parts]
    inputs = rows.train[0].shape[1]
    return Record(commit, name, shuffle, sizes, inputs, rows.n_classes, found, seconds, why)
