"""`smallest_network`: the smallest network that keeps the score, chosen by cross-validation."""

from __future__ import annotations

import dataclasses
import itertools
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune import metrics
from synaprune.arrays import Inputs, as_answers, as_inputs, as_labels, as_numbers, as_weights
from synaprune.checks import check_callable, check_float, check_int, check_names, shown
from synaprune.criteria import Criterion
from synaprune.frames import Frame, is_frame
from synaprune.labels import LabelEncoder
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.options import name_of
from synaprune.path import PruningPath
from synaprune.pruning import Goal, Session, Sweep, sizes
from synaprune.resampling import Scores
from synaprune.tables import Table, TableEncoder, find_target, is_amount, read_target
from synaprune.targets import (
    ClassTargets,
    NumberTargets,
    Split,
    Targets,
    Verdict,
    judged_rows,
    mean_by_row,
)
from synaprune.threads import Threads, check_threads
from synaprune.training import (
    SGD,
    STOP,
    ConstantThenCosine,
    Progress,
    Training,
    TrainingDiverged,
)

T = TypeVar("T")
METRICS = ("auto", *metrics.METRICS, *metrics.REGRESSION_METRICS)
_IMBALANCED = 0.8  # share of one class from which "auto" is balanced accuracy

_LEAST_SPREAD = 1e-150  # of numbers, whose squares are not 0

_FOLDS = 5
_HELD_OUT = 5000  # rows from which one fifth, held out once, takes the place of folds
_JUDGEMENTS = 1000  # folds are repeated on small data until there are so many, but at most
_REPEATS = 3
_FINALS = 3  # runs on all rows, of which the one of the least training loss counts

BATCH_SIZE = 32
_PASSES = 60  # of the training of a full network, if that is
_UPDATES = (4000, 30000)  # at least and at most so many updates
LEARNING_RATES = (0.05, 0.0125, 0.003)  # each is for what the one before made diverge
_KEEP = 0.75
_CAUTION = 0.5  # standard errors of the drop that are added to it


@dataclass(frozen=True)
class Candidate:
    """What the folds choose among, besides the size.

    Parameters
    ----------
    hidden : tuple of int
        Hidden neurons of each layer; none is a linear classifier.
    l1 : float
        L1 penalty, which makes small networks better and full ones worse.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> Candidate((100,), 1e-3)
    Candidate(hidden=(100,), l1=0.001)
    """

    hidden: tuple[int, ...]
    l1: float

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple):
            raise TypeError(f"hidden must be a tuple of ints, got {shown(self.hidden)}")
        for n in self.hidden:
            check_int("each of hidden", n, 1)
        check_float("l1", self.l1, 0.0)


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
    in_percent : bool
        Whether it is shown as a percentage.
    """

    value: float
    low: float
    high: float
    method: str
    in_percent: bool = True

    def __str__(self) -> str:
        value, low, high = (
            f"{x:.1%}" if self.in_percent else f"{x:.4g}" for x in (self.value, self.low, self.high)
        )
        return f"{value} (90 % interval {low} to {high})"


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
        Of the drop, from the differences of single rows; by bootstrap for metrics that are no
        means over rows.
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
    loss_curve : list of float
        Mean training loss after each epoch of the final run.
    metric : str or callable
        What "auto" stands for, or what was given.
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
    loss_curve: list[float]
    metric: Metric
    max_drop: float
    expected: Estimate
    expected_full: Estimate
    curve: list[CurvePoint]
    chosen: CurvePoint

    def __str__(self) -> str:
        """Return what happened, in a few lines; what would surprise comes first."""
        name = name_of(self.metric).replace("_", " ")
        full, net = self.full, self.network
        lines = [
            f"{full.n_synapses} -> {net.n_synapses} synapses, {full.structure} -> {net.structure}",
            f"{name} on fresh data: {self.expected}; full network: {self.expected_full}",
        ]
        remark = self.remark
        return "\n".join([remark, *lines] if remark else lines)

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON values.

        Returns
        -------
        dict
            "metric", "max_drop", "remark", "expected" and "expected_full" (with the fields of
            `Estimate`), and "curve", a list of what `CurvePoint` has.
        """
        return {
            "metric": name_of(self.metric),
            "max_drop": self.max_drop,
            "remark": self.remark,
            "expected": dataclasses.asdict(self.expected),
            "expected_full": dataclasses.asdict(self.expected_full),
            "curve": [dataclasses.asdict(point) for point in self.curve],
        }

    @property
    def remark(self) -> str:
        """What a reader has to know before the figures; "" if there is nothing."""
        if not self._learned:
            other = (
                ", or metric='balanced_accuracy' has to ask for the rarer ones"
                if self.metric == "accuracy"
                else ""
            )
            fault = "predict the numbers" if self.full.is_regression else "tell the classes apart"
            return (
                f"No network that was tried has a better {name_of(self.metric)} than one that "
                f"always says the same: these inputs do not {fault}{other}."
            )
        if self.expected_full.low <= self._of_one_class:
            figure = _shown(self._of_one_class, self.metric)
            return (
                "These rows are too few to show that any network is better than one that always "
                f"says the same, whose {name_of(self.metric)} is {figure}."
            )
        error = self.chosen.standard_error
        if error > self.allowed_drop:
            drop, its_error = (_shown(x, self.metric) for x in (self.allowed_drop, error))
            return (
                f"These rows cannot tell a drop of {drop}: its standard error is {its_error}. "
                "See the curve."
            )
        return ""

    @property
    def allowed_drop(self) -> float:
        """What `max_drop` allows in units of the metric: of an error it is a share."""
        return metrics.allowed_drop(self.metric, self.expected_full.value, self.max_drop)

    @property
    def _learned(self) -> bool:
        return self.network.n_synapses > 0 and self.expected_full.value > self._of_one_class

    _of_one_class: float = 0.0


