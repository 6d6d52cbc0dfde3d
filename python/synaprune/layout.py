"""Where the neurons of a network stand in a drawing, and which synapses it can show."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_int
from synaprune.network import SparseMLP

_SWEEPS = 4


def strongest_synapses(net: SparseMLP, most: int) -> list[NDArray[np.bool_]]:
    """Choose up to so many synapses, each layer's strongest relative to its strongest.

    Those that lead from or to a neuron that does not live are never chosen, nor weights of 0.

    Parameters
    ----------
    net : SparseMLP
    most : int
        At least 1.

    Returns
    -------
    list of ndarray of bool, shape (nnz,)
    """
    most = check_int("most", most, 1)
    living = _living(net)
    strength = []
    for level, w in enumerate(net.weights):
        ends = np.isin(w.indices, living[level]) & np.isin(w.rows, living[level + 1])
        size = abs(w.values) * ends
        strength.append(size / max(float(size.max(initial=0.0)), 1e-30))
    every = np.concatenate(strength)
    chosen = every > 0
    if np.count_nonzero(chosen) > most:
        chosen[:] = False
        chosen[np.argpartition(-every, most)[:most]] = True
    return np.split(chosen, np.cumsum([len(s) for s in strength])[:-1])


def vertical_places(net: SparseMLP) -> list[dict[int, float]]:
    """Place each level's living neurons between 0 and 1 so that few lines cross.

    Parameters
    ----------
    net : SparseMLP

    Returns
    -------
    list of dict of int to float
        Per level, inputs first: neuron to place. Outputs keep their order; below, each neuron goes
        where its synapses' other ends are on average, weighted by |w| (the barycentre heuristic
        of Sugiyama, Tagawa & Toda, 1981).
    """
    weights = net.weights
    living = _living(net)
    places = [
        _spread(np.arange(n, dtype=np.float64), ids)
        for n, ids in zip(map(len, living), living, strict=True)
    ]
    for _ in range(_SWEEPS):
        for level in range(len(weights) - 1, -1, -1):
            w = weights[level]
            pull = abs(w.values).astype(np.float64)
            weight = np.bincount(w.indices, pull, w.n_in)
            ends = np.full(w.shape[0], 0.5)
            ends[list(places[level + 1])] = list(places[level + 1].values())
            sums = np.bincount(w.indices, pull * ends[w.rows], w.n_in)
            centre = sums / np.maximum(weight, 1e-30)
            places[level] = _spread(centre[living[level]], living[level])
    return places


def _living(net: SparseMLP) -> list[NDArray[np.int32]]:
    """Return the neurons of each level that have a synapse in and one out; all outputs."""
    living = [net.used_inputs]
    for below, above in itertools.pairwise(net.weights):
        fed = np.flatnonzero(np.diff(below.indptr))
        living.append(np.intersect1d(fed, above.indices).astype(np.int32))
    return [*living, np.arange(net.layers[-1], dtype=np.int32)]


def _spread(order: NDArray[np.float64], ids: NDArray[np.int32]) -> dict[int, float]:
    """Place neurons evenly, in that order."""
    n = len(ids)
    ranked = ids[np.argsort(order, kind="stable")].tolist()
    return {j: (i + 0.5) / n for i, j in enumerate(ranked)}
