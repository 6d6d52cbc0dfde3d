"""Optimisers, learning-rate schedules and the epoch loop over the core's network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Inputs
from synaprune.checks import check_float
from synaprune.threads import ThreadChoice

Schedule: TypeAlias = Callable[[float], float]


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, the optimiser that WSF is made for.

    Parameters
    ----------
    lr : float
        Learning rate.
    momentum : float
        v = momentum * v + gradient, w = w - lr * v; 0 keeps no state.
    weight_decay : float
        Added to the gradient as weight_decay * w, for synapses only.
    l1 : float
        Added to the gradient as l1 * sign(w), for synapses only.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> SGD(lr=0.1)
    SGD(lr=0.1, momentum=0.0, weight_decay=0.0, l1=0.0)
    """

    lr: float = 0.05
    momentum: float = 0.0
    weight_decay: float = 0.0
    l1: float = 0.0

    def __post_init__(self) -> None:
        check_float("lr", self.lr, 0.0, open_low=True)
        check_float("momentum", self.momentum, 0.0, 1.0)
        check_float("weight_decay", self.weight_decay, 0.0)
        check_float("l1", self.l1, 0.0)

    def to_core(self, lr: float) -> _core.Optimizer:
        """Return the core's optimiser with the learning rate of one epoch.

        Parameters
        ----------
        lr : float
            The rate to use instead of ``self.lr``.
        """
        return _core.Optimizer(
            "sgd", lr, momentum=self.momentum, weight_decay=self.weight_decay, l1=self.l1
        )


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba, 2015). WSF ranks poorly under it: all weights move about as far.

    Parameters
    ----------
    lr : float
        Learning rate.
    beta1, beta2 : float
        Decay rates of the moments, in [0, 1).
    epsilon : float
        Added to the root of the second moment.
    weight_decay, l1 : float
        As in `SGD`: added to the gradient, for synapses only.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> Adam().lr
    0.001
    """

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    l1: float = 0.0

    def __post_init__(self) -> None:
        check_float("lr", self.lr, 0.0, open_low=True)
        for name in ("beta1", "beta2"):
            check_float(name, getattr(self, name), 0.0, 1.0 - 2**-24)
        check_float("epsilon", self.epsilon, 0.0, open_low=True)
        check_float("weight_decay", self.weight_decay, 0.0)
        check_float("l1", self.l1, 0.0)

    def to_core(self, lr: float) -> _core.Optimizer:
        """Return the core's optimiser with the learning rate of one epoch.

        Parameters
        ----------
        lr : float
            The rate to use instead of ``self.lr``.
        """
        return _core.Optimizer(
            "adam",
            lr,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
            l1=self.l1,
        )


Optimizer: TypeAlias = SGD | Adam


def check_optimizer(optimizer: Optimizer | None) -> Optimizer:
    """Return the optimiser, plain SGD for None, or raise a TypeError."""
    if optimizer is None:
        return SGD()
    if not isinstance(optimizer, SGD | Adam):
        raise TypeError(f"optimizer must be an SGD or an Adam, got {optimizer!r}")
    return optimizer


def constant_then_cosine(turn: float = 0.7, end: float = 0.01) -> Schedule:
    """Learning-rate schedule: constant up to a share of the run, then a half cosine down.

    Parameters
    ----------
    turn : float
        Share of the run, in [0, 1), at which the rate begins to fall.
    end : float
        Factor at the very end.

    Returns
    -------
    callable
        Takes the share of the run that is done, in [0, 1), and returns the factor on ``lr``.

    Examples
    --------
    >>> schedule = constant_then_cosine()
    >>> schedule(0.5), round(schedule(0.85), 3)
    (1.0, 0.505)
    """
    check_float("turn", turn, 0.0, 1.0 - 1e-9)
    check_float("end", end, 0.0, 1.0)

    def factor(done: float) -> float:
        if done <= turn:
            return 1.0
        return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * (done - turn) / (1.0 - turn)))

    return factor


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
    X: Inputs,
    y: NDArray[np.int32],
    *,
    epochs: int,
    batch_size: int,
    optimizer: Optimizer,
    threads: ThreadChoice,
    schedule: Schedule | None = None,
) -> Iterator[tuple[int, float]]:
    """Train epoch by epoch; yields (epoch counted from 1, mean loss) after each.

    Raises
    ------
    TrainingDiverged
        If loss or weights are no longer finite. Restoring the network is the caller's part.
    """
    for epoch in range(1, epochs + 1):
        factor = 1.0 if schedule is None else schedule((epoch - 1) / epochs)
        lr = optimizer.lr * check_float("the schedule's factor", factor, 0.0)
        begin = time.perf_counter()
        loss = core.train_epoch(X, y, batch_size, optimizer.to_core(lr), threads.next())
        threads.took(time.perf_counter() - begin)
        if not math.isfinite(loss):
            raise TrainingDiverged(epoch, lr)
        yield epoch, loss
