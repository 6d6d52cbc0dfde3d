"""Small networks in the core, samples for them, and all of their state as bytes."""

import os
import sys

import numpy as np
from core.dense_model import DenseModel
from synaprune import _core


def data(n, n_inputs, n_classes, dtype=np.float32, seed=0):
    """Samples and labels, every class among them as far as n allows."""
    rng = np.random.default_rng([seed, n, n_inputs])
    X = rng.integers(0, 256, (n, n_inputs)) if dtype == np.uint8 else rng.normal(size=(n, n_inputs))
    return X.astype(dtype), rng.permutation(np.arange(n, dtype=np.int32) % n_classes)


def pair(layers, activation, loss, transform=None, rng_state=0):
    """The same network twice: in the core and as a dense model."""
    net = _core.Network.from_layers(layers, activation, loss, rng_state)
    if transform is not None:
        net.input_transform = transform
    return net, DenseModel(layers, activation, loss, transform)


def transform_for(dtype, n_inputs):
    """Shift and scale that bring either dtype's samples to about unit size."""
    rng = np.random.default_rng(n_inputs)
    shift, scale = rng.normal(0.0, 0.3, n_inputs), rng.uniform(0.5, 1.5, n_inputs)
    if dtype == np.uint8:
        shift, scale = 128.0 + 40.0 * shift, scale / 90.0
    return shift.astype(np.float32), scale.astype(np.float32)


def bits(net):
    """All of a network's state that can be seen, as bytes."""
    arrays = [a for layer in net.layers() for a in layer[1:]] + list(net.input_transform)
    return [a.tobytes() for a in arrays] + [net.rng_state]


def sgd(lr, **options):
    return _core.Optimizer("sgd", lr, **options)


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def ablated(net, X, y, layer, part, threads=1):
    """What the core's ablation of a classification lost and won, shape (n_parts, n_classes)."""
    n_in, _, _, values, *_ = net.layers()[layer]
    n_parts = len(values) if part == "synapses" else n_in
    lost, won = np.zeros((2, n_parts, max(net.layers()[-1][1].size - 1, 2)), np.int64)
    changes = _core.ablate(net, X, y, layer, part, threads)
    assert (np.diff(changes[:, 0] * lost.shape[1] + changes[:, 1]) > 0).all()
    lost[changes[:, 0], changes[:, 1]] = changes[:, 2]
    won[changes[:, 0], changes[:, 1]] = changes[:, 3]
    return lost, won
