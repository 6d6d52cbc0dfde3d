"""Datasets from files, for training and for prediction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_columns, check_type
from synaprune.tables import (
    Table,
    TableEncoder,
    find_target,
    numbers,
    read_table,
    read_target,
)

from ._npz_table import numbered, read_npz
from ._splits import TABLE_SEED, stratified
from ._types import Dataset, Split

_FEWEST = 10  # rows of numbers that can be split


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a file, and their labels.

    Attributes
    ----------
    name : str
        The file's.
    X : Table, or ndarray of float32 or uint8, shape (n, d)
        A table without the target, or the array of an NPZ.
    y : ndarray of int64 or str, or of float64 for numbers to predict, shape (n,)
    target : str
        Name of the column, or of the array, of the labels.
    input_names : tuple of str
        Of the columns of X.
    notes : tuple of str
        What a user should know of how the file was read.
    image_shape : (int, int), optional
        Rows and columns, if the inputs are an image.
    test : Split, optional
        More rows, by which nothing is trained and nothing chosen.

    Examples
    --------
    >>> from synaprune import datasets
    >>> rows = datasets.Rows.of(datasets.digits())
    >>> rows.X.shape, rows.target
    ((1797, 64), 'label')
    """

    name: str
    X: Any
    y: NDArray[Any]
    target: str
    input_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    test: Split | None = None

    @classmethod
    def of(cls, data: Dataset, *, keep_test: bool = False) -> Self:
        """Return the rows of all splits.

        Parameters
        ----------
        data : Dataset
        keep_test : bool
            Keep the test split apart, as `test`.
        """
        parts = [data.train, data.validation, *(() if keep_test else (data.test,))]
        X, y = (np.concatenate([getattr(part, name) for part in parts]) for name in ("X", "y"))
        return cls(
            data.name, X, y, "label", data.input_names, image_shape=data.image_shape,
            test=data.test if keep_test else None,
        )  # fmt: skip


def load_rows(
    path: str | os.PathLike[str],
    target: str | int | None = None,
    *,
    drop: Iterable[str] = (),
    separator: str | None = None,
    header: bool | None = None,
    as_numbers: bool | None = None,
) -> Rows:
    r"""Read a file's rows and their labels, without a split.

    Parameters
    ----------
    path : path-like
        A table as `synaprune.read_table` reads it, or a ``.npz`` with arrays `X` (n, d), `y` (n,)
        and optionally `input_names` (d,).
    target : str or int, optional
        As in `synaprune.tables.find_target`; the name of an array of an NPZ, by default ``"y"``.
    drop : iterable of str
        Columns of a table to leave out.
    separator, header
        As in `synaprune.read_table`.
    as_numbers : bool, optional
        As in `synaprune.tables.read_target`.

    Returns
    -------
    Rows

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no such table, has no such target, or fewer than two classes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from synaprune import datasets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fruit.csv")
    ...     _ = path.write_text("gram,colour,class\n120,green,apple\n5,red,cherry\n110,,apple\n")
    ...     rows = datasets.load_rows(path)
    >>> rows.input_names, rows.y.tolist()
    (('gram', 'colour'), ['apple', 'cherry', 'apple'])
    """
    path = Path(path)
    if _is_npz(path):
        if drop or separator or header is not None:
            raise ValueError(f"{path}: drop, separator and header do not apply to arrays")
        name = "y" if target is None else str(target)
        X, names, y = read_npz(path, name, as_numbers)
        assert y is not None
        if y.dtype.kind != "f":
            _check_classes(y, path)
        return Rows(path.name, X, y, name, names or numbered(X.shape[1]), ())
    table = read_table(path, separator=separator, header=header)
    name = find_target(table, target)
    answers = read_target(table, name, as_numbers)
    dropped = table.check_names(drop, "drop")
    if name in dropped:
        raise ValueError(f"drop: {name!r} is the target")
    inputs = table.without([name, *dropped]).take(answers.rows)
    if not inputs.names:
        raise ValueError(f"{path}: no columns besides the target {name!r}")
    notes = (*table.notes, *answers.notes)
    return Rows(path.name, inputs, answers.values, name, inputs.names, notes)


