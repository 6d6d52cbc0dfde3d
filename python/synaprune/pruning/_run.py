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
from synaprune.pruning._bounds import mcnemar
from synaprune.pruning._contract import Contract
from synaprune.pruning._metric import Metric, measure
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


class Spent(Exception):  # noqa: N818 - no error: the work that was allowed is done
    """The run's limit of work is reached."""


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
        contract: Contract,
        metric: Metric,
        batch_size: int,
        optimizer: Optimizer,
        threads: ThreadChoice,
        callback: Callback | None,
        **options: Any,
    ) -> None:
        self.net = net.copy()
        self.data = self.net.prepare(X, y, **options)
        self.validation = self.net.check_validation(validation)
        self.X_val, self.y_val = self.validation.X, self.validation.y
        self.ranking = ranking
        self.contract = contract
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.threads = threads
        self.callback = callback
        self.path = PruningPath(self.net)
        self.planned: int | None = None
        self.loss = math.nan
        self.work, self.limit = 0, math.inf
        self.metric = metric
        self._reference: NDArray[np.bool_] | None = None

    def predicted(self) -> NDArray[np.int32]:
        """Class numbers of the validation samples, -1 where an output overflows; shape (n,)."""
        return finite(self.net._core.classify(self.X_val, self.threads.next()))

    def correct(self) -> NDArray[np.bool_]:
        """Which validation samples the network gets right, shape (n,)."""
        right: NDArray[np.bool_] = self.predicted() == self.y_val
        return right

    def measure(self, predicted: NDArray[np.int32]) -> float:
        """Return the metric of predictions on the validation split."""
        return measure(self.metric, self.net.classes, self.y_val, predicted)

    def accuracy(self) -> float:
        """Return the metric of the network as it is on the validation split."""
        if self.metric != "accuracy":
            return self.measure(self.predicted())
        evaluation = finite(self.net._core.evaluate(self.X_val, self.y_val, self.threads.next()))
        return evaluation[1] / len(self.y_val)

    def holds(self, accuracy: float) -> bool:
        """Whether the network as it is, of this accuracy, meets the contract."""
        return self.contract.holds(accuracy, self.correct)

    def tell(self, stage: str, accuracy: float | None) -> None:
        """Tell the callback, if there is one; raises `Stop` if it asks to end."""
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
        optimizer: Optimizer | None = None,
    ) -> Iterator[int]:
        """Generate the epoch number after each epoch of training."""
        size = self._size(self.net)
        for epoch, loss in run_epochs(
            self.net._core, self.data, epochs=epochs, batch_size=self.batch_size,
            optimizer=optimizer or self.optimizer, threads=self.threads, schedule=schedule,
            later=later,
        ):  # fmt: skip
            self.path.epochs += 1
            self.loss = loss
            self._spend(size)
            yield epoch

    def moments(self, net: SparseMLP) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return E[g] and E[g²] of a network's synapses over some of the training samples."""
        return self.data.gradient_moments(net._core, self.threads.next())

    def count_try(self, net: SparseMLP | None = None) -> None:
        """Count a cut that is tried, or a network that is looked at, as the work of an epoch."""
        self._spend(self._size(net or self.net))

    def _size(self, net: SparseMLP) -> int:
        """Return what an epoch costs: synapses and neurons."""
        return net.n_synapses + sum(net._core.structure)

    def _spend(self, work: int) -> None:
        self.work += work
        if self.work >= self.limit:
            raise Spent

    def cut(self, n: int, spared: int = 0) -> None:
        """Remove the n synapses of lowest score but for the `spared` lowest."""
        self.ranking.cut(self.net, n, spared, self.data, self.threads.next())

    def cut_inputs(self, n: int) -> None:
        """Remove the n inputs of lowest scores."""
        self.ranking.cut_inputs(self.net, n, self.data, self.threads.next())

    def accept(self, *, epochs: int, accuracy_before: float) -> None:
        """Make the network as it is the path's next step."""
        predicted = self.predicted()
        correct = predicted == self.y_val
        if self._reference is None:
            self._reference = correct
        accuracy = self.measure(predicted)
        self.path.add(
            self.net,
            criterion=self.ranking.name,
            epochs=epochs,
            score_after_cut=accuracy_before,
            score=accuracy,
            p_value=mcnemar(self._reference, correct),
            bound=self.contract.bound(correct),
        )
        self.tell("accepted", accuracy)
