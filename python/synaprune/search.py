"""`smallest_network`: the smallest network that keeps the accuracy, chosen by cross-validation."""

from __future__ import annotations

import itertools
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import metrics
from synaprune.arrays import Inputs, Labels, as_inputs, as_labels
from synaprune.checks import check_callable, check_float, check_int, check_names, shown
from synaprune.criteria import Criterion
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.pruning import Goal, Session, Sweep, sizes
from synaprune.tables import Table, TableEncoder, find_target, target_labels
from synaprune.threads import Threads, check_threads
from synaprune.training import SGD, STOP, ConstantThenCosine, Progress, Training

METRICS = ("auto", *metrics.METRICS)
_IMBALANCED = 0.8  # share of one class from which "auto" is balanced accuracy

_FOLDS = 5
_HELD_OUT = 5000  # rows from which one fifth, held out once, takes the place of folds
_JUDGEMENTS = 1000  # folds are repeated on small data until there are so many, but at most
_REPEATS = 3
_FINALS = 3  # runs on all rows, of which the one of the least training loss counts
_BOOTSTRAPS = 200

_BATCH = 32
_UPDATES = (4000, 20000)  # of a full network: ten passes, but at least and at most so many
_KEEP = 0.75
_CAUTION = 0.5  # standard errors of the drop that are added to it


@dataclass(frozen=True)
class Candidate:
    """What the folds choose among, besides the size.

    Attributes
    ----------
    hidden : tuple of int
        Hidden neurons of each layer; none is a linear classifier.
    l1 : float
        L1 penalty, which makes small networks better and full ones worse.
    """

    hidden: tuple[int, ...]
    l1: float


CANDIDATES = (
    Candidate((), 0.0),
    Candidate((), 1e-3),
    Candidate((100,), 0.0),
    Candidate((100,), 1e-3),
    Candidate((100,), 3e-3),
)


@dataclass(frozen=True)
class Estimate:
    """What a metric will be on fresh data.

    Attributes
    ----------
    value : float
    low, high : float
        Ends of a 90 % interval.
    method : str
        How it was estimated.
    """

    value: float
    low: float
    high: float
    method: str

    def __str__(self) -> str:
        return f"{self.value:.1%} (90 % interval {self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True)
