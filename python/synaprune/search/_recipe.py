"""How a full network is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from synaprune.pruning import Gradual
from synaprune.search._candidates import TINY, Candidate
from synaprune.training import SGD, ConstantThenCosine, Training, TrainingDiverged

T = TypeVar("T")

BATCH_SIZE = 32
_PASSES = 60  # of the training of a full network, if that is
_UPDATES = (4000, 30000)  # at least and at most so many updates
_WORK = 1e12  # of a training towards a count: rows times epochs times synapses
_ROW = 1500  # synapses that take as long as what a row takes besides
_EPOCHS = 1000  # of such a training, at most
_MANY = 20_000  # rows from which batches are twice as large: a third less time
_POWER = 3.0  # of `Gradual`: starts are large, and their first cuts cost nothing
_REGROW = 0.5  # of the work of a last training to a tiny count: removed synapses may grow again
_LEAST = 1500  # updates of such a training, at least
LEARNING_RATES = (0.05, 0.0125, 0.003)  # each is for what the one before made diverge


def recipe_of_full(
    training: Training,
    l1: float,
    n: int,
    max_updates: int | None,
    lr: float = LEARNING_RATES[0],
) -> Training:
    """Return how a full network is trained.

    Parameters
    ----------
    training : Training
        Batch size and what else stays as it is.
    l1 : float
        Penalty.
    n : int
        Rows.
    max_updates : int or None
    lr : float
        Learning rate.

    Returns
    -------
    Training
    """
    steps = math.ceil(n / training.batch_size)
    updates = min(max(_PASSES * steps, _UPDATES[0]), _UPDATES[1])
    return replace(
        training,
        epochs=math.ceil(min(updates, max_updates or updates) / steps),
        optimizer=SGD(lr, momentum=0.9, l1=l1, weight_decay=0.0 if l1 else 1e-4),
        lr_schedule=ConstantThenCosine(),
    )


def recipe_towards(
    training: Training,
    candidate: Candidate,
    n: int,
    full: int,
    n_synapses: int,
    work: float,
    lr: float,
    last: bool,
) -> tuple[Training, Gradual]:
    """Return how a network is trained while it is cut to a count, and how it is cut.

    Parameters
    ----------
    training : Training
        Batch size and what else stays as it is.
    candidate : Candidate
    n : int
        Rows.
    full, n_synapses : int
        Synapses that it begins and ends with.
    work : float
        Share of a whole training that it may take.
    lr : float
        Learning rate.
    last : bool
        Whether the network is one of those to return.
    """
    tiny = last and n_synapses <= TINY
    gradual = Gradual(power=_POWER, regrow_budget=_REGROW if tiny else 0.0)
    mean = gradual.mean_synapses(full, n_synapses)
    batch_size = training.batch_size * (2 if n >= _MANY else 1)
    least = math.ceil(_LEAST / math.ceil(n / batch_size))
    epochs = work * min(_WORK / (n * (mean + _ROW)), _EPOCHS)
    optimizer = SGD(lr, momentum=0.9, l1=candidate.l1)
    recipe = replace(
        training,
        epochs=max(2, least, round(epochs)),
        batch_size=batch_size,
        optimizer=optimizer,
        augment=candidate.augment,
    )
    return recipe, replace(gradual, final_optimizer=replace(optimizer, l1=0.0))


def at_a_rate_that_converges(train: Callable[[float], T]) -> T:
    """Return what a training gives at the first of `LEARNING_RATES` at which it does not diverge.

    Parameters
    ----------
    train : callable
        Called as ``train(lr)``.

    Raises
    ------
    TrainingDiverged
        If it diverges at all of them.
    """
    *others, last = LEARNING_RATES
    for lr in others:
        with suppress(TrainingDiverged):
            return train(lr)
    return train(last)
