"""`WeightAverage`: the mean of a network's parameters over the last epochs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synaprune.network._base import SparseNetwork


class WeightAverage:
    """Sums parameters after each of the last epochs; the last one makes the network their mean.

    Parameters
    ----------
    last : int
        How many epochs; with 1 nothing is done.
    epochs : int
        The number of the last epoch.
    """

    def __init__(self, last: int, epochs: int) -> None:
        self.last, self.epochs = last, epochs
        self._sums: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._n = 0

    def after(self, epoch: int, net: SparseNetwork) -> None:
        """Note the parameters after an epoch, counted from 1."""
        if self.last == 1 or epoch <= self.epochs - self.last:
            return
        weights = net.weights
        now = [(w.values.astype(np.float64), w.bias.astype(np.float64)) for w in weights]
        alike = [len(a) for a, _ in self._sums] == [len(a) for a, _ in now]
        if alike:
            self._sums = [(a + c, b + d) for (a, b), (c, d) in zip(self._sums, now, strict=True)]
            self._n += 1
        else:  # the first, or a cut came between
            self._sums, self._n = now, 1
        if epoch == self.epochs:
            net.set_weights(
                [
                    replace(
                        w,
                        values=(values / self._n).astype(np.float32),
                        bias=(bias / self._n).astype(np.float32),
                    )
                    for w, (values, bias) in zip(weights, self._sums, strict=True)
                ]
            )
