"""Plots of a pruning path: score against synapses, and the WSF of removed synapses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_type
from synaprune.extras import require
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.plots._axes import (
    GREY,
    MINUS,
    PLUS,
    axes_for,
    is_percentage,
    size_against_score,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_path(path: PruningPath, ax: Axes | None = None) -> Axes:
    """Plot the score against synapses, one point per step; see `PruningPath.plot`.

    Parameters
    ----------
    path : PruningPath
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError, ValueError
        If ax is no Axes, or the path is empty.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 6, 1), seed=0)
    >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
    ...                 training=sn.Training(10))
    >>> ax = sn.plots.plot_path(path)  # doctest: +SKIP
    """
    check_type("path", path, PruningPath)
    require("matplotlib.pyplot", "plot")
    if not path.steps:
        raise ValueError("the path must have a step to plot, got an empty one")
    ax = axes_for(ax, (6.4, 4.0))
    counts = [s.n_synapses for s in path]
    scores = [s.score for s in path]
    full, last = path.steps[0], path.steps[-1]
    captions = [(last, (0, -11), "left", "top")]
    if not ax.lines:  # paths on shared axes usually share the start
        captions.append((full, (0, 6), "right", "bottom"))
    (line,) = ax.plot(counts, scores, "-o", ms=3.5, lw=1.3, mec="white", mew=0.4, zorder=3)
    colour = line.get_color()
    ax.axhline(full.score, color=colour, lw=0.8, ls=(0, (4, 4)), alpha=0.6, zorder=1)
    ax.plot(last.n_synapses, last.score, "o", color=colour, ms=8, mfc="none", mew=1.3, zorder=4)
    in_percent = is_percentage(path.metric, scores)
    for step, offset, ha, va in captions:
        figure = f"{step.score:.2%}" if in_percent else f"{step.score:.4g}"
        ax.annotate(
            f"{step.structure}\n{step.n_synapses} synapses, {figure}",
            (step.n_synapses, step.score),
            xytext=offset,
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize="small",
            color=colour,
            bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
            zorder=5,
        )
    size_against_score(ax, counts, in_percent, path.metric)
    ax.margins(x=0.06, y=0.22)
    return ax


def plot_wsf(path: PruningPath, step: int = -1, ax: Axes | None = None) -> Axes:
    """Plot the WSF of all synapses before a cut, of the removed ones, and after retraining.

    Parameters
    ----------
    path : PruningPath
    step : int
        Number of the step whose cut is shown, from 1; negative numbers count from the last step.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    IndexError, ValueError
        If there is no such step, or it is step 0, which has no cut.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 6, 1), seed=0)
    >>> path = sn.prune(net, *data.train, validation=data.validation, n_synapses=6,
    ...                 training=sn.Training(10))
    >>> ax = sn.plots.plot_wsf(path)  # doctest: +SKIP
    """
    check_type("path", path, PruningPath)
    pairs = path.removed(step)
    after = path.steps[step]
    if after.step == 0:
        raise ValueError("step must not be 0: step 0 is the full network, before any cut")
    ax = axes_for(ax, (6.4, 3.6))
    before = path.network(after.step - 1)
    wsf = _wsf(before)
    removed = np.concatenate([
        np.isin(w.keys, of[:, 0].astype(np.int64) * w.n_in + of[:, 1])
        for w, of in zip(before.weights, pairs, strict=True)
    ])  # fmt: skip
    left = _wsf(path.network(after.step))
    top = max(float(wsf.max(initial=0.0)), float(left.max(initial=0.0)), 1e-12)
    bins = np.linspace(0.0, top, 61).tolist()
    colours = [MINUS, GREY]
    names = [f"removed ({removed.sum()})", f"kept ({(~removed).sum()})"]
    ax.hist([wsf[removed], wsf[~removed]], bins, stacked=True, color=colours, label=names)
    ax.hist(left, bins, histtype="step", color=PLUS, lw=1.4, label="after retraining")
    if removed.any() and after.criterion == "wsf":
        ax.axvline(float(wsf[removed].max()), color=MINUS, lw=1.0, ls="--")
    ax.set_yscale("symlog", linthresh=10)
    ax.set_xlabel("WSF = |w - w(0)|")
    ax.set_ylabel("synapses")
    ax.set_title(
        f"step {after.step}: {before.n_synapses} → {after.n_synapses} synapses", loc="left"
    )
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _wsf(net: SparseMLP) -> NDArray[np.float32]:
    """Return |w - w(0)| of all synapses, layer by layer."""
    return np.concatenate([abs(w.values - w.initial) for w in net.weights])
