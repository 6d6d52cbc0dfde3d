"""Samples: which take the same way through a network, and which are typical."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import as_inputs
from synaprune.checks import check_int
from synaprune.explain._energy import activations
from synaprune.explain._seen import at_zero, seen_by
from synaprune.network import SparseMLP
from synaprune.threads import Threads


@dataclass(frozen=True, eq=False)
class Group:
    """Samples that take the same way through the network.

    Attributes
    ----------
    active : tuple of (int, int)
        The hidden neurons that are active, as (layer, neuron).
    samples : ndarray of int64, ascending
        Row numbers.
    """

    active: tuple[tuple[int, int], ...]
    samples: NDArray[np.int64]


def groups(net: SparseMLP, X: Any, *, threads: Threads = None) -> list[Group]:
    """Group samples by which hidden neurons are active for them.

    Active is a neuron whose output is above that of a sum of 0: above 0 for relu and tanh, above
    one half for sigmoid.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
    threads : int or "auto", optional

    Returns
    -------
    list of Group
        Largest first.

    Raises
    ------
    TypeError, ValueError
        If X does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, epochs=20)
    >>> sum(len(group.samples) for group in sn.explain.groups(net, data.train.X))
    1079
    """
    rest = at_zero(net)
    layers = [
        activations(net, X, layer, threads=threads) > rest for layer in range(len(net.layers) - 2)
    ]
    names = [(layer, j) for layer, a in enumerate(layers) for j in range(a.shape[1])]
    n = len(as_inputs(X, net.layers[0]))
    pattern = np.hstack(layers) if layers else np.zeros((n, 0), bool)
    packed = np.packbits(pattern, axis=1)
    _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(which, minlength=len(first)))[:-1])
    found = [
        Group(tuple(names[j] for j in np.flatnonzero(pattern[at])), rows)
        for at, rows in zip(first.tolist(), members, strict=True)
    ]
    return sorted(found, key=lambda g: (-len(g.samples), int(g.samples[0])))


@dataclass(frozen=True)
class Examples:
    """Typical and untypical samples of a class, as row numbers.

    Attributes
    ----------
    label
        The class.
    prototypes, outliers : tuple of int
        Nearest to, and farthest from, the class's mean in the last hidden layer.
    """

    label: Any
    prototypes: tuple[int, ...]
    outliers: tuple[int, ...]


def examples(
    net: SparseMLP, X: Any, y: Any = None, *, most: int = 3, threads: Threads = None
) -> list[Examples]:
    """Find prototypes and outliers of each class, by what the last hidden layer says of them.

    Parameters
    ----------
    net : SparseMLP
    X, y : array_like, shapes (n, n_features) and (n,), or a CheckedData alone
    most : int
        How many of each.
    threads : int or "auto", optional

    Returns
    -------
    list of Examples
        One a class that has samples. Prototypes are among those that the network gets right, where
        there are any.

    Raises
    ------
    TypeError, ValueError
        If the data do not fit, or the network was never fitted.
    """
    most = check_int("most", most, 1)
    data = net.check_data(X, y)
    inputs, codes = data.X, data.y
    hidden = len(net.layers) > 2
    said = activations(net, inputs, -2, threads=threads) if hidden else seen_by(net, inputs)
    right = net.predict(inputs, threads=threads) == net.classes[codes]
    found = []
    for c, label in enumerate(net.classes.tolist()):
        rows = np.flatnonzero(codes == c)
        if not len(rows):
            continue
        distance = np.linalg.norm(said[rows] - said[rows].mean(axis=0, dtype=np.float64), axis=1)
        nearest = rows[np.lexsort((distance, ~right[rows]))][:most]
        farthest = rows[np.argsort(-distance, kind="stable")][:most]
        found.append(Examples(label, tuple(nearest.tolist()), tuple(farthest.tolist())))
    return found
