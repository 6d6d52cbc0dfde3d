"""`Exchange`: the messages between ranks that train one network.

There are two kinds. Small ones gather what each rank has to tell; one begins each epoch. Then,
batch by batch, comes the sum of the gradients, whose last number marks a rank that failed. A rank
that raises therefore knows which message the others wait for, takes part in it, and says why: they
raise, too, instead of waiting for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.checks import check_int
from synaprune.distributed._communicators import Communicator, check_communicator
from synaprune.identity import described, flat, told

_TAG = 7210  # of all messages
_DIFFERENCES = 3  # that a refusal names


class RankError(RuntimeError):
    """Another rank failed or is gone; the text says which one, and why if that is known.

    The network is as it was after the last whole epoch.
    """


@dataclass(frozen=True)
class Ranks:
    """A communicator, and in how many shards the data are.

    Results depend on the number of shards, and not on how many ranks hold them.

    Parameters
    ----------
    comm : communicator
        Such as ``mpi4py.MPI.COMM_WORLD`` or a `TorchCommunicator`: see `Communicator`.
    n_shards : int
        A power of two, and a multiple of the number of ranks. Each has an equal share of the rows
        and of every batch, so that ``batch_size`` must be a multiple of it, too.

    Raises
    ------
    TypeError, ValueError
        If a value does not fit.

    Examples
    --------
    >>> class Alone:
    ...     def Get_rank(self): return 0
    ...     def Get_size(self): return 1
    ...     def Sendrecv(self, *buffers): ...
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 10, 10), seed=0)
    >>> _ = net.fit(*data.train, comm=Ranks(Alone(), n_shards=4))
    """

    comm: Communicator
    n_shards: int = 8

    def __post_init__(self) -> None:
        check_communicator(self.comm)
        check_int("n_shards", self.n_shards, 1, 2**20)
        if self.n_shards & (self.n_shards - 1):
            raise ValueError(f"n_shards must be a power of two, got {self.n_shards}")


class Exchange:
    """What ranks tell each other during one call.

    Parameters
    ----------
    ranks : Ranks

    Attributes
    ----------
    rank, size : int
    n_shards : int

    Raises
    ------
    ValueError
        If the number of ranks is no power of two.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._comm, self.n_shards = ranks.comm, ranks.n_shards
        self.rank, self.size = int(self._comm.Get_rank()), int(self._comm.Get_size())
        if self.size & (self.size - 1):
            raise ValueError(f"comm must have a power of two of ranks, got {self.size}")
        self._broken = False  # whether a message failed: then nobody waits for another one
        self._due = 0  # sums that the others still expect of this rank
        self._summed: tuple[int, Any] = (0, np.float32)  # length and dtype of the arrays
        self._received = np.empty(0, np.float32)  # kept: fresh memory costs as much as a message

    # ---- what ranks tell

    def gather(self, text: bytes) -> list[bytes]:
        """Return what each rank tells.

        Parameters
        ----------
        text : bytes

        Raises
        ------
        RankError
            If another rank failed, or cannot be reached.
        """
        return self._gather(text, failed=False)

    def agree(self, values: Mapping[str, Any]) -> None:
        """Raise a ValueError, the same on all ranks, unless they all have the same values.

        Parameters
        ----------
        values : mapping
            Options, arrays and so on, by the names that errors call them.
        """
        here = flat(described(values))
        everyone = [json.loads(text) for text in self.gather(json.dumps(here).encode())]
        first = everyone[0]
        differences: list[tuple[str, str]] = []
        for rank, other in enumerate(everyone):
            for name in dict.fromkeys([*first, *other]):
                a, b = told(first, name), told(other, name)
                if a != b and all(name != known for known, _ in differences):
                    differences.append((name, f"{name} is {a} on rank 0 and {b} on rank {rank}"))
        if differences:
            more = len(differences) - _DIFFERENCES
            texts = "; ".join(text for _, text in differences[:_DIFFERENCES])
            raise ValueError(
                f"all ranks must train the same: {texts}" + (f"; and {more} more" * (more > 0))
            )

    def check_same(self, arrays: Mapping[str, Any]) -> None:
        """Raise a RankError unless all ranks have come to the same arrays."""
        here = json.dumps(described(arrays)).encode()
        for rank, other in enumerate(self.gather(here)):
            if other != here:
                raise RankError(
                    f"rank {rank} has come to another network; do processors or memory differ, or "
                    "have callbacks changed the network?"
                )

    def any(self, value: bool) -> bool:
        """Return whether a value is true on any rank."""
        return any(text == b"1" for text in self.gather(b"1" if value else b"0"))

    def rows(self, here: NDArray[Any]) -> NDArray[Any]:
        """Return the rows that all ranks have, in the order of the ranks; of one dtype and width.

        Parameters
        ----------
        here : ndarray, shape (n, …)
        """
        texts = self.gather(np.ascontiguousarray(here).tobytes())
        parts = [np.frombuffer(t, here.dtype).reshape(-1, *here.shape[1:]) for t in texts]
        return np.concatenate(parts)

    def labels(self, here: NDArray[Any]) -> NDArray[Any]:
        """Return labels that occur on any rank; all are strings, or none is.

        Parameters
        ----------
        here : ndarray of ints, bools or strings
        """
        texts = self.gather(json.dumps([here.dtype.str, here.tolist()]).encode())
        parts = [np.array(labels, dtype) for dtype, labels in map(json.loads, texts)]
        return np.unique(np.concatenate(parts))

    # ---- sums

    def sum(self, here: Any) -> NDArray[np.float64]:
        """Return the sum of an array over all ranks, by the tree; equal bits on all of them.

        Parameters
        ----------
        here : array_like of float64
            Of one shape.
        """
        array = np.asarray(here, np.float64)
        marked = np.append(array.ravel(), 0.0)
        with self.expecting(1, len(marked), np.float64):
            self.add(marked)
        return marked[:-1].reshape(array.shape)

    @contextmanager
    def expecting(self, n: int, length: int, dtype: Any) -> Iterator[None]:
        """Agree with all ranks that n sums of arrays of a length come next."""
        self.gather(b"")
        self._due, self._summed = n, (length, dtype)
        yield
        self._due = 0  # maybe fewer came, on all ranks

    def add(self, here: NDArray[Any]) -> None:
        """Add up an array over all ranks, in place; the last number is 0, the mark of failure.

        Raises
        ------
        RankError
            If another rank failed, or cannot be reached.
        """
        self._due -= 1
        self._add(here)
        if here[-1] != 0.0:
            self._due = 0
            self.gather(b"")  # raises

    def _add(self, here: NDArray[Any]) -> None:
        """Halve what is summed with a neighbour, then with the neighbours of both, and so on.

        Each number is summed on one rank alone, (0 + 1) + (2 + 3) …, before the ranks collect the
        sums on the way back: each sends and receives little more than the array twice, for any
        number of ranks (Rabenseifner, 2004).
        """
        most = len(here) // 2 + 1
        if self._received.dtype != here.dtype or len(self._received) < most:
            self._received = np.empty(most, here.dtype)
        own, steps = slice(0, len(here)), []
        for distance in self._distances:
            middle = (own.start + own.stop) // 2
            halves = slice(own.start, middle), slice(middle, own.stop)
            own, others = halves[:: -1 if self.rank & distance else 1]
            steps.append((distance, others))
            received = self._received[: own.stop - own.start]
            self._swap(here[others], received, self.rank ^ distance)
            if here.dtype == np.float32:
                _core.add(received, here[own])  # flushes denormals, as the core's own sums
            else:
                here[own] += received
        for distance, others in reversed(steps):
            self._swap(here[own], here[others], self.rank ^ distance)
            own = slice(min(own.start, others.start), max(own.stop, others.stop))

    # ---- failures

    def tell(self, error: BaseException) -> None:
        """Let the other ranks know that this one raises, in the message that they wait for."""
        with suppress(RankError):
            if self._broken:
                return
            if self._due:
                self._due = 0
                marked = np.zeros(*self._summed)
                marked[-1] = 1.0
                self._add(marked)
            self._gather(f"{type(error).__name__}: {error}".encode(), failed=True)

    # ---- messages

    @property
    def _distances(self) -> list[int]:
        """How far ranks that talk are from each other: 1, 2, 4 and so on."""
        return [2**d for d in range(self.size.bit_length() - 1)]

    def _gather(self, text: bytes, *, failed: bool) -> list[bytes]:
        heads = self._all(np.array([len(text), failed], np.int64))
        width = int(heads[:, 0].max())
        padded = np.frombuffer(text.ljust(width, b"\0"), np.uint8)
        rows = self._all(padded) if width else np.empty((self.size, 0), np.uint8)
        texts = [row[:n].tobytes() for row, n in zip(rows, heads[:, 0], strict=True)]
        if not failed:
            for rank, (wrong, why) in enumerate(zip(heads[:, 1], texts, strict=True)):
                if wrong:
                    raise RankError(f"rank {rank} failed: {why.decode(errors='replace')}")
        return texts

    def _all(self, here: NDArray[Any]) -> NDArray[Any]:
        """Return an array of every rank, of one length: twice as many after each step."""
        rows = np.empty((self.size, len(here)), here.dtype)
        rows[self.rank] = here
        for distance in self._distances:
            first = self.rank & -distance
            own, others = (slice(r, r + distance) for r in (first, first ^ distance))
            self._swap(rows[own].reshape(-1), rows[others].reshape(-1), self.rank ^ distance)
        return rows

    def _swap(self, send: NDArray[Any], receive: NDArray[Any], other: int) -> None:
        try:
            self._comm.Sendrecv(send, other, _TAG, receive, other, _TAG)
        except BaseException as error:  # whatever the communicator's errors are
            self._broken = True
            if not isinstance(error, Exception):
                raise
            raise RankError(
                f"rank {other} cannot be reached: {type(error).__name__}: {error}"
            ) from error


def exchange_over(comm: Any) -> Exchange | None:
    """Return the exchange over a communicator that a user gives, None for None.

    Parameters
    ----------
    comm : communicator, Ranks or None

    Raises
    ------
    TypeError, ValueError
        If it is something else, or has a number of ranks that is no power of two.
    """
    if comm is None:
        return None
    return Exchange(comm if isinstance(comm, Ranks) else Ranks(comm))


@contextmanager
def told_to_others(exchange: Exchange | None) -> Iterator[None]:
    """Tell the other ranks of what this one raises, so that they raise as well."""
    try:
        yield
    except RankError:  # they know
        raise
    except BaseException as error:
        if exchange is not None:
            exchange.tell(error)
        raise
