"""Plots of ablations and confusion matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_type
from synaprune.explain import Ablation, RegressionAblation
from synaprune.plots._axes import MAX_NAMES, axes_for, caption, inches, name_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_ROWS = 40


def plot_ablation(ablation: Ablation | RegressionAblation, ax: Axes | None = None) -> Axes:
    """Plot the drop in accuracy of each class, or in R² of each number, without each unit.

    Parameters
    ----------
    ablation : Ablation or RegressionAblation
        Usually of one kind of unit: ``ablation.only("neuron")``. Of more than 40 units the 40 with
        the largest changes are drawn, and of more than 60 classes or numbers likewise 60.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there is no unit.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train)
    >>> ablation = sn.explain.ablate(net, *data.validation, kinds=["neuron"])
    >>> ax = sn.plots.plot_ablation(ablation)  # doctest: +SKIP
    """
    check_type("ablation", ablation, Ablation, RegressionAblation)
    if not len(ablation):
        raise ValueError("ablation must hold a unit to plot, got an empty one")
    if isinstance(ablation, RegressionAblation):
        n = len(ablation.r2)
        names = ["y"] if n == 1 else [f"y{k}" for k in range(n)]
        about, lost = "number", "drop in R²"
        rows = _largest(abs(ablation.loss).max(axis=1), _MAX_ROWS)
        loss = ablation.loss[rows]
    else:
        names = ablation.classes.tolist()
        about, lost = "class", "drop in accuracy (percentage points)"
        row, label, right, wrong = ablation.changes.T
        largest = np.zeros(len(ablation))
        np.maximum.at(largest, row, abs(right - wrong) / ablation.n[label])
        rows = _largest(largest, _MAX_ROWS)
        loss = 100 * np.stack([ablation.of_unit(row).loss[0] for row in rows.tolist()])
    shown = _largest(abs(loss).max(axis=0), MAX_NAMES)
    loss, columns = loss[:, shown], [caption(names[k], 20) for k in shown.tolist()]
    units = [str(ablation.units[i]) for i in rows.tolist()]
    width = 2.5 + 0.45 * len(columns) + inches(units)
    ax = axes_for(ax, (width, 1.2 + 0.24 * len(rows) + inches(columns)))
    top = max(float(abs(loss).max()), 1e-9)
    image = ax.imshow(loss, cmap="PuOr_r", vmin=-top, vmax=top, aspect="auto")
    name_columns(ax, np.arange(len(columns)), columns)
    ax.set_yticks(np.arange(len(rows)), units, fontsize="small")
    ax.set_xlabel(about if len(columns) == len(names) else f"{about} (of {len(names)})")
    if len(rows) < len(ablation):
        title = f"the {len(rows)} units with the largest changes, of {len(ablation)}"
        ax.set_title(title, loc="left")
    if ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, label=lost)
    return ax


def _largest(changes: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Return the positions, ascending, of the n largest."""
    return np.sort(np.argsort(-changes, kind="stable")[:n])


def plot_confusion(matrix: NDArray[np.int64], classes: Any = None, ax: Axes | None = None) -> Axes:
    """Plot a confusion matrix: true classes in rows, predicted classes in columns.

    Parameters
    ----------
    matrix : ndarray of int, shape (n_classes, n_classes)
        As `explain.confusion_matrix` returns it.
    classes : sequence, optional
        Labels; class numbers if omitted.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> ax = sn.plots.plot_confusion(np.array([[9, 1], [0, 5]]), ["no", "yes"])  # doctest: +SKIP
    """
    matrix = np.asarray(matrix)
    n = len(matrix)
    if matrix.shape != (n, n) or not n:
        raise ValueError(f"matrix must be square, got shape {matrix.shape}")
    names = [caption(c, 20) for c in (range(n) if classes is None else classes)]
    if len(names) != n:
        raise ValueError(f"classes must have {n} labels, got {len(names)}")
    ticks, side = np.arange(0, n, -(-n // MAX_NAMES)), min(n, MAX_NAMES)
    told = [names[k] for k in ticks.tolist()]
    ax = axes_for(ax, (1.6 + 0.45 * side + inches(told), 1.4 + 0.42 * side + inches(told)))
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shade = np.where(np.eye(n, dtype=bool), 0.0, share)  # errors alone are shaded
    ax.imshow(shade, cmap="Oranges", vmin=0.0, vmax=max(float(shade.max()), 1e-9))
    dark = 0.6 * shade.max(initial=0.0)
    for (row, column), count in np.ndenumerate(matrix[: n if n <= 20 else 0]):
        if count:
            wrong = "white" if shade[row, column] > dark else "black"
            colour = "0.45" if row == column else wrong
            ax.text(column, row, str(count), ha="center", va="center", size="small", color=colour)
    name_columns(ax, ticks, told)
    ax.set_yticks(ticks, told)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    return ax
