"""Which synapses matter least: scores by name."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from synaprune.network import SparseMLP
from synaprune.training import SGD, Optimizer

CRITERIA = {
    "wsf": "weight significance factor |w - w(0)| (Bulín & Šmídl 2017; `movement` of Zhou et al. "
    "2019, arXiv 1905.01067)",
    "magnitude": "|w|",
    "random": "uniform random numbers, the baseline",
}


SMALL_START = 0.1  # of Glorot's range; below it, decay pulls idle synapses back to w(0)


def check_criterion(
    criterion: str, optimizer: Optimizer | None = None, init_scale: float = 1.0
) -> str:
    """Return the criterion's name; raise if unknown, warn if the training spoils it.

    Adam moves all synapses about as far. Weight decay and L1 move idle synapses by |w(0)|, towards
    zero, which buries WSF unless the start was small.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if not isinstance(criterion, str) or criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {criterion!r}")
    if criterion == "wsf" and optimizer is not None:
        spoilers = [] if isinstance(optimizer, SGD) else ["an adaptive optimiser"]
        if init_scale > SMALL_START:
            spoilers += [name for name in ("weight_decay", "l1") if getattr(optimizer, name) != 0.0]
        if spoilers:
            warnings.warn(
                f"with {' and '.join(spoilers)} synapses move for other reasons than the data, "
                "and 'wsf' ranks poorly; use plain SGD, or criterion='magnitude'",
                UserWarning,
                stacklevel=3,
            )
    return criterion


def score(net: SparseMLP, criterion: str = "wsf") -> list[NDArray[np.float32]]:
    """Score of every synapse; pruning removes the lowest first.

    Parameters
    ----------
    net : SparseMLP
        The network; it is not changed.
    criterion : {"wsf", "magnitude", "random"}
        "wsf" is |w - w(0)|, the weight significance factor of Bulín & Šmídl (2017), also known as
        `movement` (Zhou et al., 2019); "magnitude" is |w|; "random" is the baseline.

    Returns
    -------
    list of ndarray of float32
        One array a layer, in the order of ``net.weights[l].values``.

    Raises
    ------
    ValueError
        If the criterion is unknown.

    Examples
    --------
    >>> net = SparseMLP((2, 3, 1), seed=0)
    >>> [s.tolist() for s in score(net)]  # nothing has moved yet
    [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    flat = net.core.copy().score(check_criterion(criterion))
    ends = np.cumsum([len(layer[2]) for layer in net.core.layers()])
    return np.split(flat, ends[:-1])
