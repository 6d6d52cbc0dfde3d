"""Positions and names of neurons in a drawing of a network, and the synapses to draw."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_int
from synaprune.layers import split_synapses
from synaprune.network import SparseMLP

_SWEEPS = 4


def strongest_synapses(net: SparseMLP, max_synapses: int) -> list[NDArray[np.bool_]]:
    """Choose the synapses with the largest weights, relative to the largest of their layer.

    Synapses of weight 0, and those from or to a dead neuron, are never chosen.

    Parameters
    ----------
    net : SparseMLP
    max_synapses : int
        At least 1.

    Returns
    -------
    list of ndarray of bool, shape (nnz,)
        One array per layer, in the order of ``net.weights[layer].values``.

    Raises
    ------
    TypeError, ValueError
        If max_synapses does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> [int(c.sum()) for c in strongest_synapses(sn.SparseMLP((3, 2), seed=0), 4)]
    [4]
    """
    max_synapses = check_int("max_synapses", max_synapses, 1)
    strength, weights = [], net.weights
    for w, (below, above) in zip(weights, itertools.pairwise(_alive(net)), strict=True):
        size = abs(w.values) * (np.isin(w.indices, below) & np.isin(w.rows, above))
        strength.append(size / max(float(size.max(initial=0.0)), 1e-30))
    flat = np.concatenate(strength)
    chosen = flat > 0
    if np.count_nonzero(chosen) > max_synapses:
        chosen[:] = False
        chosen[np.argpartition(-flat, max_synapses)[:max_synapses]] = True
    return split_synapses(chosen, weights)


def node_positions(net: SparseMLP) -> list[dict[int, float]]:
    """Place the used inputs and the neurons of each layer between 0 and 1, with few crossings.

    Outputs keep their order. Below, each neuron is placed at the mean position of the neurons to
    which it leads, weighted by |w| (the barycentre heuristic of Sugiyama, Tagawa & Toda, 1981).

    Parameters
    ----------
    net : SparseMLP

    Returns
    -------
    list of dict of int to float
        One dict of positions for the inputs, then one per layer; dead neurons are left out.

    Examples
    --------
    >>> import synaprune as sn
    >>> node_positions(sn.SparseMLP((1, 2), seed=0))
    [{0: 0.5}, {0: 0.25, 1: 0.75}]
    """
    weights = net.weights
    alive = _alive(net)
    positions = [_spread(np.arange(len(ids), dtype=np.float64), ids) for ids in alive]
    for _ in range(_SWEEPS):
        for layer in range(len(weights) - 1, -1, -1):
            w, above = weights[layer], positions[layer + 1]
            pull = abs(w.values).astype(np.float64)
            ends = np.full(w.shape[0], 0.5)
            ends[list(above)] = list(above.values())
            sums = np.bincount(w.indices, pull * ends[w.rows], w.n_in)
            centre = sums / np.maximum(np.bincount(w.indices, pull, w.n_in), 1e-30)
            positions[layer] = _spread(centre[alive[layer]], alive[layer])
    return positions


def output_name(net: SparseMLP, j: int) -> str:
    """Return what an output is called: its class, "y" or "y0" if it is a number to predict.

    Parameters
    ----------
    net : SparseMLP
    j : int
        Its position.

    Returns
    -------
    str
        Of a network of classes that was never fitted, the position.

    Examples
    --------
    >>> import synaprune as sn
    >>> [output_name(sn.SparseMLP((3, 2), loss="squared_error"), j) for j in range(2)]
    ['y0', 'y1']
    """
    alone = net.layers[-1] == 1
    if net.is_regression:
        return "y" if alone else f"y{j}"
    try:
        return str(net.classes[1 if alone else j])
    except ValueError:  # never fitted
        return str(j)


def _alive(net: SparseMLP) -> list[NDArray[np.int32]]:
    """Return the used inputs, then the neurons of each layer with synapses in and out; outputs."""
    alive = [net.used_inputs]
    for below, above in itertools.pairwise(net.weights):
        fed = np.flatnonzero(np.diff(below.indptr))
        alive.append(np.intersect1d(fed, above.indices).astype(np.int32))
    return [*alive, np.arange(net.layers[-1], dtype=np.int32)]


def _spread(order: NDArray[np.float64], ids: NDArray[np.int32]) -> dict[int, float]:
    """Place neurons at equal distances, in ascending order."""
    n = len(ids)
    ranked = ids[np.argsort(order, kind="stable")].tolist()
    return {j: (i + 0.5) / n for i, j in enumerate(ranked)}
