"""`SET` and `RigL`: prune-and-regrow at a constant number of synapses, while a network trains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, get_args

from synaprune.checks import check_float, check_int, shown


@dataclass(frozen=True)
class SET:
    """Sparse evolutionary training (Mocanu et al., 2018, arXiv 1707.04780).

    After each epoch but the last, the synapses of the smallest weights are removed from each layer,
    and as many grow at random where there was none. What grows starts at w = w(0) = 0, so that WSF
    says how far it has moved since, and with no optimiser state. Frozen synapses stay.

    Parameters
    ----------
    share : float
        Of each layer's synapses that are exchanged, in (0, 1).

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 200, 10), density=0.1, init_scale=1.0, seed=0)
    >>> recipe = sn.Training(10, optimizer=sn.SGD(0.1), rewire=sn.SET())
    >>> net.fit(*data.train, training=recipe).n_synapses
    1480
    """

    share: float = 0.3

    def __post_init__(self) -> None:
        check_float("share", self.share, 0.0, 1.0, open_low=True)

    @property
    def candidates(self) -> float:
        """How many positions are compared for each synapse that grows: none."""
        return 0.0

    def shares(self, begin: int, end: int, total: int) -> Iterator[tuple[int, float]]:
        """Generate where an epoch pauses, and which share is exchanged there.

        Parameters
        ----------
        begin, end : int
            Updates done before and after the epoch.
        total : int
            Updates of the whole training.

        Yields
        ------
        (int, float)
            Updates done, in (begin, end], and the share.
        """
        if end < total:
            yield end, self.share


@dataclass(frozen=True)
class RigL:
    """The rigged lottery (Evci et al., 2020, arXiv 1911.11134).

    Every so many updates, the synapses of the smallest weights are removed from each layer, and
    as many grow where there was none and the gradient of the loss is largest, over one batch drawn
    at random. Gradients are computed at positions drawn at random alone, so that the dense matrix
    is never held. The share that is exchanged falls along a half cosine. What grows starts as with
    `SET`.

    Parameters
    ----------
    share : float
        Of each layer's synapses that are exchanged at first, in (0, 1).
    every : int
        Updates between exchanges.
    until : float
        Share of the updates, in (0, 1], after which nothing is exchanged any more.
    candidates : float
        Positions that are compared for each synapse that grows, at least 1; `math.inf` is all of
        the dense layer. Takes some 20 bytes each.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> RigL(every=50)
    RigL(share=0.3, every=50, until=0.75, candidates=10.0)
    """

    share: float = 0.3
    every: int = 100
    until: float = 0.75
    candidates: float = 10.0

    def __post_init__(self) -> None:
        check_float("share", self.share, 0.0, 1.0, open_low=True)
        check_int("every", self.every, 1)
        check_float("until", self.until, 0.0, 1.0, open_low=True)
        if self.candidates != math.inf:
            check_float("candidates", self.candidates, 1.0)

    def shares(self, begin: int, end: int, total: int) -> Iterator[tuple[int, float]]:
        """Generate where an epoch pauses, and which share is exchanged there.

        Parameters
        ----------
        begin, end : int
            Updates done before and after the epoch.
        total : int
            Updates of the whole training.

        Yields
        ------
        (int, float)
            Updates done, in (begin, end], and the share.
        """
        last = min(end, math.ceil(self.until * total) - 1)
        for update in range(begin - begin % self.every + self.every, last + 1, self.every):
            yield update, self.share * 0.5 * (1.0 + math.cos(math.pi * update / total / self.until))


Rewiring: TypeAlias = SET | RigL


def check_rewire(rewire: object) -> Rewiring | None:
    """Return it, or raise a TypeError."""
    if rewire is not None and not isinstance(rewire, get_args(Rewiring)):
        raise TypeError(f"rewire must be a SET or RigL, got {shown(rewire)}")
    return rewire
