"""Samples that activate the same neurons, and prototypes of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import finite
from synaprune.checks import check_int, check_type
from synaprune.explain._activations import activation_at_zero, hidden_activations
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads


@dataclass(frozen=True, eq=False)
class ActivationPattern:
    """A set of active hidden neurons, and the samples that activate exactly these.

    Attributes
    ----------
    active : tuple of (int, int)
        The active hidden neurons, as (layer, neuron).
    samples : ndarray of int64, ascending
        Row numbers.
    """

    active: tuple[tuple[int, int], ...]
    samples: NDArray[np.int64]


def activation_patterns(
    net: SparseMLP, X: Any, *, threads: Threads = None
) -> list[ActivationPattern]:
    """Group samples by the set of hidden neurons that they activate.

    A neuron is active if its output exceeds that of a weighted sum of 0: if it is above 0 for relu
    and tanh, above 1/2 for sigmoid.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
    threads : int or "auto", optional

    Returns
    -------
    list of ActivationPattern
        In descending order of their number of samples.

    Raises
    ------
    TypeError, ValueError
        If X does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> patterns = sn.explain.activation_patterns(net, data.train.X)
    >>> sum(len(pattern.samples) for pattern in patterns)
    1079
    """
    check_type("net", net, SparseMLP)
    inputs, at_zero = net.as_inputs(X), activation_at_zero(net)
    layers = [a > at_zero for a in hidden_activations(net, inputs, check_threads(threads))]
    names = [(layer, j) for layer, active in enumerate(layers) for j in range(active.shape[1])]
    active = np.hstack(layers) if layers else np.zeros((len(inputs), 0), bool)
    packed = np.packbits(active, axis=1)
    _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(which, minlength=len(first)))[:-1])
    found = [
        ActivationPattern(tuple(names[j] for j in np.flatnonzero(active[row])), samples)
        for row, samples in zip(first.tolist(), members, strict=True)
    ]
    return sorted(found, key=lambda p: (-len(p.samples), int(p.samples[0])))


@dataclass(frozen=True)
class ClassPrototypes:
    """Prototypes and outliers of a class, as row numbers.

    Attributes
    ----------
    label
        The class.
    prototypes, outliers : tuple of int
        The samples nearest to, and farthest from, the class's mean in the last hidden layer.
    """

    label: Any
    prototypes: tuple[int, ...]
    outliers: tuple[int, ...]


def prototypes(
    net: SparseMLP, X: Any, y: Any = None, *, top_k: int = 3, threads: Threads = None
) -> list[ClassPrototypes]:
    """Find prototypes and outliers of each class by their activations in the last hidden layer.

    Parameters
    ----------
    net : SparseMLP
    X, y : array_like, shapes (n, n_features) and (n,), or a CheckedData alone
    top_k : int
        Number of prototypes, and of outliers, of each class.
    threads : int or "auto", optional

    Returns
    -------
    list of ClassPrototypes
        One for each class that has samples. Correctly predicted samples come first among the
        prototypes. Without a hidden layer, distances are those of the scaled inputs.

    Raises
    ------
    TypeError, ValueError
        If the data do not fit, or the network was never fitted or predicts numbers.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> zeros = sn.explain.prototypes(net, *data.train)[0]
    >>> zeros.label, len(zeros.prototypes)
    (0, 3)
    """
    check_type("net", net, SparseMLP)
    classes = net.classes
    top_k = check_int("top_k", top_k, 1)
    data, n_threads = net.check_data(X, y), check_threads(threads)
    last = len(net.layers) - 3  # the last hidden layer
    features: NDArray[Any] = (
        finite(_core.activations(net._core, data.X, last, n_threads))
        if last >= 0
        else net.input_transform.apply(data.X)
    )
    wrong = finite(net._core.classify(data.X, n_threads)) != data.y
    found = []
    ends = np.cumsum(np.bincount(data.y, minlength=len(classes)))[:-1]
    members = np.split(np.argsort(data.y, kind="stable"), ends)
    for label, rows in zip(classes.tolist(), members, strict=True):
        if not len(rows):
            continue
        mean = features[rows].mean(axis=0, dtype=np.float64)
        distance = np.linalg.norm(features[rows] - mean, axis=1)
        nearest = rows[np.lexsort((distance, wrong[rows]))][:top_k]
        farthest = rows[np.argsort(-distance, kind="stable")][:top_k]
        found.append(ClassPrototypes(label, tuple(nearest.tolist()), tuple(farthest.tolist())))
    return found
