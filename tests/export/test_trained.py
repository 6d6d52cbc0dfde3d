"""Chains of what other libraries have in their models compute the same as the parts, in order."""

import numpy as np
import synaprune as sn
from export.dense import close, softmax
from synaprune.export._trained import Activation, Affine, Dense, chain, network_of_model

X = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32)


def computed(parts, x):
    for part in parts:
        if isinstance(part, Affine):
            x = (x - part.shift) * part.scale + part.offset
        elif isinstance(part, Dense):
            x = x @ part.weights.T + part.bias
        elif part.name == "softmax":
            x = softmax(x)
        else:
            x = np.tanh(x)
    return x


def random_parts(rng):
    """Layers with any number of affine parts before, between and after them."""
    parts, width = [], 6

    def norms():
        for _ in range(rng.choice([0, 0, 1, 2, 3])):
            shift, scale, offset = rng.normal(0.0, 2.0, (3, width))
            parts.append(Affine("at", "norm", shift, scale * (rng.random(width) > 0.1), offset))

    n_layers = int(rng.integers(1, 4))
    for number in range(1, n_layers + 1):
        norms()
        n = int(rng.integers(2, 7))
        weights = rng.normal(size=(n, width)) / width
        parts.append(Dense("at", "layer", weights, rng.normal(size=n)))
        width = n
        norms()
        if number < n_layers:
            parts.append(Activation("at", "tanh", "tanh"))
    if rng.random() < 0.5:
        parts.append(Activation("at", "softmax", "softmax"))
    return parts


def test_random_chains():
    seen = set()
    for seed in range(200):
        parts = random_parts(np.random.default_rng(seed))
        found = chain("model", "Dense", parts)
        options = {"initial": found, "keep_zeros": False, "loss": "auto", "classes": None}
        net = network_of_model(sn.SparseMLP, lambda _, chain: chain, found, **options)
        expected = computed(parts, X.astype(np.float64))
        p = expected if found.end else softmax(expected)
        sums = expected if found.end is None else np.ones(1)
        assert np.abs(net.predict_proba(X) - p).max() <= 1e-6 * max(1.0, np.abs(sums).max()), seed
        assert not any(score.any() for score in sn.saliency(net))  # w is w(0)
        seen.add((len(found.weights), found.end, found.input_scaling == "none"))
    assert len(seen) == 12


def test_what_is_far_from_zero_stays_centred():
    identity = Affine("at", "first", np.zeros(6), np.full(6, 0.5), np.zeros(6))
    centred = Affine("at", "second", np.full(6, 1e6), np.full(6, 2.0), np.ones(6))
    layer = Dense("at", "layer", np.eye(6), np.zeros(6))
    found = chain("model", "Dense", [identity, centred, layer])
    shift, scale = found.input_scaling
    assert shift.tolist() == [2e6] * 6
    assert scale.tolist() == [1.0] * 6
    assert found.biases[0].tolist() == [1.0] * 6
    options = {"initial": None, "keep_zeros": False, "loss": "huber", "classes": None}
    net = network_of_model(sn.SparseMLP, lambda _, chain: chain, found, **options)
    rows = np.round(4.0 * X) + np.float32(2e6)
    assert close(net.predict(rows), rows - 2e6 + 1.0)
