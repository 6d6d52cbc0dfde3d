"""Ready-made callbacks for `SparseMLP.fit` and `prune`: what to do after each epoch or cut.

Each judges and keeps what the call would return if it ended there: in `fit` the network after each
epoch, in `prune` each network that is accepted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from synaprune import io, metrics
from synaprune.checks import check_float, check_int, shown
from synaprune.data import CheckedData
from synaprune.extras import require
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.training import STOP, Callback, Progress, asks_to_stop

__all__ = ["Callbacks", "Checkpoint", "EarlyStopping", "ProgressBar"]


class _Judge:
    """Rows and a metric, from which networks get their scores."""

    def __init__(self, X_val: Any, y_val: Any, metric: Metric | None) -> None:
        if isinstance(X_val, CheckedData):
            if y_val is not None:
                raise TypeError("y_val must be left out where X_val is a CheckedData")
        elif X_val is None or y_val is None:
            raise TypeError("X_val and y_val must be given, or X_val alone if it is a CheckedData")
        self.metric = None if metric is None else metrics.check_metric(metric)
        self._given = (X_val, y_val)
        self._data: CheckedData | None = None

    def begin(self, network: SparseMLP) -> None:
        """Raise unless rows and metric fit the network; its first score shows that, too."""
        data = network.check_data(*self._given, name="validation")
        if self.metric is not None:
            n_classes = None if network.is_regression else max(2, network.layers[-1])
            metrics.check_task(self.metric, n_classes)
        self._data = data
        self.score(network, 1)

    def end(self) -> None:
        self._data = None

    def score(self, network: SparseMLP, threads: int) -> float:
        """Return the metric of a network; accuracy or R² if there is none."""
        if self._data is None:
            raise RuntimeError(
                "a callback that judges rows must be passed to fit or prune itself, or in "
                "Callbacks, since its on_train_begin checks them"
            )
        if self.metric is None:
            return network.score(self._data, threads=threads)
        return metrics.of_network(self.metric, network, self._data, threads)


class EarlyStopping:
    """End a training once the score on validation rows no longer improves.

    The rows judge, and are never trained on. `fit` ends with the weights, the optimiser's and the
    random state of the best epoch, whatever ended it, as with Keras's ``restore_best_weights=True``
    and scikit-learn's ``early_stopping=True``; of equally good epochs that is the first.

    In `prune`, patience counts accepted networks, not epochs, and the whole pruning ends, maybe
    above a count that it was to reach; the path keeps every network. How long a cut is retrained is
    the strategy's to say: ``Iterative(patience=…)``.

    Parameters
    ----------
    X_val : array_like, shape (n, n_features), DataFrame, Table or CheckedData
    y_val : array_like, shape (n,) or (n, n_outputs)
        Labels or numbers; left out if X_val is a CheckedData.
    metric : str or callable, optional
        As in `prune`; higher is better. Left out: accuracy, of a regression R².
    patience : int
        So many epochs in a row without improvement end the training.
    min_delta : float
        By how much more than the best score so far counts as an improvement.

    Attributes
    ----------
    best_score : float or None
        None before the first training.
    best_epoch : int or None
        `Progress.epoch` of the best score.
    best_network : SparseMLP or None
        A copy of the network that had it.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; from `fit` and `prune`, before any work, if rows or metric do not
        fit the network.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> stopping = sn.callbacks.EarlyStopping(*data.validation, patience=5)
    >>> net = sn.SparseMLP((64, 20, 10), seed=0)
    >>> _ = net.fit(*data.train, training=sn.Training(1000), callback=stopping)
    >>> stopping.best_epoch < 995, net.score(*data.validation) == stopping.best_score
    (True, True)
    """

    def __init__(
        self,
        X_val: Any,
        y_val: Any = None,
        *,
        metric: Metric | None = None,
        patience: int = 10,
        min_delta: float = 0.0,
    ) -> None:
        self._judge = _Judge(X_val, y_val, metric)
        self.patience = check_int("patience", patience, 1)
        self.min_delta = check_float("min_delta", min_delta, 0.0)
        self._reset()

    def _reset(self) -> None:
        self.best_score: float | None = None
        self.best_epoch: int | None = None
        self.best_network: SparseMLP | None = None
        self._stale = 0
        self._network: SparseMLP | None = None

    def __repr__(self) -> str:
        best = _best(self.best_score, self.best_epoch)
        return f"EarlyStopping(patience={self.patience}, min_delta={self.min_delta:g}{best})"

    def on_train_begin(self, network: SparseMLP) -> None:
        """Check that the rows fit the network, and forget earlier trainings.

        Parameters
        ----------
        network : SparseMLP
            A copy of the one that is to be trained.
        """
        self._reset()
        self._judge.begin(network)

    def __call__(self, progress: Progress) -> object:
        """Judge the network; return `STOP` once patience is over."""
        network = progress.network
        if network is None:
            return None
        if progress.stage != "accepted":  # then it is a copy, which others may keep
            self._network = network
        score = self._judge.score(network, progress.threads)
        best = self.best_score
        improved = best is None or score > best + self.min_delta
        if best is None or score > best:
            self.best_score, self.best_epoch = score, progress.epoch
            self.best_network = network.copy()
        self._stale = 0 if improved else self._stale + 1
        return STOP if self._stale >= self.patience else None

    def on_train_end(self) -> None:
        """Set the trained network to its best epoch."""
        if self._network is not None and self.best_network is not None:
            self._network._core.assign(self.best_network._core)
        self._network = None
        self._judge.end()


class Checkpoint:
    """Keep the best network so far in a model file, from which `SparseMLP.load` reads it.

    Best is the highest score on the validation rows, and of equal scores fewer synapses. Without
    rows the file holds the latest epoch of `fit`, or the smallest network that `prune` accepted. It
    is replaced only when the new one is whole; an older file is replaced at the first network.

    Parameters
    ----------
    path : path-like
        The model file, in a folder that exists.
    X_val, y_val, metric : optional
        As in `EarlyStopping`; all left out, nothing is judged.

    Attributes
    ----------
    best_score : float or None
        Of the network in the file, None without rows.
    best_epoch : int or None
        `Progress.epoch` of it, None if none was saved.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; from `fit` and `prune`, before any work, if rows or metric do not
        fit the network.
    OSError
        From `fit` and `prune`, if the file cannot be written; before any work, if its folder does
        not exist.

    Examples
    --------
    >>> import tempfile
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 8, 1), init_scale=1.0, seed=0).fit(*data.train)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = sn.callbacks.Checkpoint(f"{folder}/xor.npz")
    ...     path = sn.prune(net, *data.train, validation=data.validation, n_synapses=8,
    ...                     strategy=sn.Sweep(), callback=checkpoint)
    ...     sn.SparseMLP.load(f"{folder}/xor.npz").n_synapses == path.smallest.n_synapses
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        X_val: Any = None,
        y_val: Any = None,
        *,
        metric: Metric | None = None,
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be a path, got {shown(path)}")
        self.path = Path(path)
        given = not (X_val is None and y_val is None and metric is None)
        self._judge = _Judge(X_val, y_val, metric) if given else None
        self._reset()

    def _reset(self) -> None:
        self.best_score: float | None = None
        self.best_epoch: int | None = None
        self._best: tuple[float, int] | None = None

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}{_best(self.best_score, self.best_epoch)})"

    def on_train_begin(self, network: SparseMLP) -> None:
        """Check that rows and file fit, and forget earlier trainings.

        Parameters
        ----------
        network : SparseMLP
            A copy of the one that is to be trained.
        """
        self._reset()
        io.check_target(self.path)
        if self._judge is not None:
            self._judge.begin(network)

    def __call__(self, progress: Progress) -> None:
        """Save the network if it is the best so far."""
        network = progress.network
        if network is None:
            return
        score = None if self._judge is None else self._judge.score(network, progress.threads)
        figures = (score or 0.0, -network.n_synapses)
        if self._best is not None:
            worse = figures < self._best
            if worse or (score is not None and figures == self._best):
                return
        network.save(self.path)
        self._best, self.best_score, self.best_epoch = figures, score, progress.epoch

    def on_train_end(self) -> None:
        """Let go of the rows that were checked."""
        if self._judge is not None:
            self._judge.end()


