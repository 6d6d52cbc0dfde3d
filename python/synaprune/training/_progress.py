"""What a callback is told, and how it ends a run."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias


class _Answer(enum.Enum):
    """What a callback returns to end a run. No other value does, however true.

    Examples
    --------
    >>> from synaprune import STOP, SparseMLP, Training, datasets
    >>> net = SparseMLP((2, 8, 1))
    >>> epochs = []
    >>> def callback(progress):
    ...     epochs.append(progress.epoch)
    ...     return STOP if progress.loss < 0.6 else None
    >>> _ = net.fit(*datasets.xor().train, training=Training(9999), callback=callback)
    >>> len(epochs) < 9999
    True
    """

    STOP = "stop"

    def __repr__(self) -> str:
        return self.name


STOP: Final = _Answer.STOP


@dataclass(frozen=True)
class Progress:
    """What a callback is told: one epoch is over, or one cut was accepted or rejected.

    Attributes
    ----------
    stage : str
        "train" (an epoch of `fit` or of a gradual pruning), "retrain" (an epoch after a cut of an
        iterative pruning), "accepted" or "rejected" (the cut).
    epoch : int
        Epochs done so far in this call.
    epochs : int or None
        Epochs planned in this call, if that is known.
    loss : float
        Mean training loss of the last epoch.
    score : float or None
        Accuracy (or the metric that `prune` was given) on the validation split, if there is one.
    n_synapses : int
        Synapses that are left.
    threads : int
        Threads that the next epoch may use; what ``threads="auto"`` chose, once it has.
    """

    stage: str
    epoch: int
    epochs: int | None
    loss: float
    score: float | None
    n_synapses: int
    threads: int = 1


Callback: TypeAlias = Callable[[Progress], object]


def asks_to_stop(callback: Callback, progress: Progress) -> bool:
    """Call a callback; returns whether it returned `STOP` or raised StopIteration."""
    try:
        return callback(progress) is STOP
    except StopIteration:
        return True
