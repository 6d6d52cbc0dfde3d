"""Partial dependence: what a network says on average while one of its inputs changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_int, check_type
from synaprune.network import SparseMLP
from synaprune.selection import find_input
from synaprune.threads import Threads, check_threads


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """What a network says on average at each value of one input.

    Attributes
    ----------
    feature : int
        Position of the input.
    values : ndarray of float64, shape (n_values,)
        Values of the input, ascending.
    average : ndarray of float64, shape (n_values, n_outputs) or (n_values, n_classes)
        Mean prediction at each value: numbers in the units of y, or the probability of each class.
    """

    feature: int
    values: NDArray[np.float64]
    average: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)


def partial_dependence(
    net: SparseMLP,
    X: Any,
    feature: int | str,
    *,
    n_values: int = 30,
    threads: Threads = None,
) -> PartialDependence:
    """Return the mean prediction at values of one input, all others being as in the samples.

    At each value v it is the mean over all samples of the prediction for the sample with its input
    set to v: the partial dependence of Friedman (2001, "Greedy function approximation", eq. 53).
    Where inputs depend on each other, some of these samples are unlike any real one.

    Parameters
    ----------
    net : SparseMLP
        A trained network; it is not changed.
    X : array_like, shape (n, n_features), DataFrame or Table
    feature : int or str
        The input, by position or name.
    n_values : int
        Maximum number of values, at least 2. An input that takes more in X is set to so many of its
        quantiles, at equal steps from the least value to the greatest.
    threads : int or "auto", optional
        Results do not depend on it.

    Returns
    -------
    PartialDependence

    Raises
    ------
    TypeError, ValueError
        If X does not fit, there is no such input, or the network was never fitted.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> net = sn.SparseMLP((2, 8, 1), loss="squared_error", seed=0)
    >>> net = net.fit(X, abs(X[:, 0]), training=sn.Training(60, optimizer=sn.SGD(lr=0.1)))
    >>> curve = sn.explain.partial_dependence(net, X, 0)
    >>> curve.average.shape, bool(-0.5 < curve.values[curve.average[:, 0].argmin()] < 0.5)
    ((30, 1), True)
    """
    check_type("net", net, SparseMLP)
    net = net.copy()  # another thread may prune it meanwhile
    net.check_fitted()
    n_values, n_threads = check_int("n_values", n_values, 2), check_threads(threads)
    column = find_input(feature, net.n_features, net.input_names)
    predict = net.predict if net.is_regression else net.predict_proba
    changed = net.as_inputs(X).copy()
    values = np.unique(changed[:, column])
    if len(values) > n_values:
        steps = np.linspace(0.0, 1.0, n_values)
        values = np.unique(np.quantile(changed[:, column], steps, method="inverted_cdf"))
    average = []
    for value in values:
        changed[:, column] = value
        predicted = predict(changed, threads=n_threads).reshape(len(changed), -1)
        average.append(predicted.mean(axis=0, dtype=np.float64))
    return PartialDependence(column, values.astype(np.float64), np.array(average))
