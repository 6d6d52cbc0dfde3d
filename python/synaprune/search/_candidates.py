"""What the folds choose among, besides the size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from synaprune._core import ACTIVATIONS
from synaprune.checks import check_bool, check_choice, check_float, check_int, shown
from synaprune.training import ShiftImages, check_augment


@dataclass(frozen=True)
class Candidate:
    """What the folds choose among, besides the size.

    Parameters
    ----------
    hidden : tuple of int
        Hidden neurons of each layer; none is a linear classifier.
    l1 : float
        L1 penalty, which makes small networks better and full ones worse.
    augment : ShiftImages, optional
        How samples are varied in training.
    retrain : bool
        Whether a count, too, is reached as a contract is: trained in full, then cut step by step
        and retrained after each. Else it is cut while it trains.
    activation : str
        Of the hidden neurons, one of `ACTIVATIONS`.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> Candidate((100,), 1e-3)
    Candidate(hidden=(100,), l1=0.001, augment=None, retrain=False, activation='relu')
    """

    hidden: tuple[int, ...]
    l1: float
    augment: ShiftImages | None = None
    retrain: bool = False
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple):
            raise TypeError(f"hidden must be a tuple of ints, got {shown(self.hidden)}")
        for n in self.hidden:
            check_int("each of hidden", n, 1)
        check_float("l1", self.l1, 0.0)
        check_augment(self.augment)
        check_bool("retrain", self.retrain)
        check_choice("activation", self.activation, ACTIVATIONS)


CANDIDATES = (
    Candidate((), 0.0),
    Candidate((), 1e-3),
    Candidate((100,), 0.0),
    Candidate((100,), 1e-3),
    Candidate((100,), 3e-3),
)


TINY = 100  # synapses up to which more is tried, since one more or less counts
_L1 = (0.0, 1e-4, 1e-3)  # of starts that are pruned to a count
_SHARE = 12  # of the synapses to end with, one of so many is a neuron to start with


def starts(n_synapses: int, image_shape: tuple[int, int] | None) -> tuple[Candidate, ...]:
    """Return what a search for the best network of a count chooses among.

    Parameters
    ----------
    n_synapses : int
    image_shape : (height, width) or None
        If the inputs may be images: then half of the candidates move them.

    Returns
    -------
    tuple of Candidate
        Those that are cut while they train first.
    """
    first = min(max(n_synapses // _SHARE, 20), 300)
    shapes = ((), (first,), (first, (2 * first + 4) // 5), (2 * first, first))
    augments = (None,) if image_shape is None else (None, ShiftImages(*image_shape))
    retrained = (
        replace(c, retrain=True) for c in CANDIDATES if n_synapses <= TINY and not c.hidden
    )
    return (
        *(Candidate(s, l1, augment) for augment in augments for s in shapes for l1 in _L1),
        *retrained,
    )


def check_candidates(
    candidates: Sequence[Candidate] | None,
    n_synapses: int | None,
    image_shape: tuple[int, int] | None,
) -> tuple[Candidate, ...]:
    """Return the candidates, those of the search if left out, or raise if there are none."""
    if candidates is None:
        return CANDIDATES if n_synapses is None else starts(n_synapses, image_shape)
    if isinstance(candidates, str) or not isinstance(candidates, Sequence):
        raise TypeError(f"candidates must be a sequence of Candidate, got {shown(candidates)}")
    for candidate in candidates:
        if not isinstance(candidate, Candidate):
            raise TypeError(f"candidates must hold Candidate, got {shown(candidate)}")
    if not candidates:
        raise ValueError("candidates must hold at least one Candidate")
    return tuple(candidates)
