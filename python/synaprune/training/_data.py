"""What a network is trained on: samples, targets, weights and how samples are varied."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Inputs, finite
from synaprune.checks import check_float, check_int, shown
from synaprune.distributed import ALL, ShardedRows
from synaprune.options import option

SCORED = 10_000  # samples that scores with gradients are computed from
CURVED = 2048  # samples that curvatures are computed from, each of which costs more


@dataclass(frozen=True)
class ShiftImages:
    """Move training images at random, anew in each epoch; what comes in from outside is 0.

    Parameters
    ----------
    height, width : int
        Of the images, in pixels; inputs are their pixels row by row.
    pixels : int
        The most that an image moves up, down, left or right.
    probability : float
        That an image is moved; all moves but none are then equally likely.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> ShiftImages(28, 28)
    ShiftImages(height=28, width=28, pixels=1, probability=0.5)
    """

    height: int
    width: int
    pixels: int = option(
        1, "move training images at random by up to so many pixels; 0: do not",
        metavar="PIXELS", key="shift",
    )  # fmt: skip
    probability: float = option(
        0.5, "probability that an image is moved", metavar="P", key="shift_probability"
    )

    def __post_init__(self) -> None:
        check_int("height", self.height, 1, 2**15)
        check_int("width", self.width, 1, 2**15)
        check_int("pixels", self.pixels, 1, min(self.height, self.width))
        check_float("probability", self.probability, 0.0, 1.0)

    def to_core(self) -> _core.ImageShift:
        """Return the core's form.

        Returns
        -------
        _core.ImageShift
        """
        return _core.ImageShift(self.height, self.width, self.pixels, self.probability)


def check_augment(augment: object, n_features: int | None = None) -> ShiftImages | None:
    """Return it if it can vary samples of so many features, or raise naming the argument."""
    if augment is None:
        return None
    if not isinstance(augment, ShiftImages):
        raise TypeError(f"augment must be a ShiftImages, got {shown(augment)}")
    if n_features is not None and augment.height * augment.width != n_features:
        raise ValueError(
            f"augment moves images of {augment.height} * {augment.width} pixels, "
            f"but the network has {n_features} inputs"
        )
    return augment


@dataclass(frozen=True)
class TrainingSet:
    """Arrays as the core takes them.

    Attributes
    ----------
    X : ndarray of float32 or uint8, shape (n, n_features)
    y : ndarray of int32, shape (n,), or of float32, shape (n, n_classes)
        Class numbers, or a probability of each class.
    sample_weight : ndarray of float32, shape (n,), or None
        Factors on the samples' losses, of mean 1; None is 1 each.
    label_smoothing : float
        Share of each target that is spread over all classes.
    augment : ShiftImages or None
    input_dropout : float
        Probability that an input is dropped.
    rows : ShardedRows or None
        Of a data set that is on several ranks: which part of it this is.
    """

    X: Inputs
    y: NDArray[np.int32] | NDArray[np.float32]
    sample_weight: NDArray[np.float32] | None = None
    label_smoothing: float = 0.0
    augment: ShiftImages | None = None
    input_dropout: float = 0.0
    rows: ShardedRows | None = None

    def __len__(self) -> int:
        return len(self.X)

    def chunks(self, core: _core.Network, batch_size: int) -> Generator[TrainingSet, None, None]:
        """Generate what an epoch trains on, call by call of the core: all samples at once."""
        yield self

    @property
    def at_hand(self) -> TrainingSet:
        """The samples that are in memory: all."""
        return self

    def train_epoch(
        self,
        core: _core.Network,
        batch_size: int,
        optimizer: _core.Optimizer,
        threads: int,
        max_norm: float | None = None,
        part: tuple[int, int, int] | None = None,
    ) -> float:
        """Train one pass, or a part of it; returns the mean loss.

        A part is (first sample, end, random state at the start of the epoch).
        """
        rows, shards, add = self.rows, None, None
        expected: AbstractContextManager[None] = nullcontext()
        if rows is not None:
            exchange, shards = rows.exchange, rows.to_core()
            add = None if exchange.size == 1 else exchange.add
            n_batches = -(-rows.n // batch_size)
            expected = exchange.expecting(n_batches, core.n_gradient, np.float32)
        with expected:
            return core.train_epoch(
                self.X,
                self.y,
                batch_size,
                optimizer,
                threads,
                self.sample_weight,
                self.label_smoothing,
                None if self.augment is None else self.augment.to_core(),
                max_norm,
                self.input_dropout,
                part,
                shards,
                add,
            )

    def rewire(self, core: _core.Network, share: float, candidates: float, batch_size: int) -> None:
        """Exchange a share of each layer's synapses; gradients are of unmoved samples."""
        core.rewire(
            self.X,
            self.y,
            share,
            candidates,
            batch_size,
            self.sample_weight,
            self.label_smoothing,
        )

    def loss(self, core: _core.Network, threads: int, *, of_numbers: bool) -> float:
        """Return the mean loss over the samples as they are, towards their classes or numbers."""
        X, y = self.X, self.y
        if y.ndim == 2 and not of_numbers:
            y = y.argmax(axis=1).astype(np.int32)
        if self.rows is None:
            return finite(core.evaluate(X, y, threads))[0]

        def of(rows: slice) -> float:
            n = len(X[rows])
            return n * finite(core.evaluate(X[rows], y[rows], threads))[0] if n else 0.0

        return float(self.rows.sum(of)) / self.rows.n

    def gradient_moments(
        self, core: _core.Network, threads: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return E[g] and E[g²] of every synapse over at most `SCORED` samples, unmoved."""
        rows = self.rows
        if rows is None:
            return self._scored._moments(core, threads)

        def of(some: Any) -> Any:
            n = len(self.X[some])
            if not n:
                return np.zeros((2, core.n_synapses))
            return n * np.stack(self._at(some)._moments(core, threads)).astype(np.float64)

        scored = self._rows_of(SCORED)
        mean, square = rows.sum(of, scored) / rows.count(scored)
        return mean.astype(np.float32), square.astype(np.float32)

    def _moments(
        self, core: _core.Network, threads: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return core.gradient_moments(
            self.X, self.y, threads, self.sample_weight, self.label_smoothing
        )

    def curvature(self, core: _core.Network, threads: int) -> NDArray[np.float32]:
        """Return 1 / [F⁻¹]ₖₖ of every synapse over at most `CURVED` samples, unmoved."""
        some = self._curved
        return core.curvature(some.X, some.y, threads, some.sample_weight, some.label_smoothing)

    def compensate(self, core: _core.Network, keep: NDArray[np.uint8], threads: int) -> None:
        """Let what stays make up for what is about to go, by the same samples."""
        some = self._curved
        core.compensate(keep, some.X, some.y, threads, some.sample_weight, some.label_smoothing)

    @cached_property
    def _scored(self) -> TrainingSet:
        return self._at(self._rows_of(SCORED))

    @cached_property
    def _curved(self) -> TrainingSet:
        return self._at(self._rows_of(CURVED))

    def _rows_of(self, most: int) -> Any:
        """Return the rows here that scores are computed from, at most so many of all."""
        n = len(self.X) if self.rows is None else self.rows.n
        if n <= most:
            return ALL
        rows = np.arange(most) * n // most  # evenly spaced: data may be sorted
        if self.rows is not None:
            rows = rows - self.rows.before
            rows = rows[(rows >= 0) & (rows < len(self.X))]
        return rows

    def _at(self, rows: Any) -> TrainingSet:
        if rows is ALL:  # as most often
            return self
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        some: Any = {"X": self.X[rows], "y": self.y[rows], "sample_weight": weight}
        return replace(self, **some)
