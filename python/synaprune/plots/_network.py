"""The network itself: living neurons as dots, synapses as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synaprune.explain import PartLabel
from synaprune.extras import require
from synaprune.layout import strongest_synapses, vertical_places
from synaprune.network import SparseMLP
from synaprune.plots._axes import GREY, MINUS, PLUS, axes_for, class_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_network(
    net: SparseMLP,
    labels: Sequence[PartLabel] = (),
    *,
    most: int = 3000,
    ax: Axes | None = None,
) -> Axes:
    """Draw a network from left to right: living inputs, hidden neurons, outputs.

    Parameters
    ----------
    net : SparseMLP
    labels : sequence of PartLabel, optional
        Of hidden neurons, as `explain.label_parts` gives them: labelled neurons take their class's
        colour and name.
    most : int
        Synapses to draw at most, the strongest of each layer; the title says what is left out.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Lines are as wide as their synapse is strong within its layer, blue for positive weights
        and orange for negative ones.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> net = sn.SparseMLP((3, 4, 2), seed=0)
    >>> sn.plots.plot_network(net).figure.savefig("net.png")  # doctest: +SKIP
    """
    collections = require("matplotlib.collections", "plot")
    ax = axes_for(ax, (7.0, 5.0))
    kept = strongest_synapses(net, most)
    places = vertical_places(net)
    for level, (w, chosen) in enumerate(zip(net.weights, kept, strict=True)):
        _lines(ax, collections, level, w.values, w.rows, w.indices, chosen, places)
    _dots(ax, net, labels, places)
    left_out = net.n_synapses - sum(int(chosen.sum()) for chosen in kept)
    title = f"{net.structure}, {net.n_synapses} synapses"
    if left_out:
        title += f", the weakest {left_out} not drawn"
    ax.set_title(title, loc="left")
    ax.set_xlim(-0.25, len(places) - 1 + 0.35)
    ax.set_ylim(1.04, -0.04)
    ax.set_axis_off()
    return ax


def _lines(
    ax: Axes,
    collections: object,
    level: int,
    values: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int32],
    chosen: NDArray[np.bool_],
    places: list[dict[int, float]],
) -> None:
    order = np.flatnonzero(chosen)
    order = order[np.argsort(abs(values[order]), kind="stable")]  # strong ones on top
    strength = abs(values[order]) / max(float(abs(values).max(initial=0.0)), 1e-12)
    ends = [
        [
            (level, places[level][int(columns[k])]),
            (level + 1, places[level + 1][int(rows[k])]),
        ]
        for k in order
    ]
    lines = collections.LineCollection(  # type: ignore[attr-defined]
        ends,
        linewidths=0.15 + 2.2 * strength,
        colors=[PLUS if values[k] > 0 else MINUS for k in order],
        alpha=0.7 if len(order) < 200 else 0.4,
        zorder=1,
    )
    ax.add_collection(lines)


def _dots(
    ax: Axes,
    net: SparseMLP,
    labels: Sequence[PartLabel],
    places: list[dict[int, float]],
) -> None:
    known = {
        (label.part.layer, label.part.index): label
        for label in labels
        if label.part.kind == "neuron" and label.classes
    }
    codes = {label: c for c, label in enumerate(net.classes.tolist())} if known else {}
    last = len(places) - 1
    for level, ys in enumerate(places):
        size = float(np.clip(9000.0 / max(len(ys), 1), 6.0, 160.0)) if level else 14.0
        for j, y in ys.items():
            colour, text = GREY, ""
            if level == last and last:
                colour = class_colour(1 if net.layers[-1] == 1 else j)
                text = _output_name(net, j)
            elif (label := known.get((level - 1, j))) is not None:
                colour = class_colour(codes[label.classes[0]])
                text = ", ".join(map(str, label.classes))
            elif level == 0 and len(ys) <= 40:
                text = net.input_name(j)
            ax.scatter([level], [y], s=size, color=colour, edgecolors="white", lw=0.6, zorder=3)
            if text:
                _name(ax, text, (level, y), on_right=level == last, beside=not level or len(ys) > 9)


def _name(ax: Axes, text: str, at: tuple[float, float], *, on_right: bool, beside: bool) -> None:
    """Write a name beside a dot, or above it."""
    offset, ha = (
        ((9, 0), "left") if on_right else ((-8, 0), "right") if beside else ((0, 9), "center")
    )
    ax.annotate(
        text, at, xytext=offset, textcoords="offset points", va="center", ha=ha, size="small",
        bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75}, zorder=4,
    )  # fmt: skip


def _output_name(net: SparseMLP, j: int) -> str:
    try:
        classes = net.classes
    except ValueError:  # never fitted
        return str(j)
    return str(classes[1] if net.layers[-1] == 1 else classes[j])
