"""What a network may be asked to be, and what its labels and inputs ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synaprune.arrays import Inputs, Labels

Transform: TypeAlias = NDArray[np.float32]

ACTIVATIONS = ("relu", "sigmoid", "tanh")
LOSSES = ("auto", "softmax", "sigmoid", "squared")
INPUT_SCALINGS = ("auto", "center", "standard", "none")


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    """Return the value if it is one of the known names, or raise naming the argument."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def resolve_loss(loss: str, outputs: int) -> str:
    """Return the loss that a name means with so many outputs, or raise if they do not fit."""
    one_of("loss", loss, LOSSES)
    if loss == "auto":
        return "sigmoid" if outputs == 1 else "softmax"
    if loss == "sigmoid" and outputs != 1:
        raise ValueError(f"loss 'sigmoid' needs one output, got {outputs}; use 'softmax'")
    if loss == "softmax" and outputs == 1:
        raise ValueError("loss 'softmax' needs one output a class, got one output; use 'sigmoid'")
    return loss


def check_pair(scaling: object, n: int) -> tuple[Transform, Transform]:
    """Return a given (shift, scale) as two float32 arrays of shape (n,), copied; or raise."""
    if not isinstance(scaling, tuple | list) or len(scaling) != 2:
        raise TypeError(f"input_scaling must be a name or a pair (shift, scale), got {scaling!r}")
    full = []
    for name, given in zip(("shift", "scale"), scaling, strict=True):
        try:
            with np.errstate(over="ignore"):  # infinity is refused by the core, by name
                full.append(np.broadcast_to(np.asarray(given, np.float32), (n,)).copy())
        except (TypeError, ValueError):
            raise ValueError(
                f"input_scaling must have a {name} of one number or {n}, "
                f"got shape {np.shape(given)}: {given!r}"
            ) from None
    return full[0], full[1]


def transform_for(inputs: Inputs, scaling: str) -> tuple[ArrayLike, ArrayLike]:
    """(shift, scale) of a named input scaling, from the first training data."""
    if scaling in ("auto", "center"):
        shift = inputs.mean(axis=0, dtype=np.float64) if scaling == "center" else 0.0
        return shift, np.float32(1.0) / np.float32(255.0 if inputs.dtype == np.uint8 else 1.0)
    if scaling == "none":
        return 0.0, 1.0
    mean = inputs.mean(axis=0, dtype=np.float64)
    spread = _spread(inputs, mean)
    constant = spread <= 1e-7 * np.abs(mean)  # to float32's rounding
    with np.errstate(over="ignore"):
        scale = (1.0 / np.where(constant, 1.0, spread)).astype(np.float32)
    if not np.isfinite(scale).all():
        raise ValueError("X has an input whose spread is too small for input_scaling='standard'")
    return mean, scale


def _spread(inputs: Inputs, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of each input, from a few rows at a time."""
    rows = 1 + 2**20 // inputs.shape[1]
    total = np.zeros(inputs.shape[1])
    for first in range(0, len(inputs), rows):
        total += np.square(inputs[first : first + rows] - mean).sum(axis=0)
    spread: NDArray[np.float64] = np.sqrt(total / len(inputs))
    return spread


def brief(classes: Labels) -> str:
    """Return the labels as text, the first ten of many."""
    shown = classes.tolist()
    return str(shown) if len(shown) <= 10 else f"{str(shown[:10])[:-1]}, … {len(shown)} in all]"


def read_classes(labels: list[object], dtype: str, outputs: int) -> Labels:
    """Return the labels of a saved network, if they are what one can hold."""
    classes = np.array(labels, dtype)
    if classes.dtype.kind not in "iubU" or classes.tolist() != labels:
        raise ValueError(f"labels must be ints, bools or strings, got {labels}")
    if check_classes(np.unique(classes), outputs).tolist() != labels:
        raise ValueError(f"labels must be sorted, got {labels}")
    return classes


def check_classes(classes: Labels, outputs: int) -> Labels:
    """Return the classes if they fit the number of outputs, else raise a ValueError."""
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, got only {classes.tolist()}")
    if len(classes) != max(outputs, 2):
        wanted = "two classes" if outputs == 1 else f"{outputs} classes"
        raise ValueError(
            f"a network with {outputs} output{'s' * (outputs > 1)} needs {wanted}, "
            f"got {len(classes)}: {brief(classes)}"
        )
    return classes
