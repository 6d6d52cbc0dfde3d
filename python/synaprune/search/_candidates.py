"""What the folds choose among, besides the size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synaprune.checks import check_float, check_int, shown


@dataclass(frozen=True)
class Candidate:
    """What the folds choose among, besides the size.

    Parameters
    ----------
    hidden : tuple of int
        Hidden neurons of each layer; none is a linear classifier.
    l1 : float
        L1 penalty, which makes small networks better and full ones worse.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> Candidate((100,), 1e-3)
    Candidate(hidden=(100,), l1=0.001)
    """

    hidden: tuple[int, ...]
    l1: float

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple):
            raise TypeError(f"hidden must be a tuple of ints, got {shown(self.hidden)}")
        for n in self.hidden:
            check_int("each of hidden", n, 1)
        check_float("l1", self.l1, 0.0)


CANDIDATES = (
    Candidate((), 0.0),
    Candidate((), 1e-3),
    Candidate((100,), 0.0),
    Candidate((100,), 1e-3),
    Candidate((100,), 3e-3),
)


def check_candidates(candidates: Sequence[Candidate] | None) -> tuple[Candidate, ...]:
    """Return the candidates, or raise if there are none."""
    if candidates is None:
        return CANDIDATES
    if isinstance(candidates, str) or not isinstance(candidates, Sequence):
        raise TypeError(f"candidates must be a sequence of Candidate, got {shown(candidates)}")
    for candidate in candidates:
        if not isinstance(candidate, Candidate):
            raise TypeError(f"candidates must hold Candidate, got {shown(candidate)}")
    if not candidates:
        raise ValueError("candidates must hold at least one Candidate")
    return tuple(candidates)
