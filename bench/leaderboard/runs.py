"""One run of a recipe, and many of them side by side."""

from __future__ import annotations

import multiprocessing
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import synaprune as sn
from numpy.typing import NDArray

from bench.leaderboard.rows import Recipe

N_VALUES = (4, 8, 16, 32, 64)  # of a layer's weights; the first that keep the accuracy count
_SHARING = sn.Training(
    2, batch_size=64, optimizer=sn.SGD(0.02, momentum=0.9), lr_schedule=sn.ConstantThenCosine(0.5)
)

_data: sn.datasets.Dataset


@dataclass(frozen=True)
class Shared:
    """A network whose weights share few values.

    Attributes
    ----------
    n_values : int
        Of a layer.
    bits : int
        Of the whole model.
    validation, test : float
        Accuracies.
    """

    n_values: int
    bits: int
    validation: float
    test: float


@dataclass(frozen=True)
class Outcome:
    """What a run ended with."""

    seed: int
    structure: str
    n_synapses: int
    n_inputs: int
    validation: float
    test: float
    seconds: float
    chosen: str = ""
    shared: Shared | None = None


def run(data: sn.datasets.Dataset, recipe: Recipe, seed: int) -> Outcome:
    """Train and prune from scratch on one thread; the final network is what counts."""
    begin = time.process_time()
    X, y = data.train
    if recipe.all_images:
        X, y = (np.concatenate([a, b]) for a, b in zip(data.train, data.validation, strict=True))
    if recipe.teacher:
        y = _taught(X, y, recipe, seed)
    net = sn.SparseMLP(
        (data.n_features, *recipe.hidden, 10),
        activation=recipe.activation,
        init_scale=recipe.init_scale,
        input_scaling=recipe.input_scaling,
        seed=seed,
    )
    net.prepare(*data.train)
    path = sn.prune(
        net,
        X,
        y,
        validation=data.validation,
        n_synapses=recipe.n_synapses,
        n_inputs=recipe.n_inputs,
        strategy=recipe.strategy,
        criterion=sn.Criterion(recipe.criterion, structured_bias=recipe.structured_bias),
        training=recipe.training,
        threads=1,
    )
    small = path.smallest
    accuracies = [small.score(*split, threads=1) for split in (data.validation, data.test)]
    seconds = time.process_time() - begin
    counts = (small.structure, small.n_synapses, small.n_used_inputs)
    shared = None if recipe.share_drop is None else _shared(small, X, y, data, recipe)
    return Outcome(seed, *counts, *accuracies, seconds, shared=shared)


def _shared(
    net: sn.SparseMLP, X: NDArray[np.uint8], y: NDArray[Any], data: sn.datasets.Dataset, r: Recipe
) -> Shared:
    """Share weights, of as few values as the accuracy on the validation split allows."""
    training = replace(_SHARING, augment=r.training.augment)
    for n_values in N_VALUES:
        made = sn.share_weights(
            net, X, y, validation=data.validation, n_values=n_values, max_drop=r.share_drop,
            metric="accuracy", training=training,
        )  # fmt: skip
        if made.loss.holds:
            break
    accuracies = [made.network.score(*part, threads=1) for part in (data.validation, data.test)]
    return Shared(n_values, sn.count_bits(made).total, *accuracies)


def run_asked(data: sn.datasets.Dataset, n_synapses: int, seed: int) -> Outcome:
    """Ask for the best network of a count; its validation accuracy is what it says to expect."""
    begin = time.perf_counter()
    X, y = (np.concatenate([a, b]) for a, b in zip(data.train, data.validation, strict=True))
    found = sn.smallest_network(X, y, n_synapses=n_synapses, seed=seed)
    seconds = time.perf_counter() - begin
    net = found.network
    counts = (net.structure, net.n_synapses, net.n_used_inputs)
    accuracies = (found.expected.value, net.score(*data.test))
    return Outcome(seed, *counts, *accuracies, seconds, str(found.chosen.candidate))


def _taught(
    X: NDArray[np.uint8], y: NDArray[np.int64], recipe: Recipe, seed: int
) -> NDArray[np.float32]:
    """Return what a larger network, trained on the same images, makes of the samples."""
    teacher = sn.SparseMLP((X.shape[1], *recipe.teacher, 10), init_scale=1.0, seed=seed)
    training = sn.Training(
        30,
        optimizer=sn.SGD(0.1),
        lr_schedule=sn.ConstantThenCosine(),
        augment=recipe.training.augment,
    )
    teacher.fit(X, y, training=training, threads=1)
    return teacher.predict_proba(X, threads=1)


def side_by_side(
    data_dir: Path, jobs: Iterable[tuple[Recipe | int, int]], processes: int
) -> Iterator[Outcome]:
    """Yield the outcomes in the order of the jobs."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (data_dir,)) as pool:
        yield from pool.map(_outcome, jobs)


def processes() -> int:
    """Return how many runs fit side by side."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(data_dir: Path) -> None:
    global _data
    _data = sn.datasets.mnist(data_dir)
    warnings.simplefilter("ignore")  # that wsf and L1 do not go together, say


def _outcome(job: tuple[Recipe | int, int]) -> Outcome:
    what, seed = job
    return run_asked(_data, what, seed) if isinstance(what, int) else run(_data, what, seed)
