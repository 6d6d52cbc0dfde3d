"""What `smallest_network` predicts: classes or numbers, and how the rows judge networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import metrics
from synaprune.arrays import Inputs, Labels
from synaprune.labels import LabelEncoder
from synaprune.metrics import Metric, Told
from synaprune.network import SparseMLP
from synaprune.resampling import Resampled, RowMeans, Scores
from synaprune.scaling import TargetScaler

Split: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]  # training rows, held-out rows


class Verdict(NamedTuple):
    """What rows tell of one network.

    Attributes
    ----------
    told : ndarray, shape (n_rows,) or with n_classes or n_outputs behind it
        What the metric needs: what each row contributes, or what the network says.
    loss : ndarray of float64, shape (n_rows,)
        Log loss, or squared error of standardised numbers.
    varies : bool
        Whether the network ever says two different things.
    """

    told: NDArray[Any]
    loss: NDArray[np.float64]
    varies: bool


@dataclass(frozen=True, eq=False)
class Targets(ABC):
    """What each row's answer is.

    Attributes
    ----------
    metric : str or callable
        Judges the answers.
    weights : ndarray of float64, shape (n_rows,), or None
        What each row counts, above 0; None if all count alike.
    n_judges : int
        Rows at the end that judge in place of folds, and train no network; 0 if all do both.
    """

    metric: Metric
    weights: NDArray[np.float64] | None
    n_judges: int = field(default=0, kw_only=True)

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Outputs of a network."""

    @property
    @abstractmethod
    def loss(self) -> str:
        """What training minimises."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def of(self, rows: NDArray[np.intp] | slice) -> Any:
        """Return the answers of some rows, as a user gives them."""

    @property
    @abstractmethod
    def classes(self) -> Labels | None:
        """The labels, sorted; None of numbers."""

    @abstractmethod
    def folds(self, n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return a fold for each row, so that folds are alike."""

    @abstractmethod
    def judge(self, net: SparseMLP, X: Inputs, rows: NDArray[np.intp] | slice) -> Verdict:
        """Return what rows, whose inputs are X, tell of a network."""

    @abstractmethod
    def _row_means(self, values: NDArray[np.float64], rows: NDArray[np.intp]) -> RowMeans:
        """Return the scores of networks by what each row contributes."""

    @property
    @abstractmethod
    def truth(self) -> NDArray[Any]:
        """The answers of all rows as the metrics take them."""

    @abstractmethod
    def check_weights(self, class_weight: Any) -> None:
        """Raise a TypeError or ValueError if classes cannot be weighted so."""

    @property
    def counts(self) -> NDArray[np.float64]:
        """What each row counts."""
        return np.ones(len(self)) if self.weights is None else self.weights

    @property
    def is_mean_over_rows(self) -> bool:
        """Whether each row contributes to the metric by itself."""
        return metrics.is_mean_over_rows(self.metric)

    def score(self, told: NDArray[Any], rows: slice) -> float:
        """Return the metric of what some rows tell of one network, as in `Verdict`."""
        at = np.arange(len(self))[rows]
        if self.is_mean_over_rows:
            return self._row_means(told[None].astype(np.float64), at).score(0)
        weights = self.counts[None, at]
        scores = metrics.weighted_scores(self.metric, self.classes, self.truth[at], told, weights)
        return float(scores[0])

    def scores(
        self, told: list[list[NDArray[Any]]], splits: Sequence[Split], n_folds: int
    ) -> Scores:
        """Return the scores of all networks, of what each split told of each candidate's.

        Parameters
        ----------
        told : list of list of ndarray
            By candidate and split, of shape (n_networks, n_rows) or with one more axis.
        splits : sequence of (ndarray, ndarray)
            A whole round of folds after another, or one.
        n_folds : int
        """
        rows = judged_rows(splits)
        if self.is_mean_over_rows:
            return self._row_means(
                np.concatenate([mean_by_row(of, splits, rows, len(self)) for of in told]), rows
            )
        first = told[0][0]
        place = np.zeros(len(self), np.intp)
        place[rows] = np.arange(len(rows))
        n_repeats = max(1, len(splits) // n_folds)
        n_networks = sum(len(of[0]) for of in told)
        every: Told = np.empty((n_repeats, n_networks, len(rows), *first.shape[2:]), first.dtype)
        fold = np.empty((n_repeats, len(rows)), np.intp)
        for k, (_, held_out) in enumerate(splits):
            at = place[held_out]
            every[k // n_folds][:, at] = np.concatenate([of[k] for of in told])
            fold[k // n_folds, at] = k
        counts = self.counts[rows]
        return Resampled(self.metric, self.classes, self.truth[rows], every, fold, counts)


@dataclass(frozen=True, eq=False)
class ClassTargets(Targets):
    """A class for each row.

    Attributes
    ----------
    labels : ndarray, shape (n_classes,)
        Sorted.
    codes : ndarray of int32, shape (n_rows,)
        Their numbers.
    """

    labels: Labels
    codes: NDArray[np.int32]

    loss = "auto"

    @property
    def n_outputs(self) -> int:
        """Outputs of a network."""
        return 1 if len(self.labels) == 2 else len(self.labels)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def classes(self) -> Labels:
        """The labels, sorted."""
        return self.labels

    @property
    def truth(self) -> NDArray[np.int32]:
        """The answers of all rows as the metrics take them."""
        return self.codes

    def check_weights(self, class_weight: Any) -> None:
        """Raise a TypeError or ValueError if classes cannot be weighted so."""
        LabelEncoder(self.labels).sample_weights(self.codes, None, class_weight)

    def of(self, rows: NDArray[np.intp] | slice) -> Labels:
        """Return the answers of some rows, as a user gives them."""
        of_rows: Labels = self.labels[self.codes[rows]]
        return of_rows

    def folds(self, n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return a fold for each row; each has its share of each class."""
        fold = np.empty(len(self), np.intp)
        first = 0
        for code in range(len(self.labels)):
            rows = rng.permutation(np.flatnonzero(self.codes == code))
            fold[rows] = (first + np.arange(len(rows))) % n_folds
            first += len(rows)
        return fold

    def judge(self, net: SparseMLP, X: Inputs, rows: NDArray[np.intp] | slice) -> Verdict:
        """Return what rows, whose inputs are X, tell of a network."""
        told, truth = net.predict_proba(X, threads=1), self.codes[rows]
        return Verdict(
            metrics.row_values(self.metric, truth, told)
            if self.is_mean_over_rows
            else metrics.told(self.metric, told),
            metrics.log_loss(told, truth),
            metrics.varies(self.metric, told),
        )

    def _row_means(self, values: NDArray[np.float64], rows: NDArray[np.intp]) -> RowMeans:
        return RowMeans.of(self.metric, values, self.codes[rows], self.counts[rows])


@dataclass(frozen=True, eq=False)
class NumberTargets(Targets):
    """A number, or several, for each row.

    Attributes
    ----------
    numbers : ndarray of float64, shape (n_rows,) or (n_rows, n_outputs)
    """

    numbers: NDArray[np.float64]

    classes = None

    @property
    def n_outputs(self) -> int:
        """Outputs of a network."""
        return int(self._columns.shape[1])

    @property
    def loss(self) -> str:
        """What training minimises."""
        # Of absolute errors, gradients do not tell which synapses matter.
        return "huber" if self.metric == "neg_mean_absolute_error" else "squared_error"

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def truth(self) -> NDArray[np.float64]:
        """The answers of all rows as the metrics take them."""
        return self.numbers

    @property
    def _columns(self) -> NDArray[np.float64]:
        return self.numbers.reshape(len(self.numbers), -1)

    @cached_property
    def _variance(self) -> NDArray[np.float64]:
        """Of each output, over the rows that judge."""
        columns, counts = self._columns[-self.n_judges :], self.counts[-self.n_judges :]
        mean = np.average(columns, axis=0, weights=counts)
        variance = np.average(np.square(columns - mean), axis=0, weights=counts)
        return np.where(variance > 0.0, variance, 1.0)

    def check_weights(self, class_weight: Any) -> None:
        """Raise a TypeError or ValueError if classes cannot be weighted so."""
        TargetScaler.fitted(self.numbers).sample_weights(self._columns, None, class_weight)

    def of(self, rows: NDArray[np.intp] | slice) -> NDArray[np.float64]:
        """Return the answers of some rows, as a user gives them."""
        return self.numbers[rows]

    def folds(self, n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return a fold for each row; each has its share of small and of large numbers."""
        n = len(self)
        order = rng.permutation(n)
        if self.n_outputs == 1:
            order = order[np.argsort(self._columns[order, 0], kind="stable")]
        fold = np.empty(n, np.intp)
        for first in range(0, n, n_folds):
            some = order[first : first + n_folds]
            fold[some] = rng.permutation(n_folds)[: len(some)]
        return fold

    def judge(self, net: SparseMLP, X: Inputs, rows: NDArray[np.intp] | slice) -> Verdict:
        """Return what rows, whose inputs are X, tell of a network."""
        predicted = net.predict(X, threads=1)
        errors = (self.numbers[rows] - predicted).reshape(len(X), -1)
        loss = (np.square(errors) / self._variance).mean(axis=1)
        told = predicted
        if self.is_mean_over_rows:
            told = self._contribution(errors)
        return Verdict(told, loss, bool((predicted != predicted[0]).any()))

    def _contribution(self, errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what rows of such errors contribute to the metric."""
        values: NDArray[np.float64]
        if self.metric == "neg_mean_absolute_error":
            values = -np.abs(errors).mean(axis=1)
        elif self.metric == "neg_root_mean_squared_error":
            values = -np.square(errors).mean(axis=1)
        else:
            values = 1.0 - (np.square(errors) / self._variance).mean(axis=1)
        return values

    def _row_means(self, values: NDArray[np.float64], rows: NDArray[np.intp]) -> RowMeans:
        root = self.metric == "neg_root_mean_squared_error"
        truth, counts = self._columns[rows], self.counts[rows]
        middle = np.average(truth, axis=0, weights=counts)
        if self.metric == "neg_mean_absolute_error":
            middle = np.array([_weighted_median(column, counts) for column in truth.T])
        constant = float(np.average(self._contribution(truth - middle), weights=counts))
        return RowMeans(
            values,
            counts,
            -np.sqrt(-constant) if root else constant,
            metrics.limits(self.metric),
            root,
        )


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return a number to both sides of which lies half of the weights."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def judged_rows(splits: Sequence[Split]) -> NDArray[np.intp]:
    """Return the rows that some split holds out, ascending."""
    return np.unique(np.concatenate([held_out for _, held_out in splits]))


def mean_by_row(
    values: list[NDArray[Any]], splits: Sequence[Split], rows: NDArray[np.intp], n: int
) -> NDArray[np.float64]:
    """Return the mean over repeats of what splits say of each network and row.

    Parameters
    ----------
    values : list of ndarray, shape (n_networks, n_held_out)
        Of each split.
    splits : sequence of (ndarray, ndarray)
    rows : ndarray
        From `judged_rows`.
    n : int
        Of all rows.

    Returns
    -------
    ndarray of float64, shape (n_networks, len(rows))
    """
    total = np.zeros((len(values[0]), n))
    judged = np.zeros(n)
    for of_split, (_, held_out) in zip(values, splits, strict=True):
        total[:, held_out] += of_split
        judged[held_out] += 1.0
    mean: NDArray[np.float64] = total[:, rows] / judged[rows]
    return mean
