"""`Iterative`: cut, retrain, undo what breaks the contract; then search for a smaller end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from synaprune.checks import check_float, check_int
from synaprune.network import SparseMLP
from synaprune.options import option
from synaprune.path import PruningPath
from synaprune.pruning.contract import Contract, Judgement
from synaprune.pruning.goal import Goal
from synaprune.pruning.session import BudgetExhausted, Session
from synaprune.pruning.strategies._strategy import Strategy
from synaprune.pruning.topology import between_living_neurons, regrown
from synaprune.training import Training, TrainingDiverged

# Bulín & Šmídl's percentiles. Their 0, the single weakest synapse, comes after them.
PERCENTAGES = (75, 60, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 4, 3, 2, 1)
_TAIL = 2  # single synapses that a detour tries before it ends, unless it is ahead


@dataclass(frozen=True)
class Iterative(Strategy):
    """Cut, retrain, and undo what does not recover (Bulín & Šmídl, 2017); then search.

    Goes with the goals `max_drop` and `min_score`, beside which `n_inputs` may stand: inputs then
    go first. A share of the synapses goes, 75, 60, 50, 45 … 5, 4, 3, 2, 1 %; a share that recovers
    is repeated, after a failure, which is undone exactly, comes the next; at last single synapses
    go. When no cut survives, the search goes back to earlier networks of the path and cuts
    otherwise: a hidden neuron as a whole, other synapses, after regrowth of removed ones at their
    initial weights; what ends smaller is kept.

    Parameters
    ----------
    retrain_epochs : int
        Epochs that a cut may take to recover.
    patience : int
        Epochs without improvement of score or training loss after which it has failed.
    n_candidates : int
        Of how many synapses, weakest first, removing one alone is tried before the descent ends.
        The original method stops at the weakest; 1 does so.
    search_budget : float
        The search may take so many times the work of the first descent, counted in epochs and cuts
        times synapses and neurons. 0: do not search.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> Iterative(search_budget=0)
    Iterative(retrain_epochs=20, patience=5, n_candidates=10, search_budget=0)
    """

    retrain_epochs: int = option(20, "maximum epochs after a cut", metavar="N")
    patience: int = option(5, "epochs without improvement after which a cut failed", metavar="N")
    n_candidates: int = option(10, "single synapses to try before the descent ends", metavar="N")
    search_budget: float = option(
        1.0, "go back and cut otherwise, for B times the work of the first descent", metavar="B"
    )

    def __post_init__(self) -> None:
        for name in ("retrain_epochs", "patience", "n_candidates"):
            check_int(name, getattr(self, name), 1)
        check_float("search_budget", self.search_budget, 0.0)

    def check(self, goal: Goal, training: Training) -> None:
        """Raise a ValueError unless the goal has a contract and the recipe is one to retrain by."""
        if goal.counted:
            raise ValueError(f"strategy Iterative goes with max_drop or min_score, got {goal}")
        by = f"strategy Iterative, which retrains for at most retrain_epochs={self.retrain_epochs}"
        training.refuse("epochs", "lr_schedule", "swa_epochs", by=by)

    def run(self, session: Session) -> str:
        """Descend under the goal's contract, then search; see `Strategy.run`."""
        full = session.judge()
        contract = Contract(session.goal, full)
        session.accept(full, epochs=0, score_after_cut=full.score)
        descent = _Descent(session, contract, self)
        descent.go()
        tried_all = self.search_budget == 0.0 or self._search(descent)
        net, units = session.net, session.units
        if units is not None and units.overrun(net):
            return f"{units.missed(net)}: {contract.breach()}"
        if not net.n_synapses:
            return "no synapse is left"
        if all(part.all() for part in net.frozen_synapses):
            return "all that is left is frozen"
        if tried_all:
            return f"no cut survives: {contract.breach()}"
        return (
            "no smaller network that keeps the score was found within "
            f"search_budget={self.search_budget:g}"
        )

    def _search(self, descent: _Descent) -> bool:
        """Try detours, and keep those that end in a smaller network, until none does.

        Returns True if all detours were tried, False if the budget is spent.
        """
        session = descent.session
        session.limit = session.work * (1.0 + self.search_budget)
        try:
            while any(
                session.unit(lambda: _improves(descent, detour))  # noqa: B023 - called at once
                for detour in _detours(descent)
            ):
                pass
        except BudgetExhausted:
            return False
        finally:
            session.limit = math.inf
            session.restore(session.path.smallest)
        return True


