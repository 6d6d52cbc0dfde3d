"""Contenders take turns; what is told of each is median, minimum and maximum."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.load import QUIET, Meter
from bench.peers import use_threads

SHORTEST_TURN = 0.005  # seconds; shorter calls are repeated within a turn
# Seconds of untimed calls before a turn. Idle threads of another library spin for up to 16 ms
# (OpenMP of GCC) or 26 ms (OpenBLAS); a pause would let the contender's own threads fall asleep.
LEAD_IN = 0.03
LONG_CALL = 0.5  # seconds; a spinning thread hardly matters to such a call


@dataclass(frozen=True)
class Contender:
    """One way to do a job: a name, a call that does it, and the threads that it may use.

    Times are per unit of work, of which a call does ``units``.
    """

    name: str
    call: Callable[[], object]
    threads: int
    units: int = 1


@dataclass(frozen=True)
class Timing:
    """What the turns of one contender took, in seconds per unit of work.

    ``foreign`` is the number of cores that other processes took meanwhile.
    """

    name: str
    threads: int
    seconds: tuple[float, ...]
    foreign: float

    @property
    def median(self) -> float:
        """The middle turn."""
        return statistics.median(self.seconds)

    @property
    def low(self) -> float:
        """The fastest turn."""
        return min(self.seconds)

    @property
    def high(self) -> float:
        """The slowest turn."""
        return max(self.seconds)

    def record(self) -> dict[str, object]:
        """Return the figures as JSON values."""
        return {
            "name": self.name, "threads": self.threads, "turns": len(self.seconds),
            "median": self.median, "min": self.low, "max": self.high, "foreign_cores": self.foreign,
        }  # fmt: skip


def measure(
    contenders: Sequence[Contender],
    *,
    rounds: tuple[int, int] = (5, 15),
    budget: float = 3.0,
    attempts: int = 3,
) -> list[Timing]:
    """Time contenders in rounds, each once a round, in an order that rotates.

    Rounds are at least ``rounds[0]`` and at most ``rounds[1]``; in between, they end when
    ``budget`` seconds are spent. If other processes were busy meanwhile, all is measured again,
    up to ``attempts`` times or until patience is spent; the least disturbed attempt is returned.
    """
    tries = []
    for _ in range(attempts):
        Meter.wait()
        plans = [_plan(contender) for contender in contenders]
        meter = Meter()
        seconds = _rounds(contenders, plans, rounds, budget)
        tries.append((meter.foreign(), seconds))
        if tries[-1][0] < QUIET or Meter.patience <= 0.0:
            break
    foreign, seconds = min(tries)
    return [
        Timing(c.name, c.threads, tuple(s), foreign)
        for c, s in zip(contenders, seconds, strict=True)
    ]


def _rounds(
    contenders: Sequence[Contender],
    plans: Sequence[int],
    rounds: tuple[int, int],
    budget: float,
) -> list[list[float]]:
    seconds: list[list[float]] = [[] for _ in contenders]
    started = time.perf_counter()
    for done in range(rounds[1]):
        if done >= rounds[0] and time.perf_counter() - started > budget:
            break
        for turn in range(len(contenders)):
            i = (turn + done) % len(contenders)
            seconds[i].append(_turn(contenders[i], plans[i]))
    return seconds


def fastest(variants: Sequence[Contender], *, trials: int = 2) -> list[Contender]:
    """Return the fastest variant of each name, by the better of some alternating trials."""
    timings = measure(variants, rounds=(trials, trials), attempts=1)
    best: dict[str, tuple[float, Contender]] = {}
    for variant, timing in zip(variants, timings, strict=True):
        if variant.name not in best or timing.low < best[variant.name][0]:
            best[variant.name] = (timing.low, variant)
    return [contender for _, contender in best.values()]


def _plan(contender: Contender) -> int:
    """Return how many calls make a turn, or 0 for one call that is too long to be led in."""
    use_threads(contender.threads)
    start = time.perf_counter()
    contender.call()
    if time.perf_counter() - start > LONG_CALL:
        return 0
    return max(1, math.ceil(SHORTEST_TURN / _lead_in(contender)))


def _turn(contender: Contender, planned: int) -> float:
    use_threads(contender.threads)
    if planned:
        _lead_in(contender)
    calls = max(1, planned)
    start = time.perf_counter()
    for _ in range(calls):
        contender.call()
    return (time.perf_counter() - start) / calls / contender.units


def _lead_in(contender: Contender) -> float:
    """Run until the contender before has left caches and cores; return the fastest call."""
    started = now = time.perf_counter()
    fastest_call = math.inf
    while now - started < LEAD_IN:
        contender.call()
        before, now = now, time.perf_counter()
        fastest_call = min(fastest_call, now - before)
    return fastest_call
