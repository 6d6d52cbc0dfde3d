"""Checks of single arguments; errors name the argument, what was expected and what came."""

from __future__ import annotations

import math
import numbers
import operator
import reprlib
from collections.abc import Collection, Iterable
from typing import SupportsIndex


class _Short(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        """Return the digits, unless there are more than Python is willing to print."""
        return repr(x) if x.bit_length() < 128 else f"an int of {x.bit_length()} bits"


_FLOAT32_TINY = 2.0**-126  # the smallest number that is not denormal
_SHORT = _Short()
_SHORT.maxtuple = _SHORT.maxlist = 10
_SHORT.maxdict = _SHORT.maxset = 4
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: object) -> str:
    """Return `repr(value)` for an error text, with the middle left out where it is long."""
    return _SHORT.repr(value)


def shown_structure(structure: str) -> str:
    """Return a structure such as "465-20-10", with the middle left out where it is long."""
    sizes = structure.split("-")
    if len(sizes) <= 12:
        return structure
    return "-".join([*sizes[:4], "…", *sizes[-4:]]) + f" ({len(sizes)} levels)"


def listing(names: Iterable[object], limit: int = 20) -> str:
    """Join names for a message, only the first ones of many."""
    shown = [str(name) if len(str(name)) <= 60 else f"{str(name)[:59]}…" for name in names]
    text = ", ".join(map(repr, shown[:limit]))
    return text if len(shown) <= limit else f"{text}, … ({len(shown)} in all)"


def check_columns(wanted: Iterable[str], present: Collection[str], source: str) -> None:
    """Raise a ValueError that names all columns which are not present."""
    missing = [name for name in wanted if name not in present]
    if missing:
        raise ValueError(f"{source}: no column {listing(missing)}; it has {listing(present)}")


def check_int(name: str, value: object, low: int, high: int = 2**31 - 64) -> int:
    """Return ``value`` as an int within [low, high], or raise naming the argument."""
    if type(value) is int:  # first, since asking for a protocol takes a microsecond
        number = value
    elif isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    else:
        number = operator.index(value)
    if not low <= number <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {shown(number)}")
    return number


def check_float(
    name: str, value: object, low: float, high: float = math.inf, *, open_low: bool = False
) -> float:
    """Return ``value`` as a finite float within [low, high], or raise naming the argument.

    Numbers that must be above 0 are so in float32, too, in which the core computes.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:  # of an int or a fraction
        number = math.inf
    if open_low:
        inside = low < number <= high and (low != 0.0 or number >= _FLOAT32_TINY)
    else:
        inside = low <= number <= high
    if not (inside and math.isfinite(number)):
        bracket = "(" if open_low else "["
        raise ValueError(f"{name} must be finite and in {bracket}{low}, {high}], got {number}")
    return number


def check_choice(name: str, value: object, known: Collection[str]) -> str:
    """Return ``value`` if it is one of the known names, or raise naming the argument."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")
    return value


def check_type(name: str, value: object, *kinds: type) -> None:
    """Raise a TypeError naming the argument unless it is of one of these types."""
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        article = "an" if wanted[0] in "AEIOUaeiou" else "a"
        raise TypeError(f"{name} must be {article} {wanted}, got {shown(value)}")


def check_callable(name: str, value: object) -> None:
    """Raise naming the argument unless it is None or can be called."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a callable, got {shown(value)}")


def check_bool(name: str, value: object) -> bool:
    """Return ``value`` if it is a bool, or raise naming the argument."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return value


def check_image_shape(shape: object, n_features: int) -> tuple[int, int]:
    """Return (rows, columns), or raise unless they make up the inputs."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise TypeError(f"image_shape must be a pair (rows, columns), got {shown(shape)}")
    rows, columns = (check_int("each of image_shape", n, 1) for n in shape)
    if rows * columns != n_features:
        raise ValueError(
            f"image_shape must have {n_features} pixels, as many as the network has inputs; "
            f"got {rows} x {columns} = {rows * columns}"
        )
    return rows, columns


def check_names(argument: str, names: Iterable[str], n_features: int) -> tuple[str, ...]:
    """Return names of inputs, or raise unless they are strings, unique, and one per feature."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"{argument} must be a sequence of strings or None, got {shown(names)}")
    checked = tuple(names)
    for name in checked:
        if not isinstance(name, str):
            raise TypeError(f"{argument} must hold strings, got {shown(name)}")
    if len(checked) != n_features:
        raise ValueError(f"{argument} must hold {n_features} names, got {len(checked)}")
    seen: set[str] = set()
    for name in checked:
        if name in seen:
            raise ValueError(f"{argument} must be unique, got {shown(name)} twice")
        seen.add(name)
    return checked
