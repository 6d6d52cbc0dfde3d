"""Train and cut along one schedule, to a target count."""

from __future__ import annotations

import math

from synaprune.network import WeightAverage
from synaprune.pruning._run import Run
from synaprune.training import Schedule, constant_then_cosine


def gradual(
    run: Run, n_synapses: int, epochs: int, schedule: Schedule | None, average_last: int
) -> None:
    """Train along one schedule; cut after each epoch between 5 % and 70 % of it.

    The count falls exponentially to the target; without another schedule, the learning rate is
    constant while cuts go on.
    """
    start = run.net.n_synapses
    last = max(1, math.floor(0.7 * epochs))
    cuts = [e for e in range(1, last + 1) if e > 0.05 * epochs]
    run.planned = epochs
    done, since, before = 0, 0, math.nan
    average = WeightAverage(average_last, epochs)
    schedule = schedule or constant_then_cosine(turn=last / epochs)
    for epoch in run.train(epochs, "train", schedule):
        average.after(epoch, run.net)
        since += 1
        accuracy = None
        if epoch in cuts:
            done += 1
            target = math.floor(start * (n_synapses / start) ** (done / len(cuts)) + 1e-9)
            if run.net.n_synapses > target:
                before = run.accuracy() if math.isnan(before) else before
                run.accept(epochs=since, accuracy_before=before)
                run.cut(run.net.n_synapses - target)
                since, before = 0, run.accuracy()
                accuracy = before
        if run.callback:
            run.tell("train", run.accuracy() if accuracy is None else accuracy)
    run.accept(epochs=since, accuracy_before=before if since < epochs else run.accuracy())
    run.path.verdict = f"reached {run.net.n_synapses} synapses (target {n_synapses})"
