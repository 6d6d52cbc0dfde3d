"""Curvatures and compensation (optimal brain surgeon) against dense matrices in float64."""

import itertools

import numpy as np
import pytest
from core.dense_model import random_layers
from core.networks import bits, data
from core.synapses import flat, network
from synaprune import _core

DAMPING = 1e-3


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def per_sample(layers, activation, loss, X, y):
    """The gradient of each sample by each weight and bias: per layer [n, n_out, n_in], [n, n_out].

    By hand: d = dL/dz of the outputs, then down through tanh or sigmoid.
    """
    dense = []
    for n_in, indptr, indices, values, _, bias in layers:
        W = np.zeros((len(bias), n_in))
        W[np.repeat(np.arange(len(bias)), np.diff(indptr)), indices] = values
        dense.append((W, bias.astype(np.float64)))
    f, slope = {
        "tanh": (np.tanh, lambda h: 1 - h * h),
        "sigmoid": (sigmoid, lambda h: h * (1 - h)),
    }[activation]
    below = [X.astype(np.float64)]
    for W, b in dense:
        below.append(f(below[-1] @ W.T + b))
    z = below[-2] @ dense[-1][0].T + dense[-1][1]
    targets = y[:, None] if z.shape[1] == 1 else np.eye(z.shape[1])[y]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True) if loss == "softmax" else sigmoid(z)
    d = (p - targets) * (p * (1 - p) if loss == "squared" else 1.0)
    found = []
    for (W, _), x in zip(reversed(dense), reversed(below[:-1]), strict=True):
        found.insert(0, (d[:, :, None] * x[:, None, :], d))
        d = (d @ W) * slope(x)
    return found


