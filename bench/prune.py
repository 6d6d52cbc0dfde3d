"""The whole job, from 15880 synapses to 1259 on MNIST, against torch with masks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import synaprune as sn

from bench.data import (
    LAYERS,
    SGD,
    TARGET,
    Settings,
    as_float,
    check,
    full_weights,
    need_mnist,
    network,
)
from bench.peers import optional, thread_counts
from bench.peers.pruning import prune_torch
from bench.report import Report, against, spread
from bench.timing import Contender, fastest, measure

BATCH_SIZE = 64


def run(settings: Settings, report: Report) -> None:
    """Measure the section."""
    data = need_mnist(settings, report, "prune")
    if data is None:
        return
    n, epochs = (6000, 10) if settings.quick else (len(data.train.y), 60)
    X, y = data.train.X[:n], data.train.y[:n]
    accuracies: dict[str, list[float]] = {}
    trials = jobs(X, y, data.validation, 3, {})
    winners = fastest(trials)
    entrants = jobs(X, y, data.validation, epochs, accuracies)
    entrants = [job for trial, job in zip(trials, entrants, strict=True) if trial in winners]
    timings = measure(entrants, rounds=(1, 2) if settings.quick else (3, 3), budget=5, attempts=1)
    report.text("## Pruning")
    report.text(
        f"`prune` from {'-'.join(map(str, LAYERS))} to {TARGET} synapses, {epochs} epochs of "
        f"{n} images, batch {BATCH_SIZE}, lr {SGD.lr}, accuracy on {len(data.validation)} "
        "validation images each epoch; torch with `torch.nn.utils.prune`, the same cuts, the same "
        "WSF, and no clean-up. Everybody has the better of "
        f"{' and '.join(map(str, thread_counts()))} threads and torch of two ways to "
        "shuffle (by trial jobs of three epochs)."
    )
    rows = []
    for t in timings:
        accuracy = f"{np.mean(accuracies[t.name]):.2%}"
        time = spread(t) if t is timings[0] else against(timings[0], t)
        rows.append([t.name, str(t.threads), time, accuracy])
    report.table(["job", "threads", "whole job", "validation accuracy"], rows)
    report.record("prune", timings, epochs=epochs, samples=n, accuracy=accuracies)


def jobs(
    X: Any, y: Any, validation: Any, epochs: int, accuracies: dict[str, list[float]]
) -> list[Contender]:
    """Every contender with every number of threads; each call notes its final accuracy."""
    X_float, val_float = as_float(X), as_float(validation.X)

    def ours(threads: int) -> None:
        path = sn.prune(
            network(full_weights()), X, y, validation=validation, n_synapses=TARGET,
            training=sn.Training(epochs, batch_size=BATCH_SIZE, optimizer=SGD), threads=threads,
            callback=lambda progress: None,
        )  # fmt: skip
        finish("synaprune", path.smallest.n_synapses, path.steps[-1].score)

    def torch_masked(gather: str) -> None:
        _, path = prune_torch(
            full_weights(), X_float, y, (val_float, validation.y), n_synapses=TARGET,
            epochs=epochs, batch_size=BATCH_SIZE, lr=SGD.lr, gather=gather,
        )  # fmt: skip
        finish("torch masked", *path[-1])

    def finish(name: str, count: int, accuracy: float) -> None:
        check(0.97 * TARGET <= count <= TARGET, f"{name} ended at {count} synapses")
        check(accuracy > 0.8 or epochs == 3, f"{name} ended at accuracy {accuracy:.2%}")
        accuracies.setdefault(name, []).append(accuracy)

    found = [Contender("synaprune", partial(ours, t), t) for t in thread_counts()]
    if optional("torch"):
        found += [
            Contender("torch masked", partial(torch_masked, gather), t)
            for gather in ("batch", "epoch")
            for t in thread_counts()
        ]
    return found
