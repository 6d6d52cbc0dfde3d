"""`CheckedData`: samples and targets that were checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from synaprune.arrays import Inputs, Labels
from synaprune.labels import brief


@dataclass(frozen=True, eq=False)
class CheckedData:
    """Samples and targets that fit a network, as `SparseMLP.check_data` returns them.

    `SparseMLP.score`, ``validation`` in `SparseMLP.fit` and the functions of `explain` that need
    targets take this in place of X and y. They check only that it was made for the same number of
    features, and the same classes or number of outputs.

    Attributes
    ----------
    X : ndarray of float32 or uint8, shape (n, n_features)
    y : ndarray of int32, shape (n,), or of float64, shape (n, n_outputs)
        Numbers of the classes, or the numbers to predict.
    classes : ndarray, shape (n_classes,), or None
        The labels, sorted; None where numbers are predicted.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 4, 1), seed=0).fit(*data.train)
    >>> checked = net.check_data(*data.test)
    >>> net.score(checked) == net.score(*data.test)
    True
    """

    X: Inputs
    y: NDArray[Any]
    classes: Labels | None

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        n, n_features = self.X.shape
        targets = f"{self.y.shape[-1]} numbers" if self.classes is None else brief(self.classes)
        return f"{type(self).__name__}({n} samples, {n_features} features, {targets})"
