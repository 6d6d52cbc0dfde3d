"""What the neurons of a network compute for given samples."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Inputs, finite
from synaprune.checks import check_int, check_type
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads

Floats: TypeAlias = NDArray[np.float64]


def activate(name: str, z: Floats) -> Floats:
    """Apply an activation function to each weighted sum, in float32 as the network does.

    Parameters
    ----------
    name : str
        As `SparseMLP.activation`.
    z : ndarray of float64

    Returns
    -------
    ndarray of float64, of the shape of z

    Raises
    ------
    ValueError
        If the activation is unknown.
    """
    y = _core.activate(name, z.astype(np.float32).reshape(-1))
    return y.reshape(z.shape).astype(np.float64)


def mean_slope(name: str, z: Floats) -> Floats:
    """Return (a(z) - a(0)) / z for each weighted sum z, the mean of a' between 0 and z.

    Where z is small the quotient is imprecise in float32: there the mean is that of a' at the three
    points of Gauss and Legendre's rule, exact for polynomials of degree five.

    Parameters
    ----------
    name : str
        As `SparseMLP.activation`.
    z : ndarray of float64

    Returns
    -------
    ndarray of float64, of the shape of z
    """
    small = abs(z) < 0.1
    divisor = np.where(small, 1.0, z)
    quotient = (activate(name, divisor) - activate(name, np.zeros(1))) / divisor
    distance = math.sqrt(0.15)
    points = ((0.5 - distance, 5 / 18), (0.5, 4 / 9), (0.5 + distance, 5 / 18))
    mean = sum(
        weight * _core.activation_slope(name, (z * at).astype(np.float32).reshape(-1))
        for at, weight in points
    )
    return np.where(small, np.reshape(mean, z.shape), quotient)


def activation_at_zero(net: SparseMLP) -> float:
    """Return the output of a hidden neuron whose weighted sum is 0; above it, it is active."""
    return float(activate(net.activation, np.zeros(1))[0])


def hidden_activations(net: SparseMLP, inputs: Inputs, n_threads: int) -> list[NDArray[np.float32]]:
    """Return the outputs of each hidden layer, for checked inputs."""
    n_hidden = len(net.layers) - 2
    return [
        finite(_core.activations(net._core, inputs, layer, n_threads)) for layer in range(n_hidden)
    ]


def activations(
    net: SparseMLP, X: Any, layer: int = -2, *, threads: Threads = None
) -> NDArray[np.float32]:
    """Compute the outputs of one layer for each sample.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
    layer : int
        0 is the first hidden layer, -1 the output layer, -2, the default, the last hidden layer.
    threads : int or "auto", optional

    Returns
    -------
    ndarray of float32, shape (n, size of the layer)
        Of a hidden layer the activations, 0 for removed neurons; of the output layer the logits,
        or the numbers predicted, standardised as those of the first training data.

    Raises
    ------
    TypeError, ValueError
        If X does not fit the network, or there is no such layer.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> sn.explain.activations(sn.SparseMLP((3, 4, 2), seed=0), np.eye(3)).shape
    (3, 4)
    """
    check_type("net", net, SparseMLP)
    n_layers = len(net.layers) - 1
    check_int("layer", layer, -n_layers, n_layers - 1)
    inputs = net.as_inputs(X)
    return finite(_core.activations(net._core, inputs, layer % n_layers, check_threads(threads)))
