"""What ranks talk through: the shape of mpi4py's communicators, and torch.distributed in it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from synaprune.checks import check_int
from synaprune.extras import require


@runtime_checkable
class Communicator(Protocol):
    """What ``comm`` has to have, in the names and order of mpi4py's communicators.

    Examples
    --------
    >>> class Alone:
    ...     def Get_rank(self): return 0
    ...     def Get_size(self): return 1
    ...     def Sendrecv(self, sendbuf, dest, sendtag, recvbuf, source, recvtag): ...
    >>> isinstance(Alone(), Communicator)
    True
    """

    def Get_rank(self) -> int:  # noqa: N802 - mpi4py's name
        """Return which of the processes this one is, from 0."""

    def Get_size(self) -> int:  # noqa: N802
        """Return how many processes there are."""

    def Sendrecv(  # noqa: N802
        self,
        sendbuf: NDArray[Any],
        dest: int,
        sendtag: int,
        recvbuf: NDArray[Any],
        source: int,
        recvtag: int,
    ) -> object:
        """Send one contiguous array to a rank and receive another one from it, at once.

        Parameters
        ----------
        sendbuf, recvbuf : ndarray of uint8, int64, float32 or float64
            Either may be empty. They may be parts of one array, and are not kept.
        dest, source : int
            The other rank, twice.
        sendtag, recvtag : int
        """


class TorchCommunicator:
    """A process group of torch.distributed with the backend gloo, as ``torchrun`` starts it.

    Ray Train's ``TorchTrainer`` makes such a group, too.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, optional
        The default group if left out.

    Raises
    ------
    ImportError
        If torch is missing; it names the command that installs it.
    ValueError
        If torch.distributed is not initialised, or the group's backend cannot send memory of a CPU.

    Examples
    --------
    In a script that runs as ``torchrun --nproc-per-node 2 script.py``::

        torch.distributed.init_process_group("gloo")
        comm = TorchCommunicator()
        rows = rows_of(len(X), comm)
        net.fit(X[rows], y[rows], comm=comm)
    """

    def __init__(self, group: Any = None) -> None:
        self._torch = require("torch", "torch")
        self._dist = require("torch.distributed", "torch")
        if not (self._dist.is_available() and self._dist.is_initialized()):
            raise ValueError(
                "torch.distributed must be initialised before TorchCommunicator() is made: call "
                "torch.distributed.init_process_group('gloo')"
            )
        self._group = group
        backend = str(self._dist.get_backend_config(group))
        if "cpu:gloo" not in backend and "cpu:mpi" not in backend:
            raise ValueError(
                f"group must have the backend gloo for memory of the CPU, got {backend!r}"
            )

    def Get_rank(self) -> int:  # noqa: N802
        """Return which of the group's processes this one is, from 0."""
        return int(self._dist.get_rank(self._group))

    def Get_size(self) -> int:  # noqa: N802
        """Return how many processes the group has."""
        return int(self._dist.get_world_size(self._group))

    def Sendrecv(  # noqa: N802
        self,
        sendbuf: NDArray[Any],
        dest: int,
        sendtag: int,
        recvbuf: NDArray[Any],
        source: int,
        recvtag: int,
    ) -> None:
        """Send one array and receive another one; see `Communicator.Sendrecv`."""
        dist, group = self._dist, self._group
        to, of = (
            rank if group is None else dist.get_global_rank(group, rank) for rank in (dest, source)
        )
        sending = None
        if len(sendbuf):
            sending = dist.isend(self._torch.from_numpy(sendbuf), to, group=group, tag=sendtag)
        if len(recvbuf):
            dist.recv(self._torch.from_numpy(recvbuf), of, group=group, tag=recvtag)
        if sending is not None:
            sending.wait()


def rows_of(n: int, comm: Any) -> slice:
    """Return which of n rows a rank trains on: an equal share, in the order of the ranks.

    Parameters
    ----------
    n : int
        Rows of the whole data set.
    comm : communicator or Ranks
        As in `SparseMLP.fit`.

    Returns
    -------
    slice
        From ``n * rank // size`` to ``n * (rank + 1) // size``.

    Raises
    ------
    TypeError, ValueError
        If n is no number of rows, or ``comm`` no communicator.

    Examples
    --------
    >>> class Second:
    ...     def Get_rank(self): return 1
    ...     def Get_size(self): return 2
    ...     def Sendrecv(self, *buffers): ...
    >>> rows_of(1001, Second())
    slice(500, 1001, None)
    """
    check_int("n", n, 0, 2**62)
    comm = check_communicator(getattr(comm, "comm", comm))
    rank, size = comm.Get_rank(), comm.Get_size()
    return slice(n * rank // size, n * (rank + 1) // size)


def check_communicator(comm: Any) -> Communicator:
    """Return it, or raise a TypeError that says what it lacks."""
    if isinstance(comm, type) or not isinstance(comm, Communicator):
        raise TypeError(
            "comm must have Get_rank, Get_size and Sendrecv, as mpi4py's communicators and "
            f"synaprune.distributed.TorchCommunicator do, got {type(comm).__name__}"
        )
    return comm
