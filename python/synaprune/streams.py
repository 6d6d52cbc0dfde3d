"""`Blocks`: rows that are read block by block, anew in each pass; they may outgrow memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import is_direct
from synaprune.checks import check_columns, check_int, shown
from synaprune.extras import require
from synaprune.frames import Frame, is_frame

BUDGET = 2**27  # bytes of rows in memory
_INTERLEAVED = 4  # parts that are open at a time in a shuffled pass
_PIECES = 128  # of an array, in the budget: a chunk of a training holds half as many
_FORGET = 32  # pieces after which mapped memory is given back
T = TypeVar("T")


class BlockError(ValueError):
    """In training, blocks could not be read, or were not those of the first pass.

    The network is as it was before the call; ``__cause__`` is the error itself.
    """


class Blocks:
    """Rows that are read block by block, anew in each pass, so that they may outgrow memory.

    `SparseMLP.fit`, ``predict``, ``predict_proba`` and ``score`` and `prune` take it in place of X
    and y. A training reads all blocks once to check them, to find labels and scaling, and then once
    an epoch. Each epoch shuffles: parts come in random order, four at a time in turn, and rows in
    random order within chunks of half of `memory`.

    Parameters
    ----------
    *parts : iterable
        Of blocks: each a tuple (X, y), or X alone if only predictions are made, of arrays or
        DataFrames as `SparseMLP.fit` takes them. ``iter(part)`` is called anew in each pass, in
        another thread, and gives the same blocks each time. One part is read in its order; more
        parts, such as files, shuffle better. A generator or another iterator, which can be read
        only once, is good for predictions alone.
    memory : int
        Bytes of rows to hold, at least 2**20; results of a training depend on it unless all rows
        fit into half of it. What a source holds to make its blocks comes on top.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit. What blocks hold is checked when they are read.

    Examples
    --------
    >>> import synaprune as sn
    >>> class Simulation:
    ...     def __iter__(self):
    ...         rng = np.random.default_rng(0)
    ...         for _ in range(10):
    ...             X = rng.normal(size=(200, 4))
    ...             yield X, X[:, 0] > X[:, 1]
    >>> blocks = sn.Blocks(Simulation())
    >>> net = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=0).fit(blocks)
    >>> net.score(blocks) > 0.97
    True
    """

    def __init__(self, *parts: Iterable[Any], memory: int = BUDGET) -> None:
        if not parts:
            raise TypeError("Blocks needs at least one iterable of blocks")
        for part in parts:
            odd = isinstance(part, str | bytes | np.ndarray) or is_frame(part)
            if odd or not hasattr(type(part), "__iter__"):
                raise TypeError(
                    f"each part must be an iterable of (X, y) blocks, got {type(part).__name__}; "
                    "Blocks.from_arrays takes arrays, Blocks.from_arrow tables and Parquet files"
                )
        self.memory = check_int("memory", memory, 2**20, 2**62)
        self._parts: Sequence[Any] = parts

    @classmethod
    def from_arrays(cls, X: Any, y: Any = None, *, memory: int = BUDGET) -> Self:
        """Return the blocks of arrays on disk: `numpy.load(file, mmap_mode="r")`.

        A training then reads pieces of 1 MB at random positions, and converts no more than it
        holds.

        Parameters
        ----------
        X : ndarray of numbers, shape (n, n_features)
        y : array_like, shape (n,) or (n, n_outputs), optional
            As in `SparseMLP.fit`; left out for predictions.
        memory : int
            As in `Blocks`.

        Returns
        -------
        Blocks

        Raises
        ------
        TypeError, ValueError
            If they are no such arrays.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.digits()
        >>> blocks = sn.Blocks.from_arrays(*data.train)
        >>> recipe = sn.Training(10, batch_size=16)
        >>> net = sn.SparseMLP((64, 10, 10), init_scale=1.0, seed=0).fit(blocks, training=recipe)
        >>> net.score(*data.test) > 0.8
        True
        """
        if not isinstance(X, np.ndarray):
            raise TypeError(f"X must be an ndarray, got {type(X).__name__}")
        if X.ndim != 2 or 0 in X.shape:
            raise ValueError(f"X must have shape (samples, inputs), none of them 0, got {X.shape}")
        targets = None if y is None else y if isinstance(y, np.ndarray) else np.asarray(y)
        if targets is not None and (targets.ndim == 0 or len(targets) != len(X)):
            raise ValueError(f"y must have one row a sample, {len(X)}, got shape {targets.shape}")
        blocks = cls((), memory=memory)
        rows = max(1, memory // _PIECES // max(1, X.itemsize * X.shape[1]))
        blocks._parts = [_Rows(X, targets, slice(a, a + rows)) for a in range(0, len(X), rows)]
        return blocks

    @classmethod
    def from_arrow(
        cls,
        source: Any,
        target: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        memory: int = BUDGET,
    ) -> Self:
        """Return the blocks of a Parquet file, or of anything that gives an Arrow stream.

        Columns hold what columns of a DataFrame may; inputs are found by their names. Of Parquet,
        row groups are the parts, so that a training reads four of them at a time.

        Parameters
        ----------
        source : path-like, pyarrow.dataset.Dataset, object with ``__arrow_c_stream__``, or callable
            A Parquet file or a folder of them; a dataset; a table of pyarrow or polars, or a
            relation of DuckDB; or a function without arguments that returns such an object anew,
            such as a ``pyarrow.RecordBatchReader``, which can be read only once.
        target : str, optional
            The column of the labels or numbers to predict; left out for predictions.
        columns : sequence of str, optional
            The columns that are inputs; all others if left out.
        memory : int
            As in `Blocks`.

        Returns
        -------
        Blocks

        Raises
        ------
        ImportError
            If pyarrow or narwhals is not installed.
        FileNotFoundError
            If there is no such file.
        TypeError, ValueError
            If the source is none of these, or lacks columns.

        Examples
        --------
        >>> import pyarrow
        >>> import synaprune as sn
        >>> table = pyarrow.table({"a": [0.0, 0, 1, 1], "b": [0.0, 1, 0, 1], "y": [0, 1, 1, 0]})
        >>> net = sn.SparseMLP((2, 8, 1), seed=0).fit(sn.Blocks.from_arrow(table, "y"))
        >>> net.input_names
        ('a', 'b')
        """
        blocks = cls((), memory=memory)
        wanted = None if columns is None else list(columns)
        blocks._parts = list(_arrow_parts(source, target, wanted, memory // 8))
        return blocks

    def __repr__(self) -> str:
        n = len(self._parts)
        return f"{type(self).__name__}({n} part{'s' * (n > 1)}, memory={self.memory})"

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Generate (X, y) of each block, as it comes; y is None where there are no targets."""
        for _, X, y in self.read():
            yield X, y

    def read(
        self, rng: np.random.Generator | None = None
    ) -> Generator[tuple[str, Any, Any], None, None]:
        """Generate blocks with what errors say of their place: (" of block 7", X, y).

        Parameters
        ----------
        rng : numpy.random.Generator, optional
            Shuffles the parts and takes blocks of several in turn; all in order if left out.

        Yields
        ------
        (str, X, y)

        Raises
        ------
        TypeError, ValueError
            If a block is no pair, or has more or fewer targets than rows.
        """
        n = len(self._parts)
        waiting = iter(range(n) if rng is None else rng.permutation(n).tolist())
        opened = [self._open(i) for i in islice(waiting, 1 if rng is None else _INTERLEAVED)]
        given = 0
        while opened:
            at = 0 if rng is None else int(rng.integers(len(opened)))
            block = next(opened[at], None)
            if block is not None:
                yield block
                given += 1
                if given % _FORGET == 0 and isinstance(self._parts[0], _Rows):
                    _forget(self._parts[0].X)
            elif (i := next(waiting, None)) is not None:
                opened[at] = self._open(i)
            else:
                del opened[at]

    @contextmanager
    def ahead(self) -> Iterator[Iterator[tuple[str, Any, Any]]]:
        """Yield what `read` gives in order, read by another thread, many small blocks at a time.

        Yields
        ------
        iterator of (str, X, y)
        """
        with ahead(self._groups()) as groups:
            yield (block for group in groups for block in group)

    def _groups(self) -> Generator[list[tuple[str, Any, Any]], None, None]:
        group: list[tuple[str, Any, Any]] = []
        size = 0.0
        for block in self.read():
            group.append(block)
            size += getattr(block[1], "nbytes", np.inf)
            if size > self.memory // 64:
                yield group
                group, size = [], 0.0
        if group:
            yield group

    def _open(self, i: int) -> Iterator[tuple[str, Any, Any]]:
        """Generate the blocks of one part, those that are too large in slices."""
        part = self._parts[i]
        if isinstance(part, _Rows):
            yield part.block()
            return
        if isinstance(part, _ArrowPart):
            of = part.name
        else:
            of = f" of part {i}" if len(self._parts) > 1 else ""
        blocks = None
        for at in count():
            try:
                blocks = iter(part) if blocks is None else blocks
                block = next(blocks, None)
            except Exception as error:
                error.add_note(f"while block {at}{of} was read")
                raise
            if block is None:
                return
            pair = block if isinstance(block, tuple) else (block, None)
            if len(pair) != 2:
                raise ValueError(f"block {at}{of} must be (X, y), got {len(pair)} parts")
            yield from self._slices(f" of block {at}{of}", *pair)

    def _slices(self, where: str, X: Any, y: Any) -> Iterator[tuple[str, Any, Any]]:
        """Generate a block, or parts of it that are small beside the budget."""
        rows = 0
        if isinstance(X, np.ndarray) and X.ndim == 2 and X.nbytes > self.memory // 8:
            rows = max(1, self.memory // 8 // (X.itemsize * X.shape[1]))
        if not rows:
            yield where, X, y
            return
        y = None if y is None else np.asanyarray(y)
        if y is not None and (y.ndim == 0 or len(y) != len(X)):
            raise ValueError(f"y{where} must have one row a sample, {len(X)}, got {y.shape}")
        for first in range(0, len(X), rows):
            some = slice(first, first + rows)
            piece = X[some]
            yield f"{where}[{first}:{first + len(piece)}]", piece, None if y is None else y[some]

    def check_repeatable(self, name: str = "X") -> None:
        """Raise a TypeError if a part can be read only once.

        Parameters
        ----------
        name : str
            What errors call the blocks.
        """
        for i, part in enumerate(self._parts):
            if hasattr(type(part), "__next__") or (isinstance(part, _ArrowPart) and part.once):
                kind = part.kind if isinstance(part, _ArrowPart) else type(part).__name__
                raise TypeError(
                    f"{name} must hold blocks that can be read anew in each epoch, but part {i} is "
                    f"a {kind}, which can be read only once; pass an object whose __iter__ begins "
                    "anew, or to from_arrow a function that opens the stream"
                )

    def sample(self, n: int, seed: int = 0) -> tuple[Any, Any]:
        """Return rows that are drawn without replacement, in their order, in memory.

        What needs arrays takes these: `smallest_network`, a report, `TableEncoder.fit`. Rows that
        judge (``validation``) must not be trained on: draw them from other blocks.

        Parameters
        ----------
        n : int
            How many; all if there are fewer.
        seed : int

        Returns
        -------
        X : ndarray or DataFrame, shape (n, n_features)
            Of the blocks' kind.
        y : ndarray, shape (n,) or (n, n_outputs), or None

        Raises
        ------
        TypeError
            If blocks can be read only once, since this reads them twice.
        ValueError
            If there are no rows, or blocks do not fit each other.

        Examples
        --------
        >>> X = np.arange(200.0).reshape(100, 2)
        >>> X, y = Blocks.from_arrays(X, np.arange(100)).sample(10)
        >>> X.shape, bool((X[:, 0] == 2 * y).all())
        ((10, 2), True)
        """
        check_int("n", n, 1)
        self.check_repeatable("a sample")
        total = sum(len(X) for X, _ in self)
        if not total:
            raise ValueError("there are no rows to draw from")
        rng = np.random.default_rng(check_int("seed", seed, 0, 2**64 - 1))
        chosen = np.sort(rng.choice(total, min(n, total), replace=False))
        parts: list[Any] = []
        targets: list[Any] = []
        first = 0
        for X, y in self:
            low, high = np.searchsorted(chosen, [first, first + len(X)])
            if low < high:
                rows = chosen[low:high] - first
                parts.append(_take(X, rows))
                targets.append(None if y is None else np.asarray(y)[rows])
            first += len(X)
        y = None if targets[0] is None else np.concatenate(targets)
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts), y
        nw = require("narwhals.stable.v2", "tables")
        return nw.concat(parts).to_native(), y


