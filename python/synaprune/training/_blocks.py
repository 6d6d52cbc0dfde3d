"""`TrainingBlocks`: what a network is trained on where rows are read block by block."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Inputs, Labels, as_labels, as_numbers, as_probabilities, is_soft
from synaprune.labels import LabelEncoder, as_classes, brief
from synaprune.scaling import InputTransform, Moments, TargetScaler
from synaprune.streams import BlockError, Blocks, ahead
from synaprune.training._data import SCORED, TrainingSet


@dataclass(frozen=True, eq=False)
class TrainingBlocks:
    """Blocks that were read and checked once; each epoch reads and checks them again.

    Attributes
    ----------
    blocks : Blocks
    n : int
        Rows of all blocks.
    check : callable
        Takes what `Blocks.read` generates; returns a `TrainingSet` of that block.
    at_hand : TrainingSet
        Rows that are in memory: all of a few, or a random sample of many.
    """

    blocks: Blocks
    n: int
    check: Callable[[str, Any, Any], TrainingSet]
    at_hand: TrainingSet

    def __len__(self) -> int:
        return self.n

    def chunks(self, core: _core.Network, batch_size: int) -> Generator[TrainingSet, None, None]:
        """Generate what an epoch trains on, call by call of the core, in an order of its own.

        Chunks are whole batches of half of the budget, since the next one is read meanwhile; an
        array of a chunk is written to again two chunks later. Data of a single chunk come in their
        order, so that the core trains on them as on arrays.

        Parameters
        ----------
        core : _core.Network
            Its random state decides the order of the blocks, and is left as it is.
        batch_size : int

        Raises
        ------
        BlockError
            If blocks cannot be read, do not fit the network, or hold more or fewer rows than when
            they were read first.
        """
        one = self.at_hand
        arrays = (one.X, one.y, one.sample_weight)
        row = sum(a.nbytes // len(a) for a in arrays if a is not None)
        rows = max(1, self.blocks.memory // 2 // row // batch_size) * batch_size
        rng = None if self.n <= rows else np.random.default_rng(core.rng_state)
        with ahead(self._assembled(min(rows, self.n), rng)) as chunks:
            yield from chunks

    def _assembled(
        self, rows: int, rng: np.random.Generator | None
    ) -> Generator[TrainingSet, None, None]:
        buffers = cycle([_Buffer(rows, self.at_hand) for _ in range(2)])
        buffer, seen = next(buffers), 0
        try:
            for where, X, y in self.blocks.read(rng):
                block = self.check(where, X, y)
                seen += len(block)
                if seen > self.n:
                    break
                first = 0
                while first < len(block):
                    first += buffer.add(block, first)
                    if buffer.filled == rows:
                        yield buffer.content()
                        buffer = next(buffers)
            if seen != self.n:
                more = "more" if seen > self.n else f"{seen}"
                raise ValueError(f"X held {self.n} rows when it was read first, and {more} now")
        except Exception as error:
            raise BlockError(f"{error}; the network is as it was before") from error
        if buffer.filled:
            yield buffer.content()


class _Buffer:
    """Arrays for some rows of training sets, which are used again and again."""

    def __init__(self, rows: int, like: TrainingSet) -> None:
        self.filled, self._rows, self._like = 0, rows, like
        given = (like.X, like.y, like.sample_weight)
        self._arrays = [
            None if a is None else np.empty((rows, *a.shape[1:]), a.dtype) for a in given
        ]

    def add(self, block: TrainingSet, first: int) -> int:
        """Copy rows from the first one on while there is space; returns how many."""
        n = min(self._rows - self.filled, len(block) - first)
        given = (block.X, block.y, block.sample_weight)
        for to, a in zip(self._arrays, given, strict=True):
            if to is not None and a is not None:
                to[self.filled : self.filled + n] = a[first : first + n]
        self.filled += n
        return n

    def content(self) -> TrainingSet:
        """Return the rows, and begin anew."""
        X, y, weights = (None if a is None else a[: self.filled] for a in self._arrays)
        assert X is not None
        assert y is not None
        self.filled = 0
        like = self._like
        return TrainingSet(X, y, weights, like.label_smoothing, like.augment, like.input_dropout)


class Survey:
    """What a first pass over blocks finds: rows, classes, moments, and a sample.

    Parameters
    ----------
    known : LabelEncoder, TargetScaler or None
        What the network knows of targets already.
    n_outputs : int
        Of the network.
    regression : bool
        Whether targets are numbers.
    classes : array_like or None
        All labels that will ever come, if the caller says so.
    scaling : str or None
        The input scaling that is to be fitted, if there is one.
    most : int
        Bytes of inputs that the sample may take.
    """

    def __init__(
        self,
        known: LabelEncoder | TargetScaler | None,
        n_outputs: int,
        *,
        regression: bool,
        classes: Any,
        scaling: str | None,
        most: int,
    ) -> None:
        self.n = 0
        self.dtype: np.dtype[Any] | None = None
        self._known, self._n_outputs, self._regression = known, n_outputs, regression
        if isinstance(known, LabelEncoder) and classes is not None:
            known.check_same(classes)
        elif classes is not None:
            self._known = LabelEncoder.fitted(as_classes(classes), n_outputs)
        self._scaling = scaling
        self._inputs = Moments(scaling == "standard") if scaling in ("center", "standard") else None
        self._numbers = Moments()
        self._low, self._high = np.full(n_outputs, np.inf), np.full(n_outputs, -np.inf)
        self._one_axis = False
        self._labels: Labels | None = None
        self._counts: NDArray[Any] = np.zeros(0)
        self._soft = False
        self._most = most
        self._sample: list[NDArray[Any]] = []
        self._rng = np.random.default_rng(0)

    def add(self, where: str, inputs: Inputs, y: Any) -> None:
        """Add a block.

        Parameters
        ----------
        where : str
            As `Blocks.read` gives it.
        inputs : ndarray of float32 or uint8, shape (m, n_features)
        y : array_like
            As in `SparseMLP.fit`.

        Raises
        ------
        TypeError, ValueError
            If it fits neither the network nor the blocks before.
        """
        if self.dtype is None:
            self.dtype = inputs.dtype
        check_dtype(where, inputs, self.dtype)
        if self._inputs is not None:
            self._inputs.add(inputs)
        targets = (self._add_numbers if self._regression else self._add_labels)(
            where, y, len(inputs)
        )
        self._draw([inputs, targets])
        self.n += len(inputs)

    def _add_numbers(self, where: str, y: Any, m: int) -> NDArray[Any]:
        numbers = as_numbers(y, m, self._n_outputs, f"y{where}")
        if self.n and self._one_axis != (numbers.ndim == 1):
            raise ValueError(
                f"y{where} must have the axes of the blocks before, got {numbers.shape}"
            )
        self._one_axis = numbers.ndim == 1
        columns = numbers.reshape(m, -1)
        self._numbers.add(columns)
        self._low = np.minimum(self._low, columns.min(axis=0))
        self._high = np.maximum(self._high, columns.max(axis=0))
        return columns

    def _add_labels(self, where: str, y: Any, m: int) -> NDArray[Any]:
        name = f"y{where}"
        soft = is_soft(y)
        if self.n and soft != self._soft:
            kinds = ("labels", "probabilities")
            raise TypeError(f"{name} holds {kinds[soft]}, the blocks before {kinds[not soft]}")
        self._soft = soft
        if soft:
            targets: NDArray[Any] = as_probabilities(y, m, name)
            found, counts = np.arange(targets.shape[1]), targets.sum(axis=0, dtype=np.float64)
        else:
            targets = as_labels(y, m, name)
            if isinstance(self._known, LabelEncoder):
                self._known.encode(targets, name)  # which names the block of a label that is none
            found, counts = np.unique(targets, return_counts=True)
        if self._labels is None:
            self._labels, self._counts = found, counts
            return targets
        before = self._labels
        same = _kind(before) == _kind(found)
        merged = np.result_type(before, found) if same else np.dtype(object)
        if merged.kind not in "iubU":  # unsigned and signed ints of 64 bits have no common type
            raise TypeError(f"{name} holds {found.dtype} labels, the blocks before {before.dtype}")
        if soft and len(found) != len(before):
            raise ValueError(f"{name} must have {len(before)} columns, got {len(found)}")
        self._labels, at = np.unique(
            np.concatenate([before.astype(merged), found.astype(merged)]), return_inverse=True
        )
        self._counts = np.bincount(at, np.concatenate([self._counts, counts]))
        if len(self._labels) > max(2, self._n_outputs):
            LabelEncoder.fitted(self._labels, self._n_outputs)  # raises
        return targets

    def _draw(self, arrays: list[NDArray[Any]]) -> None:
        """Keep each row with the same probability (reservoir sampling: Vitter, 1985)."""
        size = max(1, min(SCORED, self._most // max(1, arrays[0].nbytes // len(arrays[0]))))
        space = max(0, size - self.n)
        if space:
            new = [a[:space] for a in arrays]
            old = self._sample or [a[:0] for a in arrays]
            self._sample = [np.concatenate(pair) for pair in zip(old, new, strict=True)]
        rows = np.arange(space, len(arrays[0]))
        to = (self._rng.random(len(rows)) * (self.n + rows + 1)).astype(np.int64)
        kept = to < size
        for i, a in enumerate(arrays):
            if a.dtype != self._sample[i].dtype:  # longer strings, or wider ints
                common = np.result_type(a, self._sample[i])
                self._sample[i] = self._sample[i].astype(common)
            self._sample[i][to[kept]] = a[rows[kept]]

    # ---- what was found

    def targets(self) -> LabelEncoder | TargetScaler:
        """Return what makes of targets what the core learns.

        Raises
        ------
        ValueError
            If there are no rows, or other classes than the network has outputs.
        """
        if not self.n:
            raise ValueError("X must hold at least one row, but its blocks gave none")
        if self._regression:
            if isinstance(self._known, TargetScaler):
                return self._known
            spread = self._numbers.spread
            varies = (self._high > self._low) & (spread > 0.0)
            scale = np.where(varies, spread, 1.0)
            return TargetScaler(self._numbers.mean, scale, self._one_axis)
        assert self._labels is not None
        encoder = self._known
        if not isinstance(encoder, LabelEncoder):
            encoder = LabelEncoder.fitted(self._labels, self._n_outputs)
        if self._soft and len(self._labels) != len(encoder.classes):
            raise ValueError(
                f"y must have a column for each of the {len(encoder.classes)} classes "
                f"{brief(encoder.classes)}, got {len(self._labels)}"
            )
        return encoder

    def transform(self) -> InputTransform:
        """Return the input transform of the scaling that is to be fitted."""
        assert self._scaling is not None
        assert self.dtype is not None
        mean = np.zeros(self._sample[0].shape[1]) if self._inputs is None else self._inputs.mean
        spread = (
            self._inputs.spread
            if self._inputs is not None and self._scaling == "standard"
            else None
        )
        return InputTransform.of_moments(mean, spread, self.dtype, self._scaling)

    def weights_by_class(
        self, targets: LabelEncoder | TargetScaler, class_weight: Any
    ) -> NDArray[np.float64] | None:
        """Return how much a sample of each class counts; None if all count the same.

        Parameters
        ----------
        targets : LabelEncoder or TargetScaler
            As `targets` returned it.
        class_weight
            As in `Training`.

        Raises
        ------
        TypeError, ValueError
            As `SparseMLP.fit`.
        """
        if isinstance(targets, TargetScaler):
            targets.sample_weights(np.zeros((1, 1)), None, class_weight)  # raises if there are any
            return None
        if class_weight is None:
            return None
        counts = np.zeros(len(targets.classes))
        assert self._labels is not None
        at = np.arange(len(counts)) if self._soft else targets.encode(self._labels)
        counts[at] = self._counts
        return targets.weights_by_class(counts, self.n, class_weight)

    def sample(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return inputs and targets of rows that were drawn: all in order, if they are few."""
        X, y = self._sample
        if self._regression and self._one_axis:
            y = y[:, 0]
        return X, y


def _kind(labels: Labels) -> str:
    """Return "i" for ints of any kind, "b" for bools, "U" for strings."""
    return "i" if labels.dtype.kind == "u" else labels.dtype.kind


def check_dtype(where: str, inputs: Inputs, dtype: np.dtype[Any]) -> None:
    """Raise a TypeError if some blocks are uint8 and some are not, since uint8 is scaled.

    Parameters
    ----------
    where : str
        As `Blocks.read` gives it.
    inputs : ndarray of float32 or uint8
    dtype : dtype
        Of the first block.
    """
    if inputs.dtype != dtype:
        kinds = [
            "uint8" if d == np.uint8 else "other numbers than uint8" for d in (inputs.dtype, dtype)
        ]
        raise TypeError(f"X{where} holds {kinds[0]}, the blocks before {kinds[1]}")
