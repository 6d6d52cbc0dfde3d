"""The main job: train the full network on a dataset, prune it, measure both."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from synaprune import __version__, metrics
from synaprune.callbacks import Callbacks
from synaprune.checkpoint import CheckpointError, CheckpointFile, opened
from synaprune.checks import check_bool, check_callable, check_float, check_int, shown
from synaprune.criteria import Criterion
from synaprune.datasets import Dataset
from synaprune.io import below
from synaprune.metrics import Metric
from synaprune.network import ACTIVATIONS, LOSSES, REGRESSION_LOSSES, SparseMLP
from synaprune.options import option, record, set_fields
from synaprune.path import PruningPath
from synaprune.pruning import (
    STRATEGIES,
    Goal,
    Gradual,
    LimitReached,
    Limits,
    Strategy,
    check_strategy,
    default_strategy,
    prune,
)
from synaprune.scaling import INPUT_SCALINGS
from synaprune.threads import Threads
from synaprune.training import (
    STOP,
    Callback,
    ConstantThenCosine,
    Optimizer,
    Progress,
    Training,
    WeightAverage,
)


@dataclass(frozen=True)
class Architecture:
    """What the full network is; sizes of inputs and outputs come from the dataset.

    Parameters
    ----------
    hidden : tuple of int
        Hidden neurons of each layer.
    activation, loss, init_scale
        As in `SparseMLP`.
    input_scaling : str, optional
        As in `SparseMLP`; the dataset's if left out.

    Raises
    ------
    TypeError, ValueError
        If a size is out of range; `SparseMLP` checks the rest.

    Examples
    --------
    >>> from synaprune import datasets
    >>> Architecture((6,)).network(datasets.xor(), seed=1)
    SparseMLP(2-6-1, 18 synapses, relu, not fitted)
    """

    hidden: tuple[int, ...] = option((20,), "hidden neurons of each layer", metavar="N[,N…]")
    activation: str = option("relu", "activation of the hidden neurons", choices=ACTIVATIONS)
    loss: str = option("auto", "loss that training minimises", choices=LOSSES)
    init_scale: float = option(
        0.05, "range of the initial weights, as a share of Glorot's; of one hidden layer",
        metavar="S",
    )  # fmt: skip
    input_scaling: str | None = option(None, "how inputs are scaled", choices=INPUT_SCALINGS)

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple | list):
            raise TypeError(f"hidden must be a sequence of ints, got {shown(self.hidden)}")
        set_fields(self, hidden=tuple(check_int("hidden", n, 1) for n in self.hidden))

    def network(self, data: Dataset, seed: int) -> SparseMLP:
        """Return a fresh network for a dataset."""
        loss = self.loss
        if data.is_regression:
            n_outputs = 1
            loss = "squared_error" if loss == "auto" else loss
        else:
            if loss in REGRESSION_LOSSES:
                raise ValueError(f"loss {loss!r} is one of numbers, but {data.name} holds classes")
            one = data.n_classes == 2 and loss in ("auto", "sigmoid")
            n_outputs = 1 if one else data.n_classes
        net = SparseMLP(
            (data.n_features, *self.hidden, n_outputs),
            activation=self.activation,
            loss=loss,
            init_scale=self.init_scale,
            input_scaling=self.input_scaling or data.input_scaling,
            seed=seed,
        )
        net.input_names = data.input_names
        net.encoder = data.encoder
        return net


@dataclass(frozen=True)
class Job:
    """Train the full network, then prune: itself, or a fresh copy that the strategy trains.

    Parameters
    ----------
    architecture : Architecture
    training : Training
        Of the full network, and of a strategy that trains a fresh one. The full network's learning
        rate falls along a `ConstantThenCosine` if the recipe has no schedule and no `stop_at`.
    goal : Goal
    strategy : Strategy, optional
        The one that goes with the goal if left out. Under `Gradual`, an L1 penalty ends with the
        last cut unless a `final_optimizer` says otherwise.
    criterion : Criterion
    stop_at : float, optional
        Ends the training of the full network at this validation accuracy; for datasets whose rows
        are all there is.

    Raises
    ------
    TypeError, ValueError
        If two do not go together.

    Examples
    --------
    >>> from synaprune import datasets
    >>> result = Job(Architecture((6,)), Training(30), Goal(n_synapses=9)).run(datasets.xor())
    >>> result.start.structure, result.final.n_synapses <= 9
    ('2-6-1', True)
    """

    architecture: Architecture = field(default_factory=Architecture)
    training: Training = field(default_factory=Training)
    goal: Goal = field(default_factory=Goal)
    strategy: Strategy | None = None
    criterion: Criterion = field(default_factory=Criterion)
    stop_at: float | None = None

    def __post_init__(self) -> None:
        if self.stop_at is not None:
            check_float("stop_at", self.stop_at, 0.0, 1.0)
        strategy = self.strategy or default_strategy(self.goal)()
        set_fields(self, strategy=check_strategy(strategy, self.goal, self._recipe(strategy)))

    def _recipe(self, strategy: Strategy) -> Training:
        """Return what a strategy trains by: all, or nothing of what only a whole training has."""
        if not (isinstance(strategy, Strategy) and strategy.starts_trained):
            return self.training
        return dataclasses.replace(self.training, epochs=None, lr_schedule=None, swa_epochs=1)

    def options(self) -> dict[str, Any]:
        """Return the options as JSON values. Threads are not among them: they change nothing."""
        training, strategy = self.training, self.strategy
        shift = {"shift": 0} if training.augment is None else record(training.augment)
        named = (name for name, kind in STRATEGIES.items() if type(strategy) is kind)
        return {
            **record(self.architecture),
            **record(training),
            "optimizer": training.optimizer.name,
            **record(training.optimizer),
            **shift,
            **record(self.criterion),
            "stop_at": self.stop_at,
            "strategy": next(named, type(strategy).__name__),
            **record(strategy),
            **self.goal.record(),
        }

    def check(self, data: Dataset) -> None:
        """Raise a TypeError or ValueError if the job does not fit a dataset; trains nothing.

        Parameters
        ----------
        data : Dataset
        """
        net = self.architecture.network(data, 0)
        self.goal.for_network(net).check_for(net, len(data.validation))

    def run(
        self,
        data: Dataset,
        *,
        seed: int = 0,
        threads: Threads = None,
        callback: Callback | None = None,
        checkpoint: str | os.PathLike[str] | CheckpointFile | None = None,
        resume: bool = False,
        time_limit: float | None = None,
        max_epochs: int | None = None,
    ) -> Result:
        """Do the job; whatever does not fit the data is refused before any training.

        Parameters
        ----------
        data : Dataset
        seed : int
            Of the initial weights and of the order of the samples.
        threads : int or "auto", optional
        callback : callable, optional
            As in `prune`; called during the training of the full network too.
        checkpoint, resume, time_limit, max_epochs
            As in `prune`; the training of the full network is part of what is kept and limited.

        Returns
        -------
        Result

        Raises
        ------
        PruningInterrupted, TrainingDiverged, TypeError, ValueError, OSError
            As `prune` and `SparseMLP.fit`.
        """
        limits = Limits(time_limit, max_epochs)
        with opened(checkpoint, resume) as file:
            return self._run(data, seed, threads, callback, file, limits)

    def _run(
        self,
        data: Dataset,
        seed: int,
        threads: Threads,
        callback: Callback | None,
        file: CheckpointFile | None,
        limits: Limits,
    ) -> Result:
        begin = time.perf_counter()
        strategy, training = self.strategy, self.training
        assert strategy is not None
        if isinstance(strategy, Gradual) and strategy.final_optimizer is None:
            strategy = dataclasses.replace(
                strategy, final_optimizer=_without_l1(training.optimizer)
            )
        net = self.architecture.network(data, seed)
        job = dataclasses.replace(self, goal=self.goal.for_network(net))
        goal = job.goal
        goal.check_for(net, len(data.validation))
        fresh = net.copy()
        schedule = training.lr_schedule
        if schedule is None and self.stop_at is None:
            training = dataclasses.replace(training, lr_schedule=ConstantThenCosine())
        validation = (data.validation.X, data.validation.y)
        full = _FullNetwork(file, limits)
        if file is not None:
            file.identify("Job", {"data": data.sha256}, {**job.options(), "seed": seed})

        def watch(progress: Progress) -> object:
            perfect = self.stop_at is not None and (progress.score or 0.0) >= self.stop_at
            return STOP if full.ends(progress.epoch, perfect) else None

        if (trained := full.trained) is not None:
            net = trained
        else:
            check_callable("callback", callback)
            net._fit(
                *data.train, training=training, validation=validation, threads=threads,
                callback=watch if callback is None else Callbacks([callback, watch]), marks=full,
            )  # fmt: skip
            full.finish(net)
        cut_short = bool(full.cut_short)  # then nothing is cut from it
        left = None if limits.max_epochs is None else max(0, limits.max_epochs - full.epochs)
        path = prune(
            net if strategy.starts_trained or cut_short else fresh,
            *data.train,
            validation=validation,
            **{f.name: getattr(goal, f.name) for f in dataclasses.fields(Goal)},
            strategy=strategy,
            criterion=self.criterion,
            training=self._recipe(strategy),
            threads=threads,
            callback=callback,
            checkpoint=None if cut_short else file,
            time_limit=0.0 if cut_short else limits.seconds_left,
            max_epochs=left,
        )
        if cut_short:
            path.stop_reason = f"{full.cut_short} while the full network was trained"
        path.options = {"dataset": data.name, **job.options()}
        path.data_sha256 = data.sha256
        return Result(
            dataset=data.name,
            seed=seed,
            job=job,
            data=data,
            full=net,
            path=path,
            start=Measurement.of(net, data, threads, goal.metric),
            final=Measurement.of(path.smallest, data, threads, goal.metric),
            epochs=full.epochs + path.epochs,
            seconds=time.perf_counter() - begin,
        )


class _FullNetwork:
    """The training of the full network: how far it is, in a checkpoint, and whether it may go on.

    Attributes
    ----------
    epochs : int
        That were trained.
    cut_short : str
        Which limit ended it, if one did. The checkpoint then holds where it was, so that a run
        without the limit goes on as if there had been none.
    """

    def __init__(self, file: CheckpointFile | None, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self.epochs = 0
        self.cut_short = ""
        self._average: WeightAverage | None = None

    @property
    def trained(self) -> SparseMLP | None:
        """The network, if an earlier run has trained it to the end."""
        net, done, _ = self._last()
        return net if done else None

    def ends(self, epoch: int, perfect: bool) -> bool:
        """Return whether the training ends after an epoch: it is perfect, or a limit is reached."""
        self.epochs = epoch
        if perfect:
            return True
        try:
            self._limits.check(epoch)
        except LimitReached as limit:
            self.cut_short = str(limit)
        return bool(self.cut_short)

    def finish(self, net: SparseMLP) -> None:
        """Keep the trained network."""
        sums = self._average.state if self._average is not None and self.cut_short else {}
        self._keep(net, sums, not self.cut_short)

    def go_to_last(self, net: SparseMLP, average: WeightAverage) -> int:
        """Set both to the last mark; return its epoch, 0 if there is none."""
        self._average = average
        last, _, sums = self._last()
        if last is not None:
            net._core.assign(last._core)
            average.state = sums
        return self.epochs

    def add(self, epoch: int, net: SparseMLP, average: WeightAverage) -> None:
        """Keep both after an epoch, if it is time to."""
        self.epochs = epoch
        if self._file is not None and self._file.due:
            self._keep(net, average.state, False)

    def _keep(self, net: SparseMLP, sums: Mapping[str, NDArray[Any]], done: bool) -> None:
        if self._file is not None:
            header, arrays = net.state()
            values = {"epochs": self.epochs, "done": done, "network": header}
            parts = {f"network/{name}": a for name, a in arrays.items()}
            parts |= {f"sums/{name}": a for name, a in sums.items()}
            self._file.parts["full"] = values, parts
            self._file.save()

    def _last(self) -> tuple[SparseMLP | None, bool, dict[str, NDArray[Any]]]:
        """Return the network of the checkpoint, whether it is trained to the end, and the sums."""
        if self._file is None or "full" not in self._file.parts:
            return None, False, {}
        values, arrays = self._file.parts["full"]
        try:
            self.epochs = check_int("epochs", values["epochs"], 0)
            net = SparseMLP.from_state(values["network"], below("network/", arrays))
            return net, check_bool("done", values["done"]), below("sums/", arrays)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(f"{self._file.path} does not describe a run: {error}") from error


def _without_l1(optimizer: Optimizer) -> Optimizer:
    return dataclasses.replace(optimizer, l1=0.0)


@dataclass(frozen=True)
class Measurement:
    """What a network is, and how good it is on each split.

    Attributes
    ----------
    structure : str
    n_synapses, n_inputs : int
    accuracy : dict of float
        By "train", "validation" and "test", if it has rows; empty if numbers are predicted.
    score : dict of float
        The goal's metric; accuracy or R² if there is none.
    """

    structure: str
    n_synapses: int
    n_inputs: int
    accuracy: dict[str, float]
    score: dict[str, float]

    @classmethod
    def of(
        cls, net: SparseMLP, data: Dataset, threads: Threads = None, metric: Metric | None = None
    ) -> Measurement:
        """Measure a network on the splits of a dataset."""
        splits = {"train": data.train, "validation": data.validation, "test": data.test}
        checked = {name: net.check_data(*split) for name, split in splits.items() if len(split)}
        score = {name: net.score(rows, threads=threads) for name, rows in checked.items()}
        accuracy = {} if net.is_regression else score.copy()
        if metric not in (None, "accuracy", "r2"):
            for name, rows in checked.items():
                score[name] = metrics.of_network(metric, net, rows, threads)
        return cls(net.structure, net.n_synapses, net.n_used_inputs, accuracy, score)


@dataclass(frozen=True)
class Result:
    """The full network, the pruning path, and what was measured.

    Attributes
    ----------
    dataset : str
    seed : int
    job : Job
    data : Dataset
    full : SparseMLP
    path : PruningPath
    start, final : Measurement
        Of the full and of the smallest network.
    epochs : int
    seconds : float
    """

    dataset: str
    seed: int
    job: Job
    data: Dataset
    full: SparseMLP
    path: PruningPath
    start: Measurement
    final: Measurement
    epochs: int
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return the JSON record of the run; its keys are a promise to users."""
        return {
            "dataset": self.dataset,
            "seed": self.seed,
            "options": self.job.options(),
            "start": dataclasses.asdict(self.start),
            "final": dataclasses.asdict(self.final),
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "version": __version__,
            "stop_reason": self.path.stop_reason,
            "path": [step.record() for step in self.path],
        }
