"""Curvatures and compensation (optimal brain surgeon) against dense matrices in float64."""

import itertools

import numpy as np
import pytest
from core.dense_model import DenseModel, random_layers
from core.networks import data
from core.synapses import flat, network

DAMPING = 1e-3


def per_sample(layers, activation, loss, X, y):
    """The gradient of each sample by each synapse and bias: a list of dense layers' arrays."""
    model = DenseModel(layers, activation, loss)
    found = [model.gradients(x[None], t[None])[1:] for x, t in zip(X, y, strict=True)]
    return [
        tuple(np.array([sample[part][k].value for sample in found]) for part in (0, 1))
        for k in range(len(layers))
    ]


def row_blocks(layers, gradients, most, frozen=None):
    """Each block's places in the flat order of synapses, (layer, row), and its gradients [n, m+1].

    Frozen parameters are in no block; without its bias a block's last gradient is left out.
    """
    begin, at = 0, 0
    for k, ((_, indptr, indices, *_), (dw, db)) in enumerate(zip(layers, gradients, strict=True)):
        n, rows = len(indices), len(indptr) - 1
        fixed = np.zeros(n + rows, bool) if frozen is None else frozen[at : at + n + rows] != 0
        for r in range(rows):
            free = [i for i in range(indptr[r], indptr[r + 1]) if not fixed[i]]
            parts = -(-len(free) // most)
            for b in range(parts):
                mine = free[len(free) * b // parts : len(free) * (b + 1) // parts]
                g = dw[:, r, indices[mine]]
                with_bias = not fixed[n + r]
                g = np.c_[g, db[:, r]] if with_bias else g
                yield begin + np.array(mine), (k, r), with_bias, g
        begin, at = begin + n, at + n + rows


def damped(g, damping=DAMPING):
    F = g.T @ g / len(g)
    return F + damping * np.trace(F) / len(F) * np.eye(len(F))


def case(seed, activation="tanh", loss="softmax", n=200, density=0.7):
    sizes = (9, 8, 6, 1 if loss == "sigmoid" else 3)
    layers = random_layers(np.random.default_rng(seed), sizes, density)
    X, y = data(n, 9, max(sizes[-1], 2))
    return layers, X, y


CASES = list(itertools.product([("tanh", "softmax"), ("sigmoid", "sigmoid"), ("tanh", "squared")],
                               [2, 5, 128]))  # fmt: skip


@pytest.mark.parametrize(("kind", "block"), CASES)
def test_curvatures_are_those_of_the_exact_inverse(kind, block):
    layers, X, y = case(1, *kind)
    net = network(layers, *kind)
    expected = np.zeros(net.n_synapses)
    for places, _, _, g in row_blocks(layers, per_sample(layers, *kind, X, y), block):
        if g.any():
            expected[places] = 1.0 / np.diag(np.linalg.inv(damped(g)))[: len(places)]
    got = net.curvature(X, y, 1, block=block, damping=DAMPING)
    np.testing.assert_allclose(got, expected, rtol=2e-3)
    scores = net.score("obs", None, got)
    np.testing.assert_allclose(scores, flat(layers, 3) ** 2 * got / 2, rtol=1e-6)


@pytest.mark.parametrize(("kind", "block"), CASES)
def test_compensation_is_the_surgeons_formula(kind, block):
    layers, X, y = case(2, *kind)
    net = network(layers, *kind)
    keep = (np.random.default_rng(3).random(net.n_synapses) < 0.6).astype(np.uint8)
    keep[:9] = 0  # a row that loses all, or nearly
    w = flat(layers, 3).astype(np.float64)
    biases = [layer[5].astype(np.float64) for layer in layers]
    for places, (k, r), _, g in row_blocks(layers, per_sample(layers, *kind, X, y), block):
        gone = np.flatnonzero(keep[places] == 0)
        if not g.any() or not len(gone):
            continue
        inverse = np.linalg.inv(damped(g))
        change = -inverse[:, gone] @ np.linalg.solve(inverse[np.ix_(gone, gone)], w[places[gone]])
        np.testing.assert_allclose(change[gone], -w[places[gone]], rtol=1e-6, atol=1e-9)
        w[places] += change[:-1]
        biases[k][r] += change[-1]
    before = flat(layers, 3)
    net.compensate(keep, X, y, 1, block=block, damping=DAMPING)
    after = net.layers()
    kept = keep != 0
    np.testing.assert_allclose(flat(after, 3)[kept], w[kept], rtol=1e-3, atol=1e-3)
    assert (flat(after, 3)[~kept] == before[~kept]).all()  # they go next
    for layer, bias in zip(after, biases, strict=True):
        np.testing.assert_allclose(layer[5], bias, rtol=1e-3, atol=1e-3)
    assert (flat(after, 4) == flat(layers, 4)).all()  # initial weights
