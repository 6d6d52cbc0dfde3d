"""NPZ tables: arrays `X` (n, d), the labels (n,) and optionally `input_names` (d,)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import listing
from synaprune.tables import is_amount
from synaprune.unpacking import npy_array, zip_members

from ._files import reading


def read_npz(
    path: Path, label: str | None, as_numbers: bool | None = None
) -> tuple[NDArray[Any], tuple[str, ...] | None, NDArray[Any] | None]:
    """Read a table of numbers.

    Parameters
    ----------
    path : Path
        An archive of `numpy.savez`; pickled objects are refused.
    label : str or None
        Name of the array of labels, or None to read no labels.
    as_numbers : bool, optional
        Whether these are numbers to predict; if left out, amounts are.

    Returns
    -------
    X : ndarray of uint8 or float32, shape (n, d)
    names : tuple of str, or None
        Names of the d input columns, if the file has them.
    y : ndarray of int64 or str, or of float64 for numbers to predict, shape (n,); or None
    """
    arrays = _arrays(path, ["X"] if label is None else ["X", label])
    names = _names(arrays["input_names"], path) if "input_names" in arrays else None
    X = _inputs(arrays["X"], names, path)
    return (
        X,
        names,
        None if label is None else _labels(arrays[label], label, len(X), path, as_numbers),
    )


def numbered(n: int) -> tuple[str, ...]:
    """Return the names ``x1 … xn`` of unnamed columns."""
    return tuple(f"x{number}" for number in range(1, n + 1))


def _arrays(path: Path, needed: list[str]) -> dict[str, NDArray[Any]]:
    with reading(path), path.open("rb") as file:
        wanted = [f"{name}.npy" for name in (*needed, "input_names")]
        try:
            members = zip_members(file, wanted)
            arrays = {n.removesuffix(".npy"): npy_array(members[n]) for n in wanted if n in members}
        except ValueError as error:
            raise ValueError(f"{path}: not a readable NPZ archive ({error})") from None
    missing = [name for name in needed if name not in arrays]
    if missing:
        present = [name.removesuffix(".npy") for name in members]
        raise ValueError(f"{path}: no array {listing(missing)}; it has {listing(present)}")
    return arrays


def _check_names(names: Sequence[str], source: object) -> None:
    """Raise ValueError naming `source` if a name is empty or occurs twice."""
    if not names:
        raise ValueError(f"{source}: expected column names, got none")
    if "" in names:
        raise ValueError(f"{source}: column {names.index('') + 1} has no name")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{source}: two columns are named {twice!r}")


def _check_finite(X: NDArray[Any], names: Sequence[str], place: Callable[[int], str]) -> None:
    """Raise ValueError for the first NaN or infinity; ``place(row)`` describes the row."""
    finite = np.isfinite(X)
    if not finite.all():
        row, column = divmod(int(finite.argmin()), X.shape[1])
        raise ValueError(
            f"{place(row)}, column {names[column]!r}: expected a finite number (float32), "
            f"got {X[row, column]}"
        )


def _names(names: NDArray[Any], path: Path) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(
            f"{path}: input_names: expected one row of strings, got {names.dtype} {names.shape}"
        )
    _check_names(names.tolist(), path)
    return tuple(names.tolist())


def _inputs(X: NDArray[Any], names: tuple[str, ...] | None, path: Path) -> NDArray[Any]:
    if X.ndim != 2 or X.dtype.kind not in "fiub" or 0 in X.shape:
        raise ValueError(
            f"{path}: X: expected numbers of shape (n, d), n and d at least 1, "
            f"got {X.dtype} {X.shape}"
        )
    if names is not None and len(names) != X.shape[1]:
        raise ValueError(f"{path}: {len(names)} input_names for {X.shape[1]} columns of X")
    if X.dtype == np.uint8:
        return np.ascontiguousarray(X)
    with np.errstate(over="ignore"):  # becomes inf, and then an error
        X = X.astype(np.float32, order="C")
    _check_finite(X, names or numbered(X.shape[1]), lambda row: f"{path}, row {row} of X")
    return X


def _labels(
    y: NDArray[Any], name: str, n: int, path: Path, as_numbers: bool | None
) -> NDArray[Any]:
    if y.shape != (n,):
        raise ValueError(f"{path}: {name}: expected shape ({n},), as X has {n} rows, got {y.shape}")
    if y.dtype.kind == "U":
        return y.astype(np.str_)
    if as_numbers is None:
        as_numbers = is_amount(y)
    if as_numbers:
        if y.dtype.kind not in "iubf":
            raise ValueError(f"{path}: {name}: expected numbers, got {y.dtype}")
        if not np.isfinite(y).all():
            raise ValueError(f"{path}: {name}: expected finite numbers")
        return y.astype(np.float64)
    if y.dtype.kind not in "iubf" or (y.astype(np.int64) != y).any():
        raise ValueError(f"{path}: {name}: expected int64 or string labels, got {y.dtype}")
    return y.astype(np.int64)
