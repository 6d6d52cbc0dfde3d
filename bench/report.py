"""Tables: the same Markdown on stdout and in a file, and the figures behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.timing import Timing

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


class Report:
    """Prints what it is given, and keeps it.

    Attributes
    ----------
    records : dict of list
        By section, JSON values.
    """

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {}
        self._blocks: list[str] = []

    def text(self, block: str) -> None:
        """Add a heading, a paragraph or a table."""
        self._blocks.append(block)
        print(block, end="\n\n", flush=True)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table; all columns but the first are aligned to the right."""
        lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
        self.text("\n".join(f"| {' | '.join(line)} |" for line in lines))

    def record(self, section: str, timings: Sequence[Timing] = (), **values: object) -> None:
        """Keep figures for the JSON file."""
        entry = {**values, "timings": [t.record() for t in timings]} if timings else values
        self.records.setdefault(section, []).append(entry)

    def disturbance(self, section: str) -> None:
        """Say how much of the machine others took during the timings of a section."""
        foreign = [
            t["foreign_cores"] for r in self.records.get(section, ()) for t in r.get("timings", ())
        ]
        if foreign:
            self.text(
                f"Other processes took {sum(foreign) / len(foreign):.2f} cores on average, "
                f"{max(foreign):.2f} at worst, while this was measured."
            )

    def markdown(self) -> str:
        """All that was printed."""
        return "\n\n".join(self._blocks) + "\n"


def duration(*seconds: float) -> list[str]:
    """Three digits each, in the unit of the first, which ends the first: "12.3 ms", "11.9"."""
    unit, size = next((u, s) for u, s in UNITS if seconds[0] >= s or u == "µs")
    first, *others = (_three_digits(t / size) for t in seconds)
    return [f"{first} {unit}", *others]


def spread(timing: Timing) -> str:
    """Median, and minimum to maximum."""
    middle, low, high = duration(timing.median, timing.low, timing.high)
    return f"{middle} ({low}-{high})"


def against(ours: Timing, peer: Timing) -> str:
    """Time of a peer, and how many times ours it is."""
    return f"{spread(peer)}, {peer.median / ours.median:.2f}×"


def _three_digits(value: float) -> str:
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
