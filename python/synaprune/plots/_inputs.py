"""Plots of the inputs that a network uses, as an image or as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_image_shape, check_type
from synaprune.explain import feature_energy, mean_feature_energy
from synaprune.extras import require
from synaprune.labels import class_number
from synaprune.network import SparseMLP
from synaprune.plots._axes import MAX_BARS, MAX_NAMES, PLUS, axes_for, caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_inputs(
    net: SparseMLP,
    image_shape: tuple[int, int] | None = None,
    *,
    label: Any = None,
    X: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the feature energy of the inputs that a network uses.

    Parameters
    ----------
    net : SparseMLP
    image_shape : (int, int), optional
        Rows and columns, if the inputs are an image; unused inputs stay white. If omitted, the 30
        strongest inputs are drawn as bars.
    label : optional
        The class whose energy is shown; if omitted, the mean over all classes, or all numbers that
        the network predicts.
    X : array_like, shape (n, n_features), optional
        Samples, to weight the energy by mean activations; see `explain.path_energy`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or a label is given and the network was never fitted or
        predicts numbers.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train)
    >>> ax = sn.plots.plot_inputs(net, (8, 8), label=3)  # doctest: +SKIP
    """
    check_type("net", net, SparseMLP)
    if label is None:
        shown = mean_feature_energy(net, X)
    else:
        code = class_number(net.classes, label)
        shown = feature_energy(net, X)[:, 0 if net.layers[-1] == 1 else code]
    everything = "all outputs" if net.is_regression else "all classes"
    about = everything if label is None else f"class {caption(label)}"
    if image_shape is None:
        return _bars(net, shown, about, axes_for(ax, (5.0, 4.5)))
    shape = check_image_shape(image_shape, net.n_features)
    ax = axes_for(ax, (3.6, 3.6))
    _draw(ax, shown, shape)
    ax.set_title(f"{about}: {np.count_nonzero(shown)} inputs", loc="left", fontsize="medium")
    return ax


def plot_class_inputs(
    net: SparseMLP, image_shape: tuple[int, int], *, X: Any = None
) -> NDArray[Any]:
    """Plot the feature energy of the used inputs for every class, side by side.

    Parameters
    ----------
    net : SparseMLP
    image_shape, X
        As in `plot_inputs`.

    Returns
    -------
    ndarray of matplotlib Axes, shape (n_outputs,)
        In one new figure.

    Raises
    ------
    ImportError, TypeError, ValueError
        As `plot_inputs`; also if the network predicts numbers, or has more than 60 classes.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train)
    >>> axes = sn.plots.plot_class_inputs(net, (8, 8))  # doctest: +SKIP
    """
    check_type("net", net, SparseMLP)
    pyplot = require("matplotlib.pyplot", "plot")
    classes = net.classes
    shape = check_image_shape(image_shape, net.n_features)
    n = net.layers[-1]
    if n > MAX_NAMES:
        raise ValueError(
            f"net must have at most {MAX_NAMES} classes to be drawn side by side, got {n}; "
            "plot_inputs draws one of them"
        )
    energy = feature_energy(net, X)
    columns = min(n, 5)
    rows = -(-n // columns)
    _, grid = pyplot.subplots(
        rows, columns, figsize=(1.6 * columns, 1.8 * rows), layout="constrained", squeeze=False
    )
    for c, ax in enumerate(grid.flat):
        if c >= n:
            ax.remove()
            continue
        _draw(ax, energy[:, c], shape)
        name = classes[c if n > 1 else 1]
        ax.set_title(f"{caption(name)}: {np.count_nonzero(energy[:, c])}", fontsize="medium")
    axes: NDArray[Any] = grid.reshape(-1)[:n]
    return axes


def _draw(ax: Axes, shown: NDArray[np.float64], shape: tuple[int, int]) -> None:
    image = np.ma.masked_equal(shown.reshape(shape), 0.0)
    ax.imshow(image**0.5, cmap="viridis_r", vmin=0.0, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("0.7")


def _bars(net: SparseMLP, shown: NDArray[np.float64], about: str, ax: Axes) -> Axes:
    strongest = np.argsort(-shown, kind="stable")[:MAX_BARS]
    strongest = strongest[shown[strongest] > 0][::-1]
    ax.barh(np.arange(len(strongest)), shown[strongest], color=PLUS)
    ax.set_yticks(
        np.arange(len(strongest)), [caption(net.input_name(i)) for i in strongest.tolist()]
    )
    ax.set_xlabel(f"feature energy, {about}")
    more = np.count_nonzero(shown) - len(strongest)
    if more > 0:
        ax.set_title(
            f"the strongest {len(strongest)} of {more + len(strongest)} used inputs", loc="left"
        )
    ax.spines[["top", "right"]].set_visible(False)
    return ax
