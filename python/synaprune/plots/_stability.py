"""Plot of how often each column is selected on halves of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from synaprune.checks import check_float, check_names, shown
from synaprune.plots._axes import GREY, MAX_BARS, MINUS, PLUS, axes_for, caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_stability(
    selector: Any,
    names: Sequence[str] | None = None,
    *,
    threshold: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot in what share of the halves of the rows each column, or group, is selected.

    The 30 most frequent are drawn.

    Parameters
    ----------
    selector : NetworkSelector or array_like of float, shape (n,)
        One that was fitted with `n_resamples`, or frequencies.
    names : sequence of str, optional
        Of the bars; a selector has those of its columns or groups, others are called "x0", "x1", ….
    threshold : float, optional
        From which on a column counts as selected; a selector has its own.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError, ValueError
        If an argument does not fit, or the selector was not fitted with `n_resamples`.

    Examples
    --------
    >>> import synaprune as sn
    >>> ax = sn.plots.plot_stability([1.0, 0.9, 0.2], threshold=0.6)  # doctest: +SKIP
    """
    frequencies = selector
    if hasattr(selector, "get_support"):
        if not hasattr(selector, "frequencies_"):
            raise ValueError("selector must be fitted with n_resamples, which gives frequencies")
        threshold = selector.threshold if threshold is None else threshold
        frequencies, labels = selector.frequencies_, getattr(selector, "feature_names_in_", None)
        if hasattr(selector, "groups_"):
            of_groups = dict(zip(selector.groups_, frequencies, strict=True))
            frequencies, labels = list(of_groups.values()), list(map(str, of_groups))
        names = labels if names is None else names
    shares = np.asarray(frequencies)
    if shares.dtype.kind not in "fiu" or shares.ndim != 1 or not len(shares):
        raise TypeError(f"frequencies must be an array of one axis, got {shown(selector)}")
    if not ((shares >= 0.0) & (shares <= 1.0)).all():
        raise ValueError("frequencies must be from 0 to 1")
    if threshold is not None:
        threshold = check_float("threshold", threshold, 0.0, 1.0)
    if names is None:
        names = [f"x{i}" for i in range(len(shares))]
    names = check_names("names", names, len(shares))
    ax = axes_for(ax, (5.0, 1.0 + 0.17 * min(MAX_BARS, len(shares))))
    most = np.argsort(-shares, kind="stable")[:MAX_BARS][::-1]
    chosen = shares[most] >= (0.0 if threshold is None else threshold)
    places = np.arange(len(most))
    ax.barh(places, shares[most], color=np.where(chosen, PLUS, GREY).tolist())
    ax.set_yticks(places, [caption(names[i]) for i in most.tolist()])
    ax.set_xlim(0.0, 1.0)
    ax.margins(y=0.01)
    ax.set_xlabel("share of the halves in which it is selected")
    if threshold is not None:
        ax.axvline(threshold, color=MINUS, lw=1.0, ls="--")
    if len(shares) > len(most):
        ax.set_title(f"the most frequent {len(most)} of {len(shares)}", loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
