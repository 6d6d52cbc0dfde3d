"""`prune`: when to cut and how many, under a target count or an accuracy contract."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.criteria import check_criterion
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.training import (
    Callback,
    Optimizer,
    Progress,
    Schedule,
    TrainingDiverged,
    check_float,
    check_int,
    check_optimizer,
    check_threads,
    constant_then_cosine,
    run_epochs,
)

STRATEGIES = ("auto", "ladder", "gradual")
# Bulín & Šmídl's percentiles. Their 0, the single weakest synapse, comes after them in _ladder.
PERCENTAGES = (75, 60, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 4, 3, 2, 1)


class PruningInterrupted(KeyboardInterrupt):
    """Ctrl-C during `prune`; ``path`` holds what was accepted until then (maybe nothing)."""

    def __init__(self, path: PruningPath) -> None:
        super().__init__(f"pruning was interrupted after {len(path)} accepted networks")
        self.path = path


class _Stop(Exception):  # noqa: N818 - no error: a callback asked to end here
    """A callback returned True."""


class _Run:
    """The one mechanism of every strategy: cut, train, judge; then accept or roll back."""

    def __init__(
        self,
        net: SparseMLP,
        X: Any,
        y: Any,
        validation: tuple[Any, Any],
        *,
        criterion: str,
        batch_size: int,
        optimizer: Optimizer,
        threads: int,
        callback: Callback | None,
    ) -> None:
        self.net = net.copy()
        self.X, self.y = self.net.prepare(X, y)
        self.X_val, self.y_val = self.net.check_data(*validation, "validation")
        self.criterion = criterion
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.threads = threads
        self.callback = callback
        self.path = PruningPath(self.net)
        self.planned: int | None = None
        self.loss = math.nan
        self._reference: NDArray[np.bool_] | None = None

    def correct(self) -> NDArray[np.bool_]:
        """Which validation samples the network gets right, shape (n,)."""
        right: NDArray[np.bool_] = self.net.core.classify(self.X_val, self.threads) == self.y_val
        return right

    def accuracy(self) -> float:
        return self.net.core.evaluate(self.X_val, self.y_val, self.threads)[1] / len(self.y_val)

    def tell(self, stage: str, accuracy: float | None) -> None:
        if self.callback is None:
            return
        n = self.net.n_synapses
        if self.callback(Progress(stage, self.path.epochs, self.planned, self.loss, accuracy, n)):
            raise _Stop

    def train(self, epochs: int, stage: str, schedule: Schedule | None = None) -> Any:
        """Generate the epoch number after each epoch of training."""
        for epoch, loss in run_epochs(
            self.net.core, self.X, self.y, epochs=epochs, batch_size=self.batch_size,
            optimizer=self.optimizer, threads=self.threads, schedule=schedule,
        ):  # fmt: skip
            self.path.epochs += 1
            self.loss = loss
            yield epoch

    def cut(self, n: int, spared: int = 0) -> None:
        self.net.core.cut(self.criterion, n, spared)

    def accept(self, *, epochs: int, accuracy_before: float) -> None:
        correct = self.correct()
        if self._reference is None:
            self._reference = correct
        accuracy = float(np.count_nonzero(correct)) / len(correct)
        self.path.add(
            self.net,
            criterion=self.criterion,
            epochs=epochs,
            accuracy_before=accuracy_before,
            accuracy=accuracy,
            p_value=mcnemar(self._reference, correct),
        )
        self.tell("accepted", accuracy)


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """McNemar's exact two-sided test (McNemar, 1947) on paired right-or-wrong outcomes.

    Parameters
    ----------
    a, b : ndarray of bool, shape (n,)
        Which samples each classifier gets right.

    Returns
    -------
    float
        Twice the binomial tail of the disagreements at probability 1/2, at most 1.

    Examples
    --------
    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    n, k = only_a + only_b, min(only_a, only_b)
    log_half = math.log(0.5)
    tail = math.fsum(
        math.exp(math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + n * log_half)
        for i in range(k + 1)
    )
    return min(1.0, 2.0 * tail)


