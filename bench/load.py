"""How busy other processes keep the machine, since a stolen core spoils a measurement."""

from __future__ import annotations

import os
import time
from pathlib import Path

QUIET = 0.15  # cores


class Meter:
    """Cores that other processes take from its creation on; always 0 where Linux is not.

    Attributes
    ----------
    patience : float
        Seconds that the whole run may still wait for a quiet machine; of the class.
    """

    patience = 0.0

    def __init__(self) -> None:
        self._start = _reading()

    def foreign(self) -> float:
        """Return the mean number of cores that others have taken so far."""
        wall, busy, own = (b - a for a, b in zip(self._start, _reading(), strict=True))
        return max(0.0, busy - own) / wall

    @classmethod
    def wait(cls) -> None:
        """Return once the machine is quiet, or patience has run out."""
        while cls.patience > 0.0:
            meter = cls()
            time.sleep(0.1)
            if meter.foreign() < QUIET:
                return
            time.sleep(0.9)
            cls.patience -= 1.0


def _reading() -> tuple[float, float, float]:
    """Seconds of wall time, of all cores' work, and of this process's."""
    own = sum(os.times()[:4])
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return time.monotonic(), own, own
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, first[1:9])
    busy = (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), busy, own
