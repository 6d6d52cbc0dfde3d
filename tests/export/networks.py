"""Random networks of every shape, and the errors that float32 allows."""

import dataclasses

import numpy as np
import synaprune as sn
from synaprune.program import Program

REGRESSIONS = ("squared_error", "absolute_error", "huber")


def random_network(seed, activation=None, loss=None):
    """A fitted network with random synapses, dead neurons and constants among its neurons.

    Returns (network, X float32).
    """
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 5))
    n_in = int(rng.choice([1, 2, 5, 20]))
    loss = loss or str(rng.choice(["softmax", "sigmoid", "squared", *REGRESSIONS]))
    n_out = 1 if loss == "sigmoid" else int(rng.integers(1, 5))
    if loss == "softmax":
        n_out = max(n_out, 2)
    sizes = (n_in, *(int(rng.integers(1, 9)) for _ in range(depth - 1)), n_out)
    activation = activation or str(rng.choice(sn.ACTIVATIONS))
    scaling = str(rng.choice(["none", "center", "standard"]))
    net = sn.SparseMLP(sizes, activation=activation, loss=loss, input_scaling=scaling, seed=seed)
    X = rng.normal(1.0, 2.0, (40, n_in)).astype(np.float32)
    if net.is_regression:
        net.prepare(X, rng.normal(30.0, 5.0, (40, n_out) if n_out > 1 else 40))
    else:
        net.prepare(X, np.arange(40) % max(n_out, 2))
    return with_random_layers(net, rng), X


def with_random_layers(net, rng):
    """The network with random synapses; one of its layers may have none."""
    layers = []
    empty = int(rng.integers(0, 12))  # the layer of this number has no synapses
    for at, layer in enumerate(net.weights):
        n_rows, n_columns = layer.shape
        kept = rng.random((n_rows, n_columns)) < rng.choice([0.2, 0.6, 1.0])
        kept &= at != empty
        counts = kept.sum(axis=1)
        n = int(counts.sum())
        values = rng.normal(0.0, 1.0, n).astype(np.float32)
        layers.append(
            dataclasses.replace(
                layer,
                indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
                indices=np.nonzero(kept)[1].astype(np.int32),
                values=values,
                initial=values,
                bias=rng.normal(0.0, 0.5, n_rows).astype(np.float32),
            )
        )
    return net.set_weights(layers)


def given(net, X):
    """What the network says: probabilities, or numbers of shape (n, n_outputs)."""
    return net.predict(X).reshape(len(X), -1) if net.is_regression else net.predict_proba(X)


def finished(program, z):
    """Probabilities or numbers of the last layer's sums, in float64."""
    if program.output == "numbers":
        return z * program.targets.scale + program.targets.mean
    if program.output == "softmax":
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)
    p = 1.0 / (1.0 + np.exp(np.minimum(-z, 87.0)))  # the least that the core has
    if program.output == "sigmoid":
        return np.hstack([1.0 - p, p])
    return p / p.sum(axis=1, keepdims=True)


def program_and_reference(net, X):
    """The network's program, and what it says of X."""
    program = Program.of(net)
    return program, finished(program, program.forward(X)[-1][0])


def tolerance(program, X):
    """1e-6 of probabilities; of numbers what float32 allows, 4 eps Σ|terms| in each layer."""
    if program.output != "numbers":
        return 1e-6
    error, size = errors_of_sums(program, np.abs(program.scaled(X)))
    largest = size * program.targets.scale + np.abs(program.targets.mean)
    return error * program.targets.scale + 1e-7 * largest


def errors_of_sums(program, size):
    """The errors that float32 allows in the last layer's sums, and Σ|terms|; of inputs so large."""
    error = np.zeros_like(size)
    for layer in program.layers:
        absolute = dataclasses.replace(layer, values=np.abs(layer.values), bias=np.abs(layer.bias))
        size = absolute.sums(size)
        error = absolute.sums(error) - absolute.bias + 4 * np.finfo(np.float32).eps * size
    return error, size