def row_blocks(layers, gradients, most, frozen=None):
    """Generate each block's places among all synapses, (layer, row), its gradients [n, m + 1].

    What is frozen is in no block; a block whose bias is frozen has gradients [n, m].
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
                yield begin + np.array(mine), (k, r), g if fixed[n + r] else np.c_[g, db[:, r]]
        begin, at = begin + n, at + n + rows


def inverse(g):
    """Of the damped Fisher matrix of a block."""
    F = g.T @ g / len(g)
    return np.linalg.inv(F + DAMPING * np.trace(F) / len(F) * np.eye(len(F)))


def by_the_formula(layers, gradients, keep, most, frozen=None):
    """Return weights and biases after -F^-1[:, S] (F^-1[S, S])^-1 w[S], block by block."""
    w = flat(layers, 3).astype(np.float64)
    biases = [layer[5].astype(np.float64) for layer in layers]
    for places, (k, r), g in row_blocks(layers, gradients, most, frozen):
        gone = np.flatnonzero(keep[places] == 0)
        if not g.any() or not len(gone):
            continue
        inv = inverse(g)
        change = -inv[:, gone] @ np.linalg.solve(inv[np.ix_(gone, gone)], w[places[gone]])
        np.testing.assert_allclose(change[gone], -w[places[gone]], rtol=1e-6, atol=1e-9)
        w[places] += change[: len(places)]
        biases[k][r] += change[len(places) :].sum()
    return w, biases


def check_compensated(net, before, keep, w, biases):
    """A network is what the formula says, apart from what goes next, which stays as it was."""
    after, kept = net.layers(), keep != 0
    np.testing.assert_allclose(flat(after, 3)[kept], w[kept], rtol=1e-3, atol=1e-4)
    assert (flat(after, 3)[~kept] == flat(before, 3)[~kept]).all()
    for layer, bias in zip(after, biases, strict=True):
        np.testing.assert_allclose(layer[5], bias, rtol=1e-3, atol=1e-4)
    assert (flat(after, 4) == flat(before, 4)).all()  # initial weights


def case(activation, loss, seed=1, n=200):
    """A sparse network with an input that nothing reads and neurons that are dead, and samples."""
    sizes = (9, 8, 6, 1 if loss == "sigmoid" else 3)
    layers = random_layers(np.random.default_rng(seed), sizes, 0.7)
    X, y = data(n, 9, max(sizes[-1], 2))
    return layers, X, y, per_sample(layers, activation, loss, X, y)


KINDS = [("tanh", "softmax"), ("sigmoid", "sigmoid"), ("tanh", "squared")]
grid = pytest.mark.parametrize(("kind", "block"), list(itertools.product(KINDS, [1, 5, 128])))


@grid
def test_curvatures_are_those_of_the_exact_inverse(kind, block):
    layers, X, y, gradients = case(*kind)
    net = network(layers, *kind)
    before = bits(net)
    expected = np.zeros(net.n_synapses)
    for places, _, g in row_blocks(layers, gradients, block):
        if g.any():
            expected[places] = 1.0 / np.diag(inverse(g))[: len(places)]
    got = net.curvature(X, y, 1, block=block, damping=DAMPING)
    np.testing.assert_allclose(got, expected, rtol=2e-3)
    assert (got == 0).any()  # the neuron that nothing reads
    scores = net.score("obs", None, got)
    np.testing.assert_allclose(scores, flat(layers, 3) ** 2 * got / 2, rtol=1e-6)
    assert bits(net) == before


@grid
def test_compensation_is_the_surgeons_formula(kind, block):
    layers, X, y, gradients = case(*kind)
    net = network(layers, *kind)
    keep = (np.random.default_rng(3).random(net.n_synapses) < 0.6).astype(np.uint8)
    keep[:7] = 0  # a whole row, whose bias makes up for it
    w, biases = by_the_formula(layers, gradients, keep, block)
    net.compensate(keep, X, y, 1, block=block, damping=DAMPING)
    check_compensated(net, layers, keep, w, biases)


def test_what_is_frozen_neither_moves_nor_counts():
    layers, X, y, gradients = case("tanh", "softmax")
    net = network(layers, "tanh")
    rng = np.random.default_rng(5)
    n_parameters = net.n_synapses + sum(len(layer[5]) for layer in layers)
    frozen = (rng.random(n_parameters) < 0.3).astype(np.uint8)
    net.frozen = frozen
    free = np.concatenate([np.ones(0, bool)] + [
        frozen[at : at + len(layer[2])] == 0
        for layer, at in zip(layers, itertools.accumulate(
            (len(layer[2]) + len(layer[5]) for layer in layers), initial=0), strict=False)
    ])  # fmt: skip
    keep = ((rng.random(net.n_synapses) < 0.5) | ~free).astype(np.uint8)
    w, biases = by_the_formula(layers, gradients, keep, 4, frozen)
    assert not net.curvature(X, y, 1, block=4)[~free].any()
    net.compensate(keep, X, y, 1, block=4, damping=DAMPING)
    check_compensated(net, layers, keep, w, biases)
    assert (flat(net.layers(), 3)[~free] == flat(layers, 3)[~free]).all()


def quadratic():
    """A linear regression whose residuals are 1 or -1: its Fisher matrix is its Hessian.

    They are orthogonal to columns and constant, so that the weights are those of least squares.
    """
    H = np.ones((1, 1))
    for _ in range(4):
        H = np.block([[H, H], [H, -H]])
    X = H[:, 1:8] @ np.random.default_rng(0).normal(size=(7, 5)) + 0.5
    residuals, w = H[:, 15], np.array([1.0, -2.0, 0.5, 3.0, -1.0], np.float32)
    X = X.astype(np.float32)
    y = (X @ w.astype(np.float64) + 0.25 - residuals)[:, None].astype(np.float32)
    one = np.array([0.25], np.float32)
    layer = (5, np.array([0, 5]), np.arange(5, dtype=np.int32), w, 0 * w, one)
    return _core.Network.from_layers([layer], "relu", "squared_error", 0), X, y


@pytest.mark.parametrize("gone", [[0], [3], [1, 4], [0, 1, 2, 3], [0, 1, 2, 3, 4]])
def test_on_a_quadratic_loss_what_is_left_is_optimal(gone):
    net, X, y = quadratic()
    full = net.evaluate(X, y, 1)[0]
    keep = np.ones(5, np.uint8)
    keep[gone] = 0
    score = net.score("obs", None, net.curvature(X, y, 1, damping=1e-9))
    net.compensate(keep, X, y, 1, damping=1e-9)
    net.remove(keep)
    _, _, indices, values, _, bias = net.layers()[0]
    A = np.c_[X[:, indices].astype(np.float64), np.ones(16)]
    best, *_ = np.linalg.lstsq(A, y[:, 0], rcond=None)
    np.testing.assert_allclose(np.r_[values, bias], best, rtol=1e-3, atol=1e-4)
    if len(gone) == 1:
        grown = net.evaluate(X, y, 1)[0] - full
        np.testing.assert_allclose(score[gone], [grown], rtol=1e-3)


def test_a_constant_input_moves_into_the_bias_and_costs_nothing():
    rng = np.random.default_rng(2)
    X, y = data(300, 4, 2)
    X[:, 1], X[:, 3] = 3.0, 0.0
    w, bias = rng.normal(size=(1, 4)).astype(np.float32), np.array([0.5], np.float32)
    layer = (4, np.array([0, 4]), np.arange(4, dtype=np.int32), w[0], w[0], bias)
    net = _core.Network.from_layers([layer], "relu", "sigmoid", 0)
    before = net.outputs(X, 1)
    scores = net.score("obs", None, net.curvature(X, y, 1, damping=1e-6))
    assert scores[[1, 3]].max() < 1e-3 * scores[[0, 2]].min()
    keep = np.array([1, 0, 1, 0], np.uint8)
    net.compensate(keep, X, y, 1, damping=1e-6)
    net.remove(keep)
    np.testing.assert_allclose(net.outputs(X, 1), before, atol=1e-4)
    np.testing.assert_allclose(net.layers()[0][5], bias + 3.0 * w[0, 1], rtol=1e-3)


def test_equal_columns_take_each_others_weight():
    X, y = data(300, 3, 2)
    X[:, 2] = X[:, 0]
    w = np.array([1.0, -0.5, 2.0], np.float32)
    layer = (3, np.array([0, 3]), np.arange(3, dtype=np.int32), w, w, np.zeros(1, np.float32))
    net = _core.Network.from_layers([layer], "relu", "sigmoid", 0)
    keep = np.array([0, 1, 1], np.uint8)
    net.compensate(keep, X, y, 1, damping=1e-6)
    np.testing.assert_allclose(net.layers()[0][3], [1.0, -0.5, 3.0], atol=1e-3)


def test_equal_bits_for_any_threads():
    X, y = data(333, 300, 10)
    keep = (np.random.default_rng(0).random(300 * 20 + 200) < 0.5).astype(np.uint8)

    def done(threads):
        net = _core.Network([300, 20, 10], "relu", "softmax", 1.0, 5)
        curvature = net.curvature(X, y, threads)
        net.compensate(keep, X, y, threads)
        return curvature.tobytes(), bits(net)

    one = done(1)
    assert all(done(threads) == one for threads in (2, 3, 7))


def test_gradients_that_vanish_or_overflow_leave_finite_weights():
    X, y = data(50, 3, 2)
    keep = np.array([0, 1, 1], np.uint8)
    for scale, bias in ((0.0, 1e4), (1e30, 0.0)):
        w = np.ones(3, np.float32)
        arrays = (np.array([0, 3]), np.arange(3, dtype=np.int32), w, w)
        layer = (3, *arrays, np.array([bias], np.float32))
        net = _core.Network.from_layers([layer], "relu", "sigmoid", 0)
        before = bits(net)
        Xs, ys = (X * np.float32(scale)), np.ones_like(y)
        net.compensate(keep, Xs, ys, 1)
        assert bits(net) == before or np.isfinite(net.layers()[0][3]).all()
        assert not (net.curvature(Xs, ys, 1) < 0).any()


def test_a_network_without_synapses_has_no_curvature():
    net = _core.Network([5, 4, 3], "relu", "softmax", 1.0, 5)
    net.remove(np.zeros(net.n_synapses, np.uint8))
    assert len(net.curvature(*data(20, 5, 3), 1)) == 0
    net.compensate(np.ones(0, np.uint8), *data(20, 5, 3), 1)


def test_wrong_arguments_are_named():
    net = _core.Network([5, 4, 3], "relu", "softmax", 1.0, 5)
    X, y = data(20, 5, 3)
    for options, message in (
        ({"block": 0}, "block must be from 1 to 4096, got 0"),
        ({"block": 5000}, "block must be from 1 to 4096, got 5000"),
        ({"damping": 0.0}, "damping must be above 0"),
        ({"damping": np.nan}, "damping must be above 0"),
        ({"threads": 0}, "threads"),
    ):
        options = {"threads": 1} | options
        with pytest.raises(ValueError, match=message):
            net.curvature(X, y, **options)
        with pytest.raises(ValueError, match=message):
            net.compensate(np.ones(32, np.uint8), X, y, **options)
    with pytest.raises(ValueError, match="keep must have one entry a synapse, 32, got 3"):
        net.compensate(np.ones(3, np.uint8), X, y, 1)
    for curvature in (None, np.ones(31, np.float32)):
        with pytest.raises(ValueError, match="curvature must have one entry a synapse, 32, got"):
            net.score("obs", None, curvature)
