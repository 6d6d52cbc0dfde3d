"""The epoch loop over the core's network."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import closing

from synaprune import _core
from synaprune.threads import ThreadChoice
from synaprune.training._blocks import TrainingBlocks
from synaprune.training._data import TrainingSet
from synaprune.training._rewire import Rewiring
from synaprune.training.optimizers import Optimizer


class TrainingDiverged(ArithmeticError):  # noqa: N818 - a name users read
    """The loss or a weight became infinite or NaN; the network is as it was before the call.

    With `Training.rewire` it is as it was after the last exchange of synapses or epoch.

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


def run_epochs(
    core: _core.Network,
    data: TrainingSet | TrainingBlocks,
    *,
    factors: Iterable[float],
    batch_size: int,
    optimizer: Optimizer,
    threads: ThreadChoice,
    later: tuple[int, Optimizer] | None = None,
    max_norm: float | None = None,
    rewire: tuple[Rewiring, int] | None = None,
    done: int = 0,
) -> Iterator[tuple[int, float]]:
    """Train epoch by epoch; yields (epoch counted from 1, mean loss) after each.

    Parameters
    ----------
    core : _core.Network
    data : TrainingSet or TrainingBlocks
    factors : iterable of float
        What the learning rate is multiplied by in each epoch; see `lr_factors`.
    batch_size, optimizer, threads
        As in `Training` and `SparseMLP.fit`.
    later : (int, Optimizer), optional
        After so many epochs this optimiser takes over.
    max_norm : float, optional
        Of a batch's gradient; see `Training.max_gradient_norm`.
    rewire : (SET or RigL, int), optional
        What exchanges synapses, and the epochs of the whole training.
    done : int
        Epochs of these that were done before.

    Raises
    ------
    TrainingDiverged
        If loss or weights are no longer finite. Restoring the network is the caller's part.
    """
    lr = optimizer.lr
    step = optimizer.to_core(lr)  # kept while it is the same: an epoch may take microseconds
    for epoch, factor in enumerate(itertools.islice(factors, done, None), done + 1):
        if later is not None and later[0] < epoch and optimizer is not later[1]:
            optimizer, lr = later[1], later[1].lr
            step = optimizer.to_core(lr)
        if lr != optimizer.lr * factor:
            lr = optimizer.lr * factor
            step = optimizer.to_core(lr)
        mean, seen, largest = 0.0, 0, 0
        with closing(data.chunks(core, batch_size)) as chunks:
            for chunk in chunks:
                begin, n = time.perf_counter(), len(chunk)
                if rewire is None:
                    loss = chunk.train_epoch(core, batch_size, step, threads.next(), max_norm)
                else:
                    loss = 0.0
                    for part, share in _parts(core, n, batch_size, epoch, *rewire):
                        loss += (part[1] - part[0]) * chunk.train_epoch(
                            core, batch_size, step, threads.next(), max_norm, part
                        )
                        if not math.isfinite(loss):
                            break
                        if share > 0.0:
                            chunk.rewire(core, share, rewire[0].candidates, batch_size)
                    loss /= n
                if not math.isfinite(loss):
                    raise TrainingDiverged(epoch, lr)
                if n >= largest:  # the last of several may be short, and is not to be compared
                    threads.took(time.perf_counter() - begin)
                largest, seen = max(largest, n), seen + n
                mean += (loss - mean) * (n / seen)
        yield epoch, mean


def _parts(
    core: _core.Network, n: int, batch_size: int, epoch: int, rewire: Rewiring, epochs: int
) -> Iterator[tuple[tuple[int, int, int], float]]:
    """Generate the parts of an epoch, as `TrainingSet.train_epoch` takes them, and shares after."""
    updates = math.ceil(n / batch_size)
    begin, state, first = (epoch - 1) * updates, core.rng_state, 0
    for update, share in rewire.shares(begin, begin + updates, epochs * updates):
        last = min((update - begin) * batch_size, n)
        yield (first, last, state), share
        first = last
    if first < n:
        yield (first, n, state), 0.0
