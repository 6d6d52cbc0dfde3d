"""What a network may be asked to be, and what its labels and inputs ask of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from synaprune.arrays import Inputs, Labels

ACTIVATIONS = ("relu", "sigmoid", "tanh")
LOSSES = ("auto", "softmax", "sigmoid", "squared")
INPUT_SCALINGS = ("auto", "standard", "none")


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def resolve_loss(loss: str, outputs: int) -> str:
    one_of("loss", loss, LOSSES)
    if loss == "auto":
        return "sigmoid" if outputs == 1 else "softmax"
    if loss == "sigmoid" and outputs != 1:
        raise ValueError(f"loss 'sigmoid' needs one output, got {outputs}; use 'softmax'")
    if loss == "softmax" and outputs == 1:
        raise ValueError("loss 'softmax' needs one output a class, got one output; use 'sigmoid'")
    return loss


def transform_for(inputs: Inputs, scaling: str) -> tuple[ArrayLike, ArrayLike]:
    """(shift, scale) of a named input scaling, from the first training data."""
    if scaling == "auto" and inputs.dtype == np.uint8:
        return 0.0, np.float32(1.0) / np.float32(255.0)
    if scaling != "standard":
        return 0.0, 1.0
    mean = inputs.mean(axis=0, dtype=np.float64)
    spread = inputs.std(axis=0, dtype=np.float64)
    constant = spread <= 1e-7 * np.abs(mean)  # to float32's rounding
    return mean, 1.0 / np.where(constant, 1.0, spread)


def brief(classes: Labels) -> str:
    shown = classes.tolist()
    return str(shown) if len(shown) <= 10 else f"{str(shown[:10])[:-1]}, … {len(shown)} in all]"


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