def load_table(
    path: str | os.PathLike[str],
    target: str | int | None = None,
    *,
    drop: Iterable[str] = (),
    keep: Iterable[str] = (),
    separator: str | None = None,
    header: bool | None = None,
    as_numbers: bool | None = None,
    encoder: TableEncoder | None = None,
) -> Dataset:
    r"""Read a table and split its rows 60/20/20: stratified, with a fixed seed.

    Columns become inputs by a `TableEncoder` that is fitted to the training rows. Classes of fewer
    than three rows are in the training split alone.

    Parameters
    ----------
    path, target, drop
        As in `load_rows`.
    keep : iterable of str
        As in `TableEncoder.fit`.
    separator, header, as_numbers
        As in `load_rows`.
    encoder : TableEncoder, optional
        The one to use, such as a network's; a new one is fitted if left out.

    Returns
    -------
    Dataset
        Named after the file. `X` float32 (n, d) with ``input_scaling="standard"``, or uint8
        as in an NPZ with ``"auto"``. `y` int64 (n,) if all labels are whole numbers, else str; or
        float64 for numbers to predict.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        As `load_rows` and `TableEncoder.fit`; also if no two classes have three rows.
    TypeError
        If encoder is not a `TableEncoder`.

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
    if encoder is not None:
        check_type("encoder", encoder, TableEncoder)
    rows = load_rows(
        path, target, drop=drop, separator=separator, header=header, as_numbers=as_numbers
    )
    if not isinstance(rows.X, Table) and (keep or encoder is not None):
        raise ValueError(f"{path}: keep and encoder do not apply to arrays")
    return split_rows(rows, keep, encoder)


def split_rows(
    rows: Rows, keep: Iterable[str] = (), encoder: TableEncoder | None = None
) -> Dataset:
    """Split rows 60/20/20, as `load_table` does.

    Parameters
    ----------
    rows : Rows
    keep, encoder
        As in `load_table`.
    """
    parts = _split_60_20_20(rows.y, rows.name)
    X = rows.X
    if isinstance(X, Table):
        if encoder is None:
            encoder = TableEncoder.fit(X.take(parts[0]), keep=keep)
        X = encoder.transform(X)
    train, validation, test = (Split(X[part], rows.y[part]) for part in parts)
    return dataset_of(rows, train, validation, test, encoder)


def dataset_of(
    rows: Rows, train: Split, validation: Split, test: Split, encoder: TableEncoder | None
) -> Dataset:
    """Return splits of encoded rows as a dataset.

    Parameters
    ----------
    rows : Rows
        Where they come from.
    train, validation, test : Split
    encoder : TableEncoder or None
        What encoded the rows of a table.
    """
    return Dataset(
        rows.name,
        train,
        validation,
        test,
        rows.input_names if encoder is None else encoder.input_names,
        "auto" if train.X.dtype == np.uint8 else "standard",
        encoder=encoder,
    )


def load_columns(
    path: str | os.PathLike[str] | BinaryIO, known: Iterable[str] | None = None
) -> Table:
    r"""Read a file's columns, for a network that was trained on a table.

    Parameters
    ----------
    path : path-like or binary file object
        A table as `synaprune.read_table` reads it, or a ``.npz`` with an array `X`.
    known : iterable of str, optional
        As in `synaprune.read_table`.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no table.

    Examples
    --------
    >>> import io
    >>> from synaprune import datasets
    >>> datasets.load_columns(io.BytesIO(b"cm,gram\n7,120\n")).names
    ('cm', 'gram')
    """
    if not (isinstance(path, str | os.PathLike) and _is_npz(Path(path))):
        return read_table(path, known=known)
    X, names, _ = read_npz(Path(path), None)
    columns = X.astype(np.float64).T
    named = names or [f"c{i}" for i in range(len(columns))]
    return Table(dict(zip(named, columns, strict=True)), str(path), headerless=names is None)


def load_inputs(
    path: str | os.PathLike[str] | BinaryIO, input_names: Sequence[str] | None = None
) -> NDArray[np.float32]:
    r"""Read numbers of a table for a network that was trained on arrays.

    Parameters
    ----------
    path : path-like or binary file object
        A table as `synaprune.read_table` reads it, or a ``.npz`` with an array `X`.
    input_names : sequence of str, optional
        The columns to read, in this order; others are ignored. An NPZ without `input_names` must
        have as many columns. All columns if left out.

    Returns
    -------
    ndarray of float32, shape (n, d), read-only

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If columns are missing (the message names them), or a cell holds no finite number.

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
    if isinstance(path, str | os.PathLike) and _is_npz(Path(path)):
        X = _npz_inputs(Path(path), input_names)
    else:
        table = read_table(path, known=input_names)
        wanted = table.names if input_names is None else input_names
        check_columns(wanted, table.names, table.source)
        X = _plain_numbers(table, wanted)
    X.flags.writeable = False
    return X


