"""Learning-rate schedules: factors on the rate by the share of the run that is done."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from synaprune.checks import check_float

LRSchedule: TypeAlias = Callable[[float], float]


@dataclass(frozen=True)
class ConstantThenCosine:
    """Learning-rate schedule: constant up to a share of the run, then a half cosine down.

    Parameters
    ----------
    turn : float
        Share of the run, in [0, 1), at which the rate begins to fall.
    end : float
        Factor at the very end.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range.

    Examples
    --------
    >>> schedule = ConstantThenCosine()
    >>> schedule(0.5), round(schedule(0.85), 3)
    (1.0, 0.505)
    """

    turn: float = 0.7
    end: float = 0.01

    def __post_init__(self) -> None:
        check_float("turn", self.turn, 0.0, 1.0 - 1e-9)
        check_float("end", self.end, 0.0, 1.0)

    def __call__(self, done: float) -> float:
        """Return the factor on the learning rate where a share of the run, in [0, 1], is done."""
        if done <= self.turn:
            return 1.0
        phase = math.pi * (done - self.turn) / (1.0 - self.turn)
        return self.end + (1.0 - self.end) * 0.5 * (1.0 + math.cos(phase))


def lr_factors(schedule: LRSchedule | None, epochs: int) -> Iterable[float]:
    """Return the factor on the learning rate of each epoch, all of them checked beforehand.

    Parameters
    ----------
    schedule : callable or None
    epochs : int

    Raises
    ------
    TypeError, ValueError
        If the schedule returns what is no factor at any epoch.
    """
    shares = (epoch / epochs for epoch in range(epochs))
    if schedule is None:
        return itertools.repeat(1.0, epochs)
    if isinstance(schedule, ConstantThenCosine):  # cannot return anything else
        return map(schedule, shares)
    return [check_float(f"lr_schedule({share:g})", schedule(share), 0.0) for share in shares]
