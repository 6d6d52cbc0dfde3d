"""`smallest_network`: the smallest network that keeps the score, chosen by cross-validation."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from synaprune import metrics
from synaprune.arrays import Inputs
from synaprune.checkpoint import CheckpointFile, opened, saved_at_end
from synaprune.checks import check_callable, check_float, check_int
from synaprune.metrics import Metric
from synaprune.pruning import Limits
from synaprune.search._candidates import Candidate, check_candidates
from synaprune.search._kept import Kept
from synaprune.search._recipe import BATCH_SIZE
from synaprune.search._result import SearchResult
from synaprune.search._rows import joined, read, read_validation, targets_of
from synaprune.search._task import FOLDS, Task, Workers
from synaprune.tables import TableEncoder
from synaprune.threads import Threads, check_threads
from synaprune.training import Training

METRICS = ("auto", *metrics.METRICS, *metrics.REGRESSION_METRICS)
_LEAST_SIDE = 8  # pixels of images
_FINALS = 3  # runs on all rows, of which the one of the least training loss counts
_FINALS_TOWARDS = 2  # such runs towards a count, which take longer


def smallest_network(
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    as_numbers: bool | None = None,
    n_synapses: int | None = None,
    effort: float = 1.0,
    max_drop: float | None = None,
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
    checkpoint: str | os.PathLike[str] | CheckpointFile | None = None,
    resume: bool = False,
    time_limit: float | None = None,
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
    n_synapses : int, optional
        Ask for the best network of at most so many synapses instead, whatever its score: candidates
        of up to two hidden layers are pruned to this count as they are trained, the best third of
        them then again for longer, and so on (successive halving; Jamieson and Talwalkar, 2016).
        For at most 100 synapses linear networks that are cut step by step join the last round.
        The network is trained longer than any of a round, unless its loss on the rows left out had
        grown, by more than a standard error, from one round to the next.
        Of uint8 rows that may be square images, half of the candidates train on images that are
        moved by a pixel, if that proves better on the rows left out.
    effort : float
        Multiple of the work that `n_synapses` takes; at 1 two cores take some minutes for large
        data and seconds for small.
    max_drop : float, optional
        How much of the best full network's score may be lost, 0.005 if left out, in the metric's
        units, such as 0.01 for one percentage point of accuracy; of "neg_root_mean_squared_error"
        and "neg_mean_absolute_error" a share of the error. The drop on the rows left out plus half
        its standard error has to be at most this, for the size that is chosen and for the next
        larger one.
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
    checkpoint : path-like, optional
        Where to keep the trainings that are finished, so that a run that was killed can go on.
    resume : bool
        Go on with the checkpoint, if there is one yet, to the bits of a run that was never cut off.
        All other arguments are to be what they were, but for threads, callback and time_limit.
    time_limit : float, optional
        Seconds after which no more is tried: what was judged until then decides, and the remark of
        the result says so. What is chosen is trained on all rows after that, once instead of three
        times.

    Returns
    -------
    SearchResult

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, there are fewer than 5 rows, or fewer than two classes have two
        rows; before any training.
    TimeoutError
        If the time is over before any network is judged.
    FileExistsError, CheckpointError, OSError
        As in `prune`.

    Warns
    -----
    UserWarning
        If no network learned anything; see `SearchResult.remark`.

    Examples
    --------
    >>> import numpy as np
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
    rows, encoder, names = read(X, y, sample_weight, encoder, input_names, as_numbers)
    for name, limit in {"max_synapses": max_synapses, "max_updates": max_updates}.items():
        if limit is not None:
            check_int(name, limit, 1)
    if n_synapses is not None:
        check_int("n_synapses", n_synapses, 1)
    if check_float("effort", effort, 0.0, open_low=True) != 1.0 and n_synapses is None:
        raise ValueError("effort goes with n_synapses")
    candidates = check_candidates(candidates, n_synapses, _image_shape(rows.inputs))
    check_int("seed", seed, 0, 2**64 - 1)
    check_callable("callback", callback)
    if len(rows.inputs) < FOLDS and validation is None:
        raise ValueError(f"X must hold at least {FOLDS} rows, one a fold, got {len(rows.inputs)}")
    judges = None
    if validation is not None:
        judges = read_validation(validation, rows, encoder, names)
    targets = targets_of(rows, judges, metric)
    metric = targets.metric
    low, high = metrics.limits(metric)
    if n_synapses is not None:
        given = {"max_drop": max_drop, "max_synapses": max_synapses, "max_updates": max_updates}
        for name, value in given.items():
            if value is not None:
                raise ValueError(f"{name} does not go with n_synapses, got {value}")
        max_drop = 0.0
    drop = check_float("max_drop", 0.005 if max_drop is None else max_drop, 0.0, high - low)
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
    task = Task(
        joined(rows.inputs, judges and judges.inputs), targets, recipe, seed, encoder, names,
        candidates, max_updates,
    )  # fmt: skip
    n_threads = check_threads(threads)
    if n_synapses is None:
        n_finals = _FINALS
        total = task.n_trainings() + 1 + n_finals
    else:
        n_finals = _FINALS_TOWARDS
        total = task.n_trainings_towards() + n_finals

    def tell(done: int) -> None:
        if callback is not None:
            callback(done, total)

    limits = Limits(time_limit)
    with opened(checkpoint, resume) as file:
        if file is not None:
            goal = {"max_drop": drop, "max_synapses": max_synapses, "n_synapses": n_synapses}
            task.identify(file, {**goal, "effort": effort})
        kept = Kept(file)
        with saved_at_end(kept.save):
            if n_synapses is None:
                judged, stopped = task.judge(n_threads, tell, max_synapses, kept, limits)
            else:
                judged, stopped, works = task.judge_towards(
                    n_synapses, effort, n_threads, tell, kept, limits
                )
            reference, chosen = judged.choose(drop)
            expected, expected_full = judged.estimates(drop)
            ends = [(chosen, k) for k in range(1 if stopped else n_finals)]
            if n_synapses is None:
                ends.insert(0, (reference, 0))
            finals = {}
            for place, (i, k) in enumerate(ends):
                candidate, n = judged.candidates[i], judged.counts[i]
                name = f"final/{place}/{candidates.index(candidate)}/{n}"
                finals[name] = partial(task.run, candidate, n, (2, k))
                if n_synapses is not None:
                    work = effort * works[i]
                    finals[name] = partial(task.run_towards, candidate, n, work, (2, k))
            with Workers(n_threads) as workers:
                before = total - len(finals)
                done = workers.run(finals, lambda n: tell(before + n), kept, Limits())
    runs = [done[name] for name in finals]
    full = runs.pop(0).path.network(0) if n_synapses is None else None
    path, losses = min(runs, key=lambda run: task.loss(run.path))
    path.expected = asdict(expected)
    if n_synapses is None:
        path.expected_full = asdict(expected_full)
        least = expected.value - metrics.allowed_drop(metric, expected_full.value, drop)
        task.step_back(path, least, judged.learned(chosen), max_synapses)
    curve = judged.curve(reference)
    result = SearchResult(
        network=path.smallest,
        full=full,
        path=path,
        loss_curve=losses,
        metric=metric,
        max_drop=None if full is None else drop,
        expected=expected,
        expected_full=None if full is None else expected_full,
        curve=curve,
        chosen=curve[chosen],
        stopped=stopped,
        _of_one_class=judged.scores.of_one_class,
    )
    if not result._learned:
        warnings.warn(result.remark, UserWarning, stacklevel=2)
    return result


def _image_shape(inputs: Inputs) -> tuple[int, int] | None:
    """Return the shape of square images, if the inputs may be such."""
    side = math.isqrt(inputs.shape[1])
    square = inputs.dtype == np.uint8 and side**2 == inputs.shape[1] and side >= _LEAST_SIDE
    return (side, side) if square else None
