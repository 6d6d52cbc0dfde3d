"""The epoch loop over the core's network, and what it tells."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from synaprune import _core
from synaprune.checks import check_float
from synaprune.threads import ThreadChoice
from synaprune.training._data import TrainingSet
from synaprune.training._optimizers import Optimizer
from synaprune.training._schedules import Schedule


class TrainingDiverged(ArithmeticError):  # noqa: N818 - a name users read
    """The loss or a weight became infinite or NaN; the network is as it was before the call.

    Attributes
    ----------
    epoch : int
        The epoch, counted from 1, in which it happened.
    lr : float
        The learning rate of that epoch.
    """

    def __init__(self, epoch: int, lr: float) -> None:
        super().__init__(
            f"training diverged in epoch {epoch} at learning rate {lr:g}; "
            "the network is as it was before: try a smaller learning rate"
        )
        self.epoch = epoch
        self.lr = lr

    def __reduce__(self) -> tuple[type[TrainingDiverged], tuple[int, float]]:
        return (type(self), (self.epoch, self.lr))


@dataclass(frozen=True)
class Progress:
    """What a callback is told: one epoch is over, or one cut was accepted or rejected.

    Attributes
    ----------
    stage : str
        "train" (an epoch of `fit` or of the gradual schedule), "retrain" (an epoch after a cut of
        the ladder), "accepted" or "rejected" (the cut).
    epoch : int
        Epochs done so far in this call.
    epochs : int or None
        Epochs planned in this call, if that is known.
    loss : float
        Mean training loss of the last epoch.
    accuracy : float or None
        Validation accuracy, a fraction, if there is a validation split.
    n_synapses : int
        Living synapses.
    threads : int
        Threads that the next epoch may use; what ``threads="auto"`` chose, once it has.
    """

    stage: str
    epoch: int
    epochs: int | None
    loss: float
    accuracy: float | None
    n_synapses: int
    threads: int = 1


Callback: TypeAlias = Callable[[Progress], object]


def run_epochs(
    core: _core.Network,
    data: TrainingSet,
    *,
    epochs: int,
    batch_size: int,
    optimizer: Optimizer,
    threads: ThreadChoice,
    schedule: Schedule | None = None,
    later: tuple[int, Optimizer] | None = None,
) -> Iterator[tuple[int, float]]:
    """Train epoch by epoch; yields (epoch counted from 1, mean loss) after each.

    After the epoch that `later` names, its optimiser takes over.

    Raises
    ------
    TrainingDiverged
        If loss or weights are no longer finite. Restoring the network is the caller's part.
    """
    lr = optimizer.lr
    step = optimizer.to_core(lr)  # kept while it is the same: an epoch may take microseconds
    for epoch in range(1, epochs + 1):
        if later is not None and epoch == later[0] + 1:
            optimizer, lr = later[1], later[1].lr
            step = optimizer.to_core(lr)
        if schedule is not None:
            factor = check_float("the schedule's factor", schedule((epoch - 1) / epochs), 0.0)
            if lr != optimizer.lr * factor:
                lr = optimizer.lr * factor
                step = optimizer.to_core(lr)
        begin = time.perf_counter()
        loss = data.train_epoch(core, batch_size, step, threads.next())
        threads.took(time.perf_counter() - begin)
        if not math.isfinite(loss):
            raise TrainingDiverged(epoch, lr)
        yield epoch, loss
