"""Tables from files, for training and for prediction."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._csv_table import listing, read_csv
from ._npz_table import numbered, read_npz
from ._splits import split_60_20_20
from ._types import Dataset


def load_table(path: str | os.PathLike[str], target: str | None = None) -> Dataset:
    r"""Read a table and split its rows 60/20/20: stratified, with a fixed seed.

    Parameters
    ----------
    path : path-like
        A ``.npz`` with arrays `X` (n, d), `y` (n,) and optionally `input_names` (d,). Files with
        other suffixes are read as CSV: UTF-8, commas, column names in the first row, numbers in
        all columns except the target.
    target : str, optional
        Name of the label column, required for CSV; or of the label array in an NPZ, by default
        ``"y"``.

    Returns
    -------
    Dataset
        Named after the file. `X` float32 (n, d) with ``input_scaling="standard"``, or uint8
        as in an NPZ with ``"auto"``. `y` int64 (n,) if all labels are integers, else str.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not such a table (the message names line and column where possible), if
        `target` is missing, if there are fewer than 2 classes, or if a class has fewer than 3 rows.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from synaprune import datasets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fruit.csv")
    ...     rows = ["120,7,apple", "110,8,apple", "150,6,apple", "5,1,cherry", "7,2,cherry"]
    ...     _ = path.write_text("\n".join(["gram,cm,fruit", *rows, "6,2,cherry"]))
    ...     data = datasets.load_table(path, target="fruit")
    >>> data.input_names, data.classes.tolist(), len(data.train)
    (('gram', 'cm'), ['apple', 'cherry'], 2)
    """
    path = Path(path)

    def pick(header: list[str]) -> tuple[list[str], str]:
        if target is None or target not in header:
            wrong = "no target given" if target is None else f"no column {target!r}"
            raise ValueError(
                f"{path}: {wrong}; target must be the column of the labels, one of "
                f"{listing(header)}"
            )
        return [name for name in header if name != target], target

    X: NDArray[Any]
    names: tuple[str, ...] | None
    if _is_npz(path):
        X, names, y = read_npz(path, "y" if target is None else target)
    else:
        X, names, y = read_csv(path, pick)
    assert y is not None
    return Dataset(
        path.name,
        *split_60_20_20(X, y, path),
        names or numbered(X.shape[1]),
        "auto" if X.dtype == np.uint8 else "standard",
    )


def load_inputs(
    path: str | os.PathLike[str],
    input_names: Sequence[str] | None = None,
    target: str | None = None,
) -> NDArray[np.float32]:
    r"""Read the inputs of a table for prediction, without labels.

    Parameters
    ----------
    path : path-like
        CSV or ``.npz``, as in `load_table`.
    input_names : sequence of str, optional
        The columns to read, in this order; other columns are ignored. An NPZ without
        `input_names` must have as many columns. Default: all columns except `target`.
    target : str, optional
        A CSV column to ignore if `input_names` is not given; it need not exist.

    Returns
    -------
    ndarray of float32, shape (n, d), read-only

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If columns are missing (the message names them), or the file is not such a table.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from synaprune import datasets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "new.csv")
    ...     _ = path.write_text("cm,remark,gram\n7,round,120\n")
    ...     datasets.load_inputs(path, ["gram", "cm"])
    array([[120.,   7.]], dtype=float32)
    """
    path = Path(path)

    def pick(header: Sequence[str]) -> tuple[list[str], None]:
        if input_names is None:
            return [name for name in header if name != target], None
        missing = [name for name in input_names if name not in header]
        if missing:
            raise ValueError(f"{path}: no column {listing(missing)}; it has {listing(header)}")
        return list(input_names), None

    if _is_npz(path):
        X, names, _ = read_npz(path, None)
        X = X.astype(np.float32, copy=False)
        if input_names is not None and names is not None:
            X = X.take([names.index(name) for name in pick(names)[0]], axis=1)
        elif input_names is not None and len(input_names) != X.shape[1]:
            raise ValueError(f"{path}: expected {len(input_names)} columns in X, got {X.shape[1]}")
    else:
        X, _, _ = read_csv(path, pick)
    X.flags.writeable = False
    return X


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz"
