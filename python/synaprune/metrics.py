"""What a contract is about: the accuracy, or another metric on the validation split."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Labels
from synaprune.checks import shown
from synaprune.options import name_of

METRICS = ("accuracy", "balanced_accuracy")
Metric: TypeAlias = str | Callable[[Any, Any], Any]  # by name, or metric(y_true, y_pred)


def check_metric(metric: Metric) -> Metric:
    """Return the metric, or raise a TypeError or ValueError."""
    if callable(metric):
        return metric
    if not isinstance(metric, str):
        raise TypeError(f"metric must be a name or a callable, got {shown(metric)}")
    if metric not in METRICS:
        raise ValueError(
            f"metric must be one of {', '.join(METRICS)} or a callable, got {shown(metric)}"
        )
    return metric


def measure(
    metric: Metric,
    classes: Labels,
    truth: NDArray[np.int32],
    predicted: NDArray[np.int32],
    correct: NDArray[np.bool_],
) -> float:
    """Return the metric of predicted class numbers; -1 stands for outputs that overflow.

    Parameters
    ----------
    metric : str or callable
    classes : ndarray, shape (n_classes,)
        The labels that a callable is given.
    truth, predicted : ndarray of int32, shape (n,)
    correct : ndarray of bool, shape (n,)
        Where they are equal.

    Raises
    ------
    TypeError, ValueError
        If a callable returns what is no finite number, or the outputs overflow.
    """
    if metric == "accuracy":
        return np.count_nonzero(correct) / len(correct)
    if metric == "balanced_accuracy":
        recalls = [(predicted[truth == c] == c).mean() for c in np.unique(truth)]
        return float(np.mean(recalls))
    assert callable(metric)
    if predicted.min() < 0:
        raise ValueError("validation X holds values so large that the network's outputs overflow")
    result = metric(classes[truth], classes[predicted])
    if isinstance(result, bool) or not isinstance(result, numbers.Real):
        raise TypeError(f"metric must return a number, got {shown(result)} from {name_of(metric)}")
    if not math.isfinite(result):
        raise ValueError(f"metric must return a finite number, got {result} from {name_of(metric)}")
    return float(result)
