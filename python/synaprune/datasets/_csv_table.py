"""CSV tables: a header row, then numbers separated by commas, and optionally a label column."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ._files import reading

# At most 18 digits, so that every match fits int64. No leading zeros: 01 and 1 may differ.
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")


def listing(names: Sequence[str], limit: int = 20) -> str:
    """Join names for an error message, only the first ones of many."""
    shown = ", ".join(map(repr, names[:limit]))
    return shown if len(names) <= limit else f"{shown}, … ({len(names)} in all)"


def check_names(names: Sequence[str], source: object) -> None:
    """Raise ValueError naming `source` if a name is empty or occurs twice."""
    if not names:
        raise ValueError(f"{source}: expected column names, got none")
    if "" in names:
        raise ValueError(f"{source}: column {names.index('') + 1} has no name")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{source}: two columns are named {twice!r}")


def read_csv(
    path: Path, pick: Callable[[list[str]], tuple[Sequence[str], str | None]]
) -> tuple[NDArray[np.float32], tuple[str, ...], NDArray[Any] | None]:
    """Read the columns that `pick` chooses.

    Parameters
    ----------
    path : Path
        UTF-8 text. Spaces around cells and blank lines do not matter.
    pick : callable
        Gets the header; returns the names of the input columns, and of the label column or None.

    Returns
    -------
    X : ndarray of float32, shape (n, d)
    names : tuple of str
        Of the d input columns.
    y : ndarray of int64 or str, shape (n,), or None
    """
    values = array("f")  # grows in place, and becomes X without a copy
    labels: list[str] = []
    lines: list[int] = []
    with reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        rows = _rows(file, path)
        header = [name.strip() for name in next(rows, (0, []))[1]]
        check_names(header, path)
        names, label = pick(header)
        if not names:
            raise ValueError(f"{path}: no input columns")
        columns = [header.index(name) for name in names]
        for line, row in rows:
            if len(row) != len(header):
                raise ValueError(
                    f"{path}, line {line}: expected {len(header)} cells, got {len(row)}"
                )
            try:
                values.extend([float(row[column]) for column in columns])
            except ValueError:
                raise _bad_cell(f"{path}, line {line}", header, row, columns) from None
            if label is not None:
                labels.append(row[header.index(label)].strip())
                if not labels[-1]:
                    raise ValueError(f"{path}, line {line}, column {label!r}: empty label")
            lines.append(line)
    if not lines:
        raise ValueError(f"{path}: no rows under the header")
    X = np.frombuffer(values, np.float32).reshape(len(lines), len(names))
    check_finite(X, names, lambda row: f"{path}, line {lines[row]}")
    return X, tuple(names), _as_labels(labels) if label is not None else None


def _rows(file: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None


def _bad_cell(place: str, header: list[str], row: list[str], columns: list[int]) -> ValueError:
    for column in columns:
        try:
            float(row[column])
        except ValueError:
            break
    got = repr(row[column][:60]) if row[column].strip() else "an empty cell"
    return ValueError(f"{place}, column {header[column]!r}: expected a number, got {got}")


def check_finite(X: NDArray[Any], names: Sequence[str], place: Callable[[int], str]) -> None:
    """Raise ValueError for the first NaN or infinity; ``place(row)`` describes the row."""
    finite = np.isfinite(X)
    if not finite.all():
        row, column = divmod(int(finite.argmin()), X.shape[1])
        raise ValueError(
            f"{place(row)}, column {names[column]!r}: expected a finite number (float32), "
            f"got {X[row, column]}"
        )


def _as_labels(labels: list[str]) -> NDArray[Any]:
    if all(map(_INTEGER.fullmatch, labels)):
        return np.array(labels, np.str_).astype(np.int64)
    return np.array(labels, np.str_)
