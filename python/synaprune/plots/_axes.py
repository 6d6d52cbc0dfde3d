"""What all pictures share: axes, colours, checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synaprune.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Told apart with any colour vision (P. Tol, "Colour schemes", 2021: "muted", "vibrant").
CLASS_COLOURS = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255",
    "#aa4499", "#777777",
)  # fmt: skip
PLUS, MINUS, GREY = "#0077bb", "#ee7733", "#bbbbbb"


def axes_for(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes to draw on: those given, or a new figure's of that size in inches."""
    pyplot = require("matplotlib.pyplot", "plot")
    if ax is None:
        made: Axes = pyplot.subplots(figsize=size, layout="constrained")[1]
        return made
    if not hasattr(ax, "annotate"):
        raise TypeError(f"ax must be a matplotlib Axes, got {type(ax).__name__}")
    return ax


def class_colour(code: int) -> str:
    """Return a class's colour; after ten they repeat."""
    return CLASS_COLOURS[code % len(CLASS_COLOURS)]
