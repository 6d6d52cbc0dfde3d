"""Learning-rate schedules: factors on the rate by the share of the run that is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from synaprune.checks import check_float

Schedule: TypeAlias = Callable[[float], float]


def constant_then_cosine(turn: float = 0.7, end: float = 0.01) -> Schedule:
    """Learning-rate schedule: constant up to a share of the run, then a half cosine down.

    Parameters
    ----------
    turn : float
        Share of the run, in [0, 1), at which the rate begins to fall.
    end : float
        Factor at the very end.

    Returns
    -------
    callable
        Takes the share of the run that is done, in [0, 1), and returns the factor on ``lr``.

    Examples
    --------
    >>> schedule = constant_then_cosine()
    >>> schedule(0.5), round(schedule(0.85), 3)
    (1.0, 0.505)
    """
    check_float("turn", turn, 0.0, 1.0 - 1e-9)
    check_float("end", end, 0.0, 1.0)

    def factor(done: float) -> float:
        if done <= turn:
            return 1.0
        return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * (done - turn) / (1.0 - turn)))

    return factor
