"""The one mechanism of every strategy: cut, train, judge; then accept or roll back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import finite
from synaprune.criteria import Ranking
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.threads import ThreadChoice
from synaprune.training import Callback, Optimizer, Progress, Schedule, run_epochs


class PruningInterrupted(KeyboardInterrupt):
    """Ctrl-C during `prune`; ``path`` holds what was accepted until then (maybe nothing)."""

    def __init__(self, path: PruningPath) -> None:
        super().__init__(f"pruning was interrupted after {len(path)} accepted networks")
        self.path = path

    def __reduce__(self) -> tuple[type[PruningInterrupted], tuple[PruningPath]]:
        return (type(self), (self.path,))


class Stop(Exception):  # noqa: N818 - no error: a callback asked to end here
    """A callback returned True."""


class Run:
    """A copy of the network on its way down, the data that judge it, and its path so far."""

    def __init__(
        self,
        net: SparseMLP,
        X: Any,
        y: Any,
        validation: tuple[Any, Any],
        *,
        ranking: Ranking,
        batch_size: int,
        optimizer: Optimizer,
        threads: ThreadChoice,
        callback: Callback | None,
        **options: Any,
    ) -> None:
        self.net = net.copy()
        self.data = self.net.prepare(X, y, **options)
        self.X_val, self.y_val = self.net.check_validation(validation)
        self.ranking = ranking
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.threads = threads
        self.callback = callback
        self.path = PruningPath(self.net)
        self.planned: int | None = None
        self.loss = math.nan
        self._reference: NDArray[np.bool_] | None = None

    def correct(self) -> NDArray[np.bool_]:
        """Which validation samples the network gets right, shape (n,)."""
        right: NDArray[np.bool_] = (
            finite(self.net.core.classify(self.X_val, self.threads.next())) == self.y_val
        )
        return right

    def accuracy(self) -> float:
        evaluation = finite(self.net.core.evaluate(self.X_val, self.y_val, self.threads.next()))
        return evaluation[1] / len(self.y_val)

    def tell(self, stage: str, accuracy: float | None) -> None:
        if self.callback is None:
            return
        n = self.net.n_synapses
        progress = Progress(
            stage, self.path.epochs, self.planned, self.loss, accuracy, n, self.threads.next()
        )
        if self.callback(progress):
            raise Stop

    def train(
        self,
        epochs: int,
        schedule: Schedule | None = None,
        later: tuple[int, Optimizer] | None = None,
    ) -> Iterator[int]:
        """Generate the epoch number after each epoch of training."""
        for epoch, loss in run_epochs(
            self.net.core, self.data, epochs=epochs, batch_size=self.batch_size,
            optimizer=self.optimizer, threads=self.threads, schedule=schedule, later=later,
        ):  # fmt: skip
            self.path.epochs += 1
            self.loss = loss
            yield epoch

    def cut(self, n: int, spared: int = 0) -> None:
        self.ranking.cut(self.net, n, spared, self.data, self.threads.next())

    def cut_inputs(self, n: int) -> None:
        self.ranking.cut_inputs(self.net, n, self.data, self.threads.next())

    def accept(self, *, epochs: int, accuracy_before: float) -> None:
        correct = self.correct()
        if self._reference is None:
            self._reference = correct
        accuracy = float(np.count_nonzero(correct)) / len(correct)
        self.path.add(
            self.net,
            criterion=self.ranking.name,
            epochs=epochs,
            accuracy_before=accuracy_before,
            accuracy=accuracy,
            p_value=mcnemar(self._reference, correct),
        )
        self.tell("accepted", accuracy)


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """McNemar's exact two-sided test (McNemar, 1947) on paired right-or-wrong outcomes.

    Parameters
    ----------
    a, b : ndarray of bool, shape (n,)
        Which samples each classifier gets right.

    Returns
    -------
    float
        Twice the binomial tail of the disagreements at probability 1/2, at most 1.

    Examples
    --------
    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    n, fewer = only_a + only_b, min(only_a, only_b)
    tail, ways = 0, 1  # whole numbers: the sum of the binomial coefficients is exact
    for k in range(fewer + 1):
        tail += ways
        ways = ways * (n - k) // (k + 1)
    return float(min(1.0, 2 * tail / 2**n))
