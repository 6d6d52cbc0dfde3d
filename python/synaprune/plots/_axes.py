"""Axes and colours shared by all plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synaprune.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Distinct for all kinds of colour vision (P. Tol, "Colour schemes", 2021: "muted", "vibrant").
CLASS_COLOURS = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255",
    "#aa4499", "#777777",
)  # fmt: skip
PLUS, MINUS, GREY = "#0077bb", "#ee7733", "#bbbbbb"
MAX_BARS = 30  # that fit under each other


def axes_for(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the given axes after a check, or those of a new figure of `size` inches."""
    pyplot = require("matplotlib.pyplot", "plot")
    if ax is None:
        created: Axes = pyplot.subplots(figsize=size, layout="constrained")[1]
        return created
    if not hasattr(ax, "annotate"):
        raise TypeError(f"ax must be a matplotlib Axes, got {type(ax).__name__}")
    return ax


def class_colour(code: int) -> str:
    """Return the colour of a class; ten colours repeat."""
    return CLASS_COLOURS[code % len(CLASS_COLOURS)]
