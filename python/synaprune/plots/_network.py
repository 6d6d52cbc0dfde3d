"""A plot of the network: neurons as dots, synapses as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_type
from synaprune.explain import UnitLabel
from synaprune.explain.graph_layout import node_positions, output_name, strongest_synapses
from synaprune.extras import require
from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.plots._axes import GREY, MAX_NAMES, MINUS, PLUS, axes_for, caption, class_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_NEURONS = 5000  # of a column that is drawn whole


def plot_network(
    net: SparseMLP,
    labels: Sequence[UnitLabel] = (),
    *,
    max_synapses: int = 3000,
    ax: Axes | None = None,
) -> Axes:
    """Plot a network from left to right: used inputs, hidden neurons, outputs.

    Parameters
    ----------
    net : SparseMLP
    labels : sequence of UnitLabel, optional
        Labels of hidden neurons, as `explain.annotate_units` returns them. Labelled neurons have
        the colour and the name of their class.
    max_synapses : int
        Maximum number of synapses to draw, at least 1. The strongest of each layer are drawn; the
        title tells how many are not.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        The width of a line is the |w| of its synapse relative to the largest of the layer; blue
        weights are positive, orange ones negative. More than 40 inputs or 60 outputs have no names.

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
    check_type("net", net, SparseMLP)
    for label in labels:
        check_type("each of labels", label, UnitLabel)
    collections = require("matplotlib.collections", "plot")
    ax = axes_for(ax, (7.0, 5.0))
    drawn = strongest_synapses(net, max_synapses)
    everywhere = node_positions(net)
    positions = [_at_lines(net, drawn, level, column) for level, column in enumerate(everywhere)]
    for layer, (w, chosen) in enumerate(zip(net.weights, drawn, strict=True)):
        _draw_lines(ax, collections, layer, w, chosen, positions)
    _draw_neurons(ax, net, labels, positions)
    left_out = net.n_synapses - sum(int(chosen.sum()) for chosen in drawn)
    title = f"{net.structure}, {net.n_synapses} synapses"
    if left_out:
        title += f", the weakest {left_out} not drawn"
    if unseen := sum(map(len, everywhere)) - sum(map(len, positions)):
        title += f", nor {unseen} neurons without a line"
    ax.set_title(title, loc="left")
    ax.set_xlim(-0.25, len(positions) - 1 + 0.35)
    ax.set_ylim(1.04, -0.04)
    ax.set_axis_off()
    return ax


def _at_lines(
    net: SparseMLP, drawn: list[NDArray[np.bool_]], level: int, column: dict[int, float]
) -> dict[int, float]:
    """Return a column of neurons; of a very long one those at the ends of the lines alone."""
    if len(column) <= _MAX_NEURONS:
        return column
    weights, ends = net.weights, list[NDArray[Any]]()
    if level > 0:
        ends.append(weights[level - 1].rows[drawn[level - 1]])
    if level < len(weights):
        ends.append(weights[level].indices[drawn[level]])
    return {j: column[j] for j in np.unique(np.concatenate(ends)).tolist()}


def _draw_lines(
    ax: Axes,
    collections: Any,
    layer: int,
    w: SparseLayer,
    chosen: NDArray[np.bool_],
    positions: list[dict[int, float]],
) -> None:
    """Draw the synapses of a layer, which lead from column `layer` to column ``layer + 1``."""
    order = np.flatnonzero(chosen)
    order = order[np.argsort(abs(w.values[order]), kind="stable")]  # strong ones on top
    strength = abs(w.values[order]) / max(float(abs(w.values).max(initial=0.0)), 1e-12)
    below, above = positions[layer], positions[layer + 1]
    pairs = zip(w.indices[order].tolist(), w.rows[order].tolist(), strict=True)
    lines = collections.LineCollection(
        [[(layer, below[source]), (layer + 1, above[row])] for source, row in pairs],
        linewidths=0.15 + 2.2 * strength,
        colors=[PLUS if value > 0 else MINUS for value in w.values[order]],
        alpha=0.7 if len(order) < 200 else 0.4,
        zorder=1,
    )
    ax.add_collection(lines)


def _draw_neurons(
    ax: Axes, net: SparseMLP, labels: Sequence[UnitLabel], positions: list[dict[int, float]]
) -> None:
    """Draw the inputs in column 0 and the neurons of each layer in column ``layer + 1``."""
    labelled = {
        (label.unit.layer, label.unit.index): label
        for label in labels
        if label.unit.kind == "neuron" and label.classes
    }
    codes = {label: c for c, label in enumerate(net.classes.tolist())} if labelled else {}
    last = len(net.layers) - 2
    for layer, column in enumerate(positions, start=-1):
        size = float(np.clip(9000.0 / max(len(column), 1), 6.0, 160.0)) if layer >= 0 else 14.0
        beside = layer < 0 or len(column) > 9
        colours = []
        for j, y in column.items():
            colour, text = GREY, ""
            if layer == last:
                colour = class_colour(1 if net.layers[-1] == 1 else j)
                text = output_name(net, j) if len(column) <= MAX_NAMES else ""
            elif (label := labelled.get((layer, j))) is not None:
                colour = class_colour(codes[label.classes[0]])
                text = ", ".join(map(str, label.classes))
            elif layer < 0 and len(column) <= 40:
                text = net.input_name(j)
            colours.append(colour)
            if text:
                at = layer + 1, y
                _write_name(ax, caption(text), at, on_right=layer == last, beside=beside)
        x = np.full(len(column), layer + 1)
        ax.scatter(
            x, list(column.values()), s=size, c=colours, edgecolors="white", lw=0.6, zorder=3
        )


def _write_name(
    ax: Axes, text: str, at: tuple[float, float], *, on_right: bool, beside: bool
) -> None:
    """Write a name beside or above a neuron."""
    offset, ha = (
        ((9, 0), "left") if on_right else ((-8, 0), "right") if beside else ((0, 9), "center")
    )
    ax.annotate(
        text, at, xytext=offset, textcoords="offset points", va="center", ha=ha, size="small",
        bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75}, zorder=4,
    )  # fmt: skip