def _npz_inputs(path: Path, input_names: Sequence[str] | None) -> NDArray[np.float32]:
    X, names, _ = read_npz(path, None)
    X = X.astype(np.float32, copy=False)
    if input_names is None:
        return X
    if names is None:
        if len(input_names) != X.shape[1]:
            raise ValueError(f"{path}: expected {len(input_names)} columns in X, got {X.shape[1]}")
        return X
    check_columns(input_names, names, str(path))
    return X.take([names.index(name) for name in input_names], axis=1)


def _plain_numbers(table: Table, names: Sequence[str]) -> NDArray[np.float32]:
    """Return columns of numbers, or raise a ValueError that names all columns with other cells."""
    X = np.empty((len(table), len(names)), np.float32)
    wrong = []
    for i, name in enumerate(names):
        with np.errstate(over="ignore"):  # becomes infinite, and is named
            X[:, i] = numbers(table.columns[name], "plain")
        bad = ~np.isfinite(X[:, i])
        if bad.any():
            row = int(bad.argmax())
            wrong.append(f"{name!r} has {table.columns[name][row]!r:.60} in row {row + 1}")
    if wrong:
        more = f", and {len(wrong) - 5} more columns" if len(wrong) > 5 else ""
        raise ValueError(
            f"{table.source}: expected finite numbers (float32): {'; '.join(wrong[:5])}{more}"
        )
    return X


def _split_60_20_20(y: NDArray[Any], source: object) -> list[NDArray[np.int64]]:
    """Return the rows of training, validation and test; small classes are in training alone."""
    if y.dtype.kind == "f":
        return _split_at_random(len(y), source)
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if (counts >= 3).sum() < 2:
        raise ValueError(
            f"{source}: expected at least 3 rows of each of 2 classes, one for each of train, "
            f"validation and test; got {len(classes)} classes, the largest of {counts.max()} rows"
        )
    split = np.flatnonzero(counts[codes] >= 3)
    fifth = len(split) // 5
    train, validation, test = (
        split[part] for part in stratified(y[split], (fifth, fifth), TABLE_SEED)
    )
    return [np.union1d(train, np.flatnonzero(counts[codes] < 3)), validation, test]


def _split_at_random(n: int, source: object) -> list[NDArray[np.int64]]:
    if n < _FEWEST:
        raise ValueError(f"{source}: expected at least {_FEWEST} rows, got {n}")
    order = np.random.default_rng(TABLE_SEED).permutation(n)
    fifth = n // 5
    parts = (order[: n - 2 * fifth], order[n - 2 * fifth : n - fifth], order[n - fifth :])
    return [np.sort(part) for part in parts]


def _check_classes(y: NDArray[Any], source: object) -> None:
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"{source}: expected labels of at least 2 classes, got {classes.tolist()}")


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz"
