"""`prune`: the door to all strategies."""

from __future__ import annotations

import os
from typing import Any

from synaprune.checkpoint import CheckpointFile, opened, saved_at_end
from synaprune.checks import check_callable, shown
from synaprune.criteria import Criterion, Saliency, check_criterion
from synaprune.distributed import Communicator, Ranks, exchange_over, told_to_others
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.pruning.budget import InputBudget
from synaprune.pruning.goal import Goal
from synaprune.pruning.limits import LimitReached, Limits
from synaprune.pruning.session import PruningInterrupted, Session, StopPruning
from synaprune.pruning.strategies import Strategy, default_strategy
from synaprune.threads import Threads
from synaprune.training import Callback, Training, check_training, watched


def prune(
    net: SparseMLP,
    X: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    validation: Any,
    n_synapses: int | None = None,
    n_inputs: int | InputBudget | None = None,
    max_drop: float | None = None,
    min_score: float | None = None,
    confidence: float | None = None,
    metric: Metric | None = None,
    strategy: Strategy | None = None,
    criterion: Criterion | Saliency = "wsf",
    training: Training | None = None,
    threads: Threads = None,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike[str] | CheckpointFile | None = None,
    resume: bool = False,
    time_limit: float | None = None,
    max_epochs: int | None = None,
    comm: Communicator | Ranks | None = None,
) -> PruningPath:
    """Remove synapses, those of the lowest scores first, as far as the goal says.

    Parameters
    ----------
    net : SparseMLP
        Copied, never changed. `Iterative` needs a trained network; `Gradual` takes a trained or a
        fresh one.
    X : array_like, shape (n, n_features), or Blocks
    y : array_like, shape (n,), or of float, shape (n, n_classes) or (n, n_outputs)
        Training data; labels, soft targets or numbers, as in `SparseMLP.fit`. Of blocks,
        criteria with gradients see a random sample of at most 10 000 rows, and `y` is left out.
    sample_weight : array_like, shape (n,), optional
        As in `SparseMLP.fit`.
    validation : (X, y) or CheckedData
        Judges every cut. Keep the test split out of it.
    n_synapses : int, optional
    n_inputs : int or InputBudget, optional
        Counts to reach, one or both; an `InputBudget` also takes groups of inputs that go together,
        and costs. `n_inputs` may stand beside `max_drop` or `min_score` instead: inputs then go
        first, down to so many; the path's verdict tells if the contract does not allow that.
    max_drop, min_score : float, optional
        The contract: the largest loss against the score of ``net`` as given, or the score to keep.
        At most one of them, and not beside `n_synapses`; with no goal at all, ``max_drop=0.005``.
    confidence : float, optional
        In (0, 1), such as 0.95: makes sure that a cut does not pass by luck. Besides the figures
        themselves, the one-sided upper bound of the drop, which counts the samples that only one
        of the two networks gets right (score interval of Tango, 1998), has to be at most
        ``max_drop``, or the exact lower bound of the accuracy (Clopper & Pearson, 1934) at least
        ``min_score``. A bound holds for one network as such: of many networks that are tried on
        the same samples, some pass by luck more often than that.
    metric : str or callable
        What the score is, measured on the validation split; the path's scores are this metric, and
        `min_score` and `max_drop` are in its units. Left out, "accuracy", of a regression "r2".
        "accuracy", "balanced_accuracy" (the mean over
        the classes of the share that is right), "f1" (of the last of two sorted classes),
        "f1_macro", "roc_auc" (of several classes the mean over each against the rest) and
        "neg_log_loss", and of numbers "r2", "neg_root_mean_squared_error" and
        "neg_mean_absolute_error" are as in scikit-learn; of these two errors `max_drop` is a share
        of the error of ``net`` as given. A callable is called as ``metric(y_true, y_pred)`` with
        your labels or numbers, of y's shape, an `OnProbabilities` with probabilities; it returns a
        number, higher being better.
    strategy : Strategy, optional
        When to cut and how much. Left out: `Gradual` towards counts, `Iterative` under a contract.
    criterion : str, callable or Criterion
        What ranks synapses: a name in `CRITERIA`, or a function; see `saliency`. A `Criterion` also
        says whether to rank within each layer, and whether to favour emptying whole parts.
    training : Training, optional
        How to train between cuts.
    threads : int or "auto", optional
        As in `SparseMLP.fit`; results do not depend on it.
    callback : callable, optional
        Called with a `Progress` after each epoch and each cut. Returning `STOP`, or raising
        StopIteration, ends the run with what was accepted. ``on_train_begin(network)`` and
        ``on_train_end()`` as in `SparseMLP.fit`.
    checkpoint : path-like, optional
        Where to keep what is finished, every few seconds, so that a run that was killed can go on.
    resume : bool
        Go on with the checkpoint, if there is one yet, to the bits of a run that was never cut off.
        All other arguments are to be what they were, but for threads, callback and limits.
        Callbacks are told of what is still to be done, not of what was.
    time_limit : float, optional
        Seconds after which the run ends with what was accepted. It is looked at after each epoch
        and before each cut.
    max_epochs : int, optional
        The most epochs that the run may train, rejected attempts and, after a resume, those before
        it included; then it ends with what was accepted.
    comm : communicator or Ranks, optional
        Prune one network on several processes, each of which has a part of the rows, as in
        `SparseMLP.fit`, and any part of the validation split: the score is that of all parts, and
        all ranks return equal paths. Goes neither with ``checkpoint`` nor with ``time_limit``.

    Returns
    -------
    PruningPath
        Its `stop_reason` says if a limit was reached.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or two do not go together; or if the network as given does not
        itself meet the contract, as with a `confidence` that so few validation samples cannot give.
    TrainingDiverged
        If `Gradual` diverges (`Iterative` takes it for a failed cut).
    PruningInterrupted
        On Ctrl-C; its ``path`` holds what was accepted.
    RankError
        If another rank raised, or is gone.
    FileExistsError
        If there is a checkpoint that is not to be resumed.
    CheckpointError
        If the checkpoint is of other data, options or another version, broken, or in use; before
        any training.
    OSError
        If the checkpoint cannot be written; what it held before is whole then.

    Warns
    -----
    UserWarning
        If "wsf" is used with Adam, or with weight decay or L1 after a start (``init_scale``) above
        0.1, since synapses then move for other reasons than the data. If the smallest network says
        the same class, or number, to every validation sample.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 8, 1), seed=0).fit(*data.train)
    >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
    ...                 training=sn.Training(epochs=20))
    >>> path.smallest.n_synapses <= 6
    True

    A contract that is kept with a confidence of 95 %:

    >>> data = sn.datasets.digits()
    >>> recipe = sn.Training(batch_size=16)
    >>> net = sn.SparseMLP((64, 10, 10), seed=0).fit(*data.train, training=recipe)
    >>> path = sn.prune(net, *data.train, validation=data.validation, max_drop=0.05,
    ...                 confidence=0.95, strategy=sn.Iterative(search_budget=0), training=recipe)
    >>> all(step.bound <= 0.05 for step in path)
    True
    """
    exchange = exchange_over(comm)
    with told_to_others(exchange):
        if not isinstance(net, SparseMLP):
            raise TypeError(f"net must be a SparseMLP, got {type(net).__name__}")
        goal = Goal(n_synapses, n_inputs, max_drop, min_score, confidence, metric)
        training = check_training(training)
        training.refuse("rewire", by="prune, which counts synapses itself; use it in fit")
        criterion = check_criterion(criterion)
        check_callable("callback", callback)
        strategy = check_strategy(strategy, goal, training)
        if strategy.starts_trained:
            net.check_fitted()
        limits = Limits(time_limit, max_epochs)
        if exchange is not None:
            for name, value in (("checkpoint", checkpoint), ("time_limit", time_limit)):
                if value is not None:
                    raise ValueError(f"{name} does not go with comm, got {shown(value)}")
            if criterion.needs_curvature:
                raise ValueError("criterion obs and compensate do not go with comm")
            exchange.agree(
                {"": goal, "criterion": criterion, "strategy": strategy, "max_epochs": max_epochs}
            )
        session = Session(
            net, X, y, sample_weight, validation=validation, goal=goal, criterion=criterion,
            training=training, threads=threads, callback=callback, limits=limits, exchange=exchange,
        )  # fmt: skip
        session.goal.check_for(net, len(session.answers.y))
        criterion.warn_if_spoiled(training.optimizer, net.init_scale, stacklevel=2)
        with opened(checkpoint, resume) as file, watched(callback, session.net.copy):
            if file is not None:
                session.keep_in(file, {"strategy": strategy})
            with saved_at_end(session.save):
                _run(session, strategy)
        if exchange is not None and session.path.steps:
            exchange.check_same(session.path.smallest.state()[1])
    session.warn_if_constant(stacklevel=2)
    return session.path


def _run(session: Session, strategy: Strategy) -> None:
    """Run a strategy, and note why it ended."""
    path = session.path
    try:
        path.stop_reason = strategy.run(session)
    except StopPruning:
        path.stop_reason = "ended by the callback"
    except LimitReached as limit:
        path.stop_reason = str(limit)
        if not path.steps:  # the strategy accepts nothing before its first cut
            judged = session.judge()
            session.accept(judged, epochs=path.epochs, score_after_cut=judged.score)
    except KeyboardInterrupt:
        raise PruningInterrupted(path) from None


def check_strategy(strategy: Strategy | None, goal: Goal, training: Training) -> Strategy:
    """Return the strategy, for None the one that goes with the goal; raise unless all fit.

    Parameters
    ----------
    strategy : Strategy or None
    goal : Goal
    training : Training

    Returns
    -------
    Strategy

    Raises
    ------
    TypeError, ValueError
        If it is no strategy, or does not go with the goal or the recipe.
    """
    if strategy is None:
        strategy = default_strategy(goal)()
    if not isinstance(strategy, Strategy):
        raise TypeError(
            f"strategy must be a Strategy, such as Gradual() or Iterative(), got {shown(strategy)}"
        )
    strategy.check(goal, training)
    return strategy