def smallest_network(
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    as_numbers: bool | None = None,
    max_drop: float = 0.005,
    max_synapses: int | None = None,
    metric: Metric = "auto",
    class_weight: Mapping[Any, float] | str | None = None,
    validation: Any = None,
    candidates: Sequence[Candidate] | None = None,
    max_updates: int | None = None,
    seed: int = 0,
    encoder: TableEncoder | None = None,
    input_names: Sequence[str] | None = None,
    threads: Threads = None,
    callback: Callable[[int, int], object] | None = None,
) -> SearchResult:
    """Return the smallest network that keeps the score of the best full one.

    Linear networks and networks of one hidden layer are trained and cut through all sizes on
    each fold of the rows, and judged on the rows left out, which decides candidate and size, as
    cost-complexity pruning decides the size of a tree (Breiman et al., 1984). Such runs on all
    rows, of which the one of the least training loss counts, then give the network. From 5000 rows
    on, one fifth is held out once instead of folds. Inputs are standardised; uint8 is scaled as
    pixels.

    Parameters
    ----------
    X : array_like, shape (n, n_features), Table or DataFrame
        Numbers, as in `SparseMLP.fit`; or a table or DataFrame with columns of any kind.
    y : array_like, shape (n,) or (n, n_outputs), or str
        Labels: ints, bools, strings or few whole floats. Other floats are numbers to predict. Or
        the name of the column that holds them, of which rows without one are left out; more than 50
        different numbers there are amounts.
    sample_weight : array_like, shape (n,), optional
        How much each row counts, in training and where it judges networks. Rows of weight 0 are
        left out.
    as_numbers : bool, optional
        Whether y holds numbers to predict; if left out, a metric of classes or of numbers says so,
        or y itself.
    max_drop : float
        How much of the best full network's score may be lost, in the metric's units, such as 0.01
        for one percentage point of accuracy; of "neg_root_mean_squared_error" and
        "neg_mean_absolute_error" a share of the error. The drop on the rows left out plus half its
        standard error has to be at most this, for the size that is chosen and for the next larger
        one.
    max_synapses : int, optional
        The most synapses. Where no network so small keeps the score, it is the one of the best
        score among those that are small enough.
    metric : str or callable
        "auto" is accuracy, or balanced accuracy where one class has over 80 % of the rows; R² for
        numbers. Others are "accuracy", "balanced_accuracy", "f1" (of the last of two sorted
        classes), "f1_macro", "roc_auc" (of several classes the mean over each against the rest;
        only rows that the same network judged are compared), "neg_log_loss", and for numbers "r2",
        "neg_root_mean_squared_error" and "neg_mean_absolute_error", as in scikit-learn. A callable
        is called as ``metric(y_true, y_pred)`` with labels or numbers of the rows left out, an
        `OnProbabilities` with probabilities; it returns a number, higher being better, and is
        called some ten thousand times, for 50 bootstrap samples of the rows.
    class_weight : dict or "balanced", optional
        As in `Training`. Left out, classes count equally in training for "balanced_accuracy", as
        often as they occur for any other metric.
    validation : (X, y) or (X, y, sample_weight), optional
        Rows that judge networks in place of folds; no network is trained on them.
    candidates : sequence of Candidate, optional
        What the folds choose among, besides the size; `CANDIDATES` if left out.
    max_updates : int, optional
        The most updates of the training of a full network; each cut is followed by an eighth of
        them. Fewer than the 4000 to 30000 that it has otherwise, by the rows, are quicker and cost
        accuracy.
    seed : int
        Of folds, initial weights and orders of samples. Equal seeds give equal bits, for any number
        of threads.
    encoder : TableEncoder, optional
        What the columns of a table or DataFrame become; fitted to it if left out.
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
        If an argument does not fit, there are fewer than 5 rows, or fewer than two classes have two
        rows; before any training.

    Warns
    -----
    UserWarning
        If no network learned anything; see `SearchResult.remark`.

    Examples
    --------
    >>> import synaprune as sn
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 8))
    >>> result = sn.smallest_network(X, X[:, 2] > X[:, 5])
    >>> result.network.used_inputs.tolist(), result.network.structure
    ([2, 5], '2-1')
    """
    metric = metrics.check_metric(metric, METRICS)
    if as_numbers is None and not (metric == "auto" or callable(metric)):
        as_numbers = metric in metrics.REGRESSION_METRICS
    rows, encoder, names = _read(X, y, sample_weight, encoder, input_names, as_numbers)
    for name, limit in {"max_synapses": max_synapses, "max_updates": max_updates}.items():
        if limit is not None:
            check_int(name, limit, 1)
    candidates = _check_candidates(candidates)
    check_int("seed", seed, 0, 2**64 - 1)
    check_callable("callback", callback)
    if len(rows.inputs) < _FOLDS and validation is None:
        raise ValueError(f"X must hold at least {_FOLDS} rows, one a fold, got {len(rows.inputs)}")
    judges = None
    if validation is not None:
        judges = _validation(validation, rows, encoder, names)
    targets = _targets(rows, judges, metric)
    metric = targets.metric
    low, high = metrics.limits(metric)
    drop = check_float("max_drop", max_drop, 0.0, high - low)
    if metric == "balanced_accuracy" and class_weight is None:
        class_weight = "balanced"
    recipe = Training(batch_size=BATCH_SIZE, class_weight=class_weight)
    targets.check_weights(class_weight)  # raises before any training
    if callable(metric):
        if targets.weights is not None:
            raise ValueError(
                "sample_weight does not go with a callable metric, which is called without weights"
            )
        metrics.try_out(metric, targets.classes, targets.truth)
    task = _Task(
        _joined(rows.inputs, judges and judges.inputs), targets, recipe, seed, encoder, names,
        candidates, max_updates,
    )  # fmt: skip
    n_folds = task.n_trainings()
    total = n_folds + 1 + _FINALS

    def tell(done: int) -> None:
        if callback is not None:
            callback(done, total)

    judged = task.judge(check_threads(threads), tell, max_synapses)
    reference, chosen = judged.choose(drop)
    expected, expected_full = judged.estimates(drop)
    with _Workers(check_threads(threads)) as workers:
        runs = workers.run([
            partial(task.run, judged.candidates[i], judged.counts[i], (2, k))
            for i, k in [(reference, 0), *((chosen, k) for k in range(_FINALS))]
        ], lambda done: tell(n_folds + done))  # fmt: skip
    full = runs[0].path.network(0)
    path, losses = min(runs[1:], key=lambda run: task.loss(run.path))
    least = expected.value - metrics.allowed_drop(metric, expected_full.value, drop)
    task.step_back(path, least, judged.learned(chosen), max_synapses)
    curve = judged.curve(reference)
    result = SearchResult(
        network=path.smallest,
        full=full,
        path=path,
        loss_curve=losses,
        metric=metric,
        max_drop=drop,
        expected=expected,
        expected_full=expected_full,
        curve=curve,
        chosen=curve[chosen],
        _of_one_class=judged.scores.of_one_class,
    )
    if not result._learned:
        warnings.warn(result.remark, UserWarning, stacklevel=2)
    return result


