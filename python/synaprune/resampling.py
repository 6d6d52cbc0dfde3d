"""Scores of many networks on the same rows, and how they vary with the rows.

`RowMeans` and `Resampled` answer the same questions: the one for metrics that are means over rows,
the other for all others. A draw is a bootstrap sample of the rows, by its number; None stands for
the rows as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import metrics
from synaprune.arrays import Labels
from synaprune.metrics import Metric, Told

_DRAWS = 200
_FEWEST_DRAWS = 50  # of a callable, and where 200 take long
_WORK = 1_000_000  # rows and classes, over all draws, that take no long


@dataclass(frozen=True, eq=False)
class RowMeans:
    """Scores that are weighted means over rows, or minus the root of one.

    Attributes
    ----------
    values : ndarray of float64, shape (n_networks, n_rows)
        What each row contributes, its mean over repeats.
    weights : ndarray of float64, shape (n_rows,)
        What each row counts.
    of_one_class : float
        The best score that takes no inputs.
    limits : (float, float)
        Least and greatest score that there can be.
    root : bool
        Whether values are minus squared errors, and a score is minus the root of their mean.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    of_one_class: float
    limits: tuple[float, float] = (0.0, 1.0)
    root: bool = False

    n_draws = _DRAWS

    @classmethod
    def of(
        cls,
        metric: Metric,
        values: NDArray[np.float64],
        truth: NDArray[np.int32],
        counts: NDArray[np.float64] | None = None,
    ) -> Self:
        """Return the scores by a metric.

        Parameters
        ----------
        metric : {"accuracy", "balanced_accuracy", "neg_log_loss"}
        values : ndarray of float64, shape (n_networks, n_rows)
            As from `metrics.row_values`.
        truth : ndarray of int32, shape (n_rows,)
        counts : ndarray of float64, shape (n_rows,), optional
            How much each row counts, above 0; all alike if left out.
        """
        weights = np.ones(len(truth)) if counts is None else counts
        if metric == "neg_log_loss":
            shares = np.bincount(truth, weights) / weights.sum()
            of_one_class = float(np.average(np.log(shares[truth]), weights=weights))
        else:
            if metric == "balanced_accuracy":
                weights = weights / np.bincount(truth, weights)[truth]
            of_one_class = float(np.bincount(truth, weights).max() / weights.sum())
        return cls(values, weights, of_one_class, metrics.limits(metric))

    def all(self, draw: int | None = None) -> NDArray[np.float64]:
        """Return the score of each network."""
        means: NDArray[np.float64] = self.values @ self._share(draw)
        return -np.sqrt(-means) if self.root else means

    def drops(
        self, best: int, draw: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the drop of each network below one, and its standard error, row by row."""
        share = self._share(draw)
        values = self.values
        if self.root:  # the delta method: what a row moves the root by
            scores = self.all(draw)
            values = values / np.maximum(-2.0 * scores, 1e-300)[:, None]
        lost = values[best] - values
        mean: NDArray[np.float64] = lost @ share
        error: NDArray[np.float64] = np.sqrt((lost - mean[:, None]) ** 2 @ share**2)
        return scores[best] - scores if self.root else mean, error

    def score(self, network: int, draw: int | None = None) -> float:
        """Return the score of one network."""
        return self._mean(network, self._counts(draw))

    def outside(self, network: int, draw: int) -> float:
        """Return a network's score on the rows that a draw lacks; NaN if there are none."""
        return self._mean(network, self.weights * (self._draws[draw] == 0))

    def least_error(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard error below which no estimate is: that of as many single answers."""
        if self.limits != (0.0, 1.0):
            return np.zeros(len(scores))
        return _of_answers(scores, self._share(None))

    def _mean(self, network: int, weights: NDArray[np.float64]) -> float:
        if not weights.any():
            return math.nan
        mean = float(self.values[network] @ weights / weights.sum())
        return -math.sqrt(-mean) if self.root else mean

    def _counts(self, draw: int | None) -> NDArray[np.float64]:
        """Return what each row counts."""
        return self.weights if draw is None else self.weights * self._draws[draw]

    def _share(self, draw: int | None) -> NDArray[np.float64]:
        weights = self._counts(draw)
        share: NDArray[np.float64] = weights / weights.sum()
        return share

    @cached_property
    def _draws(self) -> NDArray[np.int32]:
        """How often each draw holds each row."""
        n = len(self.weights)
        rng = np.random.default_rng(n)
        return np.array(
            [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(_DRAWS)], np.int32
        )


@dataclass(frozen=True, eq=False)
class Resampled:
    """Scores that need all rows at once, such as the area under the ROC curve.

    Draws are stratified by class: each has as many rows of a class as there are. With repeats, a
    score is the mean over them.

    Attributes
    ----------
    metric : str or callable
    classes : ndarray, shape (n_classes,), or None
        None for numbers.
    truth : ndarray of int32, shape (n_rows,); or of numbers, shape (n_rows,) or (n_rows, n_outputs)
    told : ndarray, shape (n_repeats, n_networks, n_rows) or with n_classes or n_outputs behind them
        Of each network, as from `metrics.told`; or numbers.
    folds : ndarray of int, shape (n_repeats, n_rows)
        The fold in which a row was judged.
    counts : ndarray of float64, shape (n_rows,), or float
        How much each row counts, above 0; 1 for a callable.
    """

    metric: Metric
    classes: Labels | None
    truth: NDArray[Any]
    told: Told
    folds: NDArray[np.intp]
    counts: NDArray[np.float64] | float = 1.0

    @cached_property
    def of_one_class(self) -> float:
        """The best score that takes no inputs."""
        counts = np.ones(len(self.truth)) * self.counts
        score = metrics.of_one_class(self.metric, self.classes, self.truth, counts)
        return _known(score).item()

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest score that there can be."""
        return metrics.limits(self.metric)

    @property
    def n_draws(self) -> int:
        """How many there are."""
        if callable(self.metric):
            return _FEWEST_DRAWS
        assert self.classes is not None
        columns = 1 if self.metric == "f1" or len(self.classes) == 2 else len(self.classes)
        return max(_FEWEST_DRAWS, min(_DRAWS, _WORK // (len(self.truth) * columns)))

    def all(self, draw: int | None = None) -> NDArray[np.float64]:
        """Return the score of each network."""
        scores: NDArray[np.float64] = self._scores[-1 if draw is None else draw]
        return scores

    def drops(
        self, best: int, draw: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the drop of each network below one, and its standard error over the draws."""
        scores = self.all(draw)
        drawn = self._scores[:-1]
        error: NDArray[np.float64] = (drawn[:, [best]] - drawn).std(axis=0)
        return scores[best] - scores, error

    def score(self, network: int, draw: int | None = None) -> float:
        """Return the score of one network."""
        return float(self.all(draw)[network])

    def outside(self, network: int, draw: int) -> float:
        """Return a network's score on the rows that a draw lacks; NaN if they are of one class."""
        left = self._draws[draw] == 0
        if len(np.unique(self.truth[left], axis=0)) < 2:
            return math.nan
        return float(self._of(network, left[None] * self.counts, self._within_folds)[0])

    def least_error(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard error below which no estimate is: that of as many single answers.

        Each class counts equally, since the rows of a rare one decide these metrics.
        """
        if callable(self.metric):
            return np.zeros(len(scores))
        counts = np.ones(len(self.truth)) * self.counts
        weights = counts / np.bincount(self.truth, counts)[self.truth]
        return _of_answers(scores, weights / weights.sum())

    @cached_property
    def _draws(self) -> NDArray[np.float64]:
        """How often each draw holds each row."""
        n_draws = self.n_draws
        rng = np.random.default_rng(len(self.truth))
        counts = np.zeros((n_draws, len(self.truth)))
        codes = np.zeros(len(self.truth)) if self.classes is None else self.truth
        for rows in (np.flatnonzero(codes == c) for c in np.unique(codes)):
            for draw in counts:
                drawn = rng.integers(0, len(rows), len(rows))
                draw[rows] = np.bincount(drawn, minlength=len(rows))
        return counts

    @cached_property
    def _within_folds(self) -> bool:
        """Whether folds are judged apart: not where they are too small for each draw to do so."""
        if self.metric != "roc_auc":
            return False
        return not np.isnan(self._of(0, self._weights, within_folds=True)).any()

    @property
    def _weights(self) -> NDArray[np.float64]:
        """What each row counts on each draw, and as they are."""
        return np.vstack([self._draws, np.ones(len(self.truth))]) * self.counts

    @cached_property
    def _scores(self) -> NDArray[np.float64]:
        """Of shape (n_draws + 1, n_networks): on each draw, and on the rows as they are."""
        weights, within = self._weights, self._within_folds
        columns = [self._of(i, weights, within) for i in range(self.told.shape[1])]
        return _known(np.stack(columns, axis=1))

    def _of(
        self, network: int, weights: NDArray[np.float64], within_folds: bool
    ) -> NDArray[np.float64]:
        """Return a network's score under each of several sets of weights."""
        repeats = [
            metrics.weighted_scores(
                self.metric, self.classes, self.truth, told[network], weights,
                folds if within_folds else None,
            )
            for told, folds in zip(self.told, self.folds, strict=True)
        ]  # fmt: skip
        mean: NDArray[np.float64] = np.mean(repeats, axis=0)
        return mean


Scores: TypeAlias = RowMeans | Resampled


def _known(scores: Any) -> NDArray[np.float64]:
    """Return 0.5, the score of a guess, for an area under the curve of rows of one class."""
    known: NDArray[np.float64] = np.nan_to_num(scores, nan=0.5)
    return known


def _of_answers(scores: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of shares of right answers, each of which counts its share."""
    error: NDArray[np.float64] = np.sqrt(
        (share**2).sum() * (scores * (1 - scores) + 1.0 / len(share))
    )
    return error
