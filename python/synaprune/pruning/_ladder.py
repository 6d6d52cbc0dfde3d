"""Cut by falling shares under an accuracy contract, undoing what breaks it."""

from __future__ import annotations

import math
from collections.abc import Callable

from synaprune.network import SparseMLP
from synaprune.pruning._run import Run
from synaprune.training import TrainingDiverged

# Bulín & Šmídl's percentiles. Their 0, the single weakest synapse, comes after them in `descend`.
PERCENTAGES = (75, 60, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 4, 3, 2, 1)


class Ladder:
    """Tries cuts on a run's network: retrain until the contract holds again, else roll back.

    Parameters
    ----------
    run : Run
        Whose contract has begun.
    retrain_epochs, patience, attempts, n_inputs : int
        As in `prune`.
    """

    def __init__(
        self,
        run: Run,
        retrain_epochs: int,
        patience: int,
        attempts: int,
        n_inputs: int | None = None,
    ) -> None:
        self.run = run
        self.retrain_epochs = retrain_epochs
        self.patience = patience
        self.attempts = attempts
        self.n_inputs = n_inputs
        self._failed = (0, 0)  # the last cut that the network as it is did not survive

    def survives(self, n: int, spared: int = 0) -> bool:
        """Try to cut the n weakest synapses after those spared; returns whether that succeeded."""
        if n <= 0 or (n, spared) == self._failed:
            return False
        if self.tries(lambda: self.run.cut(n, spared)):
            return True
        self._failed = (n, spared)
        return False

    def tries(self, cut: Callable[[], object]) -> bool:
        """Cut, retrain, judge; then accept it, or undo it all. Returns which."""
        run = self.run
        before, n = run.net._core.copy(), run.net.n_synapses
        cut()
        if run.net.n_synapses == n:  # all that is left is frozen
            return False
        run.count_try()
        after_cut = run.accuracy()
        epochs = retrain(run, after_cut, self.retrain_epochs, self.patience)
        if epochs is None:
            run.net._core.assign(before)
            run.tell("rejected", None)
            return False
        run.accept(epochs=epochs, accuracy_before=after_cut)
        self._failed = (0, 0)
        return True

    def single(self, attempts: int | None = None) -> bool:
        """Try to cut one synapse, the weakest first; returns whether any could go."""
        n = min(attempts or self.attempts, self.run.net.n_synapses)
        return any(self.survives(1, spared) for spared in range(n))

    def begin_at(self, net: SparseMLP, step: int) -> None:
        """Go on from another network, which is taken for one of that step of the path."""
        self.run.net._core.assign(net._core)
        del self.run.path.steps[step + 1 :]
        self._failed = (0, 0)

    def excess(self, n_inputs: int) -> int:
        """By how much a network of so many inputs exceeds what was asked for."""
        return 0 if self.n_inputs is None else max(0, n_inputs - self.n_inputs)

    def go(self) -> None:
        """Cut inputs down to what was asked for, then shares, until no cut survives.

        Shares go large before small, then synapses one at a time; and inputs again between them, if
        the first cuts did not reach their target.
        """
        self._cut_inputs()
        for percent in PERCENTAGES:
            while self.survives(self.run.net.n_synapses * percent // 100):
                pass
        while self._cut_inputs() or self.single():
            pass

    def _cut_inputs(self) -> bool:
        """Cut inputs in excess, half as many after a failure; returns whether any went."""
        net, some = self.run.net, False
        n = self.excess(net.n_used_inputs)
        while n := min(n, self.excess(net.n_used_inputs)):
            if self.tries(lambda: self.run.cut_inputs(n)):  # noqa: B023 - called at once
                some = True
            else:
                n //= 2
        return some


def retrain(run: Run, accuracy: float, retrain_epochs: int, patience: int) -> int | None:
    """Epochs until the contract holds (0 if it always did), or None on failure.

    Failure is a divergence, the end of the budget, or `patience` epochs in which neither accuracy
    nor training loss improved.
    """
    if run.holds(accuracy):
        return 0
    best_accuracy, best_loss, stale = accuracy, math.inf, 0
    try:
        for epoch in run.train(retrain_epochs):
            accuracy = run.accuracy()
            run.tell("retrain", accuracy)
            if run.holds(accuracy):
                return epoch
            better = accuracy > best_accuracy or run.loss < best_loss * (1.0 - 1e-3)
            stale = 0 if better else stale + 1
            best_accuracy, best_loss = max(best_accuracy, accuracy), min(best_loss, run.loss)
            if stale >= patience:
                return None
    except TrainingDiverged:
        return None
    return None