def recipe_of_full(
    training: Training,
    l1: float,
    n: int,
    max_updates: int | None,
    lr: float = LEARNING_RATES[0],
) -> Training:
    """Return how a full network is trained.

    Parameters
    ----------
    training : Training
        Batch size and what else stays as it is.
    l1 : float
        Penalty.
    n : int
        Rows.
    max_updates : int or None
    lr : float
        Learning rate.

    Returns
    -------
    Training
    """
    steps = math.ceil(n / training.batch_size)
    updates = min(max(_PASSES * steps, _UPDATES[0]), _UPDATES[1])
    return replace(
        training,
        epochs=math.ceil(min(updates, max_updates or updates) / steps),
        optimizer=SGD(lr, momentum=0.9, l1=l1, weight_decay=0.0 if l1 else 1e-4),
        lr_schedule=ConstantThenCosine(),
    )


def at_a_rate_that_converges(train: Callable[[float], T]) -> T:
    """Return what a training gives at the first of `LEARNING_RATES` at which it does not diverge.

    Parameters
    ----------
    train : callable
        Called as ``train(lr)``.

    Raises
    ------
    TrainingDiverged
        If it diverges at all of them.
    """
    *others, last = LEARNING_RATES
    for lr in others:
        with suppress(TrainingDiverged):
            return train(lr)
    return train(last)


