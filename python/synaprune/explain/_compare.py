"""Comparison of two networks, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Labels, finite
from synaprune.checks import check_type
from synaprune.labels import brief
from synaprune.network import SparseMLP
from synaprune.stats import mcnemar, two_sided_sign_test
from synaprune.threads import Threads, check_threads


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two networks on the same samples; ``print`` shows it as a table.

    Attributes
    ----------
    classes : ndarray, shape (n_classes,)
    n : ndarray of int64, shape (n_classes,)
        Number of samples of each class.
    before, after : ndarray of float64, shape (n_classes,)
        Accuracy of each network on each class, NaN for a class without samples.
    lost, won : ndarray of int64, shape (n_classes,)
        Samples that only the first, or only the second, network predicts correctly.
    p_values : ndarray of float64, shape (n_classes,)
        P value of McNemar's exact two-sided test (1947) in each class.
    total_p_value : float
        P value of the same test over all samples.
    """

    classes: Labels
    n: NDArray[np.int64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    lost: NDArray[np.int64]
    won: NDArray[np.int64]
    p_values: NDArray[np.float64]
    total_p_value: float

    @property
    def change(self) -> float:
        """Change in accuracy over all samples, positive for a gain."""
        return float((self.won - self.lost).sum() / self.n.sum())

    def __str__(self) -> str:
        rows = [("class", "samples", "before", "after", "change", "lost", "won", "p")]
        for c, label in enumerate(self.classes.tolist()):
            before, after = self.before[c], self.after[c]
            rows.append((
                str(label), str(self.n[c]), f"{before:.2%}", f"{after:.2%}",
                f"{100 * (after - before):+.2f}", str(self.lost[c]), str(self.won[c]),
                f"{self.p_values[c]:.2g}",
            ))  # fmt: skip
        before = float(np.nansum(self.before * self.n) / self.n.sum())
        rows.append((
            "all", str(self.n.sum()), f"{before:.2%}", f"{before + self.change:.2%}",
            f"{100 * self.change:+.2f}", str(self.lost.sum()), str(self.won.sum()),
            f"{self.total_p_value:.2g}",
        ))  # fmt: skip
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        )


def compare(
    a: SparseMLP, b: SparseMLP, X: Any, y: Any = None, *, threads: Threads = None
) -> Comparison:
    """Compare two networks on the same samples, class by class.

    Parameters
    ----------
    a, b : SparseMLP
        The network before and after a change, for example by `SparseMLP.without`. Both must know
        the same classes.
    X, y : array_like, shapes (n, n_features) and (n,), or a CheckedData alone
    threads : int or "auto", optional

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If the data do not fit, a network was never fitted or predicts numbers, or the classes
        differ.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> comparison = sn.explain.compare(net, net.without(neurons=[0]), *data.test)
    >>> comparison.change < 0
    True
    """
    check_type("a", a, SparseMLP)
    check_type("b", b, SparseMLP)
    if not np.array_equal(a.classes, b.classes):
        known = [brief(net.classes) for net in (a, b)]
        raise ValueError(f"b must know the classes of a, {known[0]}, got {known[1]}")
    if a.n_features != b.n_features:
        raise ValueError(f"b must have the {a.n_features} inputs of a, got {b.n_features}")
    n_threads = check_threads(threads)
    data = a.check_data(X, y)
    first, second = (finite(net._core.classify(data.X, n_threads)) == data.y for net in (a, b))

    def count(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(data.y[which], minlength=len(a.classes))

    n = count(np.ones_like(first))
    with np.errstate(invalid="ignore"):
        before, after = count(first) / n, count(second) / n
    lost, won = count(first & ~second), count(second & ~first)
    p_values = [
        two_sided_sign_test(*pair) for pair in zip(lost.tolist(), won.tolist(), strict=True)
    ]
    return Comparison(
        a.classes, n, before, after, lost, won, np.array(p_values), mcnemar(first, second)
    )


def confusion_matrix(
    net: SparseMLP, X: Any, y: Any = None, *, threads: Threads = None
) -> NDArray[np.int64]:
    """Count samples by true class (rows) and predicted class (columns).

    Parameters
    ----------
    net : SparseMLP
    X, y : array_like, shapes (n, n_features) and (n,), or a CheckedData alone
    threads : int or "auto", optional

    Returns
    -------
    ndarray of int64, shape (n_classes, n_classes)

    Raises
    ------
    TypeError, ValueError
        If the data do not fit, or the network was never fitted or predicts numbers.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> net = sn.SparseMLP((2, 2), seed=0).fit(np.eye(2), ["a", "b"], training=sn.Training(50))
    >>> sn.explain.confusion_matrix(net, np.eye(2), ["a", "b"]).tolist()
    [[1, 0], [0, 1]]
    """
    check_type("net", net, SparseMLP)
    k = len(net.classes)
    data = net.check_data(X, y)
    predicted = finite(net._core.classify(data.X, check_threads(threads)))
    return np.bincount(data.y.astype(np.int64) * k + predicted, minlength=k * k).reshape(k, k)
