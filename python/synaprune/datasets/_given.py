"""Datasets of what a program has at hand: arrays, DataFrames and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import as_answers, as_inputs, as_labels, as_numbers
from synaprune.checks import listing, shown
from synaprune.frames import is_frame
from synaprune.streams import refuse_blocks
from synaprune.tables import Table, TableEncoder, find_target, is_amount, read_target

from ._npz_table import numbered
from ._table import Rows, dataset_of, split_rows
from ._types import Dataset, Split


def from_arrays(X: Any, y: Any, *, validation: Any = None, test: Any = None) -> Dataset:
    """Make a dataset of arrays, DataFrames or tables.

    Parameters
    ----------
    X : array_like, shape (n, d), DataFrame or Table
    y : array_like, shape (n,), or str
        Labels or numbers to predict, as in `smallest_network`; or the name of their column.
    validation, test : (X, y), optional
        Other rows of the same columns. Without `validation` the rows are split 60/20/20, as those
        of a file are; with it alone, the test split has no rows.

    Returns
    -------
    Dataset
        Its inputs are float32 and to be standardised, or uint8.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or there are too few rows to split.

    Examples
    --------
    >>> import numpy as np
    >>> from synaprune import datasets
    >>> datasets.from_arrays(np.eye(9), [0, 1, 2] * 3)
    Dataset('data': 9 inputs, 3 classes; 3 train, 3 validation, 3 test rows)
    """
    rows = _rows(X, y, "")
    if validation is None:
        if test is not None:
            raise ValueError("test goes with validation; without both the rows are split")
        return split_rows(rows)
    encoder = TableEncoder.fit(rows.X) if isinstance(rows.X, Table) else None
    others = [
        _rows(*_pair(name, given), f"{name} ", rows)
        for name, given in {"validation": validation, "test": test}.items()
        if given is not None
    ]
    splits = [
        Split(part.X if encoder is None else encoder.transform(part.X), part.y)
        for part in (rows, *others)
    ]
    train, judges, *tests = splits
    left = tests[0] if tests else Split(judges.X[:0], judges.y[:0])
    return dataset_of(rows, train, judges, left, encoder)


def read_answers(y: Any, n: int, numbers: bool | None, name: str = "y") -> NDArray[Any]:
    """Return labels, or float64 if numbers are to be predicted; None lets y decide.

    Parameters
    ----------
    y : array_like, shape (n,) or, of numbers, (n, n_outputs)
    n : int
    numbers : bool, optional
    name : str
        What errors call the argument.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> from synaprune import datasets
    >>> datasets.read_answers([1.0, 2.0, 1.0], 3, None)
    array([1, 2, 1])
    """
    if numbers is None:
        given = np.asarray(y)
        several = given.ndim == 2 and given.dtype.kind in "fiub"
        read = as_answers(y, n, name) if not several else given
        numbers = several or is_amount(read) or not _is_whole(read)
    if not numbers:
        return as_labels(y, n, name)
    return as_numbers(y, n, np.shape(y)[1] if np.ndim(y) == 2 else 1, name)


def _is_whole(read: NDArray[Any]) -> bool:
    return read.dtype.kind != "f" or bool((read == np.rint(read)).all())


def _rows(X: Any, y: Any, part: str, like: Rows | None = None) -> Rows:
    """Return rows as a file has them; `like` are those whose columns and answers they share."""
    refuse_blocks(X, f"{part}X")
    numbers = None if like is None else like.y.dtype.kind == "f"
    if is_frame(X):
        X = Table.from_dataframe(X)
    target = "y"
    if isinstance(X, Table) and isinstance(y, str):
        target = find_target(X, y)
        read = read_target(X, target, numbers)
        X, y = X.without([target]).take(read.rows), read.values
    if isinstance(X, Table):
        names = X.names
    else:
        X = as_inputs(X, None if like is None else len(like.input_names), f"{part}X")
        names = numbered(X.shape[1])
    y = read_answers(y, len(X), numbers, f"{part}y")
    if y.ndim != 1:
        raise ValueError(f"{part}y must have one axis, got shape {y.shape}")
    if like is not None:
        if isinstance(X, Table) != isinstance(like.X, Table):
            raise TypeError(f"{part}X must be of the kind of X, got {shown(X)}")
        unknown = [] if numbers else np.setdiff1d(y, like.y).tolist()
        if unknown:
            raise ValueError(f"{part}y holds labels that y does not: {listing(unknown)}")
    return Rows("data", X, y, target, names)


def _pair(name: str, given: Any) -> tuple[Any, Any]:
    if isinstance(given, Split):
        return given.X, given.y
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(f"{name} must be (X, y), got {shown(given)}")
    return given[0], given[1]
