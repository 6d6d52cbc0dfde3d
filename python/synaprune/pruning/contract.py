"""`Judgement`: what one pass over the validation split tells; `Contract`: what it has to be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.data import CheckedData
from synaprune.metrics import allowed_drop, measure, of_numbers
from synaprune.options import name_of
from synaprune.pruning.goal import Goal
from synaprune.stats import accuracy_lower_bound, drop_upper_bound, mcnemar, paired_mean_test

_SLACK = 1e-9  # accuracies are ratios of small whole numbers


@dataclass(eq=False)  # not frozen, which takes a microsecond more, as long as a small epoch
class Judgement:
    """All that is asked of a network on the validation split, from one pass over it.

    Attributes
    ----------
    goal : Goal
        What the network is judged for.
    predicted : ndarray of int32, shape (n,), or of float64, shape (n, n_outputs)
        Class number of each sample, -1 where an output overflows; or the numbers.
    correct : ndarray of bool or float64, shape (n,)
        Which of them are right; of numbers minus their squared errors.
    score : float
        The goal's metric.
    reference : Judgement or None
        That of the network that this one is compared with; None for itself.
    """

    goal: Goal
    predicted: NDArray[Any]
    correct: NDArray[Any]
    score: float
    reference: Judgement | None = None

    @classmethod
    def of_classes(
        cls,
        goal: Goal,
        data: CheckedData,
        predicted: NDArray[np.int32],
        probabilities: NDArray[np.float32] | None = None,
        reference: Judgement | None = None,
    ) -> Judgement:
        """Return what predicted class numbers tell; see `metrics.measure`."""
        assert goal.metric is not None
        assert data.classes is not None
        correct = predicted == data.y
        score = measure(goal.metric, data.classes, data.y, predicted, correct, probabilities)
        return cls(goal, predicted, correct, score, reference)

    @classmethod
    def of_numbers(
        cls, goal: Goal, data: CheckedData, told: NDArray[Any], reference: Judgement | None = None
    ) -> Judgement:
        """Return what predicted numbers tell, shaped as `SparseMLP.predict` returns them."""
        assert goal.metric is not None
        numbers = told.reshape(data.y.shape)
        score = of_numbers(goal.metric, data.y, numbers, told.ndim == 1)
        errors = -np.square(data.y - numbers).sum(axis=1)
        return cls(goal, numbers, errors, score, reference)

    @property
    def _compared(self) -> NDArray[Any]:
        return self.correct if self.reference is None else self.reference.correct

    @cached_property
    def p_value(self) -> float:
        """McNemar's exact test against the reference, or that of the mean of paired errors."""
        if self.correct.dtype == bool:
            return mcnemar(self._compared, self.correct)
        return paired_mean_test(self.correct - self._compared)

    @cached_property
    def bound(self) -> float | None:
        """What the goal's confidence is about: see `PathStep.bound`."""
        confidence, n = self.goal.confidence, len(self.correct)
        if confidence is None:
            return None
        if self.goal.max_drop is None:
            return accuracy_lower_bound(int(np.count_nonzero(self.correct)), n, confidence)
        lost = np.count_nonzero(self._compared & ~self.correct)
        won = np.count_nonzero(self.correct & ~self._compared)
        return drop_upper_bound(int(lost), int(won), n, confidence)


class Contract:
    """The score that a goal asks a network to keep, and with which confidence.

    Parameters
    ----------
    goal : Goal
        With `max_drop` or `min_score`.
    full : Judgement
        Of the network that pruning starts from, which drops are counted from.

    Raises
    ------
    ValueError
        If this network itself does not meet the contract.
    """

    def __init__(self, goal: Goal, full: Judgement) -> None:
        self.goal = goal
        if goal.min_score is not None:
            self.least = goal.min_score
        else:
            assert goal.max_drop is not None
            assert goal.metric is not None
            self.least = full.score - allowed_drop(goal.metric, full.score, goal.max_drop)
        metric = self._metric
        if full.score < self.least - _SLACK:
            raise ValueError(
                f"the network has validation {metric} {full.score:.4f}, below min_score "
                f"{self.least:.4f}; train it further first, or ask for less"
            )
        if not self._is_sure(full):
            raise ValueError(
                f"the network has validation {metric} {full.score:.4f}, but its lower bound at "
                f"confidence={goal.confidence:g} is {full.bound:.4f} on {len(full.correct)} "
                f"samples, below min_score {self.least:.4f}; train it further first, validate on "
                "more samples, or ask for less"
            )

    def holds(self, judgement: Judgement) -> bool:
        """Return whether a network that is judged so meets it."""
        if judgement.score < self.least - _SLACK:
            return False
        return self.goal.confidence is None or self._is_sure(judgement)

    def breach(self) -> str:
        """Return what the next cut would do, for a path's end."""
        text = f"validation {self._metric} would fall below {self.least:.4f}"
        if self.goal.confidence is None:
            return text
        if self.goal.max_drop is not None:
            limit = f"the upper bound of its drop exceed {self.goal.max_drop:.4f}"
        else:
            limit = "its lower bound would"
        return f"{text}, or {limit}, at confidence {self.goal.confidence:g}"

    @property
    def _metric(self) -> str:
        return name_of(self.goal.metric).replace("_", " ")

    def _is_sure(self, judgement: Judgement) -> bool:
        """Whether the bound, if the goal asks for one, is on the right side."""
        bound = judgement.bound
        if bound is None:
            return True
        if self.goal.max_drop is not None:
            return bound <= self.goal.max_drop
        return bound >= self.least