def _gradual(run: _Run, n_synapses: int, epochs: int) -> None:
    """Train along one schedule; cut after each epoch between 5 % and 70 % of it.

    The count falls exponentially to the target; the learning rate is constant while cuts go on.
    """
    start = run.net.n_synapses
    last = max(1, math.floor(0.7 * epochs))
    cuts = [e for e in range(1, last + 1) if e > 0.05 * epochs]
    run.planned = epochs
    done, since, before = 0, 0, math.nan
    for epoch in run.train(epochs, "train", constant_then_cosine(turn=last / epochs)):
        since += 1
        if epoch in cuts:
            done += 1
            target = math.floor(start * (n_synapses / start) ** (done / len(cuts)) + 1e-9)
            if run.net.n_synapses > target:
                before = run.accuracy() if math.isnan(before) else before
                run.accept(epochs=since, accuracy_before=before)
                run.cut(run.net.n_synapses - target)
                since, before = 0, run.accuracy()
        run.tell("train", run.accuracy() if run.callback else None)
    run.accept(epochs=since, accuracy_before=before if since < epochs else run.accuracy())
    run.path.verdict = f"reached {run.net.n_synapses} synapses (target {n_synapses})"


def _ladder(
    run: _Run,
    contract: Callable[[float], float],
    retrain_epochs: int,
    patience: int,
    attempts: int,
) -> None:
    """Cut by falling shares, retrain until the contract holds again, else roll back."""
    full = run.accuracy()
    threshold = contract(full) - 1e-9  # accuracies are ratios of small whole numbers
    if full < threshold:
        raise ValueError(
            f"the network has validation accuracy {full:.4f}, below min_accuracy {threshold:.4f}; "
            "train it further first, or ask for less"
        )
    run.accept(epochs=0, accuracy_before=full)
    failed = (0, 0)  # what was tried last on the network as it is now

    def survives(n: int, spared: int = 0) -> bool:
        nonlocal failed
        if n == 0 or (n, spared) == failed:
            return False
        before = run.net.core.copy()
        run.cut(n, spared)
        after_cut = run.accuracy()
        epochs = _retrain(run, threshold, after_cut, retrain_epochs, patience)
        if epochs is None:
            run.net.core.assign(before)
            failed = (n, spared)
            run.tell("rejected", None)
            return False
        run.accept(epochs=epochs, accuracy_before=after_cut)
        return True

    for percent in PERCENTAGES:
        while survives(run.net.n_synapses * percent // 100):
            pass
    while any(survives(1, spared) for spared in range(min(attempts, run.net.n_synapses))):
        pass
    run.path.verdict = (
        f"no cut survives: validation accuracy would fall below {threshold + 1e-9:.4f}"
        if run.net.n_synapses
        else "no synapse is left"
    )


def _retrain(
    run: _Run, threshold: float, accuracy: float, retrain_epochs: int, patience: int
) -> int | None:
    """Epochs until the accuracy is back (0 if it never fell), or None on failure.

    Failure is a divergence, the end of the budget, or `patience` epochs in which neither accuracy
    nor training loss improved.
    """
    if accuracy >= threshold:
        return 0
    best_accuracy, best_loss, stale = accuracy, math.inf, 0
    try:
        for epoch in run.train(retrain_epochs, "retrain"):
            accuracy = run.accuracy()
            run.tell("retrain", accuracy)
            if accuracy >= threshold:
                return int(epoch)
            better = accuracy > best_accuracy or run.loss < best_loss * (1.0 - 1e-3)
            stale = 0 if better else stale + 1
            best_accuracy, best_loss = max(best_accuracy, accuracy), min(best_loss, run.loss)
            if stale >= patience:
                return None
    except TrainingDiverged:
        return None
    return None


def prune(
    net: SparseMLP,
    X: Any,
    y: Any,
    *,
    validation: tuple[Any, Any],
    n_synapses: int | None = None,
    min_accuracy: float | None = None,
    max_drop: float | None = None,
    strategy: str = "auto",
    criterion: str = "wsf",
    epochs: int = 60,
    retrain_epochs: int = 20,
    patience: int = 5,
    attempts: int = 10,
    batch_size: int = 64,
    optimizer: Optimizer | None = None,
    threads: int | None = None,
    callback: Callback | None = None,
) -> PruningPath:
    """Take out synapses, weakest first, as long as the contract holds.

    Parameters
    ----------
    net : SparseMLP
        Copied, never changed. For "ladder" a trained network; for "gradual" trained or fresh.
    X : array_like, shape (n, n_inputs)
    y : array_like, shape (n,)
        Training data.
    validation : (X, y)
        Judges every cut. Keep the test split out of it.
    n_synapses : int, optional
        Target count, which runs "gradual". At most one of the three targets may be given.
    min_accuracy, max_drop : float, optional
        Accuracy contract, which runs "ladder": a fraction to keep, or the largest loss against the
        accuracy of ``net`` as given. With no target at all, ``max_drop=0.005``.
    strategy : {"auto", "ladder", "gradual"}
        "ladder": cut a share of the synapses, 75, 60, 50, 45 … 5, 4, 3, 2, 1 %; retrain; repeat a
        share that succeeds, take the next after a failure, which is undone exactly; at last cut one
        synapse at a time (Bulín & Šmídl, 2017). "gradual": train `epochs` epochs, cutting after
        each between 5 % and 70 % of them, so that the count falls exponentially to the target.
    criterion : {"wsf", "magnitude", "random"}
        What ranks synapses; see `score`.
    epochs : int
        Length of a "gradual" run, at least 2.
    retrain_epochs, patience : int
        "ladder": epochs that a cut may take to recover, and epochs without improvement of accuracy
        or training loss after which it has failed.
    attempts : int
        "ladder": of how many synapses, weakest first, removing one alone is tried before the run
        ends. The original method stops at the weakest; 1 does so.
    batch_size, optimizer, threads, callback
        As in `SparseMLP.fit`. A callback that returns True ends the run with what was accepted.

    Returns
    -------
    PruningPath

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    TrainingDiverged
        If "gradual" diverges ("ladder" takes it for a failed cut).
    PruningInterrupted
        On Ctrl-C; its ``path`` holds what was accepted.

    Warns
    -----
    UserWarning
        If "wsf" is used with Adam, weight decay or L1.

    Examples
    --------
    >>> from synaprune import SparseMLP, prune, datasets
    >>> data = datasets.xor()
    >>> net = SparseMLP((2, 8, 1), seed=0).fit(*data.train, epochs=5)
    >>> path = prune(net, *data.train, validation=data.validation, n_synapses=6, epochs=20)
    >>> path.smallest.n_synapses <= 6
    True
    """
    if not isinstance(net, SparseMLP):
        raise TypeError(f"net must be a SparseMLP, got {type(net).__name__}")
    targets = {"n_synapses": n_synapses, "min_accuracy": min_accuracy, "max_drop": max_drop}
    given = [name for name, value in targets.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"at most one target may be given, got {' and '.join(given)}")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {strategy!r}")
    if strategy == "auto":
        strategy = "ladder" if n_synapses is None else "gradual"
    if (strategy == "gradual") != (n_synapses is not None):
        raise ValueError(
            "strategy 'gradual' goes with n_synapses, 'ladder' with min_accuracy or max_drop; "
            f"got {strategy!r} with {given[0] if given else 'no target'}"
        )
    optimizer = check_optimizer(optimizer)
    run = _Run(
        net, X, y, validation,
        criterion=check_criterion(criterion, optimizer),
        batch_size=check_int("batch_size", batch_size, 1),
        optimizer=optimizer,
        threads=check_threads(threads),
        callback=callback,
    )  # fmt: skip
    epochs = check_int("epochs", epochs, 2)
    retrain_epochs = check_int("retrain_epochs", retrain_epochs, 1)
    patience = check_int("patience", patience, 1)
    attempts = check_int("attempts", attempts, 1)
    try:
        if n_synapses is not None:
            least, most = len(net.layers) - 1, net.n_synapses
            _gradual(run, check_int("n_synapses", n_synapses, least, most), epochs)
        elif min_accuracy is not None:
            kept = check_float("min_accuracy", min_accuracy, 0.0, 1.0)
            _ladder(run, lambda _: kept, retrain_epochs, patience, attempts)
        else:
            drop = check_float("max_drop", 0.005 if max_drop is None else max_drop, 0.0, 1.0)
            _ladder(run, lambda full: full - drop, retrain_epochs, patience, attempts)
    except _Stop:
        run.path.verdict = "ended by the callback"
    except KeyboardInterrupt:
        raise PruningInterrupted(run.path) from None
    return run.path
