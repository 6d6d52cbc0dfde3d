"""A plot of partial dependence: the mean prediction against one input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synaprune.checks import check_type
from synaprune.explain import partial_dependence
from synaprune.explain.graph_layout import output_name
from synaprune.network import SparseMLP
from synaprune.plots._axes import MAX_BARS, axes_for, caption, class_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_partial_dependence(
    net: SparseMLP, X: Any, feature: int | str, *, ax: Axes | None = None
) -> Axes:
    """Plot the mean prediction against one input, a line for each number or class.

    Parameters
    ----------
    net : SparseMLP
    X, feature
        As in `explain.partial_dependence`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        The marks at the bottom are the deciles of the input. Of more than 30 lines those that
        change most are drawn.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or the network was never fitted.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train)
    >>> ax = sn.plots.plot_partial_dependence(net, data.validation.X, 36)  # doctest: +SKIP
    """
    check_type("net", net, SparseMLP)
    ax = axes_for(ax, (5.0, 3.6))
    inputs = net.as_inputs(X)
    curve = partial_dependence(net, inputs, feature)
    names = (
        [output_name(net, k) for k in range(net.layers[-1])]
        if net.is_regression
        else [str(label) for label in net.classes.tolist()]
    )
    most = np.argsort(-np.ptp(curve.average, axis=0), kind="stable")[:MAX_BARS]
    for k in sorted(most.tolist()):
        y, name = curve.average[:, k], caption(names[k])
        label = f" {name}" if name.startswith("_") else name  # else no legend would show it
        ax.plot(curve.values, y, "-o", ms=2.5, lw=1.5, color=class_colour(k), label=label)
    if len(most) < len(names):
        ax.set_title(f"the {len(most)} that change most, of {len(names)}", loc="left")
    deciles = np.quantile(inputs[:, curve.feature], np.linspace(0.1, 0.9, 9))
    ax.plot(deciles, np.zeros(9), "|k", ms=7, transform=ax.get_xaxis_transform(), clip_on=False)
    ax.set_xlabel(caption(net.input_name(curve.feature)))
    ax.set_ylabel("mean prediction" if net.is_regression else "mean probability")
    if len(names) > 1:
        ax.legend(frameon=False, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
