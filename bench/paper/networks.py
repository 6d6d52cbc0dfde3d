"""A full network and one pruned from its initial weights, trained equally long."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.paper.problems import Problem
from bench.paper.stats import mean_interval

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """How a network is trained, and by what synapses are ranked if it is pruned."""

    lr: float = 0.1
    init_scale: float = 0.3
    l1: float = 1e-3
    criterion: str = "wsf"
    batch_size: int = 16
    epochs: int = 400

    @property
    def training(self) -> sn.Training:
        """The recipe with the setting's numbers."""
        optimizer = sn.SGD(self.lr, l1=self.l1)
        return sn.Training(self.epochs, batch_size=self.batch_size, optimizer=optimizer)


@dataclass(frozen=True)
class Outcome:
    """One fold: accuracies on what no network has seen."""

    full: float
    pruned: float
    n_synapses: int


def full(problem: Problem, train: Indices, s: Setting, seed: int) -> sn.SparseMLP:
    """Train d-20-c."""
    net = _fresh(problem, s, seed)
    return net.fit(
        problem.X[train], problem.y[train], threads=1,
        training=replace(s.training, lr_schedule=sn.ConstantThenCosine()),
    )  # fmt: skip


def pruned(
    problem: Problem, train: Indices, s: Setting, seed: int, n: int, judge: Indices
) -> sn.PruningPath:
    """Train the same initial weights as long, and prune to n synapses on the way.

    The path's accuracies are of the rows `judge`. Nothing here is decided by them.
    """
    X, y = problem.X, problem.y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that L1 may spoil WSF
        return sn.prune(
            _fresh(problem, s, seed), X[train], y[train], validation=(X[judge], y[judge]),
            n_synapses=n, criterion=s.criterion, training=s.training, threads=1,
        )  # fmt: skip


def accuracy(net: sn.SparseMLP, problem: Problem, rows: Indices) -> float:
    """On one thread, since folds run side by side."""
    return net.score(problem.X[rows], problem.y[rows], threads=1)


def change(outcomes: Sequence[Outcome]) -> tuple[float, float, float]:
    """Return the mean of pruned - full, paired by fold, and its interval."""
    return mean_interval([o.pruned - o.full for o in outcomes])


def cells(outcomes: Sequence[Outcome]) -> list[str]:
    """Synapses, accuracies, their difference and its interval."""
    mean, low, high = change(outcomes)
    return [
        f"{statistics.fmean(o.n_synapses for o in outcomes):.0f}",
        f"{statistics.fmean(o.full for o in outcomes):.2%}",
        f"{statistics.fmean(o.pruned for o in outcomes):.2%}",
        f"{100 * mean:+.2f}",
        f"{100 * low:+.2f} to {100 * high:+.2f}",
    ]


def _fresh(problem: Problem, s: Setting, seed: int) -> sn.SparseMLP:
    return sn.SparseMLP(
        problem.layers, init_scale=s.init_scale, input_scaling="standard", seed=seed
    )
