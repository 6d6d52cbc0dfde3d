"""Soft targets, weights and smoothing in the core against the dense float64 model."""

import numpy as np
import pytest
from core.dense_model import assert_close, random_layers
from core.networks import bits, data, pair, sgd
from synaprune import _core

LOSSES = [("softmax", 4), ("sigmoid", 1), ("squared", 4), ("squared", 1)]


def soft_targets(n, n_classes, seed=0):
    p = np.random.default_rng(seed).dirichlet(np.full(n_classes, 0.5), n).astype(np.float32)
    return np.ascontiguousarray(p / p.sum(1, keepdims=True))


def assert_gradients(net, model, X, y, **options):
    loss, values, biases = net.gradients(X, y, 1, **options)
    expected, d_weights, d_biases = model.gradients(
        X, y, options.get("weights", 1.0), float(np.float32(options.get("smoothing", 0.0)))
    )
    assert_close(loss, expected)
    for k, mask in enumerate(model.masks):
        rows, columns = np.nonzero(mask)
        assert_close(values[k], d_weights[k][rows, columns])
        assert_close(biases[k], d_biases[k])


@pytest.mark.parametrize(("loss", "n_out"), LOSSES)
@pytest.mark.parametrize("n", [1, 17, 64, 100])
@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_are_those_of_the_dense_model(loss, n_out, n, soft, weighted, smoothing):
    sizes = (9, 8, 6, n_out)
    net, model = pair(random_layers(np.random.default_rng(3), sizes, 0.7), "tanh", loss)
    X, y = data(n, sizes[0], max(n_out, 2))
    options = {"smoothing": smoothing}
    if weighted:
        options["weights"] = np.random.default_rng(4).uniform(0, 3, n).astype(np.float32)
        options["weights"][::5] = 0.0
    assert_gradients(net, model, X, soft_targets(n, max(n_out, 2)) if soft else y, **options)


def numbers(n, n_out, seed=0):
    return np.random.default_rng([seed, n, n_out]).normal(0.0, 2.0, (n, n_out)).astype(np.float32)


@pytest.mark.parametrize("loss", _core.REGRESSION_LOSSES)
@pytest.mark.parametrize("n_out", [1, 4])
@pytest.mark.parametrize("n", [1, 17, 64, 100])
@pytest.mark.parametrize("weighted", [True, False])
def test_gradients_of_a_regression(loss, n_out, n, weighted):
    sizes = (9, 8, 6, n_out)
    net, model = pair(random_layers(np.random.default_rng(3), sizes, 0.7), "tanh", loss)
    X, y = data(n, sizes[0], 2)[0], numbers(n, n_out)
    options = {}
    if weighted:
        options["weights"] = np.random.default_rng(4).uniform(0, 3, n).astype(np.float32)
    assert_gradients(net, model, X, y, **options)
    assert_close(net.outputs(X, 1), model.probabilities(X))
    assert_close(net.evaluate(X, y, 1)[0], model.loss(X, y))


@pytest.mark.parametrize("loss", _core.REGRESSION_LOSSES)
def test_training_of_a_regression_is_the_numpy_optimiser(loss):
    net, model = pair(random_layers(np.random.default_rng(1), (8, 9, 6, 2), 0.6), "tanh", loss)
    X, y = data(50, 8, 2)[0], numbers(50, 2)
    for _ in range(5):
        assert_close(net.train_epoch(X, y, 50, sgd(0.1), 1), model.sgd(X, y, 0.1))
    model.assert_equals(net.layers())


@pytest.mark.parametrize(("loss", "n_out"), LOSSES)
def test_certain_targets_are_labels(loss, n_out):
    n_classes = max(n_out, 2)
    X, y = data(70, 9, n_classes)
    certain = np.eye(n_classes, dtype=np.float32)[y]
    net = _core.Network([9, 8, n_out], "relu", loss, 1.0, 1)
    a, b = net.gradients(X, y, 1), net.gradients(X, certain, 1)
    assert a[0] == pytest.approx(b[0], rel=1e-6)
    for one, other in zip(a[1] + a[2], b[1] + b[2], strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-7)


