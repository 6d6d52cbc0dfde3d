"""Exchange synapses at a count that is reached: grow some, cut as many, keep what fits better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import finite
from synaprune.pruning._regrow import living, regrown
from synaprune.pruning._run import Run, Spent
from synaprune.training import Optimizer, TrainingDiverged, constant_then_cosine

_MOST = 8  # synapses that grow at once, of networks of up to a hundred; of others 8 %
_NOISE = 0.5  # of the gains' logarithms, so that proposals differ


def exchange(
    run: Run,
    *,
    n_synapses: int | None,
    n_inputs: int | None,
    optimizer: Optimizer,
    epochs: int,
    effort: float,
) -> None:
    """Propose exchanges and keep those that lower the training loss; then train on.

    What grows is what gains most: with g a sample's gradient at a removed synapse of no weight, a
    step along E[g] with curvature E[g²] lowers the loss by E[g]² / 2 E[g²].

    Parameters
    ----------
    run : Run
        That has reached its counts.
    n_synapses, n_inputs : int or None
        The counts.
    optimizer : Optimizer
        At its learning rate proposals are trained.
    epochs : int
        Of the last training, in which the learning rate falls to a hundredth.
    effort : float
        The budget, as a multiple of the work so far.
    """
    most = (n_synapses or run.net.n_synapses, n_inputs or run.net.layers[0])
    before, loss_before = run.net._core.copy(), _loss(run)
    rng = np.random.default_rng(run.net._core.rng_state)
    run.limit = run.work * (1.0 + effort)
    best = before
    try:
        _settle(run, 5, optimizer)
        best, least = run.net._core.copy(), _loss(run)
        while True:
            loss = _loss(run) if _propose(run, most, optimizer, rng) else np.inf
            if loss < least:
                best, least = run.net._core.copy(), loss
            else:
                run.net._core.assign(best)
                run.tell("rejected", None)
    except (Spent, TrainingDiverged):  # the latter at this learning rate without any exchange
        run.net._core.assign(best)
    finally:
        run.limit = float("inf")
    try:
        for _ in run.train(epochs, constant_then_cosine(turn=0.0), optimizer=optimizer):
            pass
        worse = _loss(run) >= loss_before
    except TrainingDiverged:
        worse = True
    if worse:
        run.net._core.assign(before)
        return
    last = run.path.steps.pop()
    run.accept(epochs=last.epochs, accuracy_before=last.score_after_cut)


def _loss(run: Run) -> float:
    """Mean loss over the training samples as they are, towards their classes."""
    y = run.data.y
    codes: NDArray[np.int32] = (y.argmax(axis=1) if y.ndim == 2 else y).astype(np.int32, copy=False)
    loss: float = finite(run.net._core.evaluate(run.data.X, codes, run.threads.next()))[0]
    return loss


def _propose(
    run: Run, most: tuple[int, int], optimizer: Optimizer, rng: np.random.Generator
) -> bool:
    """Grow and cut; returns whether the counts are kept and nothing diverged."""
    n_synapses, n_inputs = most
    n = int(rng.integers(1, max(_MOST, n_synapses * 8 // 100) + 1))
    _grow(run, n + n_synapses - run.net.n_synapses, rng)
    try:
        for share in (2, 1):  # half of what is too many goes first, then the rest
            for _ in run.train(2, optimizer=optimizer):
                pass
            excess = (run.net.n_synapses - n_synapses) // share
            if excess > 0:
                run.cut(excess)
        _settle(run, 3, optimizer)
    except TrainingDiverged:
        return False
    return run.net.n_used_inputs <= n_inputs


def _settle(run: Run, epochs: int, optimizer: Optimizer) -> None:
    """Train, the last epoch at a fifth of the learning rate, so that losses can be compared."""

    def factor(done: float) -> float:
        return 0.2 if done > 1.0 - 1.5 / epochs else 1.0

    for _ in run.train(epochs, factor, optimizer=optimizer):
        pass


def _grow(run: Run, n: int, rng: np.random.Generator) -> None:
    """Let n removed synapses grow again, those that would gain most, with noise."""
    start = run.path.network(0).weights
    now = run.net.weights
    everything = [np.ones(len(w.values), bool) for w in start]
    whole = regrown(run.net, start, everything, at_zero=True)
    run.count_try(whole)
    mean, square = (a.astype(np.float64) for a in run.moments(whole))
    gain = np.log(mean**2 / np.maximum(square, 1e-30) + 1e-30)
    gain += _NOISE * rng.gumbel(size=len(gain))
    ends = np.cumsum([len(w.values) for w in start])
    for first, layer, full in zip([0, *ends[:-1]], now, start, strict=True):
        gain[first + living(layer, full)] = -np.inf
    n = min(n, int(np.isfinite(gain).sum()))
    chosen: NDArray[np.bool_] = np.zeros(len(gain), bool)
    chosen[np.argpartition(-gain, n - 1)[:n] if n > 0 else []] = True
    more = np.split(chosen, ends[:-1])
    run.net._core.assign(regrown(run.net, start, more)._core)