def as_blocks(X: Any, y: Any = None) -> Blocks | None:
    """Return blocks, of a large memory map that would be converted as well; None for others.

    A map of float32 or uint8 in C order is no matter of blocks: the core reads it where it lies.

    Parameters
    ----------
    X, y
        As in `SparseMLP.fit`.

    Returns
    -------
    Blocks or None

    Raises
    ------
    TypeError, ValueError
        If there are targets beside blocks, or of another number than rows.
    """
    if isinstance(X, Blocks):
        if y is not None:
            raise TypeError("y must be left out where X is a Blocks, which holds the targets")
        return X
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind not in "fiub":
        return None
    if is_direct(X) or 4 * X.size <= BUDGET // 2 or _mapping(X) is None:
        return None
    return Blocks.from_arrays(X, y)


def refuse_blocks(X: Any, name: str) -> None:
    """Raise a TypeError if X is blocks where rows in memory are needed.

    Parameters
    ----------
    X
    name : str
        What errors call it.
    """
    if isinstance(X, Blocks):
        raise TypeError(
            f"{name} must be rows in memory, got {X!r}; X, y = blocks.sample(100_000) draws some"
        )


def in_memory(X: Any, name: str) -> Any:
    """Return rows where all of them are needed: a map that `fit` reads by blocks is copied.

    Parameters
    ----------
    X
    name : str
        What errors call it.

    Raises
    ------
    TypeError
        If X is blocks.
    """
    refuse_blocks(X, name)
    return X if as_blocks(X) is None else np.array(X)


