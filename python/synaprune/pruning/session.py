"""`Session`: what a strategy works with. Cut, train, judge; then accept or roll back."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import finite
from synaprune.checkpoint import CheckpointError, CheckpointFile
from synaprune.criteria import Criterion
from synaprune.distributed import Exchange
from synaprune.metrics import needs_probabilities
from synaprune.network import SparseMLP, says_the_same
from synaprune.options import name_of
from synaprune.path import PruningPath
from synaprune.pruning.contract import Judgement
from synaprune.pruning.goal import Goal
from synaprune.pruning.journal import Counters, Journal, Mark
from synaprune.pruning.limits import Limits
from synaprune.pruning.topology import without_neuron
from synaprune.pruning.units import Amounts
from synaprune.threads import ThreadChoice, Threads
from synaprune.training import (
    Callback,
    LRSchedule,
    Optimizer,
    Progress,
    Training,
    TrainingDiverged,
    asks_to_stop,
    lr_factors,
    run_epochs,
)

_NOW = "now"  # the session's network in a mark


class PruningInterrupted(KeyboardInterrupt):
    """Ctrl-C during `prune`; ``path`` holds what was accepted until then (maybe nothing)."""

    def __init__(self, path: PruningPath) -> None:
        super().__init__(f"pruning was interrupted after {len(path)} accepted networks")
        self.path = path

    def __reduce__(self) -> tuple[type[PruningInterrupted], tuple[PruningPath]]:
        return (type(self), (self.path,))


class StopPruning(Exception):  # noqa: N818 - no error: a callback asked to end here
    """A callback returned `STOP`."""


class BudgetExhausted(Exception):  # noqa: N818 - no error: the work that was allowed is done
    """The session's limit of work is reached."""


