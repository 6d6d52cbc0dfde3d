"""Matrices as pictures: what each class loses, and which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaprune.explain import Ablation, Part
from synaprune.plots._axes import axes_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_ROWS = 40


def plot_ablation(ablation: Ablation, ax: Axes | None = None) -> Axes:
    """Draw what each class loses without each part.

    Parameters
    ----------
    ablation : Ablation
        Mostly of one kind of part: ``ablation.only("neuron")``. Of more than 40 parts the 40 that
        matter most are drawn.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there is no part.
    """
    if not len(ablation):
        raise ValueError("the ablation holds no part to plot")
    loss = ablation.loss
    rows = np.sort(np.argsort(-abs(loss).max(axis=1), kind="stable")[:_MOST_ROWS])
    ax = axes_for(ax, (1.5 + 0.45 * loss.shape[1], 1.2 + 0.24 * len(rows)))
    top = max(float(abs(loss).max()), 1e-9)
    image = ax.imshow(
        100 * loss[rows], cmap="PuOr_r", vmin=-100 * top, vmax=100 * top, aspect="auto"
    )
    ax.set_xticks(np.arange(loss.shape[1]), ablation.classes.tolist())
    ax.set_yticks(np.arange(len(rows)), [_name(ablation.parts[i]) for i in rows], fontsize="small")
    ax.set_xlabel("class")
    left_out = len(loss) - len(rows)
    if left_out:
        ax.set_title(f"the {len(rows)} that matter most of {len(loss)}", loc="left")
    if ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, label="points of accuracy lost without it")
    return ax


def plot_confusion(matrix: NDArray[np.int64], classes: Any = None, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: how many of each class (row) are taken for which (column).

    Parameters
    ----------
    matrix : ndarray of int, shape (n_classes, n_classes)
        As `explain.confusion_matrix` gives it.
    classes : sequence, optional
        Labels; numbers if left out.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If shapes do not fit.
    """
    matrix = np.asarray(matrix)
    n = len(matrix)
    if matrix.shape != (n, n) or not n:
        raise ValueError(f"matrix must be square, got shape {matrix.shape}")
    names = [str(c) for c in (range(n) if classes is None else classes)]
    if len(names) != n:
        raise ValueError(f"classes must name {n} classes, got {len(names)}")
    ax = axes_for(ax, (1.6 + 0.45 * n, 1.4 + 0.42 * n))
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shade = np.where(np.eye(n, dtype=bool), 0.0, share)  # what is wrong is what is looked for
    ax.imshow(shade, cmap="Oranges", vmin=0.0, vmax=max(float(shade.max()), 1e-9))
    dark = 0.6 * shade.max(initial=0.0)
    for (row, column), count in np.ndenumerate(matrix):
        if count and n <= 20:
            wrong = "white" if shade[row, column] > dark else "black"
            colour = "0.45" if row == column else wrong
            ax.text(column, row, str(count), ha="center", va="center", size="small", color=colour)
    ax.set_xticks(np.arange(n), names)
    ax.set_yticks(np.arange(n), names)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    return ax


def _name(part: Part) -> str:
    if part.kind == "input":
        return f"input {part.index}"
    if part.kind == "neuron":
        return f"neuron {part.index}" + f" of layer {part.layer + 1}" * (part.layer > 0)
    return f"{part.source} → {part.index}" + f" (layer {part.layer})" * (part.layer > 0)
