"""`Contract`: what a pruned network has to keep on the validation split."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from synaprune.stats import accuracy_lower_bound, drop_upper_bound

Right = NDArray[np.bool_]  # which validation samples a network gets right
_SLACK = 1e-9  # accuracies are ratios of small whole numbers


class Contract:
    """At least an accuracy, or at most a drop from that of the full network; or nothing.

    Parameters
    ----------
    min_accuracy, max_drop : float, optional
        One of them, or none for a contract that everything meets.
    confidence : float, optional
        With it, the exact lower bound of the accuracy has to be `min_accuracy`, or the upper bound
        of the paired drop at most `max_drop`, besides the figures themselves.
    metric : str
        What the accuracy is called in messages.
    """

    def __init__(
        self,
        *,
        min_accuracy: float | None = None,
        max_drop: float | None = None,
        confidence: float | None = None,
        metric: str = "accuracy",
    ) -> None:
        self.min_accuracy = min_accuracy
        self.max_drop = max_drop
        self.confidence = confidence
        self.metric = metric
        self._threshold = -math.inf
        self._full: Right | None = None

    def begin(self, accuracy: float, right: Right) -> None:
        """Take the full network's accuracy for what drops are counted from.

        Raises
        ------
        ValueError
            If the full network itself does not meet the contract.
        """
        self._full = right
        if self.min_accuracy is not None:
            self._threshold = self.min_accuracy
        elif self.max_drop is not None:
            self._threshold = accuracy - self.max_drop
        if accuracy < self._threshold - _SLACK:
            raise ValueError(
                f"the network has validation {self.metric} {accuracy:.4f}, below min_accuracy "
                f"{self._threshold:.4f}; train it further first, or ask for less"
            )
        if self.confidence is None:
            return
        if self.max_drop is not None:
            check_samples(self.max_drop, self.confidence, len(right))
        bound = self.bound(right)
        if not self._is_kept(bound):
            raise ValueError(
                f"the network has validation {self.metric} {accuracy:.4f}, but its lower bound at "
                f"confidence={self.confidence:g} is {bound:.4f} on {len(right)} samples, below "
                f"min_accuracy {self.min_accuracy:.4f}; train it further first, validate on more "
                "samples, or ask for less"
            )

    def bound(self, right: Right) -> float | None:
        """Return what the confidence is about: see `PathStep.bound`."""
        if self.confidence is None or self._full is None:
            return None
        n = len(right)
        if self.max_drop is not None:
            lost, won = np.count_nonzero(self._full & ~right), np.count_nonzero(right & ~self._full)
            return drop_upper_bound(int(lost), int(won), n, self.confidence)
        return accuracy_lower_bound(int(np.count_nonzero(right)), n, self.confidence)

    def holds(self, accuracy: float, right: Callable[[], Right]) -> bool:
        """Return whether a network of this accuracy meets it; `right` is called if need be."""
        if accuracy < self._threshold - _SLACK:
            return False
        return self.confidence is None or self._is_kept(self.bound(right()))

    def breach(self) -> str:
        """Return what the next cut would do, for a verdict."""
        text = f"validation {self.metric} would fall below {self._threshold:.4f}"
        if self.confidence is None:
            return text
        if self.max_drop is not None:
            limit = f"the upper bound of its drop exceed {self.max_drop:.4f}"
        else:
            limit = "its lower bound would"
        return f"{text}, or {limit}, at confidence {self.confidence:g}"

    def _is_kept(self, bound: float | None) -> bool:
        if bound is None:
            return True
        if self.max_drop is not None:
            return bound <= self.max_drop
        return self.min_accuracy is None or bound >= self.min_accuracy


def check_samples(max_drop: float, confidence: float, n: int) -> None:
    """Raise a ValueError if n validation samples are too few to show that nothing drops.

    The bound where no answer changes is z² / (n + z²), z being the confidence's normal quantile.
    """
    bound = drop_upper_bound(0, 0, n, confidence)
    if bound <= max_drop:
        return
    z = NormalDist().inv_cdf(confidence)
    enough = f", at least {math.ceil(z * z * (1.0 / max_drop - 1.0))}" if max_drop else ""
    raise ValueError(
        f"max_drop={max_drop:g} with confidence={confidence:g} needs more validation samples"
        f"{enough}: with {n}, the upper bound of the drop is {bound:.4f} even where no answer "
        "changes"
    )
