"""`Limits`: when a run ends with what it has reached."""

from __future__ import annotations

import time

from synaprune.checks import check_float, check_int


class LimitReached(Exception):  # noqa: N818 - no error: the run ends with what was reached
    """The time or the epochs that a run was given are over; its text says which."""


class Limits:
    """The time, counted from now, and the epochs that a run may take.

    Parameters
    ----------
    time_limit : float, optional
        Seconds.
    max_epochs : int, optional
        The most epochs, those before a resume included.

    Raises
    ------
    TypeError, ValueError
        If a limit is none.
    """

    def __init__(self, time_limit: float | None = None, max_epochs: int | None = None) -> None:
        self.time_limit, self.max_epochs = time_limit, max_epochs
        if time_limit is not None:
            self.time_limit = check_float("time_limit", time_limit, 0.0)
        if max_epochs is not None:
            self.max_epochs = check_int("max_epochs", max_epochs, 0)
        self._begin = time.monotonic()

    @property
    def seconds_left(self) -> float | None:
        """What is left of the time, None if that is not limited."""
        if self.time_limit is None:
            return None
        return max(0.0, self.time_limit - (time.monotonic() - self._begin))

    def check_time(self) -> None:
        """Raise `LimitReached` if the time is over."""
        if self.seconds_left == 0.0:
            raise LimitReached("the time limit was reached")

    def check(self, epochs: int) -> None:
        """Raise `LimitReached` if the time is over, or so many epochs are all that are allowed."""
        self.check_time()
        if self.max_epochs is not None and epochs >= self.max_epochs:
            raise LimitReached("the limit of epochs was reached")
