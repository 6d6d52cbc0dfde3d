"""What a contract is about: the accuracy, or another metric on rows that judge networks.

Greater is better for all of them. Names and definitions are scikit-learn's.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Labels
from synaprune.checks import shown
from synaprune.data import CheckedData
from synaprune.network import SparseMLP
from synaprune.options import name_of
from synaprune.stats import r2_score
from synaprune.threads import Threads

METRICS = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "roc_auc", "neg_log_loss")
REGRESSION_METRICS = ("r2", "neg_root_mean_squared_error", "neg_mean_absolute_error")
_OF_PROBABILITIES = ("roc_auc", "neg_log_loss")
_OF_ROWS = ("accuracy", "balanced_accuracy", "neg_log_loss", *REGRESSION_METRICS)  # means over rows
RELATIVE = ("neg_root_mean_squared_error", "neg_mean_absolute_error")  # in units of the target

Metric: TypeAlias = str | Callable[[Any, Any], Any]  # by name, or metric(y_true, y_pred)
# Class numbers, probabilities, or predicted numbers.
Told: TypeAlias = NDArray[np.int32] | NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class OnProbabilities:
    """A metric of your own that judges probabilities instead of predicted labels.

    Parameters
    ----------
    function : callable
        Called as ``function(y_true, y_proba)`` with labels of shape (n,) and probabilities as
        scikit-learn's ``make_scorer(response_method="predict_proba")`` hands them on: of two
        classes those of the last one, shape (n,), else those of all sorted classes, shape
        (n, n_classes). It returns a number, higher being better.

    Raises
    ------
    TypeError
        If it cannot be called.

    Examples
    --------
    >>> import synaprune as sn
    >>> brier = sn.OnProbabilities(lambda y, p: -np.mean((y - p) ** 2))
    >>> float(brier(np.array([0, 1]), np.array([0.5, 1.0])))
    -0.125
    """

    function: Callable[[Any, Any], Any]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"function must be a callable, got {shown(self.function)}")

    def __call__(self, y_true: Any, y_proba: Any) -> Any:
        """Return what the function returns."""
        return self.function(y_true, y_proba)

    @property
    def __name__(self) -> str:
        """What texts call it: the function's name."""
        return name_of(self.function)


def metric_title(name: str) -> str:
    """Return what a figure calls a metric.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> metric_title("r2"), metric_title("balanced_accuracy")
    ('R²', 'balanced accuracy')
    """
    return "R²" if name == "r2" else name.replace("_", " ")


def check_metric(metric: Metric, names: Sequence[str] = (*METRICS, *REGRESSION_METRICS)) -> Metric:
    """Return the metric, or raise a TypeError or ValueError."""
    if callable(metric):
        return metric
    if not isinstance(metric, str):
        raise TypeError(f"metric must be a name or a callable, got {shown(metric)}")
    if metric not in names:
        raise ValueError(
            f"metric must be one of {', '.join(names)} or a callable, got {shown(metric)}"
        )
    return metric


def check_task(metric: Metric, n_classes: int | None) -> None:
    """Raise a ValueError if the metric is not one of so many classes, or for None of numbers."""
    if n_classes is None and (metric in METRICS or isinstance(metric, OnProbabilities)):
        raise ValueError(
            f"metric {name_of(metric)!r} is one of classes, but numbers are predicted; use one of "
            f"{', '.join(REGRESSION_METRICS)}"
        )
    if n_classes is not None and metric in REGRESSION_METRICS:
        raise ValueError(
            f"metric {name_of(metric)!r} is one of numbers, but classes are predicted; use one of "
            f"{', '.join(METRICS)}"
        )
    if metric == "f1" and n_classes != 2:
        raise ValueError(f"metric 'f1' is one of two classes, got {n_classes}; use 'f1_macro'")


def needs_probabilities(metric: Metric) -> bool:
    """Return whether it judges probabilities, not labels."""
    return metric in _OF_PROBABILITIES or isinstance(metric, OnProbabilities)


def is_mean_over_rows(metric: Metric) -> bool:
    """Return whether `row_values` make it up."""
    return metric in _OF_ROWS


def limits(metric: Metric) -> tuple[float, float]:
    """Return the least and the greatest value that the metric can have."""
    if callable(metric):
        return -math.inf, math.inf
    if metric == "r2":
        return -math.inf, 1.0
    return (-math.inf, 0.0) if metric.startswith("neg_") else (0.0, 1.0)


def allowed_drop(metric: Metric, score: float, max_drop: float) -> float:
    """Return what a network may lose of a score: of an error in y's units that share of it."""
    return max_drop * abs(score) if metric in RELATIVE else max_drop