class _Descent:
    """Cuts of a session's network that are kept if the contract holds, else undone."""

    def __init__(self, session: Session, contract: Contract, options: Iterative) -> None:
        self.session, self.contract, self.options = session, contract, options
        self._failed = (0, 0)  # the last cut that the network as it is did not survive

    def go(self) -> None:
        """Cut inputs down to the goal, then shares, until no cut survives.

        Shares go large before small, then synapses one at a time; and inputs again between them, if
        the first cuts did not reach their target.
        """
        self._cut_inputs()
        for percent in PERCENTAGES:
            while self.survives(self.session.net.n_synapses * percent // 100):
                pass
        while self._cut_inputs() or self.single(self.options.n_candidates):
            pass

    def survives(self, n: int, skip: int = 0) -> bool:
        """Try to cut the n weakest synapses after those skipped; returns whether that succeeded."""
        if n <= 0 or (n, skip) == self._failed:
            return False
        if self.tries(lambda: self.session.cut(n, skip)):
            return True
        self._failed = (n, skip)
        return False

    def single(self, n_candidates: int) -> bool:
        """Try to cut one synapse, the weakest first; returns whether any could go."""
        n = min(n_candidates, self.session.net.n_synapses)
        return any(self.survives(1, skip) for skip in range(n))

    def tries(self, cut: Callable[[], object]) -> bool:
        """Cut, retrain, judge; then accept it, or undo it all. Returns which."""
        if not self.session.unit(lambda: self._tries(cut)):
            return False
        self._failed = (0, 0)
        return True

    def _tries(self, cut: Callable[[], object]) -> bool:
        session = self.session
        before, n = session.snapshot(), session.net.n_synapses
        cut()
        if session.net.n_synapses == n:  # all that is left is frozen
            return False
        session.charge()
        after_cut = session.judge()
        recovered = self._retrain(after_cut)
        if recovered is None:
            session.restore(before)
            session.notify("rejected", None)
            return False
        epochs, judgement = recovered
        session.accept(judgement, epochs=epochs, score_after_cut=after_cut.score)
        return True

    def _cut_inputs(self) -> bool:
        """Cut inputs in excess, half as many after a failure; returns whether any went."""
        session, some = self.session, False
        excess = session.excess_inputs()
        n = len(excess)
        while n := min(n, len(excess)):
            if self.tries(lambda: session.cut_inputs(excess[:n])):  # noqa: B023 - called at once
                some = True
                excess = session.excess_inputs()
            else:
                n //= 2
        return some

    def _retrain(self, after_cut: Judgement) -> tuple[int, Judgement] | None:
        """Train until the contract holds; returns epochs and judgement then, None on failure.

        Failure is a divergence, or `patience` epochs in which neither score nor training loss
        improved.
        """
        if self.contract.holds(after_cut):
            return 0, after_cut
        session = self.session
        best_score, best_loss, stale = after_cut.score, math.inf, 0
        try:
            for epoch in session.train(self.options.retrain_epochs):
                judgement = session.judge()
                session.notify("retrain", judgement)
                if self.contract.holds(judgement):
                    return epoch, judgement
                better = judgement.score > best_score or session.loss < best_loss * (1.0 - 1e-3)
                stale = 0 if better else stale + 1
                best_score = max(best_score, judgement.score)
                best_loss = min(best_loss, session.loss)
                if stale >= self.options.patience:
                    return None
        except TrainingDiverged:
            return None
        return None


# ---- search


@dataclass(frozen=True)
class _Detour:
    """Where on the path to go back to, and how to cut from there.

    Attributes
    ----------
    origin : int
        The step to go back to.
    regrow : bool
        Take the smallest network, and let grow again what was removed between its neurons since
        that step, at initial weights. Else take the network of that step as it was.
    neuron : int
        Which hidden neuron is cut out whole first: 0 is the one of the lowest scores.
    """

    origin: int
    regrow: bool
    neuron: int


def _detours(descent: _Descent) -> Iterator[_Detour]:
    """Near steps before far ones, weak neurons before strong ones, regrowth first."""
    path = descent.session.path
    last = len(path) - 1
    if last == 0:
        return
    origins = [last - 2**i for i in range(last.bit_length()) if 2**i < last] + [0]
    neurons = min(_n_hidden(path.smallest), descent.options.n_candidates)
    yield _Detour(0, True, 0)
    for neuron in range(neurons):
        for regrow in (True, False):
            for origin in origins:
                if (origin, regrow, neuron) != (0, True, 0):
                    yield _Detour(origin, regrow, neuron)


def _improves(descent: _Descent, detour: _Detour) -> bool:
    """Go a detour; its path replaces the old one if it ends in a smaller network."""
    session, options = descent.session, descent.options
    path = session.path
    old, before = list(path.steps), _cost(session)
    begin = _regrown(path, detour.origin) if detour.regrow else path.network(detour.origin)
    if detour.regrow and begin.n_synapses == old[-1].n_synapses:
        return False  # nothing to regrow
    longest = max(step.epochs for step in old)
    epochs = min(options.retrain_epochs, max(options.patience, 2 * longest))
    other = _Descent(session, descent.contract, dataclasses.replace(options, retrain_epochs=epochs))
    session.restore(begin)
    del path.steps[detour.origin + 1 :]
    try:
        _cut_neurons(other, old[-1].n_synapses, detour.neuron)
        if detour.regrow and session.net.n_synapses >= old[-1].n_synapses:
            for _ in session.train(epochs):  # what grew again takes part
                pass
        _cut_synapses(other, old[-1].n_synapses)
    except TrainingDiverged:  # of what grew again
        pass
    finally:
        better = _cost(session) < before
        if not better:
            path.steps[:] = old
    session.restore(path.smallest)
    return better


def _cut_neurons(descent: _Descent, best: int, neuron: int) -> None:
    """Cut out one hidden neuron, then weakest ones, while the contract holds."""
    session = descent.session
    while neuron < _n_hidden(session.net):
        before = session.snapshot()
        session.cut_neuron(neuron)
        without = session.snapshot()
        session.restore(before)
        if without.n_synapses < _least(before.n_synapses, best):
            return
        if not descent.tries(lambda: session.restore(without)):  # noqa: B023 - called at once
            return
        neuron = 0


def _cut_synapses(descent: _Descent, best: int) -> None:
    """Cut synapses, twice as many after a success, half as many after a failure."""
    net = descent.session.net
    n = 1
    while True:
        n = max(1, min(n, net.n_synapses - _least(net.n_synapses, best)))
        if descent.survives(n):
            n *= 2
        elif n > 1:
            n //= 2
        else:
            ahead = net.n_synapses < best
            if not descent.single(descent.options.n_candidates if ahead else _TAIL):
                return


def _least(n: int, best: int) -> int:
    """How small a cut may make a network: not far below what is known to be possible."""
    low = min(n, best)
    return low - max(1, low // 20)


def _cost(session: Session) -> tuple[float, int, int, float]:
    """Return what the end of the path is to be small in, what matters most first."""
    step = session.path.steps[-1]
    overrun = 0.0 if session.units is None else session.units.overrun(session.path.smallest)
    return overrun, step.n_synapses, step.n_inputs, -step.score


def _n_hidden(net: SparseMLP) -> int:
    return sum(net._core.structure[1:-1])


def _regrown(path: PruningPath, origin: int) -> SparseMLP:
    """Return the smallest network with the synapses of `origin` between its living neurons."""
    small, then = path.smallest, path.network(origin).weights
    pairs = zip(small.weights, then, strict=True)
    return regrown(small, then, [between_living_neurons(*pair) for pair in pairs])