class Session:
    """A copy of the network on its way down, the data, and the path so far.

    A `Strategy` gets it and calls its methods; whatever it does, the network that `prune` was given
    stays as it was.

    Parameters
    ----------
    net : SparseMLP
        Copied.
    X, y, sample_weight, validation
        As in `prune`; checked here, once.
    goal : Goal
    criterion : Criterion
    training : Training
    threads, callback
        As in `prune`.
    limits : Limits, optional
    exchange : Exchange, optional
        Between ranks that prune together. What they decide by is of the data of all of them, so
        that they decide alike.

    Attributes
    ----------
    net : SparseMLP
        The network as it is.
    units : InputUnits or None
        What the goal counts of inputs, if it does.
    path : PruningPath
        What was accepted.
    answers : CheckedData
        The validation split, with the targets of all ranks.
    listens : bool
        Whether there is a callback, on any rank.
    work : int
        Work so far: epochs, and cuts that were tried, times synapses and neurons.
    limit : float
        Work after which `train` and `charge` raise `BudgetExhausted`.
    planned : int or None
        Epochs that callbacks are told the run takes.
    loss : float
        Mean training loss of the last epoch.
    """

    def __init__(
        self,
        net: SparseMLP,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation: Any,
        goal: Goal,
        criterion: Criterion,
        training: Training,
        threads: Threads = None,
        callback: Callback | None = None,
        limits: Limits | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self.net = net.copy()
        self.goal, self.criterion, self.training = goal.for_network(net), criterion, training
        self.units = self.goal.input_units(net)
        self.data = self.net.prepare(
            X, y, sample_weight=sample_weight, training=training, exchange=exchange
        )
        self.validation = self.net.check_validation(validation)
        self.answers = self.validation
        self.threads = ThreadChoice(threads)
        self.callback, self.listens = callback, callback is not None
        self._exchange = exchange
        if exchange is not None:
            y = exchange.rows(self.validation.y)
            self.answers = replace(self.validation, y=y)
            self.listens = exchange.any(self.listens)
        self.limits = limits or Limits()
        self.path = PruningPath(self.net)
        assert self.goal.metric is not None
        self.path.metric = name_of(self.goal.metric)
        self.work, self.limit = 0, math.inf
        self.planned: int | None = None
        self.loss = math.nan
        self._first: Judgement | None = None
        self._last: Judgement | None = None
        self._journal: Journal | None = None

    # ---- train and judge

    def train(
        self,
        epochs: int,
        lr_schedule: LRSchedule | None = None,
        *,
        optimizer: Optimizer | None = None,
        later: tuple[int, Optimizer] | None = None,
        resumed: tuple[int, SparseMLP] | None = None,
    ) -> Iterator[int]:
        """Generate the epoch number, from 1, after each epoch of training.

        Parameters
        ----------
        epochs : int
        lr_schedule : callable, optional
            As in `Training`; the rate is constant if left out.
        optimizer : Optimizer, optional
            Instead of the recipe's.
        later : (int, Optimizer), optional
            After so many epochs this optimiser takes over.
        resumed : (int, SparseMLP), optional
            How many of these epochs an earlier run has done, and the network that it began with;
            see `mark`.

        Raises
        ------
        TrainingDiverged
            If the loss is no longer finite; the network is not put back.
        BudgetExhausted
            If the limit of work is reached.
        LimitReached
            Before an epoch for which there is no time, or which would be one too many.
        """
        done, first = resumed or (0, self.net)
        size = self._size(first)
        if done < epochs:
            self.limits.check(self.path.epochs)
        for epoch, loss in run_epochs(
            self.net._core,
            self.data,
            factors=lr_factors(lr_schedule, epochs),
            batch_size=self.training.batch_size,
            optimizer=optimizer or self.training.optimizer,
            threads=self.threads,
            later=later,
            max_norm=self.training.max_gradient_norm,
            done=done,
        ):
            self.path.epochs += 1
            self.loss = loss
            self._spend(size)
            yield epoch
            if epoch < epochs:
                self.limits.check(self.path.epochs)

    def judge(self) -> Judgement:
        """Return what the network as it is tells of the validation split.

        That takes one pass over it, and a second one if the metric judges probabilities.
        """
        X, data, metric = self.validation.X, self.answers, self.goal.metric
        assert metric is not None
        if data.classes is None:
            given = self._of_all_ranks(self.net.predict(X, threads=self.threads.next()))
            return Judgement.of_numbers(self.goal, data, given, self._first)
        predicted = self._of_all_ranks(finite(self.net._core.classify(X, self.threads.next())))
        probabilities = None
        if needs_probabilities(metric):
            probabilities = self._of_all_ranks(
                self.net.predict_proba(X, threads=self.threads.next())
            )
        return Judgement.of_classes(self.goal, data, predicted, probabilities, self._first)

    def _of_all_ranks(self, rows: NDArray[Any]) -> NDArray[Any]:
        return rows if self._exchange is None else self._exchange.rows(rows)

    def training_loss(self) -> float:
        """Return the mean loss over the training samples as they are, towards their classes."""
        net, mean, seen = self.net, 0.0, 0
        with closing(self.data.chunks(net._core, self.training.batch_size)) as chunks:
            for chunk in chunks:
                loss = chunk.loss(net._core, self.threads.next(), of_numbers=net.is_regression)
                seen += len(chunk)
                mean += (loss - mean) * (len(chunk) / seen)
        return mean

    def gradient_moments(self, net: SparseMLP) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return E[g] and E[g²] of a network's synapses over some of the training samples."""
        return self.data.at_hand.gradient_moments(net._core, self.threads.next())

    # ---- cut

    def cut(self, n: int, skip: int = 0) -> None:
        """Remove the n synapses of the lowest scores after the `skip` lowest.

        More go if that leaves neurons without a synapse in or out.
        """
        per_layer, bias = self.criterion.per_layer, self.criterion.structured_bias
        scores = self._scores()
        self._remove(self.net._core.kept_by_cut(scores, n, skip, per_layer, bias))

    def overrun(self, net: SparseMLP, limits: Amounts | None = None) -> float:
        """Return how far the inputs of a network exceed limits, the goal's if left out."""
        return 0.0 if self.units is None else self.units.overrun(net, limits)

    def excess_inputs(self, limits: Amounts | None = None) -> NDArray[np.intp]:
        """Return the inputs, or groups, of low scores that exceed limits, the goal's if left out.

        Returns
        -------
        ndarray of int
            Their numbers in `units`, the lowest scores first.
        """
        if self.units is None or not self.overrun(self.net, limits):
            return np.empty(0, np.intp)
        return self.units.excess(self.net, self._scores(), limits or self.units.limits)

    def cut_inputs(self, units: NDArray[np.intp]) -> None:
        """Remove inputs, or groups of them, by their numbers in `units`."""
        assert self.units is not None
        self._remove(self.units.without(self.net, units))

    def cut_neuron(self, skip: int = 0) -> None:
        """Remove the hidden neuron of the lowest sum of scores after the `skip` lowest."""
        self._remove(without_neuron(self.net, self._scores(), skip))

    def _remove(self, keep: NDArray[np.uint8]) -> None:
        if self.criterion.compensate:
            self.data.at_hand.compensate(self.net._core, keep, self.threads.next())
        self.net._core.remove(keep)

    def _scores(self) -> NDArray[np.float32]:
        scores = self.criterion.scores(self.net, self.data, self.threads.next())
        if isinstance(self.criterion.saliency, str) and np.isnan(scores).any():
            raise TrainingDiverged(self.path.epochs, self.training.optimizer.lr)
        return scores

    # ---- accept or roll back

    def snapshot(self) -> SparseMLP:
        """Return the network as it is, to go back to; optimiser's and random state included."""
        return self.net.copy()

    def restore(self, net: SparseMLP) -> None:
        """Go back to a snapshot, or on from another network, bit for bit."""
        self.net._core.assign(net._core)

    def accept(self, judgement: Judgement, *, epochs: int, score_after_cut: float) -> None:
        """Make the network as it is the path's next step.

        Parameters
        ----------
        judgement : Judgement
            Of this network.
        epochs : int
            Trained since the cut.
        score_after_cut : float
        """
        if self._first is None:
            self._first = judgement
        self._last = judgement
        self.path.add(
            self.net,
            criterion=self.criterion.name,
            epochs=epochs,
            score_after_cut=score_after_cut,
            score=judgement.score,
            p_value=judgement.p_value,
            bound=judgement.bound,
        )
        self.notify("accepted", judgement)

    def warn_if_constant(self, stacklevel: int) -> None:
        """Warn if the last network accepted says the same to every validation sample.

        Where the metric judges probabilities, these may tell samples apart all the same.

        Parameters
        ----------
        stacklevel : int
            As in `warnings.warn`, from the caller of this method.
        """
        metric, data = self.goal.metric, self.validation
        assert metric is not None
        if not self.path.steps or needs_probabilities(metric):
            return
        if self._last is None:  # it was accepted in an earlier run
            self.restore(self.path.smallest)
            self._last = self.judge()
        said = self._last.predicted
        if np.ptp(said, axis=0).any() or not np.ptp(self.answers.y, axis=0).any():
            return
        answer = said[0] if data.classes is None else data.classes[said[0]]
        name = name_of(metric)
        other = " or with metric='balanced_accuracy'" if name == "accuracy" else ""
        warnings.warn(
            f"the pruned network {says_the_same(answer, 'validation sample')}, so that its "
            f"{name} of {self._last.score:.4f} takes no network; train otherwise, prune "
            f"less{other}",
            UserWarning,
            stacklevel=stacklevel + 1,
        )

    def notify(self, stage: str, judgement: Judgement | None) -> None:
        """Tell the callback, if there is one; raises `StopPruning` if one asks to end."""
        stops = self.callback is not None and self._asks_to_stop(stage, judgement)
        if self._exchange is not None and self.listens:
            stops = self._exchange.any(stops)
        if stops:
            raise StopPruning

    def _asks_to_stop(self, stage: str, judgement: Judgement | None) -> bool:
        assert self.callback is not None
        progress = Progress(
            stage=stage,
            epoch=self.path.epochs,
            epochs=self.planned,
            loss=self.loss,
            score=None if judgement is None else judgement.score,
            n_synapses=self.net.n_synapses,
            threads=self.threads.next(),
            network=self.net.copy() if stage == "accepted" else None,
        )
        return asks_to_stop(self.callback, progress)

    # ---- go on where a run was cut off

    def keep_in(self, file: CheckpointFile, options: Mapping[str, Any]) -> None:
        """Keep what is finished in a checkpoint, and take what it holds for done.

        Parameters
        ----------
        file : CheckpointFile
        options : mapping
            What decides the result besides the network, the data, goal, criterion and recipe.

        Raises
        ------
        CheckpointError
            If it is of another run; it says what differs.
        OSError
            If it cannot be written.
        """
        data, validation = self.data.at_hand, self.validation
        header, arrays = self.net.state()
        file.identify(
            "prune",
            {
                "net": {**header, **arrays},
                "rows": None if data is self.data else len(self.data),  # of blocks
                "X": data.X,
                "y": data.y,
                "sample_weight": data.sample_weight,
                "validation X": validation.X,
                "validation y": validation.y,
                "classes": validation.classes,
            },
            {
                "": self.goal,
                "criterion": self.criterion,
                "training": self.training,
                **options,
            },
        )
        self._journal = Journal(file, self.net)

    def unit(self, work: Callable[[], bool]) -> bool:
        """Do a unit of work, unless the checkpoint of an earlier run holds it.

        A unit that was cut off is begun again, so that units are what a crash can cost.

        Parameters
        ----------
        work : callable
            Returns a bool. It leaves the session's network as the path's last one if it accepted
            any, otherwise as it was. The strategy must not depend on anything else that it did. It
            may consist of units itself.

        Returns
        -------
        bool
            What `work` returned.
        """
        journal = self._journal
        if journal is None:
            return work()
        path = self.path
        if (entry := journal.next()) is not None:
            if entry.first > len(path):
                raise CheckpointError("the checkpoint does not fit this run: steps are missing")
            path.steps[entry.first :] = entry.steps
            self._resume(entry.counters)
            if entry.steps:
                self.restore(path.smallest)
            return entry.answer
        before, begin = list(path.steps), journal.begin()
        answer = bool(work())  # comparisons of scores give numpy's
        journal.finish(begin, answer, self._counters, before, list(path.steps))
        return answer

    def mark(
        self,
        values: Mapping[str, Any],
        nets: Mapping[str, SparseMLP] | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Note where a long training is, if that is kept and it is time to.

        Parameters
        ----------
        values : mapping
            JSON values.
        nets : mapping of str to SparseMLP, optional
            Networks besides the session's.
        arrays : mapping of str to ndarray, optional
        """
        journal = self._journal
        if journal is None or not journal.due:
            return
        every = {_NOW: self.snapshot(), **(nets or {})}
        steps = list(self.path.steps)
        journal.set_mark(Mark(dict(values), dict(arrays or {}), every, self._counters, steps))

    def marked(self) -> Mark | None:
        """Go back to the mark of an earlier run, and return it; None if there is none.

        Returns
        -------
        Mark or None
        """
        mark = None if self._journal is None else self._journal.mark
        if mark is not None:
            self.path.steps[:] = mark.steps
            self._resume(mark.counters)
            if mark.steps:
                self.restore(self.path.network(0))
                self._first = self.judge()
            self.restore(mark.nets[_NOW])
        return mark

    def save(self) -> None:
        """Write all that is finished to the checkpoint, if there is one."""
        if self._journal is not None:
            self._journal.save()

    @property
    def _counters(self) -> Counters:
        return Counters(self.path.epochs, self.work, self.loss)

    def _resume(self, counters: Counters) -> None:
        self.path.epochs, self.work, self.loss = counters.epochs, counters.work, counters.loss
        self._last = None

    # ---- budget

    def charge(self, net: SparseMLP | None = None) -> None:
        """Count a cut that is tried, or a network that is looked at, as the work of an epoch."""
        self.limits.check_time()
        self._spend(self._size(net or self.net))

    def _size(self, net: SparseMLP) -> int:
        """Return what an epoch costs: synapses and neurons."""
        return net.n_synapses + sum(net._core.structure)

    def _spend(self, work: int) -> None:
        self.work += work
        if self.work >= self.limit:
            raise BudgetExhausted
