"""`AllRows` and `ShardedRows`: sums over the rows of a data set, which is here or on many ranks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.distributed._exchange import Exchange

ALL = slice(None)  # all rows


class AllRows:
    """The rows of a data set that is all here.

    Parameters
    ----------
    n : int
        How many.

    Attributes
    ----------
    n, n_here : int
        Of the whole data set, and those of this process.
    all_here : bool
        Whether these are the same.
    """

    all_here = True

    def __init__(self, n: int) -> None:
        self.n = self.n_here = n

    def sum(self, of: Callable[[Any], Any], counted: Any = ALL) -> Any:
        """Return the sum over rows.

        Parameters
        ----------
        of : callable
            Takes an index of some rows, maybe none, and returns the sum over them, as an array.
        counted : slice or ndarray of int
            The rows here that count, ascending; all of them if left out.
        """
        return of(counted)

    def largest(self, of: Callable[[Any], Any], counted: Any = ALL) -> Any:
        """Return the largest values over rows; `of` returns those over some, maybe none."""
        return of(counted)

    def count(self, counted: Any = ALL) -> int:
        """Return how many rows count."""
        return int(self.sum(lambda rows: float(len(np.arange(self.n_here)[rows])), counted))


class ShardedRows(AllRows):
    """The rows of a data set in shards, of which each rank has the same number, one after another.

    Sums are computed shard by shard and added up by a binary tree over the shards: equal bits,
    whichever ranks hold the shards.

    Parameters
    ----------
    exchange : Exchange
    n_here : int
        Rows of this rank.

    Raises
    ------
    ValueError
        On all ranks, if shards and ranks do not fit each other, or one has too many or too few
        rows.
    """

    all_here = False

    def __init__(self, exchange: Exchange, n_here: int) -> None:
        if exchange.n_shards % exchange.size:
            raise ValueError(
                f"n_shards must be a multiple of the {exchange.size} ranks, got {exchange.n_shards}"
            )
        numbers = exchange.rows(np.array([n_here])).tolist()
        self.exchange, self.n, self.n_here = exchange, sum(numbers), n_here
        size = exchange.size
        for rank, got in enumerate(numbers):
            begin, end = self.n * rank // size, self.n * (rank + 1) // size
            if got != end - begin:
                raise ValueError(
                    f"rank {rank} must have the rows {begin} to {end - 1} of all {self.n}, which "
                    f"are {end - begin}, got {got}: deal them out by "
                    "synaprune.distributed.rows_of(n, comm)"
                )
        here = exchange.n_shards // size
        self.first, self.last = exchange.rank * here, (exchange.rank + 1) * here

    @property
    def before(self) -> int:
        """Rows of the ranks before this one."""
        return self.n * self.first // self.exchange.n_shards

    @property
    def borders(self) -> list[int]:
        """Between the shards that are here, of their rows here."""
        shards = self.exchange.n_shards
        return [self.n * s // shards - self.before for s in range(self.first, self.last + 1)]

    def to_core(self) -> tuple[int, int, int, int]:
        """Return the core's form."""
        return self.n, self.exchange.n_shards, self.first, self.last

    def sum(self, of: Callable[[Any], Any], counted: Any = ALL) -> Any:
        """Return the sum over the rows of all ranks; see `AllRows.sum`."""
        sums = [np.asarray(of(rows), np.float64) for rows in self._by_shard(counted)]
        while len(sums) > 1:
            sums = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)]
        return self.exchange.sum(sums[0])

    def largest(self, of: Callable[[Any], Any], counted: Any = ALL) -> Any:
        """Return the largest values over the rows of all ranks; see `AllRows.largest`."""
        return self.exchange.rows(np.asarray(of(counted))[None]).max(axis=0)

    def _by_shard(self, counted: Any) -> list[Any]:
        borders = self.borders
        if isinstance(counted, slice):
            return [slice(*pair) for pair in itertools.pairwise(borders)]
        at: NDArray[Any] = np.searchsorted(counted, borders)
        return [counted[a:b] for a, b in itertools.pairwise(at)]