class ProgressBar:
    """Show progress as a bar on stderr or, in a notebook, as a widget (tqdm).

    It goes with `fit`, `prune` and `smallest_network`, and shows loss, score and synapses as far as
    these tell them.

    Raises
    ------
    ImportError
        If tqdm is not installed: ``pip install "synaprune[progress]"``.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 8, 1)).fit(*data.train, callback=sn.callbacks.ProgressBar())
    """

    def __init__(self) -> None:
        require("tqdm", "progress")
        self._bar: Any = None

    def __call__(self, progress: Progress | int, total: int | None = None) -> None:
        """Draw the state: of a `Progress`, or that so many trainings of a total are done."""
        if isinstance(progress, Progress):
            self._draw(progress.epoch, progress.epochs, "epoch", _figures(progress))
            return
        self._draw(progress, total, "training", "")
        if progress == total:
            self.on_train_end()

    def _draw(self, done: int, total: int | None, unit: str, figures: str) -> None:
        if self._bar is not None and done < self._bar.n:  # another training, after one that failed
            self.on_train_end()
        if self._bar is None:
            self._bar = require("tqdm.auto", "progress").tqdm(total=total, unit=unit)
        self._bar.set_postfix_str(figures, refresh=False)
        self._bar.update(done - self._bar.n)

    def on_train_end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Callbacks:
    """Several callbacks as one.

    All are called, in their order, whatever the others return; one that asks to stop is enough.

    Parameters
    ----------
    callbacks : iterable of callable

    Raises
    ------
    TypeError
        If one cannot be called.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> losses = []
    >>> both = sn.callbacks.Callbacks([
    ...     sn.callbacks.EarlyStopping(*data.validation, patience=3),
    ...     lambda progress: losses.append(progress.loss),
    ... ])
    >>> _ = sn.SparseMLP((64, 10)).fit(*data.train, training=sn.Training(999), callback=both)
    >>> len(losses) < 999
    True
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        if not isinstance(callbacks, Iterable):
            raise TypeError(f"callbacks must be an iterable of callables, got {shown(callbacks)}")
        self.callbacks = tuple(callbacks)
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"each of callbacks must be a callable, got {shown(callback)}")

    def __repr__(self) -> str:
        return f"Callbacks({list(self.callbacks)})"

    def on_train_begin(self, network: SparseMLP) -> None:
        """Call this of each that has it.

        Parameters
        ----------
        network : SparseMLP
            A copy of the one that is to be trained.
        """
        self._call("on_train_begin", network)

    def __call__(self, progress: Progress) -> object:
        """Call each; return `STOP` if any asks to stop."""
        answers = [asks_to_stop(callback, progress) for callback in self.callbacks]
        return STOP if any(answers) else None

    def on_train_end(self) -> None:
        """Call this of each that has it."""
        self._call("on_train_end")

    def _call(self, method: str, *arguments: SparseMLP) -> None:
        for callback in self.callbacks:
            if hasattr(callback, method):
                getattr(callback, method)(*arguments)


def _best(score: float | None, epoch: int | None) -> str:
    """Return what a repr adds once there is a best network."""
    if epoch is None:
        return ""
    return f", epoch {epoch}" + ("" if score is None else f" with score {score:.4f}")


def _figures(progress: Progress) -> str:
    """Return what the bar says beside the epochs."""
    score = "" if progress.score is None else f"score {progress.score:.4f}, "
    return f"loss {progress.loss:.4g}, {score}{progress.n_synapses} synapses"
