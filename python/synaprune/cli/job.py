"""One run of the main job: train the full network, prune it, measure both."""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from synaprune import __version__
from synaprune.cli.presets import Preset
from synaprune.datasets import Dataset
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.pruning import check_samples, check_target, prune
from synaprune.threads import Threads
from synaprune.training import SGD, Adam, Callback, Progress, ShiftImages, constant_then_cosine


@dataclass(frozen=True)
class Options:
    """What a run is asked for: the preset with the flags applied, and the target."""

    preset: Preset
    strategy: str
    target: dict[str, float]  # n_inputs, and at most one of n_synapses, min_accuracy, max_drop
    confidence: float | None = None
    metric: str = "accuracy"

    @property
    def counted(self) -> bool:
        """Whether the target is a count, which a fresh network is trained to."""
        return not self.target.keys() & {"min_accuracy", "max_drop"}

    def record(self) -> dict[str, Any]:
        """Return the options as JSON values. Threads are not among them: they change nothing."""
        return {
            **dataclasses.asdict(self.preset),
            "strategy": self.strategy,
            "confidence": self.confidence,
            "metric": self.metric,
            **self.target,
        }


@dataclass(frozen=True)
class Result:
    """The full network, the pruning path and what they cost."""

    data: Dataset
    seed: int
    options: Options
    full: SparseMLP
    path: PruningPath
    epochs: int
    seconds: float
    threads: Threads = None

    def record(self) -> dict[str, Any]:
        """Return the JSON record of the run; its keys are a promise to users."""
        return {
            "dataset": self.data.name,
            "seed": self.seed,
            "options": self.options.record(),
            "start": measure(self.full, self.data, self.threads),
            "final": measure(self.path.smallest, self.data, self.threads),
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "version": __version__,
            "verdict": self.path.stop_reason,
            "path": [step.record() for step in self.path],
        }


def measure(net: SparseMLP, data: Dataset, threads: Threads = None) -> dict[str, Any]:
    """Return structure, counts and accuracy on each split."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    return {
        "structure": net.structure,
        "n_synapses": net.n_synapses,
        "n_inputs": net.n_used_inputs,
        "accuracy": {name: net.score(*split, threads=threads) for name, split in splits.items()},
    }


def predict_seconds(net: SparseMLP, X: np.ndarray[Any, Any]) -> float:
    """Return the median time of predicting X once, over several calls after a warm-up."""
    times = []
    for _ in range(8):
        begin = time.perf_counter()
        net.predict(X)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def run_job(
    data: Dataset,
    options: Options,
    *,
    seed: int,
    threads: Threads = None,
    callback: Callback | None = None,
) -> Result:
    """Train the full network, then prune: a fresh copy along a schedule, or itself by a ladder.

    Raises
    ------
    PruningInterrupted, TrainingDiverged, ValueError
        As `prune` and `SparseMLP.fit`.
    """
    begin = time.perf_counter()
    preset = options.preset
    outputs = 1 if data.n_classes == 2 and preset.loss in ("auto", "sigmoid") else data.n_classes
    net = SparseMLP(
        (data.n_inputs, *preset.hidden, outputs),
        activation=preset.activation,
        loss=preset.loss,
        init_scale=preset.init_scale,
        input_scaling=preset.input_scaling or data.input_scaling,
        seed=seed,
    )
    net.input_names = data.input_names
    goal: dict[str, Any] = {
        **options.target,
        "strategy": options.strategy,
        "confidence": options.confidence,
        "metric": options.metric,
    }
    check_target(net, **goal)
    if options.confidence is not None and "max_drop" in options.target:  # before all the work
        check_samples(options.target["max_drop"], options.confidence, len(data.validation))
    fresh = net.copy()
    optimizer: SGD | Adam = (SGD if preset.optimizer == "sgd" else Adam)(
        lr=preset.lr, l1=preset.l1, weight_decay=preset.weight_decay
    )
    augment = _augment(data, preset)
    epochs = 0

    def watch(progress: Progress) -> bool:
        nonlocal epochs
        epochs = progress.epoch
        stop = callback is not None and bool(callback(progress))
        perfect = preset.stop_at is not None and (progress.accuracy or 0.0) >= preset.stop_at
        return stop or perfect

    net.fit(
        *data.train,
        epochs=preset.epochs,
        batch_size=preset.batch_size,
        optimizer=optimizer,
        schedule=None if preset.stop_at is not None else constant_then_cosine(),
        label_smoothing=preset.label_smoothing,
        augment=augment,
        validation=(data.validation.X, data.validation.y),
        threads=threads,
        callback=watch,
    )
    path = prune(
        fresh if options.counted else net,
        *data.train,
        validation=(data.validation.X, data.validation.y),
        final_optimizer=dataclasses.replace(optimizer, l1=0.0) if options.counted else None,
        criterion=preset.criterion,
        concentration=preset.concentration,
        label_smoothing=preset.label_smoothing,
        augment=augment,
        effort=preset.effort,
        epochs=preset.epochs,
        retrain_epochs=preset.retrain_epochs,
        patience=preset.patience,
        attempts=preset.attempts,
        batch_size=preset.batch_size,
        optimizer=optimizer,
        threads=threads,
        callback=callback,
        **goal,
    )
    path.options = {"dataset": data.name, **options.record()}
    path.data_sha256 = data.sha256
    seconds = time.perf_counter() - begin
    return Result(data, seed, options, net, path, epochs + path.epochs, seconds, threads)


def _augment(data: Dataset, preset: Preset) -> ShiftImages | None:
    if preset.shift == 0:
        return None
    if data.image_shape is None:
        raise ValueError(f"the rows of {data.name} are no images that could be shifted")
    return ShiftImages(*data.image_shape, preset.shift, preset.shift_probability)
