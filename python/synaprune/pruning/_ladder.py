"""Cut by falling shares under an accuracy contract, undoing what breaks it."""

from __future__ import annotations

import math
from collections.abc import Callable

from synaprune.pruning._run import Run
from synaprune.training import TrainingDiverged

# Bulín & Šmídl's percentiles. Their 0, the single weakest synapse, comes after them in _ladder.
PERCENTAGES = (75, 60, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 4, 3, 2, 1)


def ladder(
    run: Run,
    contract: Callable[[float], float],
    retrain_epochs: int,
    patience: int,
    attempts: int,
) -> None:
    """Cut by falling shares, retrain until the contract holds again, else roll back."""
    full = run.accuracy()
    threshold = contract(full) - 1e-9  # accuracies are ratios of small whole numbers
    if full < threshold:
        raise ValueError(
            f"the network has validation accuracy {full:.4f}, below min_accuracy {threshold:.4f}; "
            "train it further first, or ask for less"
        )
    run.accept(epochs=0, accuracy_before=full)
    failed = (0, 0)  # the last cut (synapses, spared) that the network as it is did not survive

    def survives(n: int, spared: int = 0) -> bool:
        nonlocal failed
        if n == 0 or (n, spared) == failed:
            return False
        before = run.net.core.copy()
        run.cut(n, spared)
        after_cut = run.accuracy()
        epochs = retrain(run, threshold, after_cut, retrain_epochs, patience)
        if epochs is None:
            run.net.core.assign(before)
            failed = (n, spared)
            run.tell("rejected", None)
            return False
        run.accept(epochs=epochs, accuracy_before=after_cut)
        failed = (0, 0)
        return True

    for percent in PERCENTAGES:
        while survives(run.net.n_synapses * percent // 100):
            pass
    while any(survives(1, spared) for spared in range(min(attempts, run.net.n_synapses))):
        pass
    run.path.verdict = (
        f"no cut survives: validation accuracy would fall below {threshold + 1e-9:.4f}"
        if run.net.n_synapses
        else "no synapse is left"
    )


def retrain(
    run: Run, threshold: float, accuracy: float, retrain_epochs: int, patience: int
) -> int | None:
    """Epochs until the accuracy is back (0 if it never fell), or None on failure.

    Failure is a divergence, the end of the budget, or `patience` epochs in which neither accuracy
    nor training loss improved.
    """
    if accuracy >= threshold:
        return 0
    best_accuracy, best_loss, stale = accuracy, math.inf, 0
    try:
        for epoch in run.train(retrain_epochs):
            accuracy = run.accuracy()
            run.tell("retrain", accuracy)
            if accuracy >= threshold:
                return epoch
            better = accuracy > best_accuracy or run.loss < best_loss * (1.0 - 1e-3)
            stale = 0 if better else stale + 1
            best_accuracy, best_loss = max(best_accuracy, accuracy), min(best_loss, run.loss)
            if stale >= patience:
                return None
    except TrainingDiverged:
        return None
    return None
