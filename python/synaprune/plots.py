"""Pictures, drawn with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synaprune.extras import require
from synaprune.path import PruningPath

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_path(path: PruningPath, ax: Axes | None = None) -> Axes:
    """Draw accuracy against synapses, a point a step; see `PruningPath.plot`.

    Parameters
    ----------
    path : PruningPath
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    pyplot = require("matplotlib.pyplot", "plot")
    if not path.steps:
        raise ValueError("the path has no step to plot")
    if ax is None:
        ax = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")[1]
    elif not hasattr(ax, "annotate"):
        raise TypeError(f"ax must be a matplotlib Axes, got {type(ax).__name__}")
    ticker = require("matplotlib.ticker", "plot")
    counts = [s.n_synapses for s in path]
    accuracies = [s.accuracy for s in path]
    full, last = path.steps[0], path.steps[-1]
    captions = [(last, (0, -11), "left", "top")]
    if not ax.lines:  # several paths that share the axes mostly share the start
        captions.append((full, (0, 6), "right", "bottom"))
    (line,) = ax.plot(counts, accuracies, "-o", ms=3.5, lw=1.3, mec="white", mew=0.4, zorder=3)
    colour = line.get_color()
    ax.axhline(full.accuracy, color=colour, lw=0.8, ls=(0, (4, 4)), alpha=0.6, zorder=1)
    ax.plot(last.n_synapses, last.accuracy, "o", color=colour, ms=8, mfc="none", mew=1.3, zorder=4)
    in_percent = all(0.0 <= accuracy <= 1.0 for accuracy in accuracies)
    for step, offset, ha, va in captions:
        figure = f"{step.accuracy:.2%}" if in_percent else f"{step.accuracy:.4g}"
        ax.annotate(
            f"{step.structure}\n{step.n_synapses} synapses, {figure}",
            (step.n_synapses, step.accuracy),
            xytext=offset,
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize="small",
            color=colour,
            bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
            zorder=5,
        )
    if min(counts) > 0 and ax.get_xscale() != "symlog":
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
    else:  # a logarithm has no place for a network of nothing
        ax.set_xscale("symlog", linthresh=1)
    ax.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    if in_percent:
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    ax.margins(x=0.06, y=0.22)
    ax.set_xlabel("synapses")
    ax.set_ylabel("validation accuracy")
    ax.grid(color="0.9", lw=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
