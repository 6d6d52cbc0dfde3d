"""Which synapses a network has: what a cut of whole parts leaves, and what may grow again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synaprune.layers import SparseLayer, split_synapses
from synaprune.network import SparseMLP


def without_neuron(net: SparseMLP, scores: NDArray[np.float32], skip: int) -> NDArray[np.uint8]:
    """Return which synapses stay if a hidden neuron loses all that lead to it.

    It is the one of the lowest sum of its synapses' scores, in and out, after the `skip` lowest; if
    there are not so many, all stay. Neurons with a frozen synapse stay.

    Parameters
    ----------
    net : SparseMLP
    scores : ndarray of float32, shape (n_synapses,)
        Of every synapse, layers one after another.
    skip : int

    Returns
    -------
    ndarray of uint8, shape (n_synapses,)
    """
    weights, frozen = net.weights, net.frozen_synapses
    parts = split_synapses(scores.astype(np.float64), weights)
    neurons: list[tuple[float, int, int]] = []  # sum of scores, layer, row
    for layer, (below, above) in enumerate(itertools.pairwise(weights)):
        sums = np.bincount(below.rows, parts[layer], above.n_in).astype(np.float64)
        sums += np.bincount(above.indices, parts[layer + 1], above.n_in)
        movable = np.diff(below.indptr) > 0
        movable[below.rows[frozen[layer]]] = False
        movable[above.indices[frozen[layer + 1]]] = False
        neurons += [(sums[row], layer, row) for row in np.flatnonzero(movable).tolist()]
    keep = np.ones(len(scores), np.uint8)
    if skip < len(neurons):
        _, layer, row = sorted(neurons)[skip]
        below = weights[layer]
        split_synapses(keep, weights)[layer][below.indptr[row] : below.indptr[row + 1]] = 0
    return keep


def between_living_neurons(now: SparseLayer, then: SparseLayer) -> NDArray[np.bool_]:
    """Return which synapses of `then` connect rows and columns that have a synapse in `now`."""
    columns = np.zeros(then.n_in, bool)
    columns[now.indices] = True
    chosen: NDArray[np.bool_] = (np.diff(now.indptr) > 0)[then.rows] & columns[then.indices]
    return chosen


def positions(now: SparseLayer, then: SparseLayer) -> NDArray[np.int64]:
    """Return where the synapses of `now` are among those of `then`, which has them all."""
    return np.searchsorted(then.keys, now.keys)


def regrown(
    net: SparseMLP,
    then: Sequence[SparseLayer],
    chosen: Sequence[NDArray[np.bool_]],
    *,
    at_zero: bool = False,
) -> SparseMLP:
    """Return a copy of a network in which removed synapses have grown again.

    Parameters
    ----------
    net : SparseMLP
    then : sequence of SparseLayer
        Layers that have all synapses of `net` and others.
    chosen : sequence of ndarray of bool
        Of each layer of `then`, which synapses the copy has besides those of `net`.
    at_zero : bool
        New synapses weigh nothing, in place of their initial weights.

    Returns
    -------
    SparseMLP
    """
    layers = []
    for now, full, more in zip(net.weights, then, chosen, strict=True):
        places = positions(now, full)
        values = np.zeros_like(full.initial) if at_zero else full.initial.copy()
        values[places] = now.values
        keep = more.copy()
        keep[places] = True
        counts = np.bincount(full.rows[keep], minlength=len(full.bias))
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        layers.append(
            SparseLayer(
                full.n_in, indptr, full.indices[keep], values[keep], full.initial[keep], now.bias
            )
        )
    return net.copy().set_weights(layers)
