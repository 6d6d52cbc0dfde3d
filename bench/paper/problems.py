"""The small problems: four tables of scikit-learn, and three generated with known inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets as tables


@dataclass(frozen=True)
class Problem:
    """Samples, labels from 0 on, and which inputs say anything, where that is known."""

    name: str
    X: NDArray[np.float32]
    y: NDArray[np.int64]
    informative: tuple[int, ...] = ()

    @property
    def layers(self) -> tuple[int, int, int]:
        """d-20-c, with one output for two classes."""
        classes = int(self.y.max()) + 1
        return self.X.shape[1], 20, 1 if classes == 2 else classes

    @property
    def n_synapses(self) -> int:
        """All of d-20-c."""
        n_in, hidden, n_out = self.layers
        return hidden * (n_in + n_out)


def table(name: str) -> Problem:
    """One of scikit-learn's embedded tables."""
    X, y = getattr(tables, f"load_{name}")(return_X_y=True)
    return Problem(name, X.astype(np.float32), y.astype(np.int64))


def classification(seed: int) -> Problem:
    """5 of 100 inputs are informative."""
    X, y = tables.make_classification(
        n_samples=5000, n_features=100, n_informative=5, n_redundant=0, n_repeated=0,
        shuffle=False, random_state=seed,
    )  # fmt: skip
    return Problem("make_classification", X.astype(np.float32), y.astype(np.int64), tuple(range(5)))


def moons(seed: int) -> Problem:
    """Two moons, and 18 inputs of noise."""
    X, y = tables.make_moons(2000, noise=0.2, random_state=seed)
    noise = np.random.default_rng(seed).normal(size=(2000, 18))
    return Problem(
        "two moons", np.hstack([X, noise]).astype(np.float32), y.astype(np.int64), (0, 1)
    )


def parity(seed: int) -> Problem:
    """Whether an odd number of 3 among 20 signs is positive; 5 % of the labels are wrong."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (4000, 20))
    inputs = tuple(sorted(rng.choice(20, 3, replace=False).tolist()))
    y = bits[:, inputs].sum(axis=1) % 2
    wrong = rng.random(len(y)) < 0.05
    return Problem("parity", (2 * bits - 1).astype(np.float32), np.where(wrong, 1 - y, y), inputs)


TABLES = ("digits", "iris", "wine", "breast_cancer")
