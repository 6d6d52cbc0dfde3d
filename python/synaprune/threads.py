"""How many threads a call may use, and which number proves faster."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias

from synaprune import _core
from synaprune.checks import check_int

Threads: TypeAlias = int | Literal["auto"] | None
logger = logging.getLogger("synaprune")


def check_threads(threads: Threads) -> int:
    """Return the most threads that a call may use; None and "auto" mean what OpenMP offers."""
    if threads is None or threads == "auto":
        return _core.default_threads()
    return check_int("threads", threads, 1, 1024)


class ThreadChoice:
    """How many threads each epoch gets: a number, or ("auto", None) the faster of one and all.

    Which one is faster is measured on the first epochs, two of each, and again every 32 epochs,
    since networks shrink and machines get busy. Results do not depend on it.

    Parameters
    ----------
    threads : int, "auto" or None
        As in `SparseMLP.fit`.
    """

    def __init__(self, threads: Threads) -> None:
        self.most = check_threads(threads)
        self._measures = (threads is None or threads == "auto") and self.most > 1
        self._times: list[tuple[float, int]] = []
        self._chosen = self.most

    def next(self) -> int:
        """Return the number for the epoch that comes next."""
        if self._measures and len(self._times) < 4:
            return (self.most, 1)[len(self._times) % 2]
        return self._chosen

    def took(self, seconds: float) -> None:
        """Note how long that epoch took."""
        if not self._measures:
            return
        self._times.append((seconds, self.next()))
        if len(self._times) == 4:
            self._chosen = min(self._times)[1]
            best = {n: min(t for t, m in self._times if m == n) for n in (self.most, 1)}
            logger.info(
                "training goes on with threads=%d: an epoch takes %.3g s on %d, %.3g s on one",
                self._chosen, best[self.most], self.most, best[1],
            )  # fmt: skip
        elif len(self._times) == 32:
            self._times.clear()