def log_loss(probabilities: NDArray[np.float32], truth: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the log loss of each row, of probabilities by row and class.

    They are clipped to a float32's distance from 0 and 1, as scikit-learn does.
    """
    likely = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    eps = float(np.finfo(probabilities.dtype).eps)
    loss: NDArray[np.float64] = -np.log(np.clip(likely, eps, 1.0 - eps))
    return loss


def told(metric: Metric, probabilities: NDArray[np.float32]) -> Told:
    """Return what the metric judges, of probabilities by row and class.

    Returns
    -------
    ndarray
        Class numbers of shape (n,); or probabilities, of two classes those of the last one alone.
    """
    if not needs_probabilities(metric):
        predicted: NDArray[np.int32] = probabilities.argmax(axis=1).astype(np.int32)
        return predicted
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def varies(metric: Metric, probabilities: NDArray[np.float32]) -> bool:
    """Return whether more than one class is said, or if the metric judges them, probabilities."""
    if needs_probabilities(metric):
        return bool((probabilities != probabilities[0]).any())
    said = probabilities.argmax(axis=1)
    return bool((said != said[0]).any())


def row_values(
    metric: Metric, truth: NDArray[np.int32], probabilities: NDArray[np.float32]
) -> NDArray[np.bool_] | NDArray[np.float64]:
    """Return what each row contributes to a metric that is a mean over rows."""
    if metric == "neg_log_loss":
        return -log_loss(probabilities, truth)
    right: NDArray[np.bool_] = probabilities.argmax(axis=1) == truth
    return right


def of_numbers(
    metric: Metric, truth: NDArray[np.float64], predicted: NDArray[np.float64], one_axis: bool
) -> float:
    """Return the metric of predicted numbers.

    Parameters
    ----------
    metric : str or callable
    truth, predicted : ndarray of float64, shape (n, n_outputs)
    one_axis : bool
        Whether a callable gets arrays of shape (n,).

    Raises
    ------
    TypeError, ValueError
        If a callable returns what is no finite number.
    """
    if callable(metric):
        pair = (truth[:, 0], predicted[:, 0]) if one_axis else (truth, predicted)
        return _finite(metric, *(side.copy() for side in pair))
    if metric == "r2":
        return r2_score(truth, predicted)
    errors = truth - predicted
    if metric == "neg_mean_absolute_error":
        return -float(np.abs(errors).mean())
    return -float(np.sqrt(np.square(errors).mean(axis=0)).mean())


def measure(
    metric: Metric,
    classes: Labels,
    truth: NDArray[np.int32],
    predicted: NDArray[np.int32],
    correct: NDArray[np.bool_],
    probabilities: NDArray[np.float32] | None = None,
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
    probabilities : ndarray of float32, shape (n, n_classes), optional
        For the metrics that need them.

    Raises
    ------
    TypeError, ValueError
        If a callable returns what is no finite number, the outputs overflow, or "roc_auc" gets rows
        of one class.
    """
    if metric == "accuracy":
        return np.count_nonzero(correct) / len(correct)
    if metric == "balanced_accuracy":
        recalls = [(predicted[truth == c] == c).mean() for c in np.unique(truth)]
        return float(np.mean(recalls))
    if needs_probabilities(metric):
        assert probabilities is not None
        if metric == "neg_log_loss":
            return float(-log_loss(probabilities, truth).mean())
        judged = told(metric, probabilities)
    else:
        if callable(metric) and predicted.min() < 0:
            raise ValueError(
                "validation X holds values so large that the network's outputs overflow"
            )
        judged = predicted
    score = float(weighted_scores(metric, classes, truth, judged, np.ones((1, len(truth))))[0])
    if math.isnan(score):
        raise ValueError(f"metric {name_of(metric)!r} needs validation samples of two classes")
    return score


def of_network(metric: Metric, net: SparseMLP, data: CheckedData, threads: Threads) -> float:
    """Return the metric of what a network predicts for samples.

    Parameters
    ----------
    metric : str or callable
    net : SparseMLP
    data : CheckedData
        Of the network.
    threads : int or "auto", optional

    Raises
    ------
    TypeError, ValueError
        As `measure` and `of_numbers`.
    """
    if data.classes is None:
        told = net.predict(data.X, threads=threads)
        return of_numbers(metric, data.y, told.reshape(data.y.shape), told.ndim == 1)
    probabilities = net.predict_proba(data.X, threads=threads)
    predicted = probabilities.argmax(axis=1).astype(np.int32)
    right = predicted == data.y
    return measure(metric, data.classes, data.y, predicted, right, probabilities)


def weighted_scores(
    metric: Metric,
    classes: Labels | None,
    truth: NDArray[Any],
    judged: Told,
    weights: NDArray[np.float64],
    folds: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return a metric that is no mean over rows, once for each set of weights of the rows.

    Parameters
    ----------
    metric : {"f1", "f1_macro", "roc_auc"} or callable
    classes : ndarray, shape (n_classes,), or None
        None for numbers, which a callable alone judges.
    truth : ndarray of int32, shape (n,), or of float64, shape (n,) or (n, n_outputs)
    judged : ndarray, shape (n,) or (n, n_classes), or of truth's shape
        From `told`; or numbers.
    weights : ndarray of float64, shape (n_sets, n)
        At least 0; for a callable whole numbers, how often it is given each row.
    folds : ndarray of int, shape (n,), optional
        "roc_auc" compares rows of the same fold alone, which one network judged.

    Returns
    -------
    ndarray of float64, shape (n_sets,)
        NaN where "roc_auc" has no two rows to compare.

    Raises
    ------
    TypeError, ValueError
        If a callable returns what is no finite number.
    """
    if callable(metric):
        return np.array([_called(metric, classes, truth, judged, w) for w in weights])
    assert classes is not None
    if metric == "f1":
        return np.nan_to_num(_f1(truth == 1, judged == 1, weights))
    if metric == "f1_macro":
        of_each = [_f1(truth == c, judged == c, weights) for c in range(len(classes))]
    elif judged.ndim == 1:
        of_each = [_roc_auc(truth == 1, judged, weights, folds)]
    else:
        of_each = [
            _roc_auc(truth == c, judged[:, c], weights, folds) for c in range(judged.shape[1])
        ]
    return _mean_of_known(np.array(of_each))


def of_one_class(
    metric: Metric,
    classes: Labels | None,
    truth: NDArray[Any],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Return the best score that takes no inputs, of a metric that is no mean over rows.

    Labels are the same one for every row, or probabilities are the shares of the classes; numbers
    are mean or median.
    """
    n = len(truth)
    weights = np.ones(n) if weights is None else weights
    constant: list[Told]
    if classes is None:
        of_all = (truth.mean(axis=0), np.median(truth, axis=0))
        constant = [np.broadcast_to(number, truth.shape) for number in of_all]
    elif needs_probabilities(metric):
        shares = np.bincount(truth, weights / weights.sum(), len(classes)).astype(np.float32)
        constant = [told(metric, np.tile(shares, (n, 1)))]
    else:
        constant = [np.full(n, c, np.int32) for c in range(len(classes))]
    scores = [weighted_scores(metric, classes, truth, c, weights[None])[0] for c in constant]
    return float(max(scores))


def try_out(metric: Callable[[Any, Any], Any], classes: Labels | None, truth: NDArray[Any]) -> None:
    """Call a callable once, with predictions that are all right.

    Raises
    ------
    TypeError, ValueError
        If it returns what is no finite number.
    """
    right = truth
    if classes is not None:
        right = told(metric, np.eye(len(classes), dtype=np.float32)[truth])
    weighted_scores(metric, classes, truth, right, np.ones((1, len(truth))))


def _mean_of_known(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis without NaN; NaN where nothing else is."""
    known = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(known, scores, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


def _f1(
    true: NDArray[np.bool_], said: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return 2 tp / (2 tp + fp + fn); NaN where the class neither occurs nor is said."""
    both, occurs, says = (weights @ np.stack([true & said, true, said], 1).astype(np.float64)).T
    with np.errstate(invalid="ignore"):
        f1: NDArray[np.float64] = 2.0 * both / (occurs + says)
    return f1


def _roc_auc(
    true: NDArray[np.bool_],
    scores: Told,
    weights: NDArray[np.float64],
    folds: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Return the share of (positive, negative) pairs in which the positive scores higher.

    A tie is half a pair. The rows are sorted once for all weights.
    """
    won, pairs = np.zeros((2, len(weights)))
    for fold in [None] if folds is None else np.unique(folds):
        inside = np.ones(len(true), bool) if fold is None else folds == fold
        positive, negative = np.flatnonzero(inside & true), np.flatnonzero(inside & ~true)
        negative = negative[np.argsort(scores[negative])]
        below = np.zeros((len(weights), len(negative) + 1))
        np.cumsum(weights[:, negative], axis=1, out=below[:, 1:])
        first, last = (
            np.searchsorted(scores[negative], scores[positive], side) for side in ("left", "right")
        )
        w = weights[:, positive]
        won += 0.5 * np.einsum("ij,ij->i", w, below[:, first] + below[:, last])
        pairs += w.sum(axis=1) * below[:, -1]
    with np.errstate(invalid="ignore"):
        share: NDArray[np.float64] = won / pairs
    return share


def _called(
    metric: Callable[[Any, Any], Any],
    classes: Labels | None,
    truth: NDArray[Any],
    judged: Told,
    counts: NDArray[np.float64],
) -> float:
    """Return a callable's score of rows that occur so often; it may spoil the arrays it gets."""
    rows = np.repeat(np.arange(len(truth)), counts.astype(np.intp))
    of_rows = judged[rows]
    if classes is None:
        return _finite(metric, truth[rows], of_rows)
    second = of_rows.astype(np.float64) if needs_probabilities(metric) else classes[of_rows]
    return _finite(metric, classes[truth[rows]], second)


def _finite(metric: Callable[[Any, Any], Any], truth: Any, judged: Any) -> float:
    """Return what a callable says of them, or raise if that is no finite number."""
    result = metric(truth, judged)
    if isinstance(result, bool) or not isinstance(result, numbers.Real):
        raise TypeError(f"metric must return a number, got {shown(result)} from {name_of(metric)}")
    if not math.isfinite(result):
        raise ValueError(f"metric must return a finite number, got {result} from {name_of(metric)}")
    return float(result)
