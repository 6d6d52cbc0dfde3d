"""`Table`: named columns of equal length."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_columns, check_names, check_type, listing, shown
from synaprune.frames import Frame, is_frame

from ._cells import cell_of

Column = NDArray[Any]  # float64 with NaN for what is missing, or objects: str cells as they came


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Named columns of equal length.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        float64, NaN where a value is missing; or dtype object, with each cell as text. Arrays of
        other types become the one or the other.
    source : str
        What messages call the table, such as its file name.
    headerless : bool
        Whether the names were made up: "c0", "c1", … by position.
    notes : tuple of str
        What a user should know of how it was read.
    categories : frozenset of str
        Columns whose cells are categories, also where they look like numbers or dates.

    Examples
    --------
    >>> import synaprune as sn
    >>> table = sn.Table.from_rows([["2.5", "red"], ["", "blue"]], ["size", "colour"])
    >>> table, len(table), table.names
    (Table('table': 2 rows; 'size', 'colour'), 2, ('size', 'colour'))
    """

    columns: Mapping[str, Column]
    source: str = "table"
    headerless: bool = False
    notes: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_type("columns", self.columns, Mapping)
        columns = {}
        for name, column in self.columns.items():
            check_type("the name of a column", name, str)
            if not isinstance(column, np.ndarray) or column.ndim != 1:
                raise TypeError(f"column {name!r:.60} must be a 1-D array, got {shown(column)}")
            columns[name] = column if _is_column(column) else column_of(column)
        if len({len(column) for column in columns.values()}) > 1:
            raise ValueError("columns must be equally long")
        object.__setattr__(self, "columns", columns)

    def _with(self, **changes: Any) -> Table:
        """Return a copy with other fields, whose columns are known to be in order."""
        made = copy.copy(self)
        for name, value in changes.items():
            object.__setattr__(made, name, value)
        return made

    @classmethod
    def from_rows(
        cls,
        rows: Sequence[Sequence[Any]],
        names: Sequence[str],
        source: str = "table",
        headerless: bool = False,
    ) -> Table:
        """Make a table of rows of cells.

        Parameters
        ----------
        rows : sequence of sequences of str
            Each as long as `names`. Cells of other types become text as a file has it, None "".
        names : sequence of str
            Unique.
        source, headerless
            As in `Table`.

        Returns
        -------
        Table

        Raises
        ------
        TypeError, ValueError
            If a name is no str or not unique, or a row is longer or shorter than `names`.
        """
        names = check_names("names", names, len(names))
        cells = np.empty((len(rows), len(names)), object)
        for i, row in enumerate(rows):
            if len(row) != len(names) or isinstance(row, str):
                raise ValueError(f"row {i} must hold {len(names)} cells, got {shown(row)}")
        if len(rows):
            cells[:] = rows
        return cls(dict(zip(names, cells.T.copy(), strict=True)), source, headerless)

    @classmethod
    def from_dataframe(
        cls, data: Any, source: str = "DataFrame", *, columns: Iterable[str] | None = None
    ) -> Table:
        """Make a table of a DataFrame; needs narwhals.

        Numbers stay numbers, and timedeltas become days. Anything else becomes text as a file has
        it: bools "True" and "False", dates and times ISO 8601. Columns of a categorical type hold
        categories, whatever these look like.

        Parameters
        ----------
        data : DataFrame
            Of pandas, polars, pyarrow or another library that narwhals knows, or with an
            Arrow stream. The index is ignored. Names that are no strings become strings.
        source : str
        columns : iterable of str, optional
            The columns to take; all if left out.

        Returns
        -------
        Table

        Raises
        ------
        ImportError
            If narwhals is not installed.
        TypeError
            If it is no DataFrame, is lazy, or has columns of lists, structs or bytes.
        ValueError
            If it has no rows, two columns of one name, or lacks some of `columns`.

        Examples
        --------
        >>> import pandas as pd
        >>> import synaprune as sn
        >>> frame = pd.DataFrame({"size": [2.5, None], "ripe": [True, False]})
        >>> table = sn.Table.from_dataframe(frame)
        >>> table.columns["size"].tolist(), table.columns["ripe"].tolist()
        ([2.5, nan], ['True', 'False'])
        """
        frame = Frame.of(data, "data")
        names = frame.names if columns is None else list(columns)
        check_columns(names, frame.names, source)
        if not len(frame):
            raise ValueError(f"{source}: no rows")
        made, odd = {}, []
        for name in names:
            values = frame.array(name)
            if _is_nested(values):
                odd.append(f"{name!r} ({frame.type_of(name)})")
            else:
                made[name] = column_of(values)
        if odd:
            raise TypeError(
                f"{source}: each cell must hold a number, a text, a bool or a date, got columns "
                f"{', '.join(odd)}; leave them out, or take them apart"
            )
        return cls(made, source, categories=frozenset(filter(frame.is_category, names)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def take(self, rows: NDArray[Any]) -> Table:
        """Return some of the rows.

        Parameters
        ----------
        rows : ndarray of int or bool
            Positions, or a mask.

        Returns
        -------
        Table
        """
        return self._with(columns={name: c[rows] for name, c in self.columns.items()})

    def noting(self, *notes: str) -> Table:
        """Return the table with more notes.

        Parameters
        ----------
        *notes : str

        Returns
        -------
        Table
        """
        return self._with(notes=(*self.notes, *notes))

    def without(self, names: Iterable[str]) -> Table:
        """Return the table without some columns.

        Parameters
        ----------
        names : iterable of str

        Returns
        -------
        Table

        Raises
        ------
        ValueError
            If it lacks one of them.
        """
        gone = set(self.check_names(names, "drop"))
        return self._with(columns={n: c for n, c in self.columns.items() if n not in gone})

    def check_names(self, names: Iterable[str], what: str) -> list[str]:
        """Return names as a list, or raise a ValueError that names all that are no column.

        Parameters
        ----------
        names : iterable of str
        what : str
            What the message calls them.

        Returns
        -------
        list of str
        """
        asked = [names] if isinstance(names, str) else list(names)
        missing = [name for name in asked if name not in self.columns]
        if missing:
            raise ValueError(
                f"{what}: {self.source} has no column {listing(missing)}; it has "
                f"{listing(self.names)}"
            )
        return asked

    def __repr__(self) -> str:
        return f"Table({self.source!r}: {len(self)} rows; {listing(self.names)})"


def as_table(data: Any, columns: Iterable[str] | None = None) -> Table:
    """Return a table as it is, and some or all columns of a DataFrame as one."""
    if isinstance(data, Table):
        return data
    if not is_frame(data):
        raise TypeError(f"table must be a Table or DataFrame, got {type(data).__name__}")
    return Table.from_dataframe(data, columns=columns)


def column_of(values: NDArray[Any]) -> Column:
    """Return an array of any type, masked or not, as a column of a table."""
    gaps, plain = np.ma.getmaskarray(values), np.ma.getdata(values)
    if plain.dtype.kind == "m":
        plain = plain / np.timedelta64(1, "D")
    exact = plain.dtype.kind not in "iu" or not len(plain) or abs(plain).max() <= 2**53
    if plain.dtype.kind in "fiu" and exact:
        column = plain.astype(np.float64)
        column[gaps] = np.nan
        return column
    if plain.dtype.kind == "M":
        plain = np.datetime_as_string(plain, unit="auto")
    cells = zip(plain.tolist(), gaps.tolist(), strict=True)
    return np.array(["" if gap else cell_of(value) for value, gap in cells], object)


def _is_column(values: NDArray[Any]) -> bool:
    if np.ma.isMaskedArray(values):
        return False
    return values.dtype == np.float64 or (values.dtype == object and {*map(type, values)} <= {str})


def _is_nested(values: NDArray[Any]) -> bool:
    known = np.ma.MaskedArray(values).compressed()
    if known.dtype.kind != "O":
        return known.dtype.kind not in "biufMm"
    return any(hasattr(value, "__len__") and not isinstance(value, str) for value in known)
