"""Size against error, a panel for each table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.rivals.runs import TABLES, Record

STYLES = {
    "ours": ("synaprune", "#0072B2", "o"),
    "torch": ("magnitude pruning, torch", "#D55E00", "s"),
    "lassonet": ("LassoNet", "#009E73", "^"),
    "tree": ("tree, splits + leaves", "#777777", "D"),
}


def draw(records: Sequence[Record], file: Path) -> None:
    """Write a PNG: test error over the sizes that were asked for, means over shuffles."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11, 5.6), dpi=130, layout="constrained")
        panels = figure.subplots(2, (len(TABLES) + 1) // 2).flat
        for ax, (table, counts) in zip(panels, TABLES.items(), strict=False):
            of = [record for record in records if record.table == table]
            for name, (label, color, marker) in STYLES.items():
                points = [(n, mean_error(of, name, n)) for n in counts]
                known = [(n, 100 * e) for n, e in points if e is not None]
                if known:
                    ax.plot(*zip(*known, strict=True), marker, ls="-", color=color, label=label)
            ax.set(xscale="log", title=table)
            ax.set_xticks(counts, [str(n) for n in counts])
            ax.minorticks_off()
            ax.set_ylim(0, 1.1 * max(y for line in ax.lines for y in line.get_ydata()))
            ax.grid(alpha=0.25)
        figure.supxlabel("weights; splits and leaves of a tree")
        figure.supylabel("test error, %")
        handles = {
            label: line
            for ax in figure.axes
            for line, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            handles.values(), handles.keys(), loc="outside upper center", ncols=4, frameon=False
        )
        figure.savefig(file)


def mean_error(records: Sequence[Record], contender: str, asked: int) -> float | None:
    """Return the mean test error over shuffles; None unless all have it."""
    errors = [record.error(contender, asked) for record in records]
    known = [error for error in errors if error is not None]
    return statistics.fmean(known) if known and len(known) == len(errors) else None