def _check_candidates(candidates: Sequence[Candidate] | None) -> tuple[Candidate, ...]:
    """Return the candidates, or raise if there are none."""
    if candidates is None:
        return CANDIDATES
    if isinstance(candidates, str) or not isinstance(candidates, Sequence):
        raise TypeError(f"candidates must be a sequence of Candidate, got {shown(candidates)}")
    for candidate in candidates:
        if not isinstance(candidate, Candidate):
            raise TypeError(f"candidates must hold Candidate, got {shown(candidate)}")
    if not candidates:
        raise ValueError("candidates must hold at least one Candidate")
    return tuple(candidates)


_Weights: TypeAlias = NDArray[np.float64] | None


class _Rows(NamedTuple):
    """Rows that train or judge: inputs, labels or float64 numbers, and weights above 0."""

    inputs: Inputs
    answers: NDArray[Any]
    weights: _Weights


def _read(
    X: Any,
    y: Any,
    sample_weight: Any,
    encoder: TableEncoder | None,
    input_names: Sequence[str] | None,
    numbers: bool | None,
) -> tuple[_Rows, TableEncoder | None, Sequence[str] | None]:
    """Return the rows, the encoder of a table and names of the inputs."""
    frame = Frame.of(X) if is_frame(X) else None
    if frame is not None:
        X = Table.from_dataframe(frame)
    if not isinstance(X, Table):
        if encoder is not None:
            raise TypeError(f"encoder goes with a Table, but X is of type {type(X).__name__}")
        inputs = as_inputs(X)
        if input_names is not None:
            input_names = check_names("input_names", input_names, inputs.shape[1])
        return (
            _weighted(inputs, _answers(y, len(inputs), numbers), sample_weight),
            None,
            input_names,
        )
    if input_names is not None:
        raise TypeError("input_names must be left out with a Table, which has names of its own")
    if isinstance(y, str):
        name = find_target(X, y)
        target = read_target(X, name, numbers)
        if sample_weight is not None:
            sample_weight = as_weights(sample_weight, len(X))[target.rows]
        X, y = X.without([name]).take(target.rows), target.values
        if frame is not None and y.dtype.kind != "f":  # its labels keep their type
            y = frame.array(name)[target.rows]
    answers = _answers(y, len(X), numbers)
    encoder = TableEncoder.fit(X) if encoder is None else encoder
    # The encoder names the inputs.
    return _weighted(encoder.transform(X), answers, sample_weight), encoder, None


