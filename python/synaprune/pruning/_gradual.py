"""Train and cut along one schedule, to target counts."""

from __future__ import annotations

import math
from collections.abc import Callable

from synaprune.network import average_weights
from synaprune.pruning._run import Run
from synaprune.training import Optimizer, Schedule, WeightAverage, constant_then_cosine


def gradual(
    run: Run,
    *,
    n_synapses: int | None,
    n_inputs: int | None,
    epochs: int,
    schedule: Schedule | None,
    final_optimizer: Optimizer | None,
    average_last: int,
) -> None:
    """Train along one schedule; cut after each epoch between 5 % and 70 % of it.

    Counts of synapses and inputs fall exponentially to their targets; without another schedule, the
    learning rate is constant while cuts go on.
    """
    last = max(1, math.floor(0.7 * epochs))
    cuts = [e for e in range(1, last + 1) if e > 0.05 * epochs]
    synapses = _falling(run.net.n_synapses, n_synapses, len(cuts))
    inputs = _falling(run.net.n_used_inputs, n_inputs, len(cuts))
    run.planned = epochs
    done, since, before = 0, 0, math.nan
    average = WeightAverage(average_last, epochs)
    schedule = schedule or constant_then_cosine(turn=last / epochs)
    later = None if final_optimizer is None else (last, final_optimizer)
    for epoch in run.train(epochs, schedule, later):
        average_weights(run.net, average, epoch)
        since += 1
        accuracy = None
        if epoch in cuts:
            done += 1
            if run.net.n_synapses > synapses(done) or run.net.n_used_inputs > inputs(done):
                before = run.accuracy() if math.isnan(before) else before
                run.accept(epochs=since, accuracy_before=before)
                if run.net.n_synapses > synapses(done):
                    run.cut(run.net.n_synapses - synapses(done))
                if run.net.n_used_inputs > inputs(done):
                    run.cut_inputs(run.net.n_used_inputs - inputs(done))
                since, before = 0, run.accuracy()
                accuracy = before
        if run.callback:
            run.tell("train", run.accuracy() if accuracy is None else accuracy)
    run.accept(epochs=since, accuracy_before=before if since < epochs else run.accuracy())
    reached = {
        "synapses": (run.net.n_synapses, n_synapses),
        "inputs": (run.net.n_used_inputs, n_inputs),
    }
    targets = [(n, what, target) for what, (n, target) in reached.items() if target is not None]
    kept = all(n <= target for n, _, target in targets)
    run.path.stop_reason = ("reached " if kept else "what is frozen holds ") + " and ".join(
        f"{n} {what} (target {target})" for n, what, target in targets
    )


def _falling(start: int, target: int | None, cuts: int) -> Callable[[int], int]:
    """Return how many may be left after so many of the cuts."""
    if target is None or target >= start:
        return lambda done: start
    return lambda done: math.floor(start * (target / start) ** (done / cuts) + 1e-9)
