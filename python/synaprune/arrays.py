"""Checks and conversions of the arrays that users hand in. Nothing is ever written to."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.checks import shown

Inputs: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
Labels: TypeAlias = NDArray[Any]
T = TypeVar("T")


def as_inputs(X: Any, n_features: int | None = None, name: str = "X") -> Inputs:
    """Return samples as a C-ordered float32 or uint8 array, uncopied if they are one already.

    Parameters
    ----------
    X : array_like, shape (n, n_features)
        Numbers: float32 and uint8 are taken as they are; other floats, ints and bools become
        float32.
    n_features : int, optional
        The number of columns to insist on.
    name : str
        What errors call the argument.

    Returns
    -------
    ndarray of float32 or uint8, shape (n, n_features)

    Raises
    ------
    TypeError
        If X does not hold numbers.
    ValueError
        If X is empty, has another shape, or holds NaN or infinity.
    """
    if type(X).__module__.partition(".")[0] == "scipy":
        raise TypeError(f"{name} must be a dense array, got {type(X).__name__}; use its .toarray()")
    try:
        raw = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from None
    if raw.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold floats, ints or bools, got dtype {_short(raw.dtype)}")
    if raw.ndim != 2:
        hint = "; a single sample is X.reshape(1, -1)" if raw.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (samples, inputs), got {raw.shape}{hint}")
    if raw.shape[0] == 0 or raw.shape[1] == 0:
        raise ValueError(f"{name} must hold at least one sample and one input, got {raw.shape}")
    if n_features is not None and raw.shape[1] != n_features:
        raise ValueError(f"{name} must have {n_features} columns, got {raw.shape[1]}")
    if raw.dtype == np.uint8:
        return np.require(raw, requirements=["C", "ALIGNED"])
    with np.errstate(over="ignore"):  # an overflow is infinite, and named below
        converted: NDArray[np.float32] = np.require(raw, np.float32, ["C", "ALIGNED"])
    if not _core.all_finite(converted, _core.default_threads()):
        row, column = np.argwhere(~np.isfinite(converted))[0]
        raise ValueError(
            f"{name} must be finite in float32, got {raw[row, column]} in row {row}, "
            f"column {column}"
        )
    return converted


def finite(result: T | None) -> T:
    """Return the core's result; raise if it is None, since X then holds NaN or infinity."""
    if result is None:
        raise ValueError("X contains NaN or infinity; it was modified after it was checked")
    return result


def as_labels(y: Any, n: int, name: str = "y") -> Labels:
    """Return labels as a one-dimensional array of ints, bools or strings.

    Parameters
    ----------
    y : array_like, shape (n,)
        Ints, bools or strings; an object array must hold strings alone.
    n : int
        The number of samples they belong to.
    name : str
        What errors call the argument.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError
        If the labels are neither ints, bools nor strings.
    ValueError
        If the shape is another.
    """
    try:
        raw = np.asarray(y)
    except ValueError as error:
        raise ValueError(f"{name} must be one label a sample: {error}") from None
    if raw.dtype.kind == "O" and all(isinstance(label, str) for label in raw.flat):
        raw = raw.astype(np.str_)
    if raw.dtype.kind not in "iubU":
        raise TypeError(f"{name} must hold ints, bools or strings, got dtype {_short(raw.dtype)}")
    if raw.ndim != 1:
        hint = "; flatten it with y.ravel()" if raw.ndim == 2 and 1 in raw.shape else ""
        raise ValueError(f"{name} must have shape (samples,), got {raw.shape}{hint}")
    if len(raw) != n:
        raise ValueError(f"{name} must have one label a sample, {n}, got {len(raw)}")
    return raw


def as_numbers(y: Any, n: int, n_outputs: int, name: str = "y") -> NDArray[np.float64]:
    """Return numbers to predict as float64.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, n_outputs)
        Floats, ints or bools; one axis stands for one output.
    n : int
        The number of samples they belong to.
    n_outputs : int
        Outputs of the network.
    name : str
        What errors call the argument.

    Returns
    -------
    ndarray of float64, shape (n,) or (n, n_outputs)

    Raises
    ------
    TypeError
        If they are no numbers.
    ValueError
        If the shape is another, or a number is not finite.
    """
    try:
        raw = np.asarray(y)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from None
    if raw.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {_short(raw.dtype)}")
    if raw.shape != (n, n_outputs) and not (raw.shape == (n,) and n_outputs == 1):
        wanted = f"({n},) or ({n}, 1)" if n_outputs == 1 else f"({n}, {n_outputs})"
        raise ValueError(f"{name} must have shape {wanted}, got {raw.shape}")
    numbers: NDArray[np.float64] = raw.astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.argwhere(~np.isfinite(numbers))[0][0])
        raise ValueError(f"{name} must be finite, got {numbers[row].tolist()} in row {row}")
    return numbers


def _short(dtype: np.dtype[Any]) -> str:
    """Return a dtype for an error text: a structured one may have any number of fields."""
    return f"{dtype!s:.80}"


def is_soft(y: Any) -> bool:
    """Whether y is meant as probabilities of classes: floats in two axes."""
    try:
        array = np.asarray(y)
    except ValueError:  # ragged, which `as_labels` says
        return False
    return array.ndim == 2 and array.dtype.kind == "f"


def as_probabilities(y: Any, n: int, name: str = "y") -> NDArray[np.float32]:
    """Return soft targets as a C-ordered float32 array, uncopied if they are one already.

    Parameters
    ----------
    y : array_like of float, shape (n, n_classes)
        Rows of probabilities.
    n : int
        The number of samples they belong to.
    name : str
        What errors call the argument.

    Returns
    -------
    ndarray of float32, shape (n, n_classes)

    Raises
    ------
    ValueError
        If there are not n rows, or a row does not hold probabilities that sum to 1 (to 0.001).
    """
    with np.errstate(over="ignore"):  # an overflow is infinite, and no probability
        soft: NDArray[np.float32] = np.require(y, np.float32, ["C", "ALIGNED"])
    if len(soft) != n:
        raise ValueError(f"{name} must have one row a sample, {n}, got {len(soft)}")
    wrong = ~((soft >= 0.0).all(axis=1) & (abs(soft.sum(axis=1) - 1.0) <= 1e-3))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{name} must hold probabilities, each row of sum 1, got {shown(soft[row].tolist())} "
            f"in row {row}"
        )
    return soft


def as_weights(weights: Any, n: int, name: str = "sample_weight") -> NDArray[np.float64]:
    """Return weights of samples as float64.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Finite numbers, none below 0, not all 0.
    n : int
        The number of samples they belong to.
    name : str
        What errors call the argument.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        If they are not like that.
    """
    w = np.asarray(weights, np.float64)
    if w.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one number a sample, got {w.shape}")
    if not (np.isfinite(w).all() and (w >= 0.0).all() and w.any()):
        raise ValueError(f"{name} must hold finite numbers of at least 0, not all of them 0")
    return w
