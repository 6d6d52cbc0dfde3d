"""Prediction of 60000 images at once, and of one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import synaprune as sn

from bench.data import (
    SGD,
    TARGET,
    Settings,
    as_float,
    check,
    logits,
    need_mnist,
    network,
    pruned_weights,
    training_images,
)
from bench.peers import optional, thread_counts
from bench.peers.classifiers import SklearnMLP, TorchMLP
from bench.report import Report, against, spread
from bench.timing import Contender, fastest, measure

BATCHES = (1000, 10000, 60000)  # what torch is offered


def run(settings: Settings, report: Report) -> None:
    """Measure the section."""
    data = need_mnist(settings, report, "predict")
    if data is None:
        return
    X, y = training_images(data, settings.quick)
    weights = pruned_weights(settings)
    many = fastest(list(contenders(weights, X, y)))
    one = fastest(list(contenders(weights, X[:1], y)))
    report.text("## Prediction")
    report.text(
        f"`predict` of a network with {TARGET} synapses, from Python, all checks on. The dense "
        "peers hold the same weights. Everybody has the better of "
        f"{' and '.join(map(str, thread_counts()))} threads (in brackets), torch also the best "
        f"batch of {', '.join(map(str, BATCHES))}, and its tensor ready."
    )
    rows = []
    for label, entrants, rounds in (
        (f"{len(y)} images", many, (5, 30)),
        ("one image", one, (50, 100) if settings.quick else (200, 200)),
    ):
        timings = measure(entrants, rounds=rounds)
        ours, others = timings[:2], timings[2:]
        row = [label, *(f"{spread(t)} [{t.threads}]" for t in ours)]
        rows.append(row + [f"{against(ours[0], t)} [{t.threads}]" for t in others])
        report.record("predict", timings, job=label)
    header = ["job", "ours, uint8", "ours, float32", *(f"{t.name} / uint8" for t in others)]
    report.table(header, rows)


def contenders(weights: Sequence[sn.SparseLayer], X: Any, y: Any) -> Iterator[Contender]:
    """Every contender in every variant, after a check of what it predicts for X."""
    X_float = as_float(X)
    outputs = logits(tuple(weights), X_float)
    train_X, train_y = np.zeros((len(y), X.shape[1]), np.float32), y
    start = {"batch_size": 64, "lr": SGD.lr}
    variants: list[tuple[str, Any]] = []
    for label, inputs in (("uint8", X), ("float32", X_float)):
        for threads in thread_counts():
            net = known(weights, inputs, y)
            variants.append((f"ours, {label}", partial(net.predict, inputs, threads=threads)))
    if optional("torch"):
        model, tensor = TorchMLP(weights, train_X, train_y, **start), None
        tensor = optional("torch").from_numpy(X_float)
        for batch in BATCHES if len(X) > 1 else (None,):
            variants += [("torch dense", partial(model.predict, tensor, batch))]
    if optional("sklearn"):
        model = SklearnMLP(weights, train_X, train_y, **start)
        variants.append(("scikit-learn", partial(model.predict, X_float)))
    for name, call in variants:
        picked = outputs[np.arange(len(X)), np.asarray(call())]
        near = 1e-4 * np.abs(outputs).max()
        check((picked >= outputs.max(axis=1) - near).all(), f"{name} predicts another class")
        if name.startswith("ours"):
            yield Contender(name, call, call.keywords["threads"])
        else:
            yield from (Contender(name, call, threads) for threads in thread_counts())


def known(weights: Sequence[sn.SparseLayer], X: Any, y: Any) -> sn.SparseMLP:
    """Return a network of these weights that knows its labels and the scale of such inputs."""
    net = network(tuple(weights))
    net.prepare(np.zeros((len(y), X.shape[1]), X.dtype), y)
    return net
