"""`WeightAverage`: the mean of a network's parameters over the last epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


class WeightAverage:
    """Averages parameters over the last epochs (stochastic weight averaging).

    Parameters
    ----------
    last : int
        How many epochs; with 1 nothing is done.
    epochs : int
        The number of the last epoch.
    """

    def __init__(self, last: int, epochs: int) -> None:
        self.last, self.epochs = last, epochs
        self._sums: list[NDArray[np.float64]] = []
        self._n = 0

    def includes(self, epoch: int) -> bool:
        """Whether the parameters after an epoch, counted from 1, are part of the mean."""
        return self.last > 1 and epoch > self.epochs - self.last

    def add(
        self, epoch: int, parameters: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]] | None:
        """Add the parameters after an epoch; return the means after the last epoch, else None.

        The mean begins anew when the number of parameters has changed, that is, after a cut.

        Parameters
        ----------
        epoch : int
            Counted from 1; one that `includes` names.
        parameters : sequence of ndarray of float32

        Returns
        -------
        list of ndarray of float32, or None
            The means, in the order and shapes of `parameters`.
        """
        now = [a.astype(np.float64) for a in parameters]
        if [len(a) for a in self._sums] == [len(a) for a in now]:
            self._sums = [a + b for a, b in zip(self._sums, now, strict=True)]
            self._n += 1
        else:  # the first, or a cut came between
            self._sums, self._n = now, 1
        if epoch < self.epochs:
            return None
        return [(a / self._n).astype(np.float32) for a in self._sums]

    @property
    def state(self) -> dict[str, NDArray[np.float64]]:
        """The sums so far and how many they are of; set it to go on from there.

        Returns
        -------
        dict of ndarray
        """
        return {"n": np.array([float(self._n)])} | {f"{i}": a for i, a in enumerate(self._sums)}

    @state.setter
    def state(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        self._n = int(arrays["n"][0])
        self._sums = [arrays[f"{i}"] for i in range(len(arrays) - 1)]