class CurvePoint:
    """One size of one candidate, judged on rows that it was not trained on.

    Attributes
    ----------
    candidate : Candidate
    n_synapses : int
        At most so many.
    score : float
        The metric.
    drop : float
        Below the best full network.
    standard_error : float
        Of the drop, from the differences of single rows.
    """

    candidate: Candidate
    n_synapses: int
    score: float
    drop: float
    standard_error: float


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What `smallest_network` found.

    Attributes
    ----------
    network : SparseMLP
        The smallest network that keeps the score, trained on all rows.
    full : SparseMLP
        The best full network, trained likewise.
    path : PruningPath
        Of the final run, from its full network to `network`; its scores are those on the training
        rows.
    metric : str
    max_drop : float
    expected, expected_full : Estimate
        The metric of `network` and of `full` on fresh data.
    curve : list of CurvePoint
        All that was judged, by candidate and falling size.
    chosen : CurvePoint
        The one that `network` is.
    """

    network: SparseMLP
    full: SparseMLP
    path: PruningPath
    metric: str
    max_drop: float
    expected: Estimate
    expected_full: Estimate
    curve: list[CurvePoint]
    chosen: CurvePoint

    def __str__(self) -> str:
        """Return what happened, in a few lines; what would surprise comes first."""
        name = self.metric.replace("_", " ")
        full, net = self.full, self.network
        lines = [
            f"{full.n_synapses} -> {net.n_synapses} synapses, {full.structure} -> {net.structure}",
            f"{name} on fresh data: {self.expected}; full network: {self.expected_full}",
        ]
        remark = self.remark
        return "\n".join([remark, *lines] if remark else lines)

    @property
    def remark(self) -> str:
        """What a reader has to know before the figures; "" if there is nothing."""
        if not self._learned:
            return (
                f"No network that was tried has a better {self.metric} than one that always says "
                "the same class: these inputs do not tell the classes apart, or another metric, "
                "such as balanced_accuracy, has to ask for it."
            )
        error = self.chosen.standard_error
        if error > self.max_drop:
            return (
                f"These rows cannot tell a drop of {self.max_drop:.2%}: its standard error is "
                f"{error:.2%}. See the curve."
            )
        return ""

    @property
    def _learned(self) -> bool:
        return self.network.n_synapses > 0 and self.expected_full.value > self._of_one_class

    _of_one_class: float = 0.0


def smallest_network(
    X: Any,
    y: Any,
    *,
    max_drop: float = 0.005,
    metric: str = "auto",
    seed: int = 0,
    encoder: TableEncoder | None = None,
    input_names: Sequence[str] | None = None,
    threads: Threads = None,
    callback: Callable[[int, int], object] | None = None,
) -> SearchResult:
    """Return the smallest network that keeps the accuracy of the best full one.

    Linear classifiers and networks of one hidden layer are trained and cut through all sizes on
    each fold of the rows, and judged on the rows left out, which decides candidate and size, as
    cost-complexity pruning decides the size of a tree (Breiman et al., 1984). Such runs on all
    rows, of which the one of the least training loss counts, then give the network. From 5000 rows
    on, one fifth is held out once instead of folds. Inputs are standardised; uint8 is scaled as
    pixels.

    Parameters
    ----------
    X : array_like, shape (n, n_features), or Table
        Numbers, as in `SparseMLP.fit`, or a table with columns of any kind.
    y : array_like, shape (n,), or str
        Labels: ints, bools or strings; or the name of the table's column that holds them.
    max_drop : float
        How much of the best full network's score may be lost, as a fraction. The drop on the rows
        left out plus half its standard error has to be at most this, for the size that is chosen
        and for the next larger one.
    metric : {"auto", "accuracy", "balanced_accuracy"}
        "auto" is accuracy, or balanced accuracy where one class has over 80 % of the rows; classes
        then also count equally in training.
    seed : int
        Of folds, initial weights and orders of samples. Equal seeds give equal bits, for any number
        of threads.
    encoder : TableEncoder, optional
        What the columns of a table become; fitted to it if left out.
    input_names : sequence of str, optional
        Names of the columns of an array.
    threads : int or "auto", optional
        Networks that are trained at a time; as many as the machine offers if left out.
    callback : callable, optional
        Called as ``callback(done, total)`` after each training, in the caller's thread.

    Returns
    -------
    SearchResult

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or fewer than two classes have two rows; before any training.

    Warns
    -----
    UserWarning
        If no network learned anything, see `SearchResult.remark`.

    Examples
    --------
    >>> import synaprune as sn
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 8))
    >>> result = sn.smallest_network(X, X[:, 2] > X[:, 5])
    >>> result.network.used_inputs.tolist(), result.network.structure
    ([2, 5], '2-1')
    """
    inputs, labels, encoder, names = _inputs(X, y, encoder, input_names)
    drop = check_float("max_drop", max_drop, 0.0, 1.0)
    if not isinstance(metric, str) or metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {shown(metric)}")
    check_int("seed", seed, 0, 2**64 - 1)
    check_callable("callback", callback)
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if (counts >= 2).sum() < 2:
        raise ValueError(
            f"y must hold at least two classes of two rows each, got {len(classes)} classes, the "
            f"largest of {counts.max()} rows"
        )
    codes: NDArray[np.int32] = inverse.astype(np.int32)
    if metric == "auto":
        metric = "balanced_accuracy" if counts.max() > _IMBALANCED * len(codes) else "accuracy"
    task = _Task(inputs, labels, classes, codes, metric, seed, encoder, names)
    judged = task.judge(check_threads(threads), callback)
    reference, chosen = judged.choose(drop)
    expected, expected_full = judged.estimates(drop)
    with _Workers(check_threads(threads)) as workers:
        paths = workers.run([
            partial(task.path, judged.candidates[i], judged.counts[i], (2, k))
            for i, k in [(reference, 0), *((chosen, k) for k in range(_FINALS))]
        ])  # fmt: skip
    full = paths[0].network(0)
    path = min(paths[1:], key=task.loss)
    _leave_one_class(path, inputs, judged.learned(chosen))
    curve = judged.curve(reference)
    result = SearchResult(
        network=path.smallest,
        full=full,
        path=path,
        metric=metric,
        max_drop=drop,
        expected=expected,
        expected_full=expected_full,
        curve=curve,
        chosen=curve[chosen],
        _of_one_class=judged.of_one_class,
    )
    if not result._learned:
        warnings.warn(result.remark, UserWarning, stacklevel=2)
    return result


def _inputs(
    X: Any, y: Any, encoder: TableEncoder | None, input_names: Sequence[str] | None
) -> tuple[Inputs, Labels, TableEncoder | None, Sequence[str] | None]:
    """Return inputs, labels, the encoder of a table and names of the inputs."""
    if not isinstance(X, Table):
        if encoder is not None:
            raise TypeError(f"encoder goes with a Table, but X is of type {type(X).__name__}")
        inputs = as_inputs(X)
        if input_names is not None:
            input_names = check_names("input_names", input_names, inputs.shape[1])
        return inputs, as_labels(y, len(inputs)), None, input_names
    if input_names is not None:
        raise TypeError("input_names must be left out with a Table, which has names of its own")
    if isinstance(y, str):
        target = target_labels(X, find_target(X, y))
        X, y = X.without([find_target(X, y)]).take(target.rows), target.labels
    labels = as_labels(y, len(X))
    encoder = TableEncoder.fit(X) if encoder is None else encoder
    return encoder.transform(X), labels, encoder, encoder.input_names


@dataclass(frozen=True, eq=False)
class _Task:
    """The rows, and how networks are trained and judged on them."""

    inputs: Inputs
    labels: Labels
    classes: Labels
    codes: NDArray[np.int32]
    metric: str
    seed: int
    encoder: TableEncoder | None
    input_names: Sequence[str] | None

    def path(
        self,
        candidate: Candidate,
        n_synapses: int,
        stream: Sequence[int],
        stop: threading.Event,
        rows: NDArray[np.intp] | slice = slice(None),
    ) -> PruningPath:
        """Train a candidate on some rows, and cut it through all sizes down to one."""

        def callback(_: Progress) -> object:
            return STOP if stop.is_set() else None

        X, y = self.inputs[rows], self.labels[rows]
        net = SparseMLP(
            self._layers(candidate),
            init_scale=0.3,
            input_scaling="auto" if X.dtype == np.uint8 else "standard",
            seed=int(np.random.SeedSequence([self.seed, *stream]).generate_state(1)[0]),
        )
        net.input_names = self.input_names
        net.encoder = self.encoder
        steps = math.ceil(len(X) / _BATCH)
        updates = min(max(10 * steps, _UPDATES[0]), _UPDATES[1])
        recipe = Training(
            math.ceil(updates / steps),
            batch_size=_BATCH,
            optimizer=SGD(
                0.05,
                momentum=0.9,
                l1=candidate.l1,
                weight_decay=0.0 if candidate.l1 else 1e-4,
            ),
            class_weight="balanced" if self.metric == "balanced_accuracy" else None,
            lr_schedule=ConstantThenCosine(),
        )
        net.prepare(X, y, self.classes)  # some rows may lack a rare class
        net.fit(X, y, training=recipe, threads=1, callback=callback)
        session = Session(
            net,
            X,
            y,
            validation=(X, y),
            goal=Goal(n_synapses=n_synapses),
            criterion=Criterion("taylor2"),
            training=replace(recipe, epochs=None, lr_schedule=None),
            threads=1,
            callback=callback,
        )
        sweep = Sweep(_KEEP, retrain_epochs=max(1, math.ceil(updates / 8 / steps)))
        session.path.stop_reason = sweep.run(session)
        return session.path

    def loss(self, path: PruningPath) -> float:
        """Return the mean log loss of a path's smallest network on all rows."""
        told = path.smallest.predict_proba(self.inputs)
        return float(_log_loss(told, self.codes).mean())

    def judge(self, threads: int, callback: Callable[[int, int], object] | None) -> _Judged:
        """Judge each size of each candidate on rows that it was not trained on."""
        splits = list(self._splits())
        tasks = [
            partial(self._fold, candidate, split, (1, k))
            for k, split in enumerate(splits)
            for candidate in CANDIDATES
        ]
        with _Workers(threads) as workers:
            told = workers.run(tasks, callback)
        judged = np.zeros(len(self.codes))
        for _, held_out in splits:
            judged[held_out] += 1.0
        rows = np.flatnonzero(judged)
        right, loss, several = [], [], []
        for i in range(len(CANDIDATES)):
            folds = told[i :: len(CANDIDATES)]
            total = np.zeros((2, len(folds[0][0]), len(self.codes)))
            seen = np.zeros((len(folds[0][0]), len(self.classes)), bool)
            for (correct, losses, predicted), (_, held_out) in zip(folds, splits, strict=True):
                total[0][:, held_out] += correct
                total[1][:, held_out] += losses
                seen |= predicted
            right.append(total[0][:, rows] / judged[rows])
            loss.append((total[1][:, rows] / judged[rows]).mean(axis=1))
            several.append(seen.sum(axis=1) > 1)
        return _Judged(
            candidates=[c for c in CANDIDATES for _ in self._sizes(c)],
            counts=[n for c in CANDIDATES for n in self._sizes(c)],
            right=np.concatenate(right),
            loss=np.concatenate(loss),
            several=np.concatenate(several),
            weights=self._weights()[rows],
            codes=self.codes[rows],
            method=(
                f"{len(rows)} rows held out"
                if len(splits) == 1
                else f"{len(splits) // _FOLDS} times {_FOLDS} folds"
            )
            + ", corrected for the choice by bootstrap",
        )

    def _fold(
        self,
        candidate: Candidate,
        split: tuple[NDArray[np.intp], NDArray[np.intp]],
        stream: Sequence[int],
        stop: threading.Event,
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]:
        """Return by size: which held-out rows are right, their log loss, which classes are said."""
        rows, held_out = split
        counts = self._sizes(candidate)
        path = self.path(candidate, counts[-1], stream, stop, rows)
        X, y = self.inputs[held_out], self.codes[held_out]
        correct = np.empty((len(counts), len(y)), bool)
        loss = np.empty(correct.shape)
        said = np.zeros((len(counts), len(self.classes)), bool)
        step, told = -1, None
        for i, n in enumerate(counts):
            at = next((s.step for s in path if s.n_synapses <= n), len(path) - 1)
            if at != step:
                step, told = at, path.network(at).predict_proba(X, threads=1)
            assert told is not None
            predicted = told.argmax(axis=1)
            correct[i] = predicted == y
            loss[i] = _log_loss(told, y)
            said[i, predicted] = True
        return correct, loss, said

    def _sizes(self, candidate: Candidate) -> list[int]:
        layers = self._layers(candidate)
        n = sum(a * b for a, b in itertools.pairwise(layers))
        return list(sizes(n, min(n, len(layers) - 1), _KEEP))

    def _layers(self, candidate: Candidate) -> tuple[int, ...]:
        outputs = 1 if len(self.classes) == 2 else len(self.classes)
        return (self.inputs.shape[1], *candidate.hidden, outputs)

    def _weights(self) -> NDArray[np.float64]:
        """Return what each row counts for the metric."""
        n = np.ones(len(self.codes))
        if self.metric == "balanced_accuracy":
            n /= np.bincount(self.codes)[self.codes]
        return n

    def _splits(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Generate stratified (training rows, held-out rows)."""
        n = len(self.codes)
        once = n >= _HELD_OUT
        repeats = 1 if once else min(_REPEATS, max(1, _JUDGEMENTS // n))
        for repeat in range(repeats):
            rng = np.random.default_rng([self.seed, 0, repeat])
            fold = np.empty(n, np.intp)
            first = 0
            for code in range(len(self.classes)):
                rows = rng.permutation(np.flatnonzero(self.codes == code))
                fold[rows] = (first + np.arange(len(rows))) % _FOLDS
                first += len(rows)
            for k in range(1 if once else _FOLDS):
                yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


@dataclass(frozen=True, eq=False)
class _Judged:
    """Each size of each candidate, on rows that it was not trained on.

    Attributes
    ----------
    candidates : list of Candidate
    counts : list of int
        Synapses; those of a candidate stand together, falling from its full network.
    right : ndarray of float64, shape (n_sizes, n_rows)
        Share of the repeats in which a row was right.
    loss : ndarray of float64, shape (n_sizes,)
        Mean log loss.
    several : ndarray of bool, shape (n_sizes,)
        Whether more than one class is ever said.
    weights : ndarray of float64, shape (n_rows,)
        What each row counts.
    codes : ndarray of int32, shape (n_rows,)
    method : str
    """

    candidates: list[Candidate]
    counts: list[int]
    right: NDArray[np.float64]
    loss: NDArray[np.float64]
    several: NDArray[np.bool_]
    weights: NDArray[np.float64]
    codes: NDArray[np.int32]
    method: str

    @property
    def of_one_class(self) -> float:
        """The score of saying the most valuable class always."""
        return float(np.bincount(self.codes, self.weights).max() / self.weights.sum())

    def learned(self, size: int) -> bool:
        """Return whether a size says more than one class, and is better for it."""
        score = self.right[size] @ self.weights / self.weights.sum()
        return bool(self.several[size]) and score > self.of_one_class

    @cached_property
    def _full(self) -> NDArray[np.bool_]:
        """Which sizes are full networks."""
        before = [None, *self.candidates[:-1]]
        return np.array([a is not b for a, b in zip(before, self.candidates, strict=True)])

    def choose(
        self, max_drop: float, weights: NDArray[np.float64] | None = None
    ) -> tuple[int, int]:
        """Return the best full network, and the fewest synapses that keep its score.

        The next larger size of the candidate has to keep it too: of many sizes, one alone may be
        lucky.
        """
        weights = self.weights if weights is None else weights
        share = weights / weights.sum()
        scores = self.right @ share
        best = max(np.flatnonzero(self._full).tolist(), key=lambda i: (scores[i], -self.loss[i]))
        drop, error = self._drops(best, share)
        fits = drop + _CAUTION * error <= max_drop
        fits[1:] &= fits[:-1] | self._full[1:]
        if self.learned(best):
            fits &= self.several
        fits[best] = True
        return best, min(
            np.flatnonzero(fits).tolist(), key=lambda i: (self.counts[i], self.loss[i])
        )

    def _drops(
        self, best: int, share: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the drop of each size below the best full network, and its standard error."""
        lost = self.right[best] - self.right
        drop: NDArray[np.float64] = lost @ share
        error: NDArray[np.float64] = np.sqrt((lost - drop[:, None]) ** 2 @ share**2)
        return drop, error

    def curve(self, best: int) -> list[CurvePoint]:
        """Return what is known of each size."""
        share = self.weights / self.weights.sum()
        drop, error = self._drops(best, share)
        scores = self.right @ share
        return [
            CurvePoint(*told)
            for told in zip(
                self.candidates, self.counts, scores.tolist(), drop.tolist(), error.tolist(),
                strict=True,
            )
        ]  # fmt: skip

    def estimates(self, max_drop: float) -> tuple[Estimate, Estimate]:
        """Return the score to expect of the chosen and of the full network.

        The choice is repeated on bootstrap samples of the rows and judged on the rows that each of
        them lacks (Tsamardinos et al., 2018): these chose nothing.
        """
        rng = np.random.default_rng(len(self.codes))
        n = len(self.codes)
        outside: list[list[float]] = []
        inside: list[list[float]] = []
        for _ in range(_BOOTSTRAPS):
            drawn = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
            weights, left = self.weights * drawn, self.weights * (drawn == 0)
            both = self.choose(max_drop, weights)
            for where, w in ((inside, weights), (outside, left)):
                if w.any():
                    where.append([self.right[i] @ w / w.sum() for i in both])
        values, spread = np.mean(outside, axis=0), np.std(inside, axis=0)
        share = self.weights / self.weights.sum()
        least = np.sqrt((share**2).sum() * (values * (1 - values) + 1.0 / n))
        error = 1.645 * np.maximum(spread, least)
        network, full = (
            Estimate(float(v), max(0.0, float(v - e)), min(1.0, float(v + e)), self.method)
            for v, e in zip(values[::-1], error[::-1], strict=True)
        )
        return network, full


def _log_loss(told: NDArray[np.float32], codes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the log loss of each row's class, of probabilities by row and class."""
    likely = told[np.arange(len(codes)), codes].astype(np.float64)
    loss: NDArray[np.float64] = -np.log(np.maximum(likely, 1e-7))
    return loss


def _leave_one_class(path: PruningPath, inputs: Inputs, learned: bool) -> None:
    """Go back along the final path while its end says one class, if it should say more."""
    while learned and len(path) > 1 and len(np.unique(path.smallest.predict(inputs))) < 2:
        path.undo()


class _Workers:
    """Threads that run trainings side by side; the core trains without the GIL.

    Parameters
    ----------
    n : int
    """

    def __init__(self, n: int) -> None:
        self._pool = ThreadPoolExecutor(n)
        self._stop = threading.Event()

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()  # an exception, Ctrl-C among them, ends what still runs
        self._pool.shutdown(cancel_futures=True)

    def run(
        self,
        tasks: Sequence[Callable[[threading.Event], Any]],
        callback: Callable[[int, int], object] | None = None,
    ) -> list[Any]:
        """Return the results in the tasks' order."""
        futures = [self._pool.submit(task, self._stop) for task in tasks]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                if callback is not None:
                    callback(sum(f.done() for f in futures), len(futures))
        return [future.result() for future in futures]
