"""Full and pruned networks over the folds of a problem."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, train_test_split

from bench.paper.problems import Problem


@dataclass(frozen=True)
class Setting:
    """How networks are trained: one setting for all, but for what a problem needs to be learned."""

    lr: float = 0.1
    batch_size: int = 16
    epochs: int = 200
    init_scale: float = 0.3
    criterion: str = "fisher"  # towards a share
    input_criterion: str = "wsf"  # where inputs are looked for
    l1: float = 1e-3  # until the last cut
    max_drop: float = 0.01  # from the best network of the path, where inputs are looked for


SETTING = Setting()
SETTINGS = {"parity": replace(SETTING, init_scale=1.0)}  # a small start does not learn it


@dataclass(frozen=True)
class FoldResult:
    """One fold: accuracies on what no network has seen.

    Where inputs are looked for, `penalised` is that of the full network trained on with L1 as
    long as the pruned one is, so that what L1 does isn't taken for what pruning does.
    """

    full: float
    pruned: float
    n_synapses: int
    used_inputs: tuple[int, ...]
    penalised: float | None = None


def run_folds(
    problem: Problem, seed: int, share: float | None, setting: Setting | None = None
) -> list[FoldResult]:
    """Five stratified folds; see `run_fold`. Without a setting it is that of the problem."""
    setting = setting or SETTINGS.get(problem.name, SETTING)
    split = StratifiedKFold(5, shuffle=True, random_state=seed)
    parts = split.split(problem.X, problem.y)
    return [run_fold(problem, train, test, seed, share, setting) for train, test in parts]


def run_fold(
    problem: Problem,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
    share: float | None,
    s: Setting,
) -> FoldResult:
    """Train a full network, and prune it along one schedule, on one thread.

    To a share of the synapses; or, with None, to next to nothing, and then the smallest network
    of the path is taken whose validation accuracy is within `max_drop` of the path's best. A fifth
    of the training part validates.
    """
    X, y = problem.X, problem.y
    fit, val = train_test_split(train, test_size=0.2, stratify=y[train], random_state=seed)
    net = sn.SparseMLP(problem.layers, init_scale=s.init_scale, input_scaling="standard", seed=seed)
    common: dict[str, Any] = {"epochs": s.epochs, "batch_size": s.batch_size, "threads": 1}
    plain = sn.SGD(s.lr)
    penalty = replace(plain, l1=s.l1)
    schedule = sn.constant_then_cosine()
    net.fit(X[fit], y[fit], optimizer=plain, schedule=schedule, **common)
    penalised = None
    if share is None:
        other = net.copy().fit(X[fit], y[fit], optimizer=penalty, schedule=schedule, **common)
        penalised = other.score(X[test], y[test], threads=1)
        n, criterion = 2, s.input_criterion
    else:
        n, criterion = round(share * net.n_synapses), s.criterion
    warnings.simplefilter("ignore", UserWarning)  # that L1 may spoil WSF
    path = sn.prune(
        net, X[fit], y[fit], validation=(X[val], y[val]), n_synapses=n, criterion=criterion,
        optimizer=penalty, final_optimizer=plain, **common,
    )  # fmt: skip
    small = path.smallest
    if share is None:
        best = max(step.accuracy for step in path)
        small = path.select(min_accuracy=best - s.max_drop)
    full, pruned = (n.score(X[test], y[test], threads=1) for n in (net, small))
    return FoldResult(full, pruned, small.n_synapses, tuple(small.used_inputs.tolist()), penalised)
