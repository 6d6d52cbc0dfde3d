"""What the neurons of a network compute for given samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import Inputs, as_inputs, finite
from synaprune.checks import check_int
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads

Floats: TypeAlias = NDArray[np.float64]

_FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "relu": lambda z: np.maximum(z, 0.0),
    "sigmoid": lambda z: 0.5 + 0.5 * np.tanh(0.5 * z),
    "tanh": np.tanh,
}


def activate(name: str, z: Floats) -> Floats:
    """Apply an activation function to each weighted sum.

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
    if name not in _FUNCTIONS:
        raise ValueError(f"activation must be one of {', '.join(_FUNCTIONS)}, got {name!r}")
    return _FUNCTIONS[name](z)


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
        Of a hidden layer the activations, 0 for removed neurons; of the output layer the logits.

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
    n_layers = len(net.layers) - 1
    check_int("layer", layer, -n_layers, n_layers - 1)
    inputs = as_inputs(X, net.n_features)
    return finite(_core.activations(net._core, inputs, layer % n_layers, check_threads(threads)))