def test_a_sample_of_weight_zero_is_not_there():
    X, y = data(64, 9, 3)
    weights = np.repeat(np.float32([2.0, 0.0]), 32)
    net = _core.Network([9, 8, 3], "relu", "softmax", 1.0, 1)
    with_all = net.gradients(X, y, 1, weights=weights)
    with_half = net.gradients(np.ascontiguousarray(X[:32]), y[:32], 1)
    assert with_all[0] == pytest.approx(with_half[0], rel=1e-6)
    for one, other in zip(with_all[1], with_half[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)


# Small and large networks (see test_bits.py), and an odd last batch.
@pytest.mark.parametrize("sizes", [(450, 20, 10), (300, 200, 10)])
@pytest.mark.parametrize("loss", ["softmax", "huber"])
def test_training_gives_equal_bits_for_any_threads(sizes, loss):
    X, _ = data(2033, sizes[0], 10)
    y = soft_targets(len(X), 10) if loss == "softmax" else numbers(len(X), 10)
    smoothing = 0.1 if loss == "softmax" else 0.0
    weights = np.random.default_rng(0).uniform(0.5, 1.5, len(X)).astype(np.float32)

    def trained(threads):
        net = _core.Network(sizes, "relu", loss, 1.0, 5)
        for _ in range(2):
            net.train_epoch(X, y, 64, sgd(0.05), threads, weights, smoothing=smoothing)
        return bits(net)

    one = trained(1)
    assert all(trained(threads) == one for threads in (2, 3, 7))


def test_training_moves_towards_soft_targets():
    X, _ = data(64, 6, 3)
    target = soft_targets(64, 3)
    net = _core.Network([6, 60, 3], "relu", "softmax", 1.0, 1)
    losses = [net.train_epoch(X, target, 64, sgd(0.5), 1) for _ in range(3000)]
    entropy = -(target * np.log(np.maximum(target, 1e-9))).sum(1).mean()
    assert 0.0 < losses[-1] - entropy < 0.2 * (losses[0] - entropy)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"y": np.ones((5, 2), np.float32)},
            ValueError,
            r"y must have shape \(6, 2\), got float32",
        ),
        (
            {"y": np.ones((6, 3), np.float32)},
            ValueError,
            r"y must have shape \(6, 2\), got float32",
        ),
        ({"y": np.ones((6, 2))}, TypeError, "y must be int32, got float64"),
        ({"weights": np.ones(5, np.float32)}, ValueError, "weights must have 6 entries, got 5"),
        ({"weights": np.ones(6)}, TypeError, "weights must be float32, got float64"),
        ({"smoothing": 1.0}, ValueError, r"smoothing must be in \[0, 1\), got 1"),
        ({"smoothing": -0.1}, ValueError, r"smoothing must be in \[0, 1\), got -0.1"),
    ],
)
@pytest.mark.parametrize("method", ["train_epoch", "gradients", "gradient_moments"])
def test_wrong_targets_are_refused(method, changed, error, message):
    net = _core.Network([3, 4, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    X, y = data(6, 3, 2)
    arguments = {"X": X, "y": y, "threads": 1}
    if method == "train_epoch":
        arguments |= {"batch_size": 2, "optimizer": sgd(0.1)}
    with pytest.raises(error, match=message):
        getattr(net, method)(**(arguments | changed))
    assert bits(net) == before


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"y": np.ones((6, 1), np.float32)},
            ValueError,
            r"y must have shape \(6, 2\), got float32",
        ),
        ({"y": np.ones(6, np.float32)}, ValueError, "y must be aligned and C-ordered with 2 axes"),
        ({"y": np.ones((6, 2))}, TypeError, "y must be float32, got float64"),
        ({"y": np.ones(6, np.int32)}, TypeError, "y must be float32, got int32"),
        ({"smoothing": 0.1}, ValueError, "smoothing must be 0 for a regression, got 0.1"),
    ],
)
def test_wrong_targets_of_a_regression_are_refused(changed, error, message):
    net = _core.Network([3, 4, 2], "relu", "huber", 1.0, 0)
    arguments = {"X": data(6, 3, 2)[0], "y": numbers(6, 2), "threads": 1} | changed
    with pytest.raises(error, match=message):
        net.gradients(**arguments)


def test_evaluation_needs_labels_of_a_classifier():
    net = _core.Network([3, 4, 2], "relu", "softmax", 1.0, 0)
    with pytest.raises(TypeError, match="y must be int32, got float32"):
        net.evaluate(data(6, 3, 2)[0], numbers(6, 2), 1)
