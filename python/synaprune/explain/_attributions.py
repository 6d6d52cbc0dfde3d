"""Attributions: how much each input, and each path, adds to the logit of a class."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, Labels
from synaprune.checks import check_int
from synaprune.explain._activations import Floats, activation_at_zero, mean_slope
from synaprune.labels import class_number
from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.threads import Threads


@dataclass(frozen=True, eq=False)
class Attributions:
    """How much each input adds to one logit of each sample.

    Attributes
    ----------
    values : ndarray of float64, shape (n, n_features)
        ``values.sum(axis=1) + bias`` is the logit.
    bias : ndarray of float64, shape (n,)
        What the biases add, and activation functions that are not 0 at 0.
    labels : ndarray, shape (n,)
        The class of each row's logit.
    """

    values: Floats
    bias: Floats
    labels: Labels

    @property
    def logits(self) -> Floats:
        """Sums of the attributions and the bias, shape (n,)."""
        total: Floats = self.values.sum(axis=1) + self.bias
        return total


def attributions(
    net: SparseMLP, X: Any, label: Any = None, *, threads: Threads = None
) -> Attributions:
    """Attribute the logit of a class to the inputs, over all paths through the network.

    A hidden neuron passes on a(z) = a(0) + s·z, with the slope s = (a(z) - a(0)) / z at its own
    weighted sum z. Along a path, weights and slopes multiply; the paths of an input add up. The
    attributions and the bias sum to the logit. For relu networks s is 0 or 1, and an attribution is
    gradient times input (DeepLIFT's rescale rule with reference 0: Shrikumar et al., 2017).

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
    label : optional
        The class; if omitted, the predicted class of each sample. With one output and two classes,
        the logit of the first class is the negated one.
    threads : int or "auto", optional

    Returns
    -------
    Attributions

    Raises
    ------
    TypeError, ValueError
        If X does not fit, the label is unknown, or the network was never fitted.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> found = sn.explain.attributions(net, data.test.X[:5])
    >>> found.values.shape, found.labels.tolist() == net.predict(data.test.X[:5]).tolist()
    ((5, 64), True)
    """
    inputs, codes = _check_question(net, X, label, threads)
    weights, scaled = net.weights, net.input_transform.apply(inputs)
    slopes = _slopes(net, weights, scaled)
    at_zero = activation_at_zero(net)
    d = _output_row(weights[-1], codes)
    bias = np.zeros(len(inputs))
    for layer in range(len(weights) - 1, -1, -1):
        w = weights[layer]
        bias += d @ w.bias.astype(np.float64)
        d = d @ w.to_dense().astype(np.float64)
        if layer:
            bias += d.sum(axis=1) * at_zero
            d = d * slopes[layer - 1]
    return Attributions(d * scaled, bias, net.classes[codes])


@dataclass(frozen=True)
class PathTerm:
    """The share of one path in the logit of one sample.

    Attributes
    ----------
    neurons : tuple of int
        The input, then the neuron of each layer up to the output.
    value : float
        What the path adds to the logit.
    """

    neurons: tuple[int, ...]
    value: float


def strongest_paths(
    net: SparseMLP, x: Any, label: Any = None, *, top_k: int = 10, threads: Threads = None
) -> list[PathTerm]:
    """Return the paths with the largest share, positive or negative, in one sample's logit.

    The search keeps the `top_k` strongest paths to each neuron. This is exact: what lies above a
    neuron scales all paths through it alike.

    Parameters
    ----------
    net : SparseMLP
    x : array_like, shape (n_features,)
    label : optional
        As in `attributions`.
    top_k : int
        Number of paths to return; fewer if fewer are not 0.
    threads : int or "auto", optional

    Returns
    -------
    list of PathTerm
        In descending order of their absolute values.

    Raises
    ------
    TypeError, ValueError
        As `attributions`.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> net = sn.SparseMLP((2, 2), seed=0).fit(np.eye(2), ["a", "b"], training=sn.Training(50))
    >>> [path.neurons for path in sn.explain.strongest_paths(net, [1.0, 0.0])]
    [(0, 0)]
    """
    top_k = min(check_int("top_k", top_k, 1), math.prod(net._core.structure[:-1]) or 1)
    inputs, codes = _check_question(net, np.asanyarray(x)[None], label, threads)
    weights, scaled = net.weights, net.input_transform.apply(inputs)
    factors = [s[0] for s in _slopes(net, weights, scaled)]
    factors.append(_output_row(weights[-1], codes)[0])
    # best[j, r]: the value of the r-th strongest path to neuron j, 0 if there is none;
    # previous[layer][j, r]: its predecessor, path r' of neuron j' below, as j' * top_k + r'.
    best = np.zeros((net.n_features, top_k))
    best[:, 0] = scaled[0]
    previous = []
    for w, factor in zip(weights, factors, strict=True):
        above = np.zeros((w.shape[0], top_k))
        source = np.zeros((w.shape[0], top_k), np.int64)
        for row, (begin, end) in enumerate(itertools.pairwise(w.indptr.tolist())):
            if begin == end or factor[row] == 0.0:
                continue
            scale = w.values[begin:end].astype(np.float64) * factor[row]
            values = (best[w.indices[begin:end]] * scale[:, None]).reshape(-1)
            top = _largest(values, top_k)
            above[row, : len(top)] = values[top]
            source[row, : len(top)] = (
                w.indices[begin + top // top_k] * np.int64(top_k) + top % top_k
            )
        best = above
        previous.append(source)
    found = []
    for at in _largest(best.reshape(-1), top_k).tolist():
        value, path = float(best.reshape(-1)[at]), [at // top_k]
        for source in reversed(previous):
            at = int(source[at // top_k, at % top_k])
            path.append(at // top_k)
        if value != 0.0:
            found.append(PathTerm(tuple(reversed(path)), value))
    return found


def _largest(values: Floats, k: int) -> NDArray[np.int64]:
    """Return the positions of the k largest absolute values, descending; of equals the first."""
    some = np.arange(len(values))
    if len(values) > k:
        some = np.sort(np.argpartition(-abs(values), k - 1)[:k])
    return some[np.argsort(-abs(values[some]), kind="stable")]


def _check_question(
    net: SparseMLP, X: Any, label: Any, threads: Threads
) -> tuple[Inputs, NDArray[np.int64]]:
    """Return the checked inputs and the number of the class to explain for each sample."""
    inputs = net.as_inputs(X)
    if label is None:
        return inputs, np.searchsorted(net.classes, net.predict(inputs, threads=threads))
    return inputs, np.full(len(inputs), class_number(net.classes, label))


def _output_row(last: SparseLayer, codes: NDArray[np.int64]) -> Floats:
    """Return the weight of each output in each sample's logit, shape (n, n_outputs)."""
    n_out = last.shape[0]
    if n_out == 1:
        return np.where(codes == 1, 1.0, -1.0)[:, None]
    return np.eye(n_out)[codes]


def _slopes(net: SparseMLP, weights: list[SparseLayer], scaled: Floats) -> list[Floats]:
    """Return (a(z) - a(0)) / z of each hidden neuron at each sample, layer by layer."""
    at_zero = activation_at_zero(net)
    slopes, x = [], scaled
    for w in weights[:-1]:
        z = x @ w.to_dense().T.astype(np.float64) + w.bias
        slope = mean_slope(net.activation, z)
        slopes.append(slope)
        x = slope * z + at_zero
    return slopes
