"""`Table`: named columns of equal length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import listing

Column = NDArray[Any]  # float64 with NaN for what is missing, or objects: str cells as they came


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Named columns of equal length.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        float64, NaN where a value is missing; or dtype object, with each cell as text.
    source : str
        What messages call the table, such as its file name.
    headerless : bool
        Whether the names were made up: "c0", "c1", … by position.
    notes : tuple of str
        What a user should know of how it was read.

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

    @classmethod
    def from_rows(
        cls, rows: Sequence[Sequence[str]], names: Sequence[str], source: str = "table"
    ) -> Table:
        """Make a table of rows of text cells.

        Parameters
        ----------
        rows : sequence of sequences of str
            Each as long as `names`.
        names : sequence of str
            Unique.
        source : str

        Returns
        -------
        Table
        """
        cells = np.empty((len(rows), len(names)), object)
        if rows:
            cells[:] = rows
        return cls(dict(zip(names, cells.T.copy(), strict=True)), source)

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
        return replace(self, columns={name: c[rows] for name, c in self.columns.items()})

    def noting(self, *notes: str) -> Table:
        """Return the table with more notes.

        Parameters
        ----------
        *notes : str

        Returns
        -------
        Table
        """
        return replace(self, notes=(*self.notes, *notes))

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
        return replace(self, columns={n: c for n, c in self.columns.items() if n not in gone})

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
