"""One shuffle of one table: our call at each count of synapses, and its rivals at the same sizes."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

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
MOST_ROWS = (4800, 1200)  # of training and of validation
PATIENCE = 5  # times the seconds of our longest search that a path of LassoNet may take


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
        By contender and size asked for, the fields of `Found`. "tree" counts splits and leaves,
        "tree, splits" splits alone.
    seconds : dict of float
        CPU time of our searches, by the size asked for, which is what torch has, too.
    unfinished : list of str
        Paths of LassoNet that were stopped.
    """

    commit: str
    table: str
    shuffle: int
    rows: list[int]
    inputs: int
    classes: int
    found: dict[str, dict[str, Any]]
    seconds: dict[str, float]
    unfinished: list[str]


def rows_of(data_dir: Path, name: str, shuffle: int) -> Rows:
    """Return the rows of a shuffle, a fifth of them for the test and a fifth of the rest for choice.

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
    classes, y = np.unique(labels, return_inverse=True)
    del classes
    scaler = StandardScaler().fit(X[train])
    scaled = scaler.transform(X).astype(np.float32)
    return Rows(*((scaled[part], y[part]) for part in (train, validation, test)))
