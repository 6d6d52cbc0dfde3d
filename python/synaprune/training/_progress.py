"""What a callback is told, and how it ends a run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias


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
    network : SparseMLP or None
        What the call returns if it ends here: after an epoch of `fit` the network itself, as it is
        (copy it to keep it), and once a cut is accepted a copy of that network. None between cuts,
        where the network may still be undone.
    """

    stage: str
    epoch: int
    epochs: int | None
    loss: float
    score: float | None
    n_synapses: int
    threads: int = 1
    network: Any = field(default=None, repr=False, compare=False)


Callback: TypeAlias = Callable[[Progress], object]


def asks_to_stop(callback: Callback, progress: Progress) -> bool:
    """Call a callback; returns whether it returned `STOP` or raised StopIteration."""
    try:
        return callback(progress) is STOP
    except StopIteration:
        return True


@contextmanager
def watched(callback: Callback | None, copied: Callable[[], Any]) -> Iterator[None]:
    """Call a callback's `on_train_begin` before the work and `on_train_end` after it.

    Both are optional methods. The first may raise if something does not fit; nothing has changed
    then.

    Parameters
    ----------
    callback : callable or None
    copied : callable
        Returns a copy of the network that is to be trained, which knows its classes.
    """
    begin, end = (getattr(callback, f"on_train_{when}", None) for when in ("begin", "end"))
    if begin is not None:
        begin(copied())
    try:
        yield
    finally:
        if end is not None:
            end()
