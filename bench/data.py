"""What the sections share: settings, MNIST, a pruned network, and checks that end the run."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.report import Report

TARGET = 1259  # synapses, of the poster
LAYERS = (784, 20, 10)
SGD = sn.SGD(lr=0.1)


@dataclass(frozen=True)
class Settings:
    """What the command line asks for."""

    quick: bool
    data_dir: Path | None


def check(condition: object, message: str) -> None:
    """End the run with exit status 1 unless the condition holds."""
    if not condition:
        raise SystemExit(f"check failed: {message}")


def data_folder(given: Path | None) -> Path:
    """Return the folder that was given, that of SYNAPRUNE_DATA_DIR, or one beside the clone."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    return Path(given or os.environ.get("SYNAPRUNE_DATA_DIR") or beside)


@functools.cache
def mnist(settings: Settings) -> sn.datasets.Dataset | None:
    """MNIST from a folder, or None; nothing is downloaded."""
    try:
        return sn.datasets.mnist(data_folder(settings.data_dir))
    except FileNotFoundError:
        return None


def need_mnist(settings: Settings, report: Report, section: str) -> sn.datasets.Dataset | None:
    """MNIST, or None after a line that says that the section is skipped."""
    data = mnist(settings)
    if data is None:
        report.text(f"{section}: skipped, no folder holds mnist/ (--data-dir).")
    return data


def training_images(
    data: sn.datasets.Dataset, quick: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the 60000 official training images, or the first 6000, for timing alone."""
    X = np.concatenate([data.train.X, data.validation.X])
    y = np.concatenate([data.train.y, data.validation.y])
    n = 6000 if quick else len(y)
    return X[:n], y[:n]


def as_float(X: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the numbers that a network sees of uint8 images."""
    return X.astype(np.float32) * np.float32(1 / 255)


@functools.cache
def full_weights() -> tuple[sn.SparseLayer, ...]:
    """Layers of a fresh network."""
    return tuple(sn.SparseMLP(LAYERS, seed=1000).weights)


@functools.cache
def pruned_weights(settings: Settings) -> tuple[sn.SparseLayer, ...]:
    """Layers of a network with 1259 synapses, from a short run on MNIST."""
    data = mnist(settings)
    net = sn.SparseMLP(LAYERS, seed=1000)
    path = sn.prune(
        net, *data.train, validation=data.validation, n_synapses=TARGET,
        training=sn.Training(6 if settings.quick else 15, optimizer=SGD),
    )  # fmt: skip
    return tuple(path.smallest.weights)


def network(weights: tuple[sn.SparseLayer, ...]) -> sn.SparseMLP:
    """Return a network of these layers that was never fitted."""
    sizes = weights[0].shape[1], *(w.shape[0] for w in weights)
    return sn.SparseMLP(sizes, seed=1000).set_weights(weights)


def logits(weights: tuple[sn.SparseLayer, ...], X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the outputs before the softmax in double precision, shape (n, 10)."""
    W0, W1 = (w.to_dense().astype(np.float64) for w in weights)
    hidden = np.maximum(X.astype(np.float64) @ W0.T + weights[0].bias, 0.0)
    return hidden @ W1.T + weights[1].bias
