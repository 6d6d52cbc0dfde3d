"""Checks and conversions of the arrays that users hand in. Nothing is ever written to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from numbers import Real
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.checks import shown
from synaprune.distributed import AllRows
from synaprune.frames import Frame, is_frame

Inputs: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
Labels: TypeAlias = NDArray[Any]
T = TypeVar("T")
_LARGEST_NUMBER = 1e150  # whose square is finite
_SMALL = 2**24  # bytes that one thread looks at as soon; other threads may be training meanwhile
LABELS = "ints, bools, strings or whole floats"


def as_inputs(
    X: Any,
    n_features: int | None = None,
    name: str = "X",
    *,
    names: Sequence[str] | None = None,
    needed: Collection[int] | None = None,
) -> Inputs:
    """Return samples as a C-ordered float32 or uint8 array, uncopied if they are one already.

    Parameters
    ----------
    X : array_like or DataFrame, shape (n, n_features)
        Numbers: float32 and uint8 are taken as they are; other floats, ints and bools become
        float32.
    n_features : int, optional
        The number of columns to insist on.
    name : str
        What errors call the argument.
    names, needed
        Which columns of a DataFrame, as in `Frame.numbers`.

    Returns
    -------
    ndarray of float32 or uint8, shape (n, n_features)

    Raises
    ------
    TypeError
        If X does not hold numbers.
    ValueError
        If X is empty, has another shape, lacks columns, or holds NaN, infinity or masked values.
    """
    columns: Sequence[str] | None = None
    if is_frame(X):
        frame = Frame.of(X, name)
        columns = names if names is not None and frame.named else frame.names
        X = frame.numbers(name, names, needed)
    if type(X).__module__.partition(".")[0] == "scipy":
        raise TypeError(f"{name} must be a dense array, got {type(X).__name__}; use its .toarray()")
    try:
        raw = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from None
    refuse_masked(X, name)
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
    threads = 1 if converted.nbytes <= _SMALL else _core.default_threads()
    if not _core.all_finite(converted, threads):
        row, column = np.argwhere(~np.isfinite(converted))[0]
        where = column if columns is None else repr(columns[column])
        raise ValueError(
            f"{name} must be finite in float32, got {raw[row, column]} in row {row}, column {where}"
        )
    return converted


def is_direct(X: Any) -> bool:
    """Whether the core reads X where it lies: an array of float32 or uint8 in C order."""
    return (
        isinstance(X, np.ndarray)
        and X.ndim == 2
        and X.dtype in (np.float32, np.uint8)
        and X.flags.c_contiguous
        and X.flags.aligned
        and not hasattr(X, "mask")
    )


def finite(result: T | None) -> T:
    """Return the core's result; raise if it is None, since X then holds NaN or infinity."""
    if result is None:
        raise ValueError("X contains NaN or infinity; it was modified after it was checked")
    return result


def refuse_masked(values: Any, name: str) -> None:
    """Raise a ValueError if something in a masked array is masked."""
    if isinstance(values, np.ndarray) and hasattr(values, "mask"):
        masked = np.argwhere(np.ma.getmaskarray(values))
        if len(masked):
            raise ValueError(
                f"{name} must have no masked values, got {len(masked)}, the first at "
                f"{shown(tuple(masked[0].tolist()))}"
            )


def as_labels(y: Any, n: int, name: str = "y") -> Labels:
    """Return labels as a one-dimensional array of ints, bools or strings.

    Parameters
    ----------
    y : array_like, shape (n,)
        Ints, bools, strings or floats that are whole, which become ints; in an object array all of
        one kind.
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
        If the labels are of another kind, or of several.
    ValueError
        If the shape is another, a label is missing, or a float is not whole.
    """
    answers = as_answers(y, n, name)
    return _whole(answers, name) if answers.dtype.kind == "f" else answers


def as_answers(y: Any, n: int, name: str = "y") -> NDArray[Any]:
    """Return labels as `as_labels` does, but leave floats as they are.

    Parameters
    ----------
    y, n, name
        As in `as_labels`.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError, ValueError
        As `as_labels`, but for floats that are not whole.
    """
    try:
        raw = np.asarray(y)
    except ValueError as error:
        raise ValueError(f"{name} must be one label a sample: {error}") from None
    refuse_masked(y, name)
    if raw.dtype.kind in "OT":
        raw = _of_objects(raw.astype(object), name)
    if raw.dtype.kind not in "iubUf":
        raise TypeError(f"{name} must hold {LABELS}, got dtype {_short(raw.dtype)}")
    if raw.ndim != 1:
        hint = "; flatten it with np.ravel(y)" if raw.ndim == 2 and 1 in raw.shape else ""
        raise ValueError(f"{name} must have shape (samples,), got {raw.shape}{hint}")
    if len(raw) != n:
        raise ValueError(f"{name} must have one label a sample, {n}, got {len(raw)}")
    return raw


