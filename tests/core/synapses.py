"""Small networks to cut, and where their synapses are."""

import numpy as np
from core.dense_model import DenseModel
from synaprune import _core


def data(n, n_inputs, n_classes):
    rng = np.random.default_rng([n, n_inputs])
    X = rng.normal(size=(n, n_inputs)).astype(np.float32)
    return X, rng.permutation(np.arange(n, dtype=np.int32) % n_classes)


def network(layers, activation="relu", loss="softmax", rng_state=0):
    return _core.Network.from_layers(layers, activation, loss, rng_state)


def trained(sizes=(10, 8, 6, 3), activation="tanh", optimizer=None, epochs=3):
    net = _core.Network(sizes, activation, "softmax", 1.0, 4)
    X, y = data(60, sizes[0], sizes[-1])
    for _ in range(epochs):
        net.train_epoch(X, y, 60, optimizer or _core.Optimizer("sgd", 0.3), 1)
    return net


def flat(layers, field):
    """One per-synapse array of all layers, one after another: 3 values, 4 initial."""
    return np.concatenate([layer[field] for layer in layers])


def masks(layers):
    return DenseModel(layers, "relu", "softmax").masks


def where(layers):
    """(layer, row, column) of every synapse, in the order of scores and masks."""
    return [(k, *rc) for k, mask in enumerate(masks(layers)) for rc in np.argwhere(mask).tolist()]


def keep_these(layers, kept):
    """A mask that keeps the synapses of `layers` whose (layer, row, column) is in `kept`."""
    return np.array([place in kept for place in where(layers)], np.uint8)
