"""`prune`: the door to all strategies."""

from __future__ import annotations

from typing import Any

from synaprune.checks import check_callable, check_float, check_int
from synaprune.criteria import Criterion, Ranking, check_criterion
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.pruning._contract import Contract
from synaprune.pruning._exchange import exchange
from synaprune.pruning._gradual import gradual
from synaprune.pruning._ladder import Ladder
from synaprune.pruning._metric import Metric, name_of
from synaprune.pruning._run import PruningInterrupted, Run, Stop
from synaprune.pruning._search import smallest_under_contract
from synaprune.pruning._targets import check_target
from synaprune.threads import ThreadChoice, Threads
from synaprune.training import (
    Callback,
    Optimizer,
    Schedule,
    ShiftImages,
    check_optimizer,
)


def prune(
    net: SparseMLP,
    X: Any,
    y: Any,
    *,
    validation: tuple[Any, Any],
    n_synapses: int | None = None,
    n_inputs: int | None = None,
    min_accuracy: float | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    metric: Metric = "accuracy",
    strategy: str = "auto",
    effort: float | None = None,
    criterion: Criterion = "wsf",
    per_layer: bool = False,
    concentration: float = 0.0,
    epochs: int = 60,
    retrain_epochs: int = 20,
    patience: int = 5,
    attempts: int = 10,
    batch_size: int = 64,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    final_optimizer: Optimizer | None = None,
    average_last: int = 1,
    sample_weight: Any = None,
    class_weight: Any = None,
    label_smoothing: float = 0.0,
    augment: ShiftImages | None = None,
    threads: Threads = None,
    callback: Callback | None = None,
) -> PruningPath:
    """Take out synapses, weakest first, as long as the contract holds.

    Parameters
    ----------
    net : SparseMLP
        Copied, never changed. For "ladder" a trained network; for "gradual" trained or fresh.
    X : array_like, shape (n, n_features)
    y : array_like, shape (n,), or of float, shape (n, n_classes)
        Training data; labels or soft targets, as in `SparseMLP.fit`.
    validation : (X, y)
        Judges every cut. Keep the test split out of it.
    n_synapses, n_inputs : int, optional
        Target counts, one or both, which run "gradual". `n_inputs` may stand beside an accuracy
        contract instead: inputs then go first, down to so many; the path's verdict tells if the
        contract does not allow that.
    min_accuracy, max_drop : float, optional
        Accuracy contract, which runs "ladder": a fraction to keep, or the largest loss against the
        accuracy of ``net`` as given. At most one of them, and not beside `n_synapses`; with no
        target at all, ``max_drop=0.005``.
    confidence : float, optional
        In (0, 1), such as 0.95: makes sure that a cut does not pass by luck. Besides the figures
        themselves, the one-sided upper bound of the drop, which counts the samples that only one
        of the two networks gets right (score interval of Tango, 1998), has to be at most
        ``max_drop``, or the exact lower bound of the accuracy (Clopper & Pearson, 1934) at least
        ``min_accuracy``. A bound holds for one network as such: of many networks that are tried on
        the same samples, some pass by luck more often than that.
    metric : {"accuracy", "balanced_accuracy"} or callable
        What the contract is about, measured on the validation split; the path's accuracies are this
        metric. "balanced_accuracy" is the mean over the classes of the share that is right. A
        callable is called as ``metric(y_true, y_pred)`` with your labels, both of shape (n,), and
        returns a number, higher being better; `min_accuracy` and `max_drop` then are in its units.
    strategy : {"auto", "ladder", "gradual"}
        "ladder": cut a share of the synapses, 75, 60, 50, 45 … 5, 4, 3, 2, 1 %; retrain; repeat a
        share that succeeds, take the next after a failure, which is undone exactly; at last cut one
        synapse at a time (Bulín & Šmídl, 2017). "gradual": train `epochs` epochs, cutting after
        each between 5 % and 70 % of them, so that counts fall exponentially to their targets. Whole
        inputs go by the sums of their synapses' scores.
    effort : float, optional
        "ladder": when no cut survives, go back along the path and cut otherwise (a hidden neuron as
        a whole, other synapses, after regrowth of removed ones at their initial weights), and keep
        what ends smaller; with at most so many times the work that the first way took, counted in
        epochs and cuts times synapses and neurons. "gradual": at the target, let some removed
        synapses grow again, cut as many, and keep what lowers the training loss, as long. 0: go one
        way. Left out: 1 for "ladder", 0 for "gradual".
    criterion : str or callable
        What ranks synapses: a name in `CRITERIA`, or a function; see `score`.
    per_layer : bool
        Rank within each layer, so that a cut takes the same share of each; else all together.
    concentration : float
        Favours emptying inputs and neurons that are nearly empty, for fewer inputs with as many
        synapses: scores are multiplied by (f·f')^concentration, f and f' the share of synapses that
        a synapse's two neurons still have of the most in their layer. 0 is off.
    epochs : int
        Length of a "gradual" run, at least 2.
    retrain_epochs, patience : int
        "ladder": epochs that a cut may take to recover, and epochs without improvement of accuracy
        or training loss after which it has failed.
    attempts : int
        "ladder": of how many synapses, weakest first, removing one alone is tried before the run
        ends. The original method stops at the weakest; 1 does so.
    schedule, average_last
        "gradual": as in `SparseMLP.fit`; the learning rate stays constant while cuts go on, then
        falls along a half cosine, if left out.
    final_optimizer : SGD or Adam, optional
        "gradual": takes over after the last cut. An L1 penalty sorts synapses while cuts go on, and
        holds back those that are left: ``optimizer=SGD(0.1, l1=1e-4), final_optimizer=SGD(0.1)``.
    batch_size, optimizer, sample_weight, class_weight, label_smoothing, augment, threads, callback
        As in `SparseMLP.fit`. A callback that returns True ends the run with what was accepted.

    Returns
    -------
    PruningPath

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the network as given does not itself meet the contract,
        as with a `confidence` that so few validation samples cannot give.
    TrainingDiverged
        If "gradual" diverges ("ladder" takes it for a failed cut).
    PruningInterrupted
        On Ctrl-C; its ``path`` holds what was accepted.

    Warns
    -----
    UserWarning
        If "wsf" is used with Adam, or with weight decay or L1 after a start (``init_scale``) above
        0.1, since synapses then move for other reasons than the data.

    Examples
    --------
    >>> from synaprune import SparseMLP, prune, datasets
    >>> data = datasets.xor()
    >>> net = SparseMLP((2, 8, 1), seed=0).fit(*data.train, epochs=5)
    >>> path = prune(net, *data.train, validation=data.validation, n_synapses=6, epochs=20)
    >>> path.smallest.n_synapses <= 6
    True

    A contract that is kept with a confidence of 95 %:

    >>> data = datasets.digits()
    >>> net = SparseMLP((64, 10, 10), seed=0).fit(*data.train, epochs=20, batch_size=16)
    >>> path = prune(net, *data.train, validation=data.validation, max_drop=0.05, confidence=0.95,
    ...              batch_size=16, effort=0)
    >>> all(step.bound <= 0.05 for step in path)
    True
    """
    if not isinstance(net, SparseMLP):
        raise TypeError(f"net must be a SparseMLP, got {type(net).__name__}")
    check_target(
        net,
        n_synapses=n_synapses,
        n_inputs=n_inputs,
        min_accuracy=min_accuracy,
        max_drop=max_drop,
        strategy=strategy,
        confidence=confidence,
        metric=metric,
    )
    free = min_accuracy is None and max_drop is None  # of a contract
    counted = free and (n_synapses is not None or n_inputs is not None)
    if free and not counted:
        max_drop = 0.005
    effort = check_float("effort", (0.0 if counted else 1.0) if effort is None else effort, 0.0)
    optimizer = check_optimizer(optimizer)
    if final_optimizer is not None:
        check_optimizer(final_optimizer, "final_optimizer")
    check_callable("callback", callback)
    check_callable("schedule", schedule)
    epochs = check_int("epochs", epochs, 2)
    average_last = check_int("average_last", average_last, 1, epochs)
    retrain_epochs = check_int("retrain_epochs", retrain_epochs, 1)
    patience = check_int("patience", patience, 1)
    attempts = check_int("attempts", attempts, 1)
    if not counted:
        _ = net.classes  # a ladder starts from trained weights; this raises if there are none
    run = Run(
        net, X, y, validation,
        ranking=Ranking(
            check_criterion(criterion, optimizer, net.init_scale), per_layer, concentration
        ),
        batch_size=check_int("batch_size", batch_size, 1),
        optimizer=optimizer,
        threads=ThreadChoice(threads),
        callback=callback,
        contract=Contract(
            min_accuracy=min_accuracy,
            max_drop=max_drop,
            confidence=confidence,
            metric=name_of(metric),
        ),
        metric=metric,
        sample_weight=sample_weight,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        augment=augment,
    )  # fmt: skip
    try:
        if counted:
            gradual(
                run,
                n_synapses=n_synapses,
                n_inputs=n_inputs,
                epochs=epochs,
                schedule=schedule,
                final_optimizer=final_optimizer,
                average_last=average_last,
            )
            if effort:
                exchange(
                    run,
                    n_synapses=n_synapses,
                    n_inputs=n_inputs,
                    optimizer=final_optimizer or optimizer,
                    epochs=max(1, epochs // 5),
                    effort=effort,
                )
        else:
            ladder = Ladder(run, retrain_epochs, patience, attempts, n_inputs)
            smallest_under_contract(run, ladder, effort)
    except Stop:
        run.path.stop_reason = "ended by the callback"
    except KeyboardInterrupt:
        raise PruningInterrupted(run.path) from None
    return run.path
