"""`Gradual`: train and cut along one schedule, to target counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_float
from synaprune.layers import split_synapses
from synaprune.network import SparseMLP, average_weights
from synaprune.options import option
from synaprune.pruning.contract import Judgement
from synaprune.pruning.goal import Goal
from synaprune.pruning.journal import Mark
from synaprune.pruning.limits import LimitReached
from synaprune.pruning.session import BudgetExhausted, Session
from synaprune.pruning.strategies._strategy import Strategy
from synaprune.pruning.topology import positions, regrown
from synaprune.pruning.units import Amounts, InputUnits
from synaprune.training import (
    ConstantThenCosine,
    Optimizer,
    Training,
    TrainingDiverged,
    WeightAverage,
    check_optimizer,
)

_EPOCHS = 60
_MOST = 8  # synapses that grow at once, of networks of up to a hundred; of others 8 %
_NOISE = 0.5  # of the gains' logarithms, so that proposals differ


@dataclass(frozen=True)
class Gradual(Strategy):
    """Train once and cut on the way: counts fall exponentially to their targets, or faster.

    Goes with the goals `n_synapses` and `n_inputs`, and takes a trained network or a fresh one. The
    recipe's epochs (60 if left out) are those of the whole run. Its learning-rate schedule, if left
    out, is constant while cuts go on, then falls along a half cosine. Whole inputs go by the sums
    of their synapses' scores.

    Parameters
    ----------
    first_cut, last_cut : float
        The sparsity schedule: shares of the epochs after which the first and the last cut are made;
        between them there is one after each epoch.
    power : float
        How much slower cuts become towards the last one: the logarithm of a count is above that of
        its target by a share of (1 - t)^power, t being the share of the cuts that are made. At 1
        counts fall exponentially; 2 or 3 suit starts that are far too large, and take less time.
    final_optimizer : Optimizer, optional
        Takes over after the last cut. An L1 penalty helps the ranking while cuts go on, but biases
        the weights that are left towards zero: ``Training(optimizer=SGD(0.1, l1=1e-4))`` and
        ``Gradual(final_optimizer=SGD(0.1))``.
    regrow_budget : float
        Prune and regrow at the target (as Mocanu et al., 2018, arXiv 1707.04780, and Evci et al.,
        2020, arXiv 1911.11134): let removed synapses grow again, cut as many, and keep what lowers
        the training loss; for at most so many times the work of the run, counted in epochs times
        synapses and neurons. 0: do not.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> Gradual(regrow_budget=1.0)
    Gradual(first_cut=0.05, last_cut=0.7, power=1.0, final_optimizer=None, regrow_budget=1.0)
    """

    first_cut: float = option(0.05, "share of the epochs before the first cut", metavar="S")
    last_cut: float = option(0.7, "share of the epochs at the last cut", metavar="S")
    power: float = option(
        1.0, "how much slower cuts become towards the last one; 1: counts fall exponentially",
        metavar="P",
    )  # fmt: skip
    final_optimizer: Optimizer | None = None
    regrow_budget: float = option(
        0.0, "at the target, let synapses grow again and cut as many, for B times the work",
        metavar="B",
    )  # fmt: skip
    starts_trained: ClassVar[bool] = False

    def __post_init__(self) -> None:
        last = check_float("last_cut", self.last_cut, 0.0, 1.0, open_low=True)
        if check_float("first_cut", self.first_cut, 0.0, 1.0) >= last:
            raise ValueError(f"first_cut must be below last_cut={last:g}, got {self.first_cut:g}")
        check_float("power", self.power, 1.0, 10.0)
        if self.final_optimizer is not None:
            check_optimizer(self.final_optimizer, "final_optimizer")
        check_float("regrow_budget", self.regrow_budget, 0.0)

    def check(self, goal: Goal, training: Training) -> None:
        """Raise a ValueError unless the goal is counts, and the epochs leave room for cuts."""
        if not goal.counted:
            raise ValueError(f"strategy Gradual goes with n_synapses or n_inputs alone, got {goal}")
        if training.epochs == 1:
            raise ValueError("strategy Gradual needs training with at least 2 epochs, got epochs=1")
        training.with_epochs(_EPOCHS)

    def run(self, session: Session) -> str:
        """Train and cut to the goal's counts; see `Strategy.run`."""
        training = session.training.with_epochs(_EPOCHS)
        assert training.epochs is not None
        mark = session.marked()
        if mark is None or "proposals" not in mark.values:
            self._descend(session, training, training.epochs, mark)
            mark = None
        if self.regrow_budget:
            optimizer = self.final_optimizer or training.optimizer
            epochs = max(1, training.epochs // 5)
            _prune_and_regrow(session, optimizer, epochs, self.regrow_budget, mark)
        net, target, units = session.net, session.goal.n_synapses, session.units
        told, kept = [], session.overrun(net) == 0.0
        if target is not None:
            told.append(f"{net.n_synapses} synapses (target {target})")
            kept = kept and net.n_synapses <= target
        if units is not None:
            told.append(units.told(net))
        return ("reached " if kept else "what is frozen holds ") + " and ".join(told)

    def _descend(
        self, session: Session, training: Training, epochs: int, mark: Mark | None
    ) -> None:
        """Train all epochs, or those after a mark; cut after each that the schedule names."""
        net, goal = session.net, session.goal
        full = net if mark is None else mark.nets["full"]
        last = max(1, math.floor(self.last_cut * epochs))
        cuts = [e for e in range(1, last + 1) if e > self.first_cut * epochs] or [last]
        falling = self._falling(full.n_synapses, goal.n_synapses, len(cuts))
        limits = self._falling_limits(full, session.units, len(cuts))
        session.planned = epochs
        average = WeightAverage(training.swa_epochs, epochs)
        lr_schedule = training.lr_schedule
        if lr_schedule is None and last < epochs:
            lr_schedule = ConstantThenCosine(turn=last / epochs)
        later = None if self.final_optimizer is None else (last, self.final_optimizer)
        begun, done, since, after_cut, judged = 0, 0, 0, None, None
        if mark is not None:
            begun, done, since, after_cut = mark.take("epoch", "done", "since", "after_cut")
            average.state = mark.arrays
        full = full.copy()
        resumed = None if mark is None else (begun, full)
        try:
            for epoch in session.train(epochs, lr_schedule, later=later, resumed=resumed):
                average_weights(net, average, epoch)
                since += 1
                judged = None
                if epoch in cuts:
                    done += 1
                    n_synapses = math.floor(falling(done) + 1e-9)
                    if net.n_synapses > n_synapses or session.overrun(net, limits(done)):
                        _accept(session, since, after_cut, None)
                        if net.n_synapses > n_synapses:
                            session.cut(net.n_synapses - n_synapses)
                        if session.overrun(net, limits(done)):
                            session.cut_inputs(session.excess_inputs(limits(done)))
                        judged = session.judge()
                        since, after_cut = 0, judged.score
                if session.listens:
                    judged = judged or session.judge()
                    session.notify("train", judged)
                told = {"epoch": epoch, "done": done, "since": since, "after_cut": after_cut}
                session.mark(told, {"full": full}, average.state)
        except LimitReached:
            path = session.path
            if not path.steps or net.n_synapses < path.steps[-1].n_synapses:
                _accept(session, since, after_cut, None)
            raise
        _accept(session, since, after_cut, judged)

    def mean_synapses(self, start: int, target: int) -> float:
        """Return how many synapses a network has on average over the epochs of a run.

        Parameters
        ----------
        start, target : int

        Returns
        -------
        float

        Examples
        --------
        >>> round(Gradual().mean_synapses(80000, 1000))
        16277
        """
        cuts = 100
        falling = self._falling(start, target, cuts)
        between = sum(falling(done) for done in range(cuts)) / cuts
        first, last = self.first_cut, self.last_cut
        return first * start + (last - first) * between + (1.0 - last) * falling(cuts)

    def _falling(self, start: float, target: float | None, cuts: int) -> Callable[[int], float]:
        """Return how much may be left after a number of the cuts."""
        if target is None or target >= start:
            return lambda done: start
        return lambda done: target * (start / target) ** ((1.0 - done / cuts) ** self.power)

    def _falling_limits(
        self, net: SparseMLP, units: InputUnits | None, cuts: int
    ) -> Callable[[int], Amounts | None]:
        """Return which limits of inputs hold after a number of the cuts."""
        if units is None:
            return lambda done: None
        pairs = zip(units.amounts(net), units.limits, strict=True)
        falling = [self._falling(start, target, cuts) for start, target in pairs]
        return lambda done: Amounts(*(left(done) for left in falling))


def _accept(
    session: Session, epochs: int, after_cut: float | None, judged: Judgement | None
) -> None:
    """Accept the network as it is, so many epochs after the last cut."""
    judged = judged or session.judge()
    score = judged.score if after_cut is None else after_cut
    session.accept(judged, epochs=epochs, score_after_cut=score)


# ---- prune and regrow


def _prune_and_regrow(
    session: Session, optimizer: Optimizer, epochs: int, budget: float, mark: Mark | None
) -> None:
    """Propose swaps of synapses and keep those that lower the training loss; then train on.

    What grows is what gains most: with g a sample's gradient at a removed synapse of no weight, a
    step along E[g] with curvature E[g²] lowers the loss by E[g]² / 2 E[g²].

    Parameters
    ----------
    session : Session
        That has reached its counts.
    optimizer : Optimizer
        At its learning rate proposals are trained.
    epochs : int
        Of the last training, in which the learning rate falls to a hundredth.
    budget : float
        Multiple of the work so far.
    mark : Mark or None
        Where an earlier run was.
    """
    if mark is None:
        rng = np.random.default_rng(session.net._core.rng_state)
        session.limit = session.work * (1.0 + budget)
        before, loss_before = session.snapshot(), session.training_loss()
        best, least = before, math.nan
    else:
        rng = np.random.default_rng()
        rng.bit_generator.state = mark.values["proposals"]
        session.limit, loss_before, least = mark.take("limit", "loss_before", "least")
        before, best = mark.nets["before"], mark.nets["best"]
    try:
        if mark is None:
            _settle(session, 5, optimizer)
            best, least = session.snapshot(), session.training_loss()
        while True:
            told = {"limit": session.limit, "loss_before": loss_before, "least": least}
            session.mark(
                {"proposals": rng.bit_generator.state, **told}, {"before": before, "best": best}
            )
            kept = _propose(session, optimizer, rng)
            loss = session.training_loss() if kept else math.inf
            if loss < least:
                best, least = session.snapshot(), loss
            else:
                session.restore(best)
                session.notify("rejected", None)
    except (BudgetExhausted, TrainingDiverged):  # the latter at this rate without any swap
        session.restore(best)
    except LimitReached:
        session.restore(best)
        _replace_last(session, before, loss_before)
        raise
    finally:
        session.limit = math.inf
    try:
        for _ in session.train(epochs, ConstantThenCosine(turn=0.0), optimizer=optimizer):
            pass
    except TrainingDiverged:
        session.restore(before)
        return
    _replace_last(session, before, loss_before)


def _replace_last(session: Session, before: SparseMLP, loss_before: float) -> None:
    """Accept the network in place of the last one if its loss is lower, else go back to that."""
    if session.training_loss() >= loss_before:
        session.restore(before)
        return
    last = session.path.steps.pop()
    session.accept(session.judge(), epochs=last.epochs, score_after_cut=last.score_after_cut)


def _propose(session: Session, optimizer: Optimizer, rng: np.random.Generator) -> bool:
    """Regrow and cut; returns whether the counts are kept and nothing diverged."""
    n_synapses = session.goal.n_synapses or session.path.steps[-1].n_synapses
    n = int(rng.integers(1, max(_MOST, n_synapses * 8 // 100) + 1))
    _regrow(session, n + n_synapses - session.net.n_synapses, rng)
    try:
        for share in (2, 1):  # half of what is too many goes first, then the rest
            for _ in session.train(2, optimizer=optimizer):
                pass
            excess = (session.net.n_synapses - n_synapses) // share
            if excess > 0:
                session.cut(excess)
        _settle(session, 3, optimizer)
    except TrainingDiverged:
        return False
    return not session.overrun(session.net)


def _settle(session: Session, epochs: int, optimizer: Optimizer) -> None:
    """Train, the last epoch at a fifth of the learning rate, so that losses can be compared."""

    def factor(done: float) -> float:
        return 0.2 if done > 1.0 - 1.5 / epochs else 1.0

    for _ in session.train(epochs, factor, optimizer=optimizer):
        pass


def _regrow(session: Session, n: int, rng: np.random.Generator) -> None:
    """Let n removed synapses grow again, those that would gain most, with noise."""
    start = session.path.network(0).weights
    now = session.net.weights
    everything = [np.ones(len(w.values), bool) for w in start]
    whole: SparseMLP = regrown(session.net, start, everything, at_zero=True)
    session.charge(whole)
    mean, square = (a.astype(np.float64) for a in session.gradient_moments(whole))
    gain = np.log(mean**2 / np.maximum(square, 1e-30) + 1e-30)
    gain += _NOISE * rng.gumbel(size=len(gain))
    for part, layer, full in zip(split_synapses(gain, start), now, start, strict=True):
        part[positions(layer, full)] = -np.inf
    n = min(n, int(np.isfinite(gain).sum()))
    chosen: NDArray[np.bool_] = np.zeros(len(gain), bool)
    chosen[np.argpartition(-gain, n - 1)[:n] if n > 0 else []] = True
    session.restore(regrown(session.net, start, split_synapses(chosen, start)))
