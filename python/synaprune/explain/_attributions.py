"""Attributions: how much each input, and each path, adds to a logit or a predicted number."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, Labels
from synaprune.checks import check_int, check_type
from synaprune.explain._activations import Floats, activation_at_zero, mean_slope
from synaprune.labels import class_number
from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.scaling import TargetScaler
from synaprune.threads import Threads


@dataclass(frozen=True, eq=False)
class Attributions:
    """How much each input adds to one logit, or one predicted number, of each sample.

    Attributes
    ----------
    values : ndarray of float64, shape (n, n_features)
        ``values.sum(axis=1) + bias`` is the logit, or the number in the units of y.
    bias : ndarray of float64, shape (n,)
        What the biases add, and activation functions that are not 0 at 0; in a number also the mean
        of the training targets.
    labels : ndarray, shape (n,), or None
        The class of each row's logit; None where numbers are predicted.
    """

    values: Floats
    bias: Floats
    labels: Labels | None

    @property
    def totals(self) -> Floats:
        """What attributions and bias sum to, shape (n,): the logits, or the predicted numbers."""
        total: Floats = self.values.sum(axis=1) + self.bias
        return total


def attributions(
    net: SparseMLP,
    X: Any,
    label: Any = None,
    *,
    output: int | None = None,
    threads: Threads = None,
) -> Attributions:
    """Attribute the logit of a class, or a predicted number, to the inputs, over all paths.

    A hidden neuron passes on a(z) = a(0) + s·z, with the slope s = (a(z) - a(0)) / z at its own
    weighted sum z. Along a path, weights and slopes multiply; the paths of an input add up. The
    attributions and the bias sum to the logit. For relu networks s is 0 or 1, and an attribution is
    gradient times input (DeepLIFT's rescale rule with reference 0: Shrikumar et al., 2017). Of a
    predicted number they are in the units of y: all terms are multiplied by the standard deviation
    of the training targets.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
    label : optional
        The class; if omitted, the predicted class of each sample. With one output and two classes,
        the logit of the first class is the negated one.
    output : int, optional
        Which number, of a network that predicts several.
    threads : int or "auto", optional

    Returns
    -------
    Attributions

    Raises
    ------
    TypeError, ValueError
        If X does not fit, the network was never fitted, the label is unknown or given where numbers
        are predicted, or the output is given where classes are.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> found = sn.explain.attributions(net, data.test.X[:5])
    >>> found.values.shape, found.labels.tolist() == net.predict(data.test.X[:5]).tolist()
    ((5, 64), True)
    """
    check_type("net", net, SparseMLP)
    question = _check_question(net, X, label, output, threads)
    weights, scaled = net.weights, net.input_transform.apply(question.inputs)
    slopes = _slopes(net, weights, scaled)
    at_zero = activation_at_zero(net)
    d = question.outputs
    bias = np.full(len(d), question.constant)
    for layer in range(len(weights) - 1, -1, -1):
        w = weights[layer]
        bias += d @ w.bias.astype(np.float64)
        d = d @ w.to_dense().astype(np.float64)
        if layer:
            bias += d.sum(axis=1) * at_zero
            d = d * slopes[layer - 1]
    return Attributions(d * scaled, bias, question.labels)


@dataclass(frozen=True)
class PathTerm:
    """The share of one path in the logit, or the predicted number, of one sample.

    Attributes
    ----------
    neurons : tuple of int
        The input, then the neuron of each layer up to the output.
    value : float
        What the path adds to the logit, or to the number in the units of y.
    """

    neurons: tuple[int, ...]
    value: float


def strongest_paths(
    net: SparseMLP,
    x: Any,
    label: Any = None,
    *,
    output: int | None = None,
    top_k: int = 10,
    threads: Threads = None,
) -> list[PathTerm]:
    """Return the paths with the largest share, positive or negative, in one sample's prediction.

    The search keeps the `top_k` strongest paths to each neuron. This is exact: what lies above a
    neuron scales all paths through it alike.

    Parameters
    ----------
    net : SparseMLP
    x : array_like, shape (n_features,)
    label, output
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
    check_type("net", net, SparseMLP)
    top_k = min(check_int("top_k", top_k, 1), math.prod(net._core.structure[:-1]) or 1)
    question = _check_question(net, np.asanyarray(x)[None], label, output, threads)
    weights, scaled = net.weights, net.input_transform.apply(question.inputs)
    factors = [s[0] for s in _slopes(net, weights, scaled)]
    factors.append(question.outputs[0])
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


class _Question(NamedTuple):
    """What to explain of each sample: outputs · the network's outputs + constant."""

    inputs: Inputs
    outputs: Floats  # (n, n_outputs)
    constant: float
    labels: Labels | None


def _check_question(
    net: SparseMLP, X: Any, label: Any, output: int | None, threads: Threads
) -> _Question:
    """Return the checked inputs, and what to explain of them."""
    n_out = net.layers[-1]
    if net.is_regression and label is None:
        net.check_fitted()
        scaler = net._targets
        assert isinstance(scaler, TargetScaler)
        if output is None and n_out > 1:
            raise ValueError(f"output must say which of {n_out} numbers to explain")
        k = check_int("output", 0 if output is None else output, 0, n_out - 1)
        inputs = net.as_inputs(X)
        row = np.zeros(n_out)
        row[k] = scaler.scale[k]
        return _Question(inputs, np.tile(row, (len(inputs), 1)), float(scaler.mean[k]), None)
    classes = net.classes
    if output is not None:
        raise ValueError(f"output must be left out, as the network predicts classes, got {output}")
    inputs = net.as_inputs(X)
    codes = (
        np.searchsorted(classes, net.predict(inputs, threads=threads))
        if label is None
        else np.full(len(inputs), class_number(classes, label))
    )
    if n_out == 1:
        outputs = np.where(codes == 1, 1.0, -1.0)[:, None]
    else:
        outputs = np.zeros((len(codes), n_out))
        outputs[np.arange(len(codes)), codes] = 1.0
    return _Question(inputs, outputs, 0.0, classes[codes])


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
