"""One epoch of MNIST, against torch (dense and masked), jax and scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import synaprune as sn

from bench.data import (
    SGD,
    Settings,
    as_float,
    check,
    full_weights,
    need_mnist,
    network,
    pruned_weights,
    training_images,
)
from bench.peers import cores, optional, thread_counts
from bench.peers.classifiers import JaxMLP, SklearnMLP, TorchMLP
from bench.report import Report, against, spread
from bench.timing import Contender, fastest, measure

EPOCHS = 5  # of a call of ours, so that what a call costs beside them counts as it does in use
PEERS = {
    "torch dense, order by batch": partial(TorchMLP, gather="batch"),
    "torch dense, order by epoch": partial(TorchMLP, gather="epoch"),
    "torch masked, order by batch": partial(TorchMLP, gather="batch", masked=True),
    "torch masked, order by epoch": partial(TorchMLP, gather="epoch", masked=True),
    "jax dense, order by batch": partial(JaxMLP, gather="batch"),
    "jax dense, order by epoch": partial(JaxMLP, gather="epoch"),
    "scikit-learn": partial(SklearnMLP),
}


WIDE = ((784, 1000, 1000, 10), (784, 300, 100, 10))
WIDE_IMAGES, WIDE_EPOCHS = 6400, 2


def run(settings: Settings, report: Report) -> None:
    """Measure the section."""
    data = need_mnist(settings, report, "train")
    if data is None:
        return
    X, y = training_images(data, settings.quick)
    report.text("## Training")
    report.text(
        f"Seconds per epoch of {len(y)} MNIST images, 784-20-10, ReLU, SGD. Ours: whole calls of "
        f"`fit` with {EPOCHS} epochs, divided. Everybody has the better of "
        f"{' and '.join(map(str, thread_counts()))} threads (in brackets), torch and jax also the "
        "better of two ways to shuffle; jax compiles a whole epoch (`jax.lax.scan`), on threads of "
        "its own choice. Only torch masked keeps a pruned pattern; the dense peers show "
        "what the network costs without."
    )
    networks = {
        "full, batch 64": (full_weights(), 64),
        "pruned, batch 64": (pruned_weights(settings), 64),
        "pruned, batch 10": (pruned_weights(settings), 10),
    }
    compare(settings, report, networks, X, y)


def run_wide(settings: Settings, report: Report) -> None:
    """Measure networks as wide as pruning may begin with."""
    data = need_mnist(settings, report, "wide")
    if data is None:
        return
    X, y = (part[:WIDE_IMAGES] for part in training_images(data, settings.quick))
    report.text("## Training of wide networks that are not pruned")
    report.text(
        f"Seconds per epoch of {len(y)} MNIST images, as above: here the dense peers do what they "
        f"are made for. A call of `fit` has {WIDE_EPOCHS} epochs."
    )
    networks = {
        f"{'-'.join(map(str, sizes))}, batch {batch_size}": (
            tuple(sn.SparseMLP(sizes, init_scale=1.0, seed=1000).weights),
            batch_size,
        )
        for sizes in WIDE
        for batch_size in (64, 256)
    }
    compare(settings, report, networks, X, y, WIDE_EPOCHS)


def compare(
    settings: Settings,
    report: Report,
    networks: dict[str, tuple[tuple[sn.SparseLayer, ...], int]],
    X: Any,
    y: Any,
    epochs: int = EPOCHS,
) -> None:
    """Time an epoch of each network by everybody, and add a table."""
    header, rows = ["network", "ours, uint8", "ours, float32"], []
    for name, (weights, batch_size) in networks.items():
        verify(weights, X, y)
        timings = measure(
            fastest(list(contenders(weights, X, y, batch_size, epochs))),
            rounds=(2, 3) if settings.quick else (5, 7), budget=15,
        )  # fmt: skip
        ours, others = timings[:2], timings[2:]
        count = sum(len(w.values) for w in weights)
        rows.append([f"{name}, {count} synapses", *(f"{spread(t)} [{t.threads}]" for t in ours)])
        rows[-1] += [f"{against(ours[0], t)} [{t.threads}]" for t in others]
        header[3:] = [f"{t.name} / uint8" for t in others]
        report.record("train", timings, network=name, synapses=count, samples=len(y))
    report.table(header, rows)


def contenders(
    weights: Sequence[sn.SparseLayer], X: Any, y: Any, batch_size: int, epochs: int = EPOCHS
) -> Iterator[Contender]:
    """Every contender in every variant."""
    X_float = as_float(X)
    for label, inputs in (("uint8", X), ("float32", X_float)):
        for threads in thread_counts():
            fit = partial(
                network(weights).fit, inputs, y, threads=threads,
                training=sn.Training(epochs, batch_size=batch_size, optimizer=SGD),
            )  # fmt: skip
            yield Contender(f"ours, {label}", fit, threads, epochs)
    for name, peer in PEERS.items():
        if installed(peer):
            for threads in (cores(),) if peer.func is JaxMLP else thread_counts():
                epoch = peer(weights, X_float, y, batch_size=batch_size, lr=SGD.lr).epoch
                yield Contender(name.partition(",")[0], epoch, threads)


def installed(peer: partial[Any]) -> bool:
    """Whether one of `PEERS` can run."""
    return optional(peer.func.module) is not None


def verify(weights: Sequence[sn.SparseLayer], X: Any, y: Any) -> None:
    """End the run unless everybody makes the same step from the same batch of 64."""
    X, y = X[:64], y[:64]
    net = network(weights).fit(X, y, training=sn.Training(1, batch_size=64, optimizer=SGD))
    expected = [(w.to_dense(), w.bias) for w in net.weights]
    for name, factory in PEERS.items():
        if installed(factory):
            peer = factory(weights, as_float(X), y, batch_size=64, lr=SGD.lr)
            peer.epoch()
            pairs = zip(weights, expected, peer.layers(), strict=True)
            for w, (W_ours, b_ours), (W, b) in pairs:
                living = w.to_dense() != 0
                same = np.allclose(W[living], W_ours[living], rtol=1e-4, atol=1e-6)
                same = same and np.allclose(b, b_ours, rtol=1e-4, atol=1e-6)
                check(same, f"one step of {name} and of ours differ")
                check("masked" not in name or not W[~living].any(), f"{name} broke its mask")
