"""Labels, or numbers to predict, from a column of a table."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_type, listing

from ._cells import NUMBERS, is_missing, plain_number
from ._encoder import numbers, style_of
from ._table import Column, Table

_USUAL = ("target", "label", "labels", "class", "y")  # what a target is called if nobody says
_MANY = 50  # classes from which numbers are taken for amounts
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")  # fits int64; 01 and 1 may differ


@dataclass(frozen=True, eq=False)
class Target:
    """Labels or numbers of the rows that have one.

    Attributes
    ----------
    values : ndarray of int64 or str, or of float64 for numbers, shape (n_labelled,)
    rows : ndarray of int, shape (n_labelled,)
        Positions in the table.
    notes : tuple of str
        What a user should know.
    """

    values: NDArray[Any]
    rows: NDArray[np.intp]
    notes: tuple[str, ...]


def find_target(table: Table, target: str | int | None) -> str:
    """Return the name of the column that holds the labels.

    Parameters
    ----------
    table : Table
    target : str or int, optional
        Its name or position, -1 being the last; a text that is no name may be a number. If left
        out, the only column that is called target, label, labels, class or y, in any case.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no such column, or nobody can know.
    """
    check_type("table", table, Table)
    names = table.names
    if target is None:
        usual = [name for name in names if name.strip().casefold() in _USUAL]
        if len(usual) == 1:
            return usual[0]
        raise ValueError(
            f"{table.source}: no target given; target must be the column of the labels, by name or "
            f"position (-1 is the last), one of {listing(names)}"
        )
    if isinstance(target, str):
        if target in names:
            return target
        if not re.fullmatch(r"-?\d{1,9}", target):
            raise ValueError(
                f"{table.source}: no column {target!r}; target must be the column of the labels, "
                f"by name or position, one of {listing(names)}"
            )
        target = int(target)
    if not -len(names) <= target < len(names):
        raise ValueError(
            f"{table.source}: target must be from {-len(names)} to {len(names) - 1}, as there are "
            f"{len(names)} columns, got {target}"
        )
    return names[target]


def read_target(table: Table, target: str, as_numbers: bool | None = None) -> Target:
    """Return the labels, or the numbers to predict, in a column.

    Rows without one are left out. Of labels, whole numbers become ints, also those written as 1.0;
    of words that differ in spaces or in case alone, the most frequent spelling counts for all.

    Parameters
    ----------
    table : Table
    target : str
        Name of the column.
    as_numbers : bool, optional
        Whether they are numbers to predict; if left out, they are where there are so many that they
        are amounts, as in `is_amount`.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If there is one class or none, or cells hold no numbers that should.

    Examples
    --------
    >>> import synaprune as sn
    >>> table = sn.Table.from_rows([["yes"], ["no"], ["Yes"], [""]], ["y"])
    >>> target = sn.tables.read_target(table, "y")
    >>> target.values.tolist(), target.rows.tolist()
    (['yes', 'no', 'yes'], [0, 1, 2])
    """
    present, values = _answered(table, target)
    notes = []
    if lost := len(table) - len(present):
        rows = "1 row has" if lost == 1 else f"{lost} rows have"
        notes.append(f"{rows} no {target!r} and will not be used")
    if as_numbers is None:
        style, odd = _style(values)
        amounts = numbers(values, style or "plain")
        as_numbers = bool(style) and is_amount(amounts[~np.isnan(amounts)])
        if as_numbers and odd:
            raise ValueError(
                f"{table.source}: {target!r} holds numbers, but also {listing(odd)}; correct these "
                "cells or empty them, or ask for classes by metric='accuracy'"
            )
    if as_numbers:
        return Target(_amounts(values, target, table.source), present, tuple(notes))
    labels = _numbers(values)
    if labels is None:
        cells = [" ".join(str(cell).split()) for cell in values.tolist()]
        labels, merged = _spelled(cells)
        if merged:
            notes.append(f"{target!r}: spellings are merged: {merged}")
    if labels.dtype.kind == "f":
        whole = (labels == np.round(labels)).all()
        labels = labels.astype(np.int64) if whole else labels.astype(np.str_)
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        held = f"only the label {classes[0]!s:.60}" if len(classes) else "no label at all"
        raise ValueError(f"{table.source}: {target!r} holds {held}; at least two are needed")
    if labels.dtype.kind == "U" and len(classes) > max(_MANY, len(labels) // 3):
        raise ValueError(
            f"{table.source}: {target!r} holds {len(classes)} different labels in {len(labels)} "
            "rows, too many to learn; name another target"
        )
    if (single := classes[counts == 1]).size and len(classes) > 2:
        notes.append(f"{target!r}: classes of one row: {listing(single.tolist(), 5)}")
    return Target(labels, present, tuple(notes))


def known_target(table: Table, target: str, classes: NDArray[Any] | None) -> Target:
    """Return what a trained network is to be judged by: its labels, or numbers, in a column.

    Unlike `read_target`, this takes the labels for what they were in training, also if rows of some
    classes are missing or words are spelled in another case.

    Parameters
    ----------
    table : Table
    target : str
        Name of the column.
    classes : ndarray or None
        The labels that the network knows; None if it predicts numbers.

    Returns
    -------
    Target
        Its `values` are int64, str, or float64 for numbers. Labels that the network does not know
        stay what they are.

    Raises
    ------
    TypeError, ValueError
        If there is no such column or no row with a label, or cells hold no numbers that should.
    """
    if classes is not None:
        check_type("classes", classes, np.ndarray)
    present, values = _answered(table, target)
    if not len(values):
        raise ValueError(f"{table.source}: no row has a {target!r}")
    if classes is None:
        return Target(_amounts(values, target, table.source), present, ())
    read = _numbers(values) if classes.dtype.kind != "U" else None
    if read is not None:
        whole = read.dtype.kind == "i" or bool((read == np.round(read)).all())
        return Target(read.astype(np.int64) if whole else read, present, ())
    labels = {str(label): label for label in classes.tolist()}
    alike = {_folded(text): text for text in labels}
    found = [_known(cell, labels.keys(), alike) for cell in values.tolist()]
    if classes.dtype.kind == "b" and labels.keys() >= set(found):
        return Target(np.array([labels[text] for text in found]), present, ())
    return Target(np.array(found, np.str_), present, ())


def _known(cell: str | float, labels: Collection[str], alike: Mapping[str, str]) -> str:
    """Return which of the labels a cell is for, its text if none: the nearest spelling wins."""
    if isinstance(cell, str):
        plain = " ".join(cell.split())
        spellings = [cell, plain, alike.get(_folded(plain), cell)]
        if math.isfinite(number := plain_number(cell)):
            spellings.append(str(number))
    else:
        spellings = [str(cell), str(cell).removesuffix(".0")]
    return next((text for text in spellings if text in labels), spellings[0])


def _folded(label: str) -> str:
    """Return what spellings of a label share.

    Single letters keep their case: "a" and "A" are classes of their own in many datasets.
    """
    return label.casefold() if len(label) > 1 else label


def _answered(table: Table, target: str) -> tuple[NDArray[np.intp], Column]:
    """Return which rows have a target, and its cells there."""
    check_type("table", table, Table)
    table.check_names([target], "target")
    column = table.columns[target]
    present = np.flatnonzero(_present(column))
    return present, column[present]


def _present(column: Column) -> NDArray[np.bool_]:
    if column.dtype.kind == "f":
        present: NDArray[np.bool_] = ~np.isnan(column)
        return present
    told = {  # a minus is the label of a class in some tables
        cell: not is_missing(cell) or cell.strip() == "-" for cell in set(column.tolist())
    }
    return np.array([told[cell] for cell in column.tolist()], bool)


def _numbers(values: Column) -> NDArray[Any] | None:
    """Return the labels as int64 or float64 if all of them are numbers."""
    if values.dtype.kind == "f":
        return values
    cells = [cell.strip() for cell in values.tolist()]
    if all(map(_INTEGER.fullmatch, cells)):
        return np.array([int(cell) for cell in cells], np.int64)
    if not all(re.fullmatch(r"[+-]?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?", c) for c in set(cells)):
        return None
    numbers = np.array([plain_number(cell) for cell in cells])
    exact = np.isfinite(numbers).all() and np.abs(numbers).max(initial=0.0) < 2**53
    return numbers if exact else None


def _amounts(values: Column, target: str, source: str) -> NDArray[np.float64]:
    """Return cells as float64, or raise naming one that holds no finite number."""
    amounts = numbers(values, _style(values)[0] or "plain")
    wrong = np.isnan(amounts)
    if wrong.any() or not len(amounts):
        cell = f", got {values[wrong][0]!r:.60}" if wrong.any() else ""
        raise ValueError(f"{source}: {target!r} must hold numbers{cell}")
    return amounts


def _style(values: Column) -> tuple[str, list[str]]:
    """Return how cells are written as numbers, "" if they are not, and the few that are none."""
    if values.dtype.kind == "f":
        return "plain", []
    style, odd = style_of({cell.strip() for cell in values.tolist()})
    return (style, odd) if style in NUMBERS else ("", [])


def is_amount(answers: NDArray[Any]) -> bool:
    """Return whether answers are amounts rather than names of classes.

    Amounts are more than 10 different numbers, if some are not whole, or if they are more than a
    third of the rows; and more than 50 in any case. Ints in an array are always classes.

    Parameters
    ----------
    answers : ndarray, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> is_amount(np.linspace(0.0, 1.0, 20)), is_amount(np.array([0.0, 1.0] * 10))
    (True, False)
    """
    check_type("answers", answers, np.ndarray)
    if answers.dtype.kind != "f":
        return False
    distinct = np.unique(answers)
    whole = bool((distinct == np.round(distinct)).all())
    most = min(_MANY, max(10, len(answers) // 3)) if whole else 10
    return len(distinct) > most


def _spelled(cells: list[str]) -> tuple[NDArray[Any], str]:
    """Return the labels with one spelling of each, and which were merged."""
    groups: dict[str, list[str]] = {}
    for cell, _ in Counter(cells).most_common():
        groups.setdefault(_folded(cell), []).append(cell)
    chosen = {cell: group[0] for group in groups.values() for cell in group}
    merged = ["/".join(group) for group in groups.values() if len(group) > 1]
    return np.array([chosen[cell] for cell in cells], np.str_), ", ".join(merged[:5])