def _answers(y: Any, n: int, numbers: bool | None, name: str = "y") -> NDArray[Any]:
    """Return labels, or float64 if numbers are to be predicted; None lets y decide."""
    if numbers is None:
        given = np.asarray(y)
        several = given.ndim == 2 and given.dtype.kind in "fiub"
        answers = as_answers(y, n, name) if not several else given
        numbers = several or is_amount(answers) or not _is_whole(answers)
    if not numbers:
        return as_labels(y, n, name)
    return as_numbers(y, n, np.shape(y)[1] if np.ndim(y) == 2 else 1, name)


def _is_whole(answers: NDArray[Any]) -> bool:
    return answers.dtype.kind != "f" or bool((answers == np.rint(answers)).all())


def _weighted(
    inputs: Inputs, answers: NDArray[Any], sample_weight: Any, name: str = "sample_weight"
) -> _Rows:
    """Return rows of a weight above 0, and their weights."""
    if sample_weight is None:
        return _Rows(inputs, answers, None)
    weights = as_weights(sample_weight, len(answers), name)
    if not weights.all():
        some = np.flatnonzero(weights)
        inputs, answers, weights = inputs[some], answers[some], weights[some]
    return _Rows(inputs, answers, weights)


def _validation(
    validation: Any, rows: _Rows, encoder: TableEncoder | None, names: Sequence[str] | None
) -> _Rows:
    """Return the rows that judge in place of folds."""
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise TypeError(
            f"validation must be (X, y) or (X, y, sample_weight), got {shown(validation)}"
        )
    X, y, *weights = validation
    sample_weight = weights[0] if weights else None
    numbers = rows.answers.dtype.kind == "f"
    if encoder is not None:
        if not (isinstance(X, Table) or is_frame(X)):
            raise TypeError(f"validation X must be a Table, as X is, got {type(X).__name__}")
        return _read(X, y, sample_weight, encoder, None, numbers)[0]
    given = as_inputs(X, rows.inputs.shape[1], "validation X", names=names)
    inputs: Any = given.astype(rows.inputs.dtype, copy=False)
    answers = _answers(y, len(inputs), numbers, "validation y")
    if answers.shape[1:] != rows.answers.shape[1:]:
        raise ValueError(
            f"validation y must have as many axes and outputs as y, of shape {rows.answers.shape}, "
            f"got {answers.shape}"
        )
    return _weighted(inputs, answers, sample_weight, "validation sample_weight")


def _joined(rows: Any, judges: Any) -> Any:
    return rows if judges is None else np.concatenate([rows, judges])


def _targets(rows: _Rows, judges: _Rows | None, metric: Metric) -> Targets:
    """Return what is predicted and by which metric that is judged, or raise if it cannot be."""
    answers, weights = rows.answers, rows.weights
    n_judges = 0 if judges is None else len(judges.answers)
    if judges is not None and (weights is not None or judges.weights is not None):
        pairs = ((part.weights, len(part.answers)) for part in (rows, judges))
        weights = np.concatenate([np.ones(n) if w is None else w for w, n in pairs])
    if answers.dtype.kind == "f":
        metric = "r2" if metric == "auto" else metric
        metrics.check_task(metric, None)
        if not (np.ptp(answers, axis=0) > _LEAST_SPREAD).all():
            raise ValueError(
                f"y must hold different numbers of each output, more than {_LEAST_SPREAD:g} apart"
            )
        if metric == "neg_root_mean_squared_error" and answers.ndim == 2 and answers.shape[1] > 1:
            raise ValueError(f"metric {metric!r} goes with one output; use 'r2' for several")
        every = _joined(answers, judges and judges.answers)
        return NumberTargets(metric, weights, every, n_judges=n_judges)
    classes, codes, counts = np.unique(answers, return_inverse=True, return_counts=True)
    if (counts >= 2).sum() < 2:
        raise ValueError(
            f"y must hold at least two classes of two rows each, got {len(classes)} classes, the "
            f"largest of {counts.max()} rows"
        )
    if metric == "auto":
        shares = np.bincount(codes, rows.weights)
        rare = shares.max() <= _IMBALANCED * shares.sum()
        metric = "accuracy" if rare else "balanced_accuracy"
    metrics.check_task(metric, len(classes))
    encoded = LabelEncoder(classes)
    more = None if judges is None else encoded.encode(judges.answers, "validation y")
    every = _joined(codes.astype(np.int32), more)
    return ClassTargets(metric, weights, classes, every, n_judges=n_judges)


