"""Go back along the path and cut otherwise, as long as the budget lasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from synaprune.network import SparseMLP
from synaprune.path import PathStep, PruningPath
from synaprune.pruning._ladder import Ladder
from synaprune.pruning._regrow import between_living_neurons, regrown
from synaprune.pruning._run import Run, Spent
from synaprune.training import TrainingDiverged

_TAIL = 2  # single synapses that a detour tries before it ends, unless it is ahead


@dataclass(frozen=True)
class Detour:
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


def smallest_under_contract(run: Run, ladder: Ladder, effort: float) -> None:
    """Go down as far as the contract holds, then search for a smaller end."""
    full = run.accuracy()
    run.contract.begin(full, run.correct())
    run.accept(epochs=0, accuracy_before=full)
    ladder.go()
    tried_all = search(ladder, effort) if effort > 0.0 else True
    if ladder.excess(run.net.n_used_inputs):
        run.path.stop_reason = (
            f"{ladder.n_inputs} inputs are not reached, {run.net.n_used_inputs} are left: "
            f"{run.contract.breach()}"
        )
    elif not run.net.n_synapses:
        run.path.stop_reason = "no synapse is left"
    elif all(part.all() for part in run.net.frozen_synapses):
        run.path.stop_reason = "all that is left is frozen"
    elif tried_all:
        run.path.stop_reason = f"no cut survives: {run.contract.breach()}"
    else:
        run.path.stop_reason = f"the budget of effort {effort:g} is spent"


def search(ladder: Ladder, effort: float) -> bool:
    """Try detours, and keep those that end in a smaller network, until none does.

    Parameters
    ----------
    ladder : Ladder
        That has gone its way.
    effort : float
        The budget, as a multiple of the work that this way took.

    Returns
    -------
    bool
        True if all detours were tried, False if the budget is spent.
    """
    run = ladder.run
    run.limit = run.work * (1.0 + effort)
    try:
        while any(_improves(ladder, detour) for detour in _detours(ladder)):
            pass
    except Spent:
        return False
    finally:
        run.limit = float("inf")
        run.net._core.assign(run.path.smallest._core)
    return True


def _detours(ladder: Ladder) -> Iterator[Detour]:
    """Near steps before far ones, weak neurons before strong ones, regrowth first."""
    smallest = ladder.run.path.smallest
    last = len(ladder.run.path) - 1
    if last == 0:
        return
    origins = [last - 2**i for i in range(last.bit_length()) if 2**i < last] + [0]
    neurons = min(_hidden(smallest), ladder.attempts)
    yield Detour(0, True, 0)
    for neuron in range(neurons):
        for regrow in (True, False):
            for origin in origins:
                if (origin, regrow, neuron) != (0, True, 0):
                    yield Detour(origin, regrow, neuron)


def _hidden(net: SparseMLP) -> int:
    return sum(net._core.structure[1:-1])


def _improves(ladder: Ladder, detour: Detour) -> bool:
    """Go a detour; its path replaces the old one if it ends in a smaller network."""
    path = ladder.run.path
    old = list(path.steps)
    begin = _regrown(path, detour.origin) if detour.regrow else path.network(detour.origin)
    if detour.regrow and begin.n_synapses == old[-1].n_synapses:
        return False  # nothing to regrow
    retrain_epochs = ladder.retrain_epochs
    longest = max(s.epochs for s in old)
    ladder.retrain_epochs = min(retrain_epochs, max(ladder.patience, 2 * longest))
    ladder.begin_at(begin, detour.origin)
    try:
        _cut_neurons(ladder, old[-1].n_synapses, detour.neuron)
        if detour.regrow and ladder.run.net.n_synapses >= old[-1].n_synapses:
            for _ in ladder.run.train(ladder.retrain_epochs):  # what grew again takes part
                pass
        _descend(ladder, old[-1].n_synapses)
    except TrainingDiverged:  # of what grew again
        pass
    finally:
        ladder.retrain_epochs = retrain_epochs
        better = _merit(ladder, path.steps[-1]) < _merit(ladder, old[-1])
        if not better:
            path.steps[:] = old
    return better


def _merit(ladder: Ladder, step: PathStep) -> tuple[int, int, int, float]:
    return ladder.excess(step.n_inputs), step.n_synapses, step.n_inputs, -step.score


def _least(n: int, best: int) -> int:
    """How small a cut may make a network: not far below what is known to be possible."""
    low = min(n, best)
    return low - max(1, low // 20)


def _cut_neurons(ladder: Ladder, best: int, neuron: int) -> None:
    """Cut out one hidden neuron, then weakest ones, while the contract holds."""
    run = ladder.run
    while neuron < _hidden(run.net):
        probe = run.net.copy()
        run.ranking.cut_neuron(probe, neuron, run.data, run.threads.next())
        if probe.n_synapses < _least(run.net.n_synapses, best):
            return
        if not ladder.tries(lambda: run.net._core.assign(probe._core)):  # noqa: B023 - called at once
            return
        neuron = 0


def _descend(ladder: Ladder, best: int) -> None:
    """Cut synapses, twice as many after a success, half as many after a failure."""
    run = ladder.run
    n = 1
    while True:
        n = max(1, min(n, run.net.n_synapses - _least(run.net.n_synapses, best)))
        if ladder.survives(n):
            n *= 2
        elif n > 1:
            n //= 2
        elif not ladder.single(None if run.net.n_synapses < best else _TAIL):
            return


def _regrown(path: PruningPath, origin: int) -> SparseMLP:
    """Return the smallest network with the synapses of `origin` between its living neurons."""
    small, then = path.smallest, path.network(origin).weights
    pairs = zip(small.weights, then, strict=True)
    return regrown(small, then, [between_living_neurons(*pair) for pair in pairs])
