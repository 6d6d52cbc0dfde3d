"""Samples: why a class was chosen, which samples take the same way, which are typical."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, Labels, as_inputs
from synaprune.checks import check_int
from synaprune.explain._energy import activations
from synaprune.network import SparseMLP, Weights
from synaprune.threads import Threads

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each input adds to one logit of each sample.

    Attributes
    ----------
    values : ndarray of float64, shape (n, n_inputs)
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
    X : array_like, shape (n, n_inputs)
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
    weights, seen = net.weights, _seen(net, inputs)
    slopes = _slopes(net, weights, seen)
    d = _output_row(weights[-1], codes)
    bias = np.zeros(len(inputs))
    for level in range(len(weights) - 1, -1, -1):
        w = weights[level]
        bias += d @ w.bias.astype(np.float64)
        d = d @ w.to_dense().astype(np.float64)
        if level:
            bias += d.sum(axis=1) * _at_zero(net)
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
    x : array_like, shape (n_inputs,)
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
    most = check_int("most", most, 1)
    inputs, codes = _asked(net, np.asarray(x)[None], label, threads)
    weights, seen = net.weights, _seen(net, inputs)
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
    X : array_like, shape (n, n_inputs)
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
    rest = _at_zero(net)
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
    net: SparseMLP, X: Any, y: Any, *, most: int = 3, threads: Threads = None
) -> list[Examples]:
    """Find prototypes and outliers of each class, by what the last hidden layer says of them.

    Parameters
    ----------
    net : SparseMLP
    X, y : array_like, shapes (n, n_inputs) and (n,)
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
    inputs, codes = net.check_data(X, y)
    hidden = len(net.layers) > 2
    said = activations(net, inputs, -2, threads=threads) if hidden else _seen(net, inputs)
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


def _output_row(last: Weights, codes: NDArray[np.int64]) -> Floats:
    """Return what each sample's logit takes of each output, shape (n, n_outputs)."""
    n_out = last.shape[0]
    if n_out == 1:
        return np.where(codes == 1, 1.0, -1.0)[:, None]
    return np.eye(n_out)[codes]


def _seen(net: SparseMLP, inputs: Inputs) -> Floats:
    shift, scale = net.input_transform
    seen: Floats = ((inputs - shift) * scale).astype(np.float64)
    return seen


def _at_zero(net: SparseMLP) -> float:
    return 0.5 if net.activation == "sigmoid" else 0.0


def _slopes(net: SparseMLP, weights: list[Weights], seen: Floats) -> list[Floats]:
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
        x = slope * z + _at_zero(net)
    return slopes
