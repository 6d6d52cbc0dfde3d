"""Columns of a table as exporters in text encode them, those in use alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synaprune.checks import listing, shown
from synaprune.export._text import LARGEST
from synaprune.network import SparseMLP
from synaprune.program import Program


@dataclass(frozen=True)
class Number:
    """An input that is a column's number: (value, cut off) - offset.

    Attributes
    ----------
    low, high : float
        Values beyond become `at_low` or `at_high`.
    at_low, at_high, at_missing : float
        The input where the value is beyond, or missing.
    offset : float
    """

    low: float
    high: float
    at_low: float
    at_high: float
    at_missing: float
    offset: float


@dataclass(frozen=True)
class Gap:
    """An input that is 1 where a column's number is missing."""


@dataclass(frozen=True)
class Word:
    """An input that is 1 where a column holds a category."""

    category: str


@dataclass(frozen=True)
class Other:
    """An input that is 1 where a column holds none of some categories."""

    categories: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """An input that is a part of a date, less its mean; 0 where the date is missing.

    Attributes
    ----------
    part : {"days", "month", "weekday", "hour"}
        Days since 1970 with fractions, from 1, from 0 for Monday, with fractions.
    offset : float
        The mean.
    """

    part: str
    offset: float


Made = Number | Gap | Word | Other | Part


@dataclass(frozen=True)
class TableColumn:
    """A column of a table, and the inputs of the program that come from it.

    Attributes
    ----------
    name : str
    kind : {"numbers", "categories", "dates"}
        What its cells are read as.
    form : str
        How numbers and dates are written: "plain", "point" or "comma", as `TableEncoder` has it, or
        the form of `parse_date`; "" of categories.
    inputs : tuple of Number, Gap, Word, Other or Part
    """

    name: str
    kind: str
    form: str
    inputs: tuple[Made, ...]


def table_columns(net: SparseMLP, program: Program) -> tuple[TableColumn, ...]:
    """Return the columns of a network's table that it uses, in the order of its inputs.

    Parameters
    ----------
    net : SparseMLP
        With an encoder.
    program : Program

    Raises
    ------
    ValueError
        If a column holds what text cannot encode alone: decimal fractions as categories.
    """
    assert net.encoder is not None
    used = set(program.inputs.tolist())
    found, first = [], 0
    for column in net.encoder.columns:
        n = len(column.inputs)
        wanted = [k for k in range(n) if first + k in used]
        first += n
        if not wanted:
            continue
        form, made = _MAKERS[column.kind](column)
        used_inputs = tuple(made[k] for k in wanted)
        found.append(TableColumn(column.name, column.kind, form, used_inputs))
    return tuple(found)


def _numbers(column: Any) -> tuple[str, Sequence[Made]]:
    offset = column.offset
    low, high = max(column.low, offset - LARGEST), min(column.high, offset + LARGEST)
    fill = float(np.clip(column.fill, low, high))
    made = Number(low, high, low - offset, high - offset, fill - offset, offset)
    return column.style, [made, Gap()]


def _dates(column: Any) -> tuple[str, Sequence[Made]]:
    return column.form, [Part(*part) for part in zip(column.parts, column.fill, strict=True)]


def _categories(column: Any) -> tuple[str, Sequence[Made]]:
    for value in column.values:
        if _is_odd_fraction(value):
            raise refusal(
                column.name, f"decimal fractions as categories, such as {shown(value)}",
                "make words of them, or numbers",
            )  # fmt: skip
    return "", [*map(Word, column.values), Other(column.values)]


_MAKERS: dict[str, Callable[[Any], tuple[str, Sequence[Made]]]] = {
    "numbers": _numbers, "categories": _categories, "dates": _dates,
}  # fmt: skip


def _is_odd_fraction(value: str) -> bool:
    """Return whether 17 digits of a float are a category that is shorter as a number: 0.1."""
    try:
        x = float(value)
    except ValueError:
        return False
    return value == f"{x:.17g}" and value != repr(x).removesuffix(".0") and not x.is_integer()


def refusal(name: str, holds: str, help_: str) -> ValueError:
    """Return the error of a column that an export cannot encode."""
    return ValueError(
        f"column {listing([name])} holds {holds}, which this export cannot encode: {help_} before "
        "the training; or export the network without its encoder (net.encoder = None) and give "
        "it net.as_inputs(table)"
    )
