"""Axes and colours shared by all plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaprune.extras import require
from synaprune.metrics import metric_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Distinct for all kinds of colour vision (P. Tol, "Colour schemes", 2021: "muted", "vibrant").
CLASS_COLOURS = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255",
    "#aa4499", "#777777",
)  # fmt: skip
PLUS, MINUS, GREY = "#0077bb", "#ee7733", "#bbbbbb"
MAX_BARS = 30  # that fit under each other
MAX_NAMES = 60  # of neurons or classes side by side
_MAX_ACROSS = 4  # characters of a name that has space below a column


def axes_for(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the given axes after a check, or those of a new figure of `size` inches."""
    pyplot = require("matplotlib.pyplot", "plot")
    if ax is None:
        created: Axes = pyplot.subplots(figsize=size, layout="constrained")[1]
        return created
    if not hasattr(ax, "annotate"):
        raise TypeError(f"ax must be a matplotlib Axes, got {type(ax).__name__}")
    return ax


def caption(name: object, longest: int = 40) -> str:
    r"""Return a name as text to draw: short, in one line, without mathematics between dollars.

    Parameters
    ----------
    name : object
        Anything that has a text: an input's name, a class, a number.
    longest : int
        Characters at most.

    Returns
    -------
    str

    Examples
    --------
    >>> caption("$a_b$"), len(caption("x" * 100_000))
    ('\\$a_b\\$', 40)
    """
    text = str(name)
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    # Half of a pair of surrogates cannot be drawn, nor can line ends and control characters.
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text.replace("$", r"\$")


def is_percentage(metric: str, scores: Sequence[float]) -> bool:
    """Return whether scores are drawn as percentages."""
    return metric != "r2" and all(0.0 <= score <= 1.0 for score in scores)


def size_against_score(ax: Axes, counts: Sequence[int], in_percent: bool, metric: str) -> None:
    """Give axes the scales, names and grid of validation scores against synapses.

    Parameters
    ----------
    ax : matplotlib Axes
    counts : sequence of int
        Synapses that are drawn.
    in_percent : bool
        Whether the scores are percentages.
    metric : str
    """
    ticker = require("matplotlib.ticker", "plot")
    if min(counts) > 0 and ax.get_xscale() != "symlog":
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
    else:  # a network without synapses has no logarithm
        ax.set_xscale("symlog", linthresh=1)
    ax.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    if in_percent:
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    ax.set_xlabel("synapses")
    ax.set_ylabel(f"validation {metric_title(metric)}")
    ax.grid(color="0.9", lw=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def name_columns(ax: Axes, places: NDArray[np.integer[Any]], names: Sequence[str]) -> None:
    """Write names below columns, upright where they are long."""
    ax.set_xticks(places, names, rotation=90 if inches(names) else 0)


def inches(names: Sequence[str]) -> float:
    """Return how much space long names need beside or below a picture."""
    return 0.09 * max(0, max(map(len, names), default=0) - _MAX_ACROSS)


def class_colour(code: int) -> str:
    """Return the colour of a class; ten colours repeat."""
    return CLASS_COLOURS[code % len(CLASS_COLOURS)]
