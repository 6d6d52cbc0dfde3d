"""Columns of a table as exporters in text encode them: numbers and categories, in use alone."""

from __future__ import annotations

from collections.abc import Sequence
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


Made = Number | Gap | Word | Other


@dataclass(frozen=True)
class TableColumn:
    """A column of a table, and the inputs of the program that come from it.

    Attributes
    ----------
    name : str
    is_number : bool
        Whether cells are read as numbers; as words if not.
    inputs : tuple of Number, Gap, Word or Other
    """

    name: str
    is_number: bool
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
        If a column holds what text cannot encode alone: dates, or numbers with units.
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
        if column.kind == "numbers":
            made = _numbers(column)
        elif column.kind == "categories":
            made = _categories(column)
        else:
            raise _refusal(column.name, "dates", "leave it out, or make numbers of it")
        is_number = column.kind == "numbers"
        found.append(TableColumn(column.name, is_number, tuple(made[k] for k in wanted)))
    return tuple(found)


def _numbers(column: Any) -> Sequence[Made]:
    if column.style != "plain":
        raise _refusal(
            column.name, "numbers that are written with units or thousands",
            "make plain numbers of it",
        )  # fmt: skip
    offset = column.offset
    low, high = max(column.low, offset - LARGEST), min(column.high, offset + LARGEST)
    fill = float(np.clip(column.fill, low, high))
    return [Number(low, high, low - offset, high - offset, fill - offset, offset), Gap()]


def _categories(column: Any) -> Sequence[Made]:
    for value in column.values:
        if _is_odd_fraction(value):
            raise _refusal(
                column.name, f"decimal fractions as categories, such as {shown(value)}",
                "make words of them, or numbers",
            )  # fmt: skip
    return [*map(Word, column.values), Other(column.values)]


def _is_odd_fraction(value: str) -> bool:
    """Return whether 17 digits of a float are a category that is shorter as a number: 0.1."""
    try:
        x = float(value)
    except ValueError:
        return False
    return value == f"{x:.17g}" and value != repr(x).removesuffix(".0") and not x.is_integer()


def _refusal(name: str, holds: str, help_: str) -> ValueError:
    return ValueError(
        f"column {listing([name])} holds {holds}, which this export cannot encode: {help_} before "
        "the training; or export the network without its encoder (net.encoder = None) and give "
        "it net.as_inputs(table)"
    )