def _of_objects(raw: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels in a dtype of their own, if they are all strings, all bools or all numbers."""
    kinds = {_kind(label) for label in raw.flat}
    if kinds <= {str}:
        return raw.astype(np.str_)
    if kinds == {bool}:
        return raw.astype(bool)
    if kinds == {Real}:
        return np.array(raw.tolist())  # still objects if an int is too large
    if None in kinds and raw.ndim == 1:
        row = next(i for i, label in enumerate(raw) if _kind(label) is None)
        raise ValueError(f"{name} must hold a label in each row, got {raw[row]} in row {row}")
    return raw


def _kind(label: object) -> type | None:
    """Return str, bool or Real; None if the label is missing; its type if it is no label."""
    if label is None or type(label).__name__ in ("NAType", "NaTType"):  # of pandas
        return None
    if isinstance(label, float) and label != label:
        return None
    for kind, types in ((str, str), (bool, bool | np.bool_), (Real, Real)):
        if isinstance(label, types):
            return kind
    return type(label)


def _whole(labels: NDArray[Any], name: str) -> NDArray[np.int64]:
    labels = labels.astype(np.float64)
    wrong = ~((labels == np.rint(labels)) & (abs(labels) < 2.0**63))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{name} must hold {LABELS}, got {labels[row]} in row {row}; numbers are predicted by "
            "a SparseMLP with loss='squared_error', and by a search with metric='r2'"
        )
    return labels.astype(np.int64)


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
        If the shape is another, or a number is not finite or larger than 1e150.
    """
    try:
        raw = np.asarray(y)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from None
    refuse_masked(y, name)
    too_large = f"{name} must hold numbers of at most {_LARGEST_NUMBER:g} in size"
    if raw.dtype.kind == "O" and {_kind(number) for number in raw.flat} == {Real}:
        try:
            raw = raw.astype(np.float64)
        except OverflowError:  # of an int or a fraction
            raise ValueError(too_large) from None
    if raw.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {_short(raw.dtype)}")
    if raw.shape != (n, n_outputs) and not (raw.shape == (n,) and n_outputs == 1):
        wanted = f"({n},) or ({n}, 1)" if n_outputs == 1 else f"({n}, {n_outputs})"
        raise ValueError(f"{name} must have shape {wanted}, got {raw.shape}")
    numbers: NDArray[np.float64] = raw.astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.argwhere(~np.isfinite(numbers))[0][0])
        raise ValueError(f"{name} must be finite, got {numbers[row].tolist()} in row {row}")
    if np.abs(numbers).max() > _LARGEST_NUMBER:
        raise ValueError(too_large)
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
    refuse_masked(y, name)
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


def as_weights(
    weights: Any, n: int, name: str = "sample_weight", *, all_here: bool = True
) -> NDArray[np.float64]:
    """Return weights of samples as float64.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Finite numbers, none below 0, not all 0.
    n : int
        The number of samples they belong to.
    name : str
        What errors call the argument.
    all_here : bool
        Whether there are no others: some may all be 0, and `of_mean_one` sees to the sum of all.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        If they are not like that.
    """
    refuse_masked(weights, name)
    try:
        w = np.asarray(weights, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"{name} must hold a number for each sample, got {shown(weights)}"
        ) from None
    if w.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one number a sample, got {w.shape}")
    wrong = w[~(np.isfinite(w) & (w >= 0.0))]
    if len(wrong) or (all_here and not w.any()):
        got = f"got {wrong[0]}" if len(wrong) else "all are 0"
        raise ValueError(f"{name} must hold finite numbers of at least 0, not all of them 0; {got}")
    if all_here:
        _check_total(float(w.sum()), name)
    return w


def of_mean_one(
    weights: NDArray[np.float64], rows: AllRows, name: str = "sample_weight"
) -> NDArray[np.float32]:
    """Return weights divided by the mean of those of all rows.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,)
        As `as_weights` returns them.
    rows : AllRows
        Of which data set they are the rows.
    name : str
        What errors call them.

    Returns
    -------
    ndarray of float32, shape (n,)

    Raises
    ------
    ValueError
        If all are 0, or their sum is beyond reason.
    """
    total = rows.sum(lambda some: weights[some].sum())
    _check_total(float(total), name)
    mean_one: NDArray[np.float32] = (weights * (rows.n / total)).astype(np.float32)
    return mean_one


def _check_total(total: float, name: str) -> None:
    """Raise a ValueError naming weights unless their sum is one to divide by."""
    if not 1e-150 < total < 1e150:
        raise ValueError(f"{name} must have a sum from 1e-150 to 1e150, got {total:g}")