class _Fold(NamedTuple):
    """What the rows that a fold left out tell of each size of a candidate.

    Attributes
    ----------
    told : ndarray, shape (n_sizes, n_rows) or with one more axis
    loss : ndarray of float64, shape (n_sizes, n_rows)
    varies : ndarray of bool, shape (n_sizes,)
        Each as in `Verdict`.
    """

    told: NDArray[Any]
    loss: NDArray[np.float64]
    varies: NDArray[np.bool_]


class _Run(NamedTuple):
    """A training and all cuts, and the mean training loss after each epoch of both."""

    path: PruningPath
    losses: list[float]


@dataclass(frozen=True, eq=False)
class _Task:
    """The rows, and how networks are trained and judged on them."""

    inputs: Inputs
    targets: Targets
    training: Training
    seed: int
    encoder: TableEncoder | None
    input_names: Sequence[str] | None
    candidates: tuple[Candidate, ...] = CANDIDATES
    max_updates: int | None = None

    @property
    def _all(self) -> slice:
        """The rows that the final network is trained on."""
        return slice(len(self.inputs) - self.targets.n_judges)

    def run(
        self,
        candidate: Candidate,
        n_synapses: int,
        stream: Sequence[int],
        stop: threading.Event,
        rows: NDArray[np.intp] | None = None,
    ) -> _Run:
        """Train a candidate on some rows, or all, and cut it through all sizes down to one."""
        return at_a_rate_that_converges(
            lambda lr: self._run_at(lr, candidate, n_synapses, stream, stop, rows)
        )

    def _run_at(
        self,
        lr: float,
        candidate: Candidate,
        n_synapses: int,
        stream: Sequence[int],
        stop: threading.Event,
        rows: NDArray[np.intp] | None,
    ) -> _Run:
        losses = []

        def callback(progress: Progress) -> object:
            if progress.stage != "accepted":
                losses.append(progress.loss)
            return STOP if stop.is_set() else None

        at = self._all if rows is None else rows
        X, y = self.inputs[at], self.targets.of(at)
        weights = None if self.targets.weights is None else self.targets.weights[at]
        net = SparseMLP(
            self._layers(candidate),
            loss=self.targets.loss,
            init_scale=0.3,
            input_scaling="auto" if X.dtype == np.uint8 else "standard",
            seed=int(np.random.SeedSequence([self.seed, *stream]).generate_state(1)[0]),
        )
        net.input_names = self.input_names
        net.encoder = self.encoder
        recipe = recipe_of_full(self.training, candidate.l1, len(X), self.max_updates, lr)
        assert recipe.epochs is not None
        net.prepare(X, y, self.targets.classes)  # some rows may lack a rare class
        net._train(X, y, weights, training=recipe, threads=1, callback=callback)
        session = Session(
            net,
            X,
            y,
            weights,
            validation=(X, y),
            goal=Goal(n_synapses=n_synapses),
            criterion=Criterion("taylor2"),
            training=replace(recipe, epochs=None, lr_schedule=None),
            threads=1,
            callback=callback,
        )
        sweep = Sweep(_KEEP, retrain_epochs=max(1, math.ceil(recipe.epochs / 8)))
        session.path.stop_reason = sweep.run(session)
        return _Run(session.path, losses)

    def _judge_all(self, net: SparseMLP) -> Verdict:
        return self.targets.judge(net, self.inputs[self._all], self._all)

    def loss(self, path: PruningPath) -> float:
        """Return the mean loss of a path's smallest network on all rows."""
        loss = self._judge_all(path.smallest).loss
        return float(np.average(loss, weights=self.targets.counts[self._all]))

    def step_back(
        self, path: PruningPath, least: float, learned: bool, max_synapses: int | None = None
    ) -> None:
        """Go back along the final path while its end is not what the folds promised.

        That is one answer to all rows where the folds saw several, or, on the rows that it was
        trained on, a score below what is expected on fresh ones: a training that went wrong.

        Parameters
        ----------
        path : PruningPath
        least : float
            The lowest score that is acceptable.
        learned : bool
            Whether the folds saw a network of this size do better than one answer.
        max_synapses : int, optional
            The most that may be there again.
        """
        most = math.inf if max_synapses is None else max_synapses
        while learned and len(path) > 1 and path.steps[-2].n_synapses <= most:
            verdict = self._judge_all(path.smallest)
            if verdict.varies and self.targets.score(verdict.told, self._all) >= least:
                return
            path.undo()

    def n_trainings(self) -> int:
        """Count the trainings that `judge` needs."""
        return len(self.candidates) * len(list(self._splits()))

    def judge(self, threads: int, tell: Callable[[int], None], max_synapses: int | None) -> _Judged:
        """Judge each size of each candidate on rows that it was not trained on."""
        splits = list(self._splits())
        tasks = [
            partial(self._fold, candidate, split, (1, k))
            for k, split in enumerate(splits)
            for candidate in self.candidates
        ]
        with _Workers(threads) as workers:
            told = workers.run(tasks, tell)
        n = len(self.candidates)
        folds = [told[i::n] for i in range(n)]
        rows = judged_rows(splits)
        rounds = len(splits) // _FOLDS
        folded = f"{_FOLDS} folds" if rounds == 1 else f"{rounds} times {_FOLDS} folds"
        losses = [
            mean_by_row([fold.loss for fold in of], splits, rows, len(self.inputs)) for of in folds
        ]
        return _Judged(
            metric=self.targets.metric,
            candidates=[c for c in self.candidates for _ in self._sizes(c)],
            counts=[n for c in self.candidates for n in self._sizes(c)],
            max_synapses=max_synapses,
            scores=self.targets.scores(
                [[fold.told for fold in of] for of in folds], splits, _FOLDS
            ),
            loss=np.concatenate(
                [np.average(loss, axis=1, weights=self.targets.counts[rows]) for loss in losses]
            ),
            varies=np.concatenate([np.any([fold.varies for fold in of], axis=0) for of in folds]),
            method=(f"{len(rows)} rows held out" if len(splits) == 1 else folded)
            + ", corrected for the choice by bootstrap",
        )

    def _fold(
        self,
        candidate: Candidate,
        split: Split,
        stream: Sequence[int],
        stop: threading.Event,
    ) -> _Fold:
        """Judge each size of a candidate that was trained on the other rows."""
        rows, held_out = split
        counts = self._sizes(candidate)
        path = self.run(candidate, counts[-1], stream, stop, rows).path
        X = self.inputs[held_out]
        verdicts: list[Verdict] = []
        step = -1
        for n in counts:
            at = next((s.step for s in path if s.n_synapses <= n), len(path) - 1)
            if at != step:
                step, verdict = at, self.targets.judge(path.network(at), X, held_out)
            verdicts.append(verdict)
        told, loss, varies = (np.array(part) for part in zip(*verdicts, strict=True))
        return _Fold(told, loss, varies)

    def _sizes(self, candidate: Candidate) -> list[int]:
        layers = self._layers(candidate)
        n = sum(a * b for a, b in itertools.pairwise(layers))
        return list(sizes(n, min(n, len(layers) - 1), _KEEP))

    def _layers(self, candidate: Candidate) -> tuple[int, ...]:
        return (self.inputs.shape[1], *candidate.hidden, self.targets.n_outputs)

    def _splits(self) -> Iterator[Split]:
        """Generate stratified (training rows, held-out rows)."""
        n = len(self.inputs) - self.targets.n_judges
        if self.targets.n_judges:
            yield np.arange(n), np.arange(n, len(self.inputs))
            return
        once = n >= _HELD_OUT
        repeats = 1 if once else min(_REPEATS, max(1, _JUDGEMENTS // n))
        for repeat in range(repeats):
            fold = self.targets.folds(_FOLDS, np.random.default_rng([self.seed, 0, repeat]))
            for k in range(1 if once else _FOLDS):
                yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


@dataclass(frozen=True, eq=False)
class _Judged:
    """Each size of each candidate, on rows that it was not trained on.

    Attributes
    ----------
    metric : str or callable
    candidates : list of Candidate
    counts : list of int
        Synapses; those of a candidate stand together, falling from its full network.
    scores : RowMeans or Resampled
        Of each size.
    loss : ndarray of float64, shape (n_sizes,)
        Mean log loss.
    varies : ndarray of bool, shape (n_sizes,)
        Whether some fold's network ever says two different things.
    method : str
    max_synapses : int or None
        The most that may be chosen.
    """

    metric: Metric
    candidates: list[Candidate]
    counts: list[int]
    scores: Scores
    loss: NDArray[np.float64]
    varies: NDArray[np.bool_]
    method: str
    max_synapses: int | None = None

    def learned(self, size: int) -> bool:
        """Return whether a size says more than one thing, and is better for it."""
        return bool(self.varies[size]) and self.scores.score(size) > self.scores.of_one_class

    @cached_property
    def _full(self) -> NDArray[np.bool_]:
        """Which sizes are full networks."""
        before = [None, *self.candidates[:-1]]
        return np.array([a is not b for a, b in zip(before, self.candidates, strict=True)])

    def choose(self, max_drop: float, draw: int | None = None) -> tuple[int, int]:
        """Return the best full network, and the fewest synapses that keep its score, on a draw.

        The next larger size of the candidate has to keep it too: of many sizes, one alone may be
        lucky. If that leaves too many synapses, it is the best of the sizes that are small enough.
        """
        scores = self.scores.all(draw)
        best = max(np.flatnonzero(self._full).tolist(), key=lambda i: (scores[i], -self.loss[i]))
        drop, error = self.scores.drops(best, draw)
        allowed = metrics.allowed_drop(self.metric, float(scores[best]), max_drop)
        fits = drop + _CAUTION * error <= allowed
        fits[1:] &= fits[:-1] | self._full[1:]
        if self.learned(best):
            fits &= self.varies
        fits[best] = True
        fewest = min(np.flatnonzero(fits).tolist(), key=lambda i: (self.counts[i], self.loss[i]))
        if self.max_synapses is None or self.counts[fewest] <= self.max_synapses:
            return best, fewest
        small = np.flatnonzero(np.array(self.counts) <= self.max_synapses)
        return best, max(small.tolist(), key=lambda i: (scores[i], -self.loss[i]))

    def curve(self, best: int) -> list[CurvePoint]:
        """Return what is known of each size."""
        drop, error = self.scores.drops(best)
        scores = self.scores.all()
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
        inside, outside = [], []
        for draw in range(self.scores.n_draws):
            both = self.choose(max_drop, draw)
            inside.append([self.scores.score(i, draw) for i in both])
            outside.append([self.scores.outside(i, draw) for i in both])
        known = [pair for pair in outside if not any(map(math.isnan, pair))]
        values, spread = np.mean(known or inside, axis=0), np.std(inside, axis=0)
        error = 1.645 * np.maximum(spread, self.scores.least_error(values))
        lowest, highest = self.scores.limits
        network, full = (
            Estimate(
                float(v),
                max(lowest, float(v - e)),
                min(highest, float(v + e)),
                self.method,
                _in_percent(self.metric),
            )
            for v, e in zip(values[::-1], error[::-1], strict=True)
        )
        return network, full


def _in_percent(metric: Metric) -> bool:
    """Whether scores are shown as percentages: those that are shares of rows."""
    return metric in ("accuracy", "balanced_accuracy")


def _shown(value: float, metric: Metric) -> str:
    return f"{value:.2%}" if _in_percent(metric) else f"{round(value, 12):.3g}"


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
        tell: Callable[[int], None],
    ) -> list[Any]:
        """Return the results in the tasks' order; tell how many are done after each."""
        futures = [self._pool.submit(task, self._stop) for task in tasks]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                tell(sum(f.done() for f in futures))
        return [future.result() for future in futures]
