"""Plot of the runs of a sweep: score against synapses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synaprune.checks import shown
from synaprune.plots._axes import GREY, PLUS, axes_for, is_percentage, size_against_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_sweep(result: Any, ax: Axes | None = None) -> Axes:
    """Plot the score against synapses, one point per run, and the Pareto front as a line.

    Parameters
    ----------
    result : SweepResult
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError
        If it is no result of a sweep, or ax is no Axes.

    Examples
    --------
    >>> import synaprune as sn
    >>> grid = {"synapses": [6, 9], "hidden": [(8,)], "epochs": [20]}
    >>> result = sn.sweep(grid, sn.datasets.xor())
    >>> ax = sn.plots.plot_sweep(result)  # doctest: +SKIP
    """
    if not hasattr(result, "front") or not hasattr(result, "columns"):
        raise TypeError(f"result must be a SweepResult, got {shown(result)}")
    ax = axes_for(ax, (6.4, 4.0))
    sizes, scores = result.columns["n_synapses"], result.columns["validation_score"]
    counts = [n for n in sizes if n is not None]
    reached = [score for score in scores if score is not None]
    ax.plot(counts, reached, "o", color=GREY, ms=4.0, mew=0.0, zorder=2)
    ax.plot(
        [sizes[i] for i in result.front], [scores[i] for i in result.front], "-o", color=PLUS,
        drawstyle="steps-post", lw=1.3, ms=5.0, mec="white", mew=0.4, zorder=3,
    )  # fmt: skip
    in_percent = is_percentage(result.metric, reached)
    size_against_score(ax, counts, in_percent, result.metric)
    ax.margins(x=0.06, y=0.12)
    return ax
