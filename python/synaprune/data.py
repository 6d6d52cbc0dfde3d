"""`CheckedData`: samples and labels that were checked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, Labels


@dataclass(frozen=True, eq=False)
class CheckedData:
    """Samples and labels that fit a network, as `SparseMLP.check_data` returns them.

    Methods and functions that take X and y take this in place of X, without y, and check only that
    it was made for the same features and classes.

    Attributes
    ----------
    X : ndarray of float32 or uint8, shape (n, n_features)
    y : ndarray of int32, shape (n,)
        Numbers of the classes.
    classes : ndarray, shape (n_classes,)
        The labels, sorted.

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
    y: NDArray[np.int32]
    classes: Labels

    def __len__(self) -> int:
        return len(self.y)
