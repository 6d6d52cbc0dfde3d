"""Removed synapses that grow again, at their initial weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP


def between_living_neurons(now: SparseLayer, then: SparseLayer) -> NDArray[np.bool_]:
    """Which synapses of `then` connect rows and columns that have a synapse in `now`."""
    columns = np.zeros(then.n_in, bool)
    columns[now.indices] = True
    chosen: NDArray[np.bool_] = (np.diff(now.indptr) > 0)[then.rows] & columns[then.indices]
    return chosen


def living(now: SparseLayer, then: SparseLayer) -> NDArray[np.int64]:
    """Where the synapses of `now` are among those of `then`, which has them all."""
    return np.searchsorted(then.keys, now.keys)


def regrown(
    net: SparseMLP,
    then: Sequence[SparseLayer],
    chosen: Sequence[NDArray[np.bool_]],
    *,
    at_zero: bool = False,
) -> SparseMLP:
    """Return a copy of a network with more synapses.

    Parameters
    ----------
    net : SparseMLP
    then : sequence of SparseLayer
        Layers that have all synapses of `net` and others.
    chosen : sequence of ndarray of bool
        Of each layer of `then`, which synapses the copy has besides those of `net`.
    at_zero : bool
        New synapses weigh nothing, in place of their initial weights.
    """
    layers = []
    for now, full, more in zip(net.weights, then, chosen, strict=True):
        places = living(now, full)
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
