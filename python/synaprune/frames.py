"""DataFrames of any library, column by column, through narwhals, which is imported on use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import listing
from synaprune.extras import require


def is_frame(X: object) -> bool:
    """Whether it is a DataFrame, or a table of the Arrow protocol; imports nothing."""
    kind = type(X)
    return (
        isinstance(X, Frame)
        or hasattr(kind, "columns")
        or (hasattr(kind, "__arrow_c_stream__") and not hasattr(kind, "__array__"))
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """The columns of a DataFrame; each is converted when it is asked for.

    Attributes
    ----------
    columns : mapping of str to narwhals Series
    named : bool
        Whether there are names: column numbers alone are none, as in scikit-learn.
    """

    columns: Mapping[str, Any]
    named: bool

    @classmethod
    def of(cls, X: Any, name: str = "X") -> Frame:
        """Open a DataFrame; names that are no strings become strings.

        Parameters
        ----------
        X : DataFrame or Frame
            What `is_frame` accepts.
        name : str
            What errors call it.

        Returns
        -------
        Frame

        Raises
        ------
        ImportError
            If narwhals is not installed.
        TypeError
            If it is lazy, or narwhals cannot read it.
        ValueError
            If two columns have the same name.
        """
        if isinstance(X, Frame):
            return X
        nw = require("narwhals.stable.v2", "tables")
        try:
            frame = nw.from_native(X, pass_through=True) if is_frame(X) else None
        except require("narwhals.exceptions", "tables").DuplicateError:
            _check_unique(map(str, X.columns), name)
            raise
        if frame is not None and not isinstance(frame, nw.DataFrame):
            if hasattr(X, "__arrow_c_stream__"):
                frame = nw.from_arrow(X, backend="pyarrow")
            elif isinstance(frame, nw.LazyFrame):
                call = "collect" if hasattr(X, "collect") else "compute"
                raise TypeError(f"{name} is a lazy {type(X).__name__}; pass {name}.{call}()")
        if not isinstance(frame, nw.DataFrame):
            raise TypeError(f"{name} must be a DataFrame, got {type(X).__name__}")
        names = [str(column) for column in frame.columns]
        _check_unique(names, name)
        named = any(isinstance(column, str) for column in frame.columns)
        return cls(dict(zip(names, frame.iter_columns(), strict=True)), named)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def type_of(self, column: str) -> str:
        """Name of a column's type, for messages."""
        return type(self.columns[column].dtype).__name__

    def is_category(self, column: str) -> bool:
        """Whether a column's type says that it holds categories, whatever they look like."""
        nw = require("narwhals.stable.v2", "tables")
        return isinstance(self.columns[column].dtype, nw.Categorical | nw.Enum)

    def array(self, column: str) -> np.ma.MaskedArray[Any, Any]:
        """Return a column, masked where a value is missing.

        Parameters
        ----------
        column : str

        Returns
        -------
        masked array, shape (n,)
            Of bools, numbers, datetime64 (UTC) or timedelta64 if the column's type says so, else of
            objects.
        """
        nw = require("narwhals.stable.v2", "tables")
        series = self.columns[column]
        gaps = np.asarray(series.is_null().to_numpy(), bool)
        known = series.drop_nulls() if gaps.any() else series
        kind = series.dtype
        typed = isinstance(kind, nw.Boolean | nw.Datetime | nw.Duration | nw.Unknown)
        if typed or kind.is_numeric():
            present = known.to_numpy()
        else:
            present = np.fromiter(known.to_list(), object, len(known))
        if kind.is_decimal():
            present = present.astype(np.float64)
        values = present
        if len(present) < len(gaps):
            values = np.zeros(len(gaps), present.dtype)
            values[~gaps] = present
        return np.ma.MaskedArray(values, gaps)

    def numbers(
        self,
        name: str = "X",
        names: Sequence[str] | None = None,
        needed: Collection[int] | None = None,
    ) -> NDArray[np.float32] | NDArray[np.uint8]:
        """Return columns of numbers and bools side by side, NaN where a value is missing.

        Parameters
        ----------
        name : str
            What errors call the DataFrame.
        names : sequence of str, optional
            The columns to return, in this order; others are ignored. All columns as they stand if
            left out, or if the DataFrame has no names.
        needed : collection of int, optional
            Positions of the columns among `names` that have to be there; the others are 0.

        Returns
        -------
        ndarray, shape (n, n_columns)
            uint8 if all columns are, else float32.

        Raises
        ------
        TypeError
            If columns hold anything else; the message names them.
        ValueError
            If columns are missing; the message names them, and those of an unknown name.
        """
        wanted, width = dict(enumerate(self.names)), len(self.names)
        if names is not None and self.named:
            width = len(names)
            wanted = {i: names[i] for i in (range(width) if needed is None else needed)}
            self._check_names(name, wanted.values(), names)
        arrays = {i: self.array(column) for i, column in wanted.items()}
        odd = [
            f"{wanted[i]!r} ({self.type_of(wanted[i])})"
            for i, values in arrays.items()
            if values.dtype.kind not in "biuf"
        ]
        if odd:
            more = f", … ({len(odd)} in all)" if len(odd) > 10 else ""
            raise TypeError(
                f"{name} must hold numbers and bools, got columns {', '.join(odd[:10])}{more}; "
                "sn.smallest_network takes such columns, and sn.TableEncoder makes inputs of them"
            )
        pixels = all(a.dtype == np.uint8 and not a.mask.any() for a in arrays.values())
        X: NDArray[Any] = np.zeros((len(self), width), np.uint8 if pixels else np.float32)
        with np.errstate(over="ignore"):  # an overflow is infinite, and named by who checks it
            for i, values in arrays.items():
                X[:, i] = values.data
                if not pixels:
                    X[values.mask, i] = np.nan
        return X

    def _check_names(self, name: str, needed: Iterable[str], known: Collection[str]) -> None:
        missing = [column for column in needed if column not in self.columns]
        if missing:
            unknown = [column for column in self.columns if column not in known]
            others = f"; unknown to it: {listing(unknown)}" if unknown else ""
            raise ValueError(
                f"{name} has no column {listing(missing)}, which the network needs{others}"
            )


def _check_unique(names: Iterable[str], name: str) -> None:
    twice = [column for column, n in Counter(names).items() if n > 1]
    if twice:
        raise ValueError(f"{name} must have unique column names, got {listing(twice)} repeatedly")
