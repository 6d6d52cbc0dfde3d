"""What a change did, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Labels, finite
from synaprune.network import SparseMLP
from synaprune.pruning import mcnemar
from synaprune.threads import Threads, check_threads


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two networks on the same samples; ``print`` shows it as a table.

    Attributes
    ----------
    classes : ndarray, shape (n_classes,)
    n : ndarray of int64, shape (n_classes,)
        Samples of each class.
    before, after : ndarray of float64, shape (n_classes,)
        Accuracy of each network on each class, NaN for a class without samples.
    lost, won : ndarray of int64, shape (n_classes,)
        Samples that only the first, or only the second, network gets right.
    p_values : ndarray of float64, shape (n_classes,)
        Of McNemar's exact test (1947) that nothing changed in the class, two-sided.
    total_p_value : float
        The same over all samples.
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
        """Accuracy gained over all samples."""
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
        Before and after a change, say by `SparseMLP.without`. Both know the same classes.
    X, y : array_like, shapes (n, n_features) and (n,), or a CheckedData alone
    threads : int or "auto", optional

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If the data do not fit, a network was never fitted, or classes differ.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, epochs=20)
    >>> comparison = sn.explain.compare(net, net.without(neurons=[0]), *data.test)
    >>> comparison.change < 0
    True
    """
    if not np.array_equal(a.classes, b.classes):
        raise ValueError("the networks know different classes")
    n_threads = check_threads(threads)
    right = []
    for net in (a, b):
        data = net.check_data(X, y)
        inputs, codes = data.X, data.y
        right.append(finite(net._core.classify(inputs, n_threads)) == codes)
    first, second = right
    members = [codes == c for c in range(len(a.classes))]

    def count(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.array([np.count_nonzero(which & m) for m in members], np.int64)

    n = count(np.ones_like(first))
    with np.errstate(invalid="ignore"):
        before, after = count(first) / n, count(second) / n
    return Comparison(
        a.classes, n, before, after, count(first & ~second), count(second & ~first),
        np.array([mcnemar(first[m], second[m]) for m in members]), mcnemar(first, second),
    )  # fmt: skip


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
        If the data do not fit, or the network was never fitted.
    """
    data = net.check_data(X, y)
    inputs, codes = data.X, data.y
    predicted = finite(net._core.classify(inputs, check_threads(threads)))
    k = len(net.classes)
    return np.bincount(codes.astype(np.int64) * k + predicted, minlength=k * k).reshape(k, k)
