"""`InputTransform`: how a network shifts and scales its inputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs
from synaprune.checks import shown

INPUT_SCALINGS = ("auto", "center", "standard", "none")


class InputTransform(NamedTuple):
    """What a network makes of its inputs: (x - shift)·scale.

    Attributes
    ----------
    shift, scale : ndarray of float32, shape (n_features,)
    """

    shift: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def given(cls, pair: object, n_features: int) -> InputTransform:
        """Return a pair (shift, scale) that a user gave, as copied arrays.

        Parameters
        ----------
        pair : (array_like, array_like)
            Each a number, or one number per feature.
        n_features : int

        Raises
        ------
        TypeError, ValueError
            If it is no pair, or a shape does not fit.
        """
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(
                f"input_scaling must be a name or a pair (shift, scale), got {shown(pair)}"
            )
        return cls(_full("shift", pair[0], n_features), _full("scale", pair[1], n_features))

    @classmethod
    def fitted(cls, inputs: Inputs, scaling: str) -> InputTransform:
        """Return the transform of a named input scaling, fitted to the first training data.

        Parameters
        ----------
        inputs : ndarray of float32 or uint8, shape (n, n_features)
        scaling : {"auto", "center", "standard", "none"}

        Raises
        ------
        ValueError
            If the spread of an input is too small for "standard".
        """
        n = inputs.shape[1]
        if scaling == "none":
            return cls.given((0.0, 1.0), n)
        if scaling == "auto":
            return cls.given((0.0, _unit(inputs)), n)
        mean = inputs.mean(axis=0, dtype=np.float64)
        if scaling == "center":
            return cls.given((mean, _unit(inputs)), n)
        spread = _spread(inputs, mean)
        constant = spread <= 1e-7 * np.abs(mean)  # to float32's rounding
        with np.errstate(over="ignore"):
            scale = (1.0 / np.where(constant, 1.0, spread)).astype(np.float32)
        if not np.isfinite(scale).all():
            raise ValueError(
                "X has an input whose spread is too small for input_scaling='standard'"
            )
        return cls.given((mean, scale), n)

    def apply(self, inputs: Inputs) -> NDArray[np.float64]:
        """Return the scaled inputs, as the first layer sees them.

        Parameters
        ----------
        inputs : ndarray of float32 or uint8, shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_features)
        """
        scaled: NDArray[np.float64] = ((inputs - self.shift) * self.scale).astype(np.float64)
        return scaled


def _unit(inputs: Inputs) -> np.float32:
    """Return the scale that brings pixels to [0, 1] and leaves other numbers alone."""
    return np.float32(1.0) / np.float32(255.0 if inputs.dtype == np.uint8 else 1.0)


def _full(name: str, given: Any, n: int) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # infinity is refused by the core, by name
            return np.broadcast_to(np.asarray(given, np.float32), (n,)).copy()
    except (TypeError, ValueError):
        raise ValueError(
            f"input_scaling must have a {name} of one number or {n}, "
            f"got shape {np.shape(given)}: {shown(given)}"
        ) from None


def _spread(inputs: Inputs, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of each input, from a few rows at a time."""
    rows = 1 + 2**20 // inputs.shape[1]
    total = np.zeros(inputs.shape[1])
    for first in range(0, len(inputs), rows):
        total += np.square(inputs[first : first + rows] - mean).sum(axis=0)
    spread: NDArray[np.float64] = np.sqrt(total / len(inputs))
    return spread
