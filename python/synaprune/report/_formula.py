"""The formula of a small network in a report, and which of its inputs interact."""

from __future__ import annotations

import math
from typing import Any

from synaprune.arrays import Inputs
from synaprune.explain import equation, interactions
from synaprune.network import SparseMLP

_MAX_SYNAPSES = 60  # of a network whose formula is shown
_DIGITS = 4


def formula_facts(net: SparseMLP, X: Inputs | None) -> dict[str, Any] | None:
    """Return the formula, and the interactions if there are samples.

    Parameters
    ----------
    net : SparseMLP
    X : ndarray of float32 or uint8, shape (n, n_features), or None

    Returns
    -------
    dict or None
        "lines" of the formula, "notes" about it and "interactions", each a list of str. None of a
        network that is too large to be read, or whose numbers are.
    """
    if net.n_synapses > _MAX_SYNAPSES:
        return None
    # Anywhere: the formula holds for all inputs, not for these rows alone.
    switches = net.activation in ("relu", "leaky_relu")
    anywhere = (-math.inf, math.inf) if switches and X is not None else None
    try:
        found = equation(net, X, bounds=anywhere, digits=_DIGITS)
        pairs = [] if X is None or len(X) < 2 else str(interactions(net, X)).split("\n")
    except ValueError:
        return None
    return {"lines": found.text.split("\n"), "notes": list(found.notes), "interactions": pairs}
