"""`TableEncoder`: what each column of a table becomes as inputs of a network."""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_choice, check_columns, check_type, listing, shown

from ._cells import DATE_FORMATS, NUMBERS, date_format, is_missing, parse_date
from ._table import Column, Table, as_table

_RARE = (2, 0.005)  # rows that a category needs for an input: at least so many, and this share
_MOST = 50  # categories that get an input
_DATE_PARTS = ("days", "month", "weekday", "hour")
_FAR = 10.0  # standard deviations from the mean at which numbers are cut off
_SHIFTED = 1e4  # a mean of so many standard deviations is subtracted in float64
_ID = re.compile(
    r"(?i:(.*[ _.-])?(id|uuid|guid|key|index|row|no|nr|number)|unnamed.*)|.*[a-z](Id|ID)"
)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: one input, and one that says where numbers are missing if many are.

    Attributes
    ----------
    name : str
    style : str
        How cells are read, a name in `NUMBERS`.
    fill : float
        The median, which stands for missing values.
    low, high : float
        Values beyond are cut off: ten standard deviations from the mean.
    offset : float
        Subtracted in float64: the mean, where it is so large that float32 would lose the spread.
    missing : bool
        Whether there is an input that is 1 where the value is missing.
    odd : tuple of str
        Words among the numbers of the training rows, which count as missing.
    """

    kind: ClassVar[str] = "numbers"
    name: str
    style: str
    fill: float
    low: float
    high: float
    offset: float
    missing: bool
    odd: tuple[str, ...]

    @classmethod
    def fitted(cls, name: str, style: str, values: Values, odd: Sequence[str]) -> Numbers:
        """Return what suits a column's numbers, of which NaN are missing."""
        known = values[~np.isnan(values)]
        mean, spread = float(known.mean()), float(known.std())
        return cls(
            name,
            style,
            fill=float(np.median(known)),
            low=mean - _FAR * spread,
            high=mean + _FAR * spread,
            offset=mean if abs(mean) > _SHIFTED * spread else 0.0,
            missing=_enough(len(values) - len(known), len(values)),
            odd=tuple(odd),
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (self.name, f"{self.name} is missing") if self.missing else (self.name,)

    @property
    def meanings(self) -> tuple[str, ...]:
        """What the value of each input is."""
        less = f", less {self.offset!r}" if self.offset else ""
        value = (
            f"the number in {self.name!r}, cut off at {self.low!r} and {self.high!r}, "
            f"{self.fill!r} where it is missing{less}"
        )
        gap = f"1 where the number in {self.name!r} is missing, else 0"
        return (value, gap) if self.missing else (value,)

    def encode(self, column: Column) -> list[Values]:
        """Return the values of each input."""
        values = numbers(column, self.style)
        gaps = np.isnan(values)
        shown = np.clip(np.where(gaps, self.fill, values), self.low, self.high) - self.offset
        return [shown, gaps.astype(np.float64)] if self.missing else [shown]


@dataclass(frozen=True)
class Categories:
    """A column of words: one input per frequent category, 1 in its rows and 0 elsewhere.

    Attributes
    ----------
    name : str
    values : tuple of str
        The categories that have an input; the word "missing" stands for missing cells.
    other : bool
        Whether one more input stands for all other categories, those never seen among them. If not,
        all inputs of such a row are 0.
    """

    kind: ClassVar[str] = "categories"
    name: str
    values: tuple[str, ...]
    other: bool

    @classmethod
    def fitted(cls, name: str, cells: Sequence[str]) -> Categories | None:
        """Return what suits a column's cells; None if no category is frequent."""
        counts = Counter(cells)
        frequent = [c for c, n in counts.most_common(_MOST) if _enough(n, len(cells))]
        other = _enough(len(cells) - sum(counts[c] for c in frequent), len(cells))
        if not frequent or len(frequent) + other < 2:
            return None
        values = sorted(frequent)
        if len(values) == 2 and not other:  # the second tells the first as well
            values = values[1:]
        return cls(name, tuple(values), other)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        named = tuple(f"{self.name}={value}" for value in self.values)
        return (*named, f"{self.name} is other") if self.other else named

    @property
    def meanings(self) -> tuple[str, ...]:
        """What the value of each input is."""
        named = tuple(f"1 where {self.name!r} is {value!r}, else 0" for value in self.values)
        other = f"1 where {self.name!r} is none of {', '.join(map(repr, self.values))}, else 0"
        return (*named, other) if self.other else named

    def encode(self, column: Column) -> list[Values]:
        """Return the values of each input."""
        codes = {value: i for i, value in enumerate(self.values)}
        told = np.array([codes.get(cell, len(codes)) for cell in words(column)])
        return [(told == i).astype(np.float64) for i in range(len(self.inputs))]


@dataclass(frozen=True)
class Dates:
    """A column of dates or times: days since 1970, and what recurs: month, weekday, hour.

    Attributes
    ----------
    name : str
    form : str
        As in `parse_date`.
    parts : tuple of str
        Those of "days", "month", "weekday" and "hour" that vary; each is an input.
    fill : tuple of float
        The mean of each part, which stands for missing values.
    """

    kind: ClassVar[str] = "dates"
    name: str
    form: str
    parts: tuple[str, ...]
    fill: tuple[float, ...]

    @classmethod
    def fitted(cls, name: str, form: str, column: Column) -> Dates | None:
        """Return what suits a column's cells; None if nothing varies."""
        parts, fill = [], []
        for part, values in _date_parts(column, form).items():
            known = values[~np.isnan(values)]
            if np.ptp(known) > 0:
                parts.append(part)
                fill.append(float(known.mean()))
        return cls(name, form, tuple(parts), tuple(fill)) if parts else None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(f"{self.name}: {part}" for part in self.parts)

    @property
    def meanings(self) -> tuple[str, ...]:
        """What the value of each input is."""
        return tuple(
            f"the {_PARTS[part].format(repr(self.name))} less {fill!r}, 0 where it is missing"
            for part, fill in zip(self.parts, self.fill, strict=True)
        )

    def encode(self, column: Column) -> list[Values]:
        """Return the values of each input, less their mean."""
        values = _date_parts(column, self.form)
        return [
            np.where(np.isnan(values[part]), 0.0, values[part] - fill)
            for part, fill in zip(self.parts, self.fill, strict=True)
        ]


# What is counted in each part of a date.
_PARTS = {
    "days": "days from 1970 to {}",
    "month": "month of {}, January being 1,",
    "weekday": "weekday of {}, Monday being 0,",
    "hour": "hour of {}",
}
Encoded = Numbers | Categories | Dates
_KINDS: dict[str, type[Encoded]] = {kind.kind: kind for kind in (Numbers, Categories, Dates)}


@dataclass(frozen=True, eq=False, repr=False)
class TableEncoder:
    """What each column of a table becomes as inputs of a network; a model keeps it.

    - Numbers are one input. Missing ones become the median, and have an input that says so where
      0.5 % of the rows, and at least two, lack the number. Values more than ten standard deviations
      from the mean are cut off there. Per cent, currencies and thousands are understood.
    - Words are one input per category of at least 0.5 % of the rows and two rows, 1 in the rows of
      that category ("one-hot"); at most 50 of them. All others share one input. Missing cells are a
      category. Words never seen before count as others; if there were none, all inputs are 0.
    - Dates are days since 1970, and the month, weekday and hour where they vary.
    - Constants, empty columns, numbers of rows and names of rows are left out.

    Parameters
    ----------
    columns : tuple
        What each column that is used becomes.
    left_out : mapping of str to str
        Names of the other columns, and why.
    order : tuple of str
        All columns but the target as they stood in the table.
    notes : tuple of str
        What a user should know.

    Examples
    --------
    >>> import synaprune as sn
    >>> rows = [["2.5", "red"], ["", "blue"], ["3", "red"], ["4", "blue"]]
    >>> table = sn.Table.from_rows(rows, ["size", "colour"])
    >>> encoder = sn.TableEncoder.fit(table)
    >>> encoder.input_names
    ('size', 'colour=red')
    >>> encoder.transform(table).tolist()
    [[2.5, 1.0], [3.0, 0.0], [3.0, 1.0], [4.0, 0.0]]
    """

    columns: tuple[Encoded, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, table: Any, *, keep: Iterable[str] = ()) -> TableEncoder:
        """Decide what the columns of a table become.

        Parameters
        ----------
        table : Table or DataFrame
            Without the target.
        keep : iterable of str
            Columns to use though they look like names or numbers of rows.

        Returns
        -------
        TableEncoder

        Raises
        ------
        ValueError
            If there are no rows, `keep` names no column, or no column can be used; the message
            tells why, of all columns.
        """
        table = as_table(table)
        if not len(table):
            raise ValueError(f"{table.source}: no rows")
        kept = table.check_names(keep, "keep")
        columns: list[Encoded] = []
        left_out: dict[str, str] = {}
        notes: list[str] = []
        for at, (name, column) in enumerate(table.columns.items()):
            found = _kind_of(name, column, name in table.categories, notes)
            reason = found if isinstance(found, str) else ""
            if not reason and name not in kept and len(table.columns) > 1:
                reason = _names_rows(name, column, at == 0)
            if isinstance(found, str) or reason:
                left_out[name] = reason
            else:
                columns.append(found)
        if not columns:
            why = "; ".join(f"{name!r}: {reason}" for name, reason in list(left_out.items())[:20])
            raise ValueError(f"{table.source}: no column can be used ({why})")
        return cls(tuple(columns), left_out, table.names, tuple(notes))

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, such as "size", "size is missing", "colour=red", "day: month"."""
        names: dict[str, None] = {}
        for name in (name for column in self.columns for name in column.inputs):
            while name in names:
                name += "'"
            names[name] = None
        return tuple(names)

    @property
    def meanings(self) -> tuple[str, ...]:
        """What the value of each input is, in terms of the table's cells."""
        return tuple(text for column in self.columns for text in column.meanings)

    def columns_of(self, inputs: Iterable[int]) -> list[str]:
        """Return the columns that some inputs come from, in the table's order.

        Parameters
        ----------
        inputs : iterable of int
            Positions.

        Returns
        -------
        list of str
        """
        asked = set(map(int, inputs))
        return [c.name for c, first in self._placed() if asked & _span(first, c)]

    def transform(self, table: Any, inputs: Iterable[int] | None = None) -> NDArray[np.float32]:
        """Return a table's rows as inputs of the network.

        Parameters
        ----------
        table : Table or DataFrame
            Columns are found by name, whatever their order; others are ignored.
        inputs : iterable of int, optional
            Positions of the inputs that matter: only their columns have to be there. The others
            are 0.

        Returns
        -------
        ndarray of float32, shape (n, n_inputs)

        Raises
        ------
        ValueError
            If columns are missing, all of which the message names, there are no rows, or a column
            of numbers or dates holds nothing of the kind.

        Warns
        -----
        UserWarning
            If some cells of such a column hold something else, which counts as missing.
        """
        n, needed = self._needed(table, inputs)
        X = np.zeros((n, len(self.input_names)), np.float32)
        for column, first, given in needed:
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes its largest number
                for i, values in enumerate(column.encode(given), first):
                    X[:, i] = values
        largest = np.finfo(np.float32).max
        return np.clip(X, -largest, largest, out=X)

    def read(self, table: Any, inputs: Iterable[int] | None = None) -> dict[str, Any]:
        """Return what a table's cells hold, before they become inputs.

        Parameters
        ----------
        table : Table or DataFrame
        inputs : iterable of int, optional
            As in `transform`.

        Returns
        -------
        dict
            By column: of numbers float64, NaN where one is missing; of categories a list of words;
            of dates a dict of the parts, float64.

        Raises
        ------
        ValueError
            As in `transform`.

        Warns
        -----
        UserWarning
            As in `transform`.
        """
        cells: dict[str, Any] = {}
        for column, _, given in self._needed(table, inputs)[1]:
            if isinstance(column, Numbers):
                cells[column.name] = numbers(given, column.style)
            elif isinstance(column, Dates):
                cells[column.name] = _date_parts(given, column.form)
            else:
                cells[column.name] = words(given)
        return cells

    def _needed(
        self, table: Any, inputs: Iterable[int] | None
    ) -> tuple[int, list[tuple[Encoded, int, Column]]]:
        """Return the number of rows, and the columns of some inputs with the first of each."""
        asked = None if inputs is None else set(map(int, inputs))
        needed = [
            (c, first) for c, first in self._placed() if asked is None or asked & _span(first, c)
        ]
        table = as_table(table, [c.name for c, _ in needed])
        if not len(table):
            raise ValueError(f"{table.source}: no rows")
        source = self._named(table)
        check_columns(
            (c.name for c, _ in needed if c.name not in source), table.names, table.source
        )
        for column, _ in needed:
            _check_kind(table.source, column, source[column.name])
        return len(table), [(c, first, source[c.name]) for c, first in needed]

    def _placed(self) -> list[tuple[Encoded, int]]:
        """Return the columns with the position of their first input."""
        firsts = np.cumsum([0, *(len(c.inputs) for c in self.columns)]).tolist()
        return list(zip(self.columns, firsts, strict=False))

    def _named(self, table: Table) -> Mapping[str, Column]:
        """Return the columns by the names they had; without a header they count by position."""
        if table.headerless and len(table.columns) == len(self.order):
            return dict(zip(self.order, table.columns.values(), strict=True))
        return table.columns

    # ---- files

    def record(self) -> dict[str, Any]:
        """Return JSON values from which `from_record` makes an equal encoder.

        Returns
        -------
        dict
        """
        return {
            "columns": [{"kind": c.kind, **dataclasses.asdict(c)} for c in self.columns],
            "left_out": dict(self.left_out),
            "order": list(self.order),
            "notes": list(self.notes),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TableEncoder:
        """Rebuild an encoder from what `record` returned.

        Parameters
        ----------
        record : mapping
            JSON values.

        Returns
        -------
        TableEncoder

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is no such record.
        """
        if not isinstance(record, Mapping):
            raise TypeError(f"record must be a mapping, got {shown(record)}")
        left_out = record["left_out"]
        if not isinstance(left_out, dict):
            raise TypeError(f"left_out must be an object, got {shown(left_out)}")
        columns = tuple(_column_of(values) for values in _items("columns", record["columns"], dict))
        _check_unique("names of columns", (column.name for column in columns))
        return cls(
            columns,
            dict(zip(left_out, _items("left_out", [*left_out.values()], str), strict=True)),
            _items("order", record["order"], str),
            _items("notes", record["notes"], str),
        )

    def __repr__(self) -> str:
        kinds = Counter(c.kind for c in self.columns)
        told = ", ".join(f"{n} of {kind}" for kind, n in kinds.items())
        n = len(self.input_names)
        return f"TableEncoder({n} inputs; columns: {told}, {len(self.left_out)} left out)"


def _column_of(record: Mapping[str, Any]) -> Encoded:
    """Return what a record describes, whose values have the types of the fields."""
    kind = _KINDS[check_choice("kind", record["kind"], _KINDS)]
    values = {name: value for name, value in record.items() if name != "kind"}
    for part in dataclasses.fields(kind):
        value = values[part.name]
        if part.type == "float":
            values[part.name] = _number(part.name, value)
        elif part.type == "tuple[float, ...]":
            items = _items(part.name, value, int | float)
            values[part.name] = tuple(_number(part.name, item) for item in items)
        elif part.type == "tuple[str, ...]":
            values[part.name] = _items(part.name, value, str)
        elif not isinstance(value, {"str": str, "bool": bool}[str(part.type)]):
            raise TypeError(f"{part.name} must be a {part.type}, got {shown(value)}")
    column = kind(**values)
    if isinstance(column, Numbers):
        check_choice("style", column.style, NUMBERS)
        if not math.isfinite(column.fill) or not math.isfinite(column.offset):
            raise ValueError(f"fill and offset must be finite, got {column.fill}, {column.offset}")
        if not column.low <= column.high:
            raise ValueError(f"low must be at most high, got {column.low} and {column.high}")
    if isinstance(column, Categories):
        _check_unique("values", column.values)
    if isinstance(column, Dates):
        _check_unique("parts", column.parts)
        if column.form not in DATE_FORMATS:
            raise ValueError(f"form must be one of DATE_FORMATS, got {shown(column.form)}")
        if not all(map(math.isfinite, column.fill)):
            raise ValueError(f"fill must be finite, got {shown(column.fill)}")
        unknown = [part for part in column.parts if part not in _DATE_PARTS]
        if unknown or len(column.parts) != len(column.fill):
            raise ValueError(
                f"parts must be of {', '.join(_DATE_PARTS)}, with a fill each, got "
                f"{shown(column.parts)} with {len(column.fill)} numbers"
            )
    return column


def _items(name: str, value: Any, kind: Any) -> tuple[Any, ...]:
    """Return a list's items, or raise unless it is one of this kind."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list, got {shown(value)}")
    for item in value:
        if not isinstance(item, kind):
            raise TypeError(f"{name} holds {shown(item)}")
    return tuple(value)


def _check_unique(name: str, items: Iterable[str]) -> None:
    if repeated := [item for item, n in Counter(items).items() if n > 1]:
        raise ValueError(f"{name} must be unique, got several {listing(repeated)}")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    try:
        return float(value)
    except OverflowError:  # of an int
        raise ValueError(f"{name} must be within float64, got {shown(value)}") from None


def numbers(column: Column, style: str) -> Values:
    """Return a column's numbers, NaN where a cell is missing, infinite or no number."""
    check_type("column", column, np.ndarray)
    if style not in NUMBERS:
        raise ValueError(f"style must be one of {', '.join(NUMBERS)}, got {shown(style)}")
    if column.dtype.kind == "f":
        return np.where(np.isfinite(column), column, np.nan)
    read = NUMBERS[style]
    told = _of_cells(column, lambda cell: math.nan if is_missing(cell) else read(cell))
    values = np.array([told[cell] for cell in column.tolist()], np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def words(column: Column) -> list[str]:
    """Return a column's cells without spaces around; what is missing is called so."""
    if column.dtype.kind == "f":
        column = np.array(["" if math.isnan(v) else f"{v:.17g}" for v in column], object)
    told = _of_cells(column, lambda c: "missing" if is_missing(c) else " ".join(c.split()))
    return [told[cell] for cell in column.tolist()]


def _of_cells(column: Column, read: Callable[[str], Any]) -> dict[str, Any]:
    cells = set(column.tolist())
    if odd := [cell for cell in cells if not isinstance(cell, str)]:
        raise TypeError(f"cells of a column must be strings, got {shown(odd[0])}")
    return {cell: read(cell) for cell in cells}


def _kind_of(name: str, column: Column, category: bool, notes: list[str]) -> Encoded | str:
    """Return what a column becomes, or why it is left out."""
    text = column.dtype.kind != "f"
    if text:
        distinct = {cell.strip() for cell in set(column.tolist()) if not is_missing(cell)}
        style, odd = ("", []) if category else style_of(distinct)
    else:
        distinct, style, odd = set(), "plain", []
    if style:
        values = numbers(column, style)
        known = values[~np.isnan(values)]
        if not len(known):
            return "empty"
        found = Numbers.fitted(name, style, values, odd)
        if known.min() == known.max():
            return f"constant, {known[0]:g}" if not found.missing else found
        if odd:
            n = sum(cell.strip() in odd for cell in column.tolist())
            notes.append(
                f"{name!r}: cells without a finite number count as missing, in "
                f"{n} row{'s' * (n > 1)}: {listing(odd, 3)}"
            )
        return found
    if not distinct:
        return "empty"
    form = None if category else date_format(distinct)
    if form is not None:
        return Dates.fitted(name, form, column) or f"constant, {min(distinct):.40}"
    cells = words(column)
    if len(set(cells)) == 1:
        return f"constant, {cells[0]:.40}"
    if len(distinct) > max(_MOST, len(cells) / 2):
        return "text that differs from row to row"
    usual, n = Counter(cells).most_common(1)[0]
    return Categories.fitted(name, cells) or f"{usual:.40} in {n} of {len(cells)} rows"


def style_of(cells: set[str]) -> tuple[str, list[str]]:
    """Return how cells are read as numbers, "" if they are none, and the few that are no numbers.

    A column of numbers may hold a few words: at most 5 different ones, a tenth of what is in it.
    """
    best, fewest = "", cells
    for style, read in NUMBERS.items():
        odd = {cell for cell in cells if math.isnan(read(cell))}
        if not odd and cells:
            return style, sorted(c for c in cells if not math.isfinite(read(c)))
        if len(odd) < len(fewest):
            best, fewest = style, odd
    if len(fewest) > min(5, len(cells) // 10):
        return "" if cells else "plain", []
    return best or "plain", sorted(fewest)


def _names_rows(name: str, column: Column, first: bool) -> str:
    """Return why a column is taken for names or numbers of rows; "" if it is not."""
    n = len(column)
    cells = column.tolist()
    if n < 20 or len(set(cells)) < n:
        return ""
    if _ID.fullmatch(name):
        return "an identifier: its name says so, and it differs in every row"
    values = numbers(column, "plain")
    if first and values[0] in (0.0, 1.0) and (np.diff(values) == 1.0).all():
        return "the number of the row"
    return ""


def _check_kind(source: str, column: Encoded, given: Column) -> None:
    """Refuse words where the network knows numbers or dates, and warn if some of them are words."""
    if given.dtype.kind == "f":
        return
    cells = {cell for cell in set(given.tolist()) if not is_missing(cell)}
    if isinstance(column, Numbers):
        read = NUMBERS[column.style]
        wrong = sorted(c for c in cells if math.isnan(read(c)) and c.strip() not in column.odd)
    elif isinstance(column, Dates):
        wrong = sorted(c for c in cells if parse_date(c.strip(), column.form) is None)
    else:
        return
    if cells and len(wrong) == len(cells):
        raise ValueError(
            f"{source}: {column.name!r} must hold {column.kind}, got {listing(wrong, 3)}"
        )
    if wrong:
        warnings.warn(
            f"{source}: cells of {column.name!r} that hold no {column.kind} count as missing: "
            f"{listing(wrong, 3)}",
            UserWarning,
            stacklevel=5,
        )


def _date_parts(column: Column, form: str) -> dict[str, Values]:
    def read(cell: str) -> tuple[float, ...]:
        moment = None if is_missing(cell) else parse_date(cell.strip(), form)
        if moment is None:
            return (math.nan,) * 4
        hour = moment.hour + moment.minute / 60 + moment.second / 3600
        return moment.timestamp() / 86400, moment.month, moment.weekday(), hour

    told = _of_cells(column, read)
    values = np.array([told[cell] for cell in column.tolist()], np.float64)
    parts = dict(zip(_DATE_PARTS, values.T, strict=True))
    return {"hour": parts["hour"]} if form == "time" else parts


def _enough(rows: int, of: int) -> bool:
    return rows >= max(_RARE[0], _RARE[1] * of)


def _span(first: int, column: Encoded) -> set[int]:
    return set(range(first, first + len(column.inputs)))