@contextmanager
def ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """Yield an iterator of items that are made in another thread, each while the last is in use.

    Parameters
    ----------
    items : generator
        Of anything but None; closed at the end.
    """

    def made() -> Iterator[T]:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item

    with closing(items), ThreadPoolExecutor(1, "synaprune-read") as reader:
        yield made()


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """A part of one block: a slice of arrays."""

    X: NDArray[Any]
    y: NDArray[Any] | None
    rows: slice

    def block(self) -> tuple[str, NDArray[Any], NDArray[Any] | None]:
        """Return what `Blocks.read` gives of it."""
        X = self.X[self.rows]
        first = self.rows.start
        return f"[{first}:{first + len(X)}]", X, None if self.y is None else self.y[self.rows]


def _mapping(X: NDArray[Any]) -> mmap.mmap | None:
    """Return the map of a file that an array lies in, unless writing to it is private."""
    base: Any = X
    while isinstance(base, np.ndarray):
        if getattr(base, "mode", "r") == "c":
            return None
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def _forget(X: NDArray[Any]) -> None:
    """Let the system have a map's pages back, which count as this process's until then."""
    mapped = _mapping(X)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _take(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of an array, or of a DataFrame as narwhals has it."""
    if not is_frame(X):
        return np.asarray(X)[rows]
    nw = require("narwhals.stable.v2", "tables")
    return nw.from_native(X, eager_only=True)[rows]


@dataclass(frozen=True, eq=False)
class _ArrowPart:
    """Record batches, as blocks of pyarrow tables and targets.

    Attributes
    ----------
    open : callable
        Returns an iterator of record batches.
    """

    open: Callable[[], Iterable[Any]]
    target: str | None
    columns: list[str] | None
    size: int  # bytes of a block, about
    name: str = ""
    once: bool = False
    kind: str = ""

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        pa = require("pyarrow", "arrow")
        for batch in self.open():
            names = batch.schema.names
            _check_names(self.target, self.columns, names)
            inputs = self.columns or [name for name in names if name != self.target]
            rows = max(1, self.size // (8 * max(1, len(inputs))))
            for first in range(0, batch.num_rows, rows):
                table = pa.Table.from_batches([batch.slice(first, rows)])
                yield table.select(inputs), self._targets(table)

    def _targets(self, table: Any) -> Any:
        if self.target is None:
            return None
        return Frame.of(table.select([self.target])).array(self.target)


def _check_names(target: str | None, columns: list[str] | None, present: Sequence[str]) -> None:
    wanted = [*([] if target is None else [target]), *(columns or [])]
    check_columns(wanted, present, "the Arrow stream")


def _arrow_parts(
    source: Any, target: str | None, columns: list[str] | None, size: int
) -> Iterator[_ArrowPart]:
    """Generate the parts of what `Blocks.from_arrow` takes."""
    pa = require("pyarrow", "arrow")
    dataset = require("pyarrow.dataset", "arrow")
    if columns is not None and (target in columns or not columns):
        raise ValueError(f"columns must name inputs, not the target, got {shown(columns)}")
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if not os.path.exists(path):
            raise FileNotFoundError(f"{path}: no such file or folder")
        source = dataset.dataset(path, format="parquet")
    if isinstance(source, dataset.Dataset):
        _check_names(target, columns, source.schema.names)
        yield from _fragments(source, target, columns, size)
        return
    kind = type(source).__name__
    if hasattr(source, "__arrow_c_stream__"):
        once = isinstance(source, pa.RecordBatchReader)
        opened = lambda: _stream(source)  # noqa: E731
        yield _ArrowPart(opened, target, columns, size, once=once, kind=kind)
    elif callable(source):
        yield _ArrowPart(lambda: _stream(source()), target, columns, size)
    else:
        raise TypeError(
            "source must be a path, a pyarrow Dataset, an object with __arrow_c_stream__ or a "
            f"function that returns one, got {kind}"
        )


def _stream(source: Any) -> Iterable[Any]:
    """Return the record batches of an object of the Arrow stream protocol."""
    pa = require("pyarrow", "arrow")
    if not hasattr(source, "__arrow_c_stream__"):
        raise TypeError(
            "source must return an object with __arrow_c_stream__, got " + type(source).__name__
        )
    batches: Iterable[Any] = pa.RecordBatchReader.from_stream(source)
    return batches


def _fragments(
    source: Any, target: str | None, columns: list[str] | None, size: int
) -> Iterator[_ArrowPart]:
    """Generate the row groups of Parquet files; the files of other formats."""
    wanted = None if columns is None else [*columns, *([] if target is None else [target])]
    n_columns = len(wanted or source.schema.names)
    options = {
        "schema": source.schema, "columns": wanted, "batch_readahead": 1, "fragment_readahead": 1,
        "batch_size": max(1, size // (8 * n_columns)), "use_threads": False,
    }  # fmt: skip
    for fragment in source.get_fragments():
        groups = fragment.split_by_row_group() if hasattr(fragment, "row_groups") else [fragment]
        for i, group in enumerate(groups):
            opened = lambda group=group: group.to_batches(**options)  # noqa: E731
            of = f" of row group {i}" if len(groups) > 1 else ""
            path = getattr(fragment, "path", "")
            yield _ArrowPart(opened, target, columns, size, f"{of} of {path}" if path else of)
