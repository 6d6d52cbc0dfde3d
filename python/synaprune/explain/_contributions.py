"""Why a class was chosen: what each input, and each path, adds to its logit."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, Labels, as_inputs
from synaprune.checks import check_int
from synaprune.explain._seen import at_zero, seen_by
from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.threads import Threads

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each input adds to one logit of each sample.

    Attributes
    ----------
    values : ndarray of float64, shape (n, n_features)
        ``values.sum(axis=1) + bias`` is the logit.
    bias : ndarray of float64, shape (n,)
        What biases add along the same paths, and activations that are not 0 at 0.
    labels : ndarray, shape (n,)
        Which class each row is about.
    """

    values: Floats
    bias: Floats
    labels: Labels

    @property
    def logits(self) -> Floats:
        """What they sum to, shape (n,)."""
        total: Floats = self.values.sum(axis=1) + self.bias
        return total


def contributions(
    net: SparseMLP, X: Any, label: Any = None, *, threads: Threads = None
) -> Contributions:
    """Split the logit of a class into what each input adds to it along all paths.

    A hidden neuron passes on a(z) = a(0) + s·z, with the slope s = (a(z) - a(0)) / z of its own
    state z; along a path weights and slopes multiply, and the paths of an input add up. Nothing is
    approximated: the parts sum to the logit. For relu networks s is 0 or 1, and this is gradient
    times input (DeepLIFT's rescale rule with reference 0: Shrikumar et al., 2017).

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
    label : optional
        The class; left out, of each sample the one that is predicted. With one output and two
        classes the logit of the first class is the negative one.
    threads : int or "auto", optional

    Returns
    -------
    Contributions

    Raises
    ------
    TypeError, ValueError
        If X or the label do not fit, or the network was never fitted.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, epochs=20)
    >>> parts = sn.explain.contributions(net, data.test.X[:5])
    >>> parts.values.shape, parts.labels.tolist() == net.predict(data.test.X[:5]).tolist()
    ((5, 64), True)
    """
    inputs, codes = _asked(net, X, label, threads)
    weights, seen = net.weights, seen_by(net, inputs)
    slopes = _slopes(net, weights, seen)
    d = _output_row(weights[-1], codes)
    bias = np.zeros(len(inputs))
    for level in range(len(weights) - 1, -1, -1):
        w = weights[level]
        bias += d @ w.bias.astype(np.float64)
        d = d @ w.to_dense().astype(np.float64)
        if level:
            bias += d.sum(axis=1) * at_zero(net)
            d = d * slopes[level - 1]
    return Contributions(d * seen, bias, net.classes[codes])


@dataclass(frozen=True)
class PathTerm:
    """One path of one sample.

    Attributes
    ----------
    neurons : tuple of int
        The input, then the neuron of each layer up to the output.
    value : float
        What it adds to the logit.
    """

    neurons: tuple[int, ...]
    value: float


def strongest_paths(
    net: SparseMLP, x: Any, label: Any = None, *, most: int = 10, threads: Threads = None
) -> list[PathTerm]:
    """Return the paths that add most to one sample's logit, for or against.

    Parameters
    ----------
    net : SparseMLP
    x : array_like, shape (n_features,)
    label : optional
        As in `contributions`.
    most : int
        How many at most. The search keeps so many at each neuron, which is exact: what lies above
        a neuron scales all paths through it alike.
    threads : int or "auto", optional

    Returns
    -------
    list of PathTerm
        Largest absolute values first.

    Raises
    ------
    TypeError, ValueError
        As `contributions`.
    """
    most = min(check_int("most", most, 1), math.prod(net._core.structure[:-1]) or 1)
    inputs, codes = _asked(net, np.asarray(x)[None], label, threads)
    weights, seen = net.weights, seen_by(net, inputs)
    passed_on = [s[0] for s in _slopes(net, weights, seen)]
    passed_on.append(_output_row(weights[-1], codes)[0])
    # best[j, r]: the r-th strongest path to neuron j, 0 where there is none; it came[j, r] from
    # path r' of neuron j' below, as j' * most + r'.
    best = np.zeros((net.layers[0], most))
    best[:, 0] = seen[0]
    came = []
    for w, slopes in zip(weights, passed_on, strict=True):
        above = np.zeros((w.shape[0], most))
        source = np.zeros((w.shape[0], most), np.int64)
        for row, (begin, end) in enumerate(itertools.pairwise(w.indptr.tolist())):
            if begin == end or slopes[row] == 0.0:
                continue
            factors = w.values[begin:end].astype(np.float64) * slopes[row]
            values = (best[w.indices[begin:end]] * factors[:, None]).reshape(-1)
            top = _largest(values, most)
            above[row, : len(top)] = values[top]
            source[row, : len(top)] = w.indices[begin + top // most] * np.int64(most) + top % most
        best = above
        came.append(source)
    found = []
    for at in _largest(best.reshape(-1), most).tolist():
        value, path = float(best.reshape(-1)[at]), [at // most]
        for source in reversed(came):
            at = int(source[at // most, at % most])
            path.append(at // most)
        if value != 0.0:
            found.append(PathTerm(tuple(reversed(path)), value))
    return found


def _largest(values: Floats, most: int) -> NDArray[np.int64]:
    """Return where the largest absolute values are, largest first; among equals the first."""
    some = np.arange(len(values))
    if len(values) > most:
        some = np.sort(np.argpartition(-abs(values), most - 1)[:most])
    return some[np.argsort(-abs(values[some]), kind="stable")]


def _asked(
    net: SparseMLP, X: Any, label: Any, threads: Threads
) -> tuple[Inputs, NDArray[np.int64]]:
    """Return the inputs and which class of each sample is asked about."""
    inputs = as_inputs(X, net.layers[0])
    if label is None:
        return inputs, np.searchsorted(net.classes, net.predict(inputs, threads=threads))
    where = np.flatnonzero(net.classes == label)
    if len(where) != 1:
        raise ValueError(f"label must be one of {net.classes.tolist()}, got {label!r}")
    return inputs, np.full(len(inputs), where[0])


def _output_row(last: SparseLayer, codes: NDArray[np.int64]) -> Floats:
    """Return what each sample's logit takes of each output, shape (n, n_outputs)."""
    n_out = last.shape[0]
    if n_out == 1:
        return np.where(codes == 1, 1.0, -1.0)[:, None]
    return np.eye(n_out)[codes]


def _slopes(net: SparseMLP, weights: list[SparseLayer], seen: Floats) -> list[Floats]:
    """Return (a(z) - a(0)) / z of each hidden neuron at each sample, a layer after another."""
    slopes, x = [], seen
    for w in weights[:-1]:
        z = x @ w.to_dense().T.astype(np.float64) + w.bias
        if net.activation == "relu":
            slope = (z > 0).astype(np.float64)
        else:  # sigmoid(z) = (1 + tanh(z / 2)) / 2, so that both have the slope tanh(t) / t
            half = 0.5 * z if net.activation == "sigmoid" else z
            some = np.where(half == 0.0, 1.0, half)
            slope = np.where(half == 0.0, 1.0, np.tanh(some) / some)
            slope *= 0.25 if net.activation == "sigmoid" else 1.0
        slopes.append(slope)
        x = slope * z + at_zero(net)
    return slopes
