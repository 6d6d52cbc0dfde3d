"""`_core.Network.train_epoch` against the optimisers of a dense float64 model."""

import itertools
import math

import numpy as np
import pytest
from core.dense_model import EPS, DenseModel, assert_close, random_layers
from core.networks import bits, data, pair, sgd
from synaprune import _core

STEPS = {
    "plain": ("sgd", {"lr": 0.3}),
    "momentum": ("sgd", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": ("sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": 1.0, "l1": 0.01}),
    "weight decay": ("sgd", {"lr": 0.3, "weight_decay": 0.05}),
    "l1": ("sgd", {"lr": 0.3, "l1": 0.02}),
    "sgd with all": ("sgd", {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.03, "l1": 0.01}),
    "adam": ("adam", {"lr": 0.01}),
    "adam with all": (
        "adam",
        {
            "lr": 0.02,
            "beta1": 0.8,
            "beta2": 0.95,
            "epsilon": 1e-3,
            "weight_decay": 0.05,
            "l1": 0.02,
        },
    ),
    "adamw": ("adamw", {"lr": 0.02, "weight_decay": 0.2}),
    "rmsprop": ("rmsprop", {"lr": 0.01}),
    "rmsprop with all": (
        "rmsprop",
        {"lr": 0.02, "rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.05, "l1": 0.02},
    ),
}


@pytest.mark.parametrize(("kind", "options"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize(
    ("activation", "loss", "n_out"), [("tanh", "softmax", 3), ("relu", "sigmoid", 1)]
)
def test_epochs_of_one_batch_are_the_numpy_optimiser(kind, options, activation, loss, n_out):
    n, sizes = 50, (8, 9, 6, n_out)
    net, model = pair(random_layers(np.random.default_rng(1), sizes, 0.6), activation, loss)
    X, y = data(n, sizes[0], max(n_out, 2))
    optimizer = _core.Optimizer(kind, **options)
    for _ in range(5):  # the shuffle only changes the order of sums over all samples
        expected = getattr(model, kind)(X, y, **options)
        assert_close(net.train_epoch(X, y, n, optimizer, 1), expected)
        model.assert_equals(net.layers())


def test_batch_size_above_n_is_one_batch():
    a = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    b = a.copy()
    X, y = data(50, 8, 3)
    assert a.train_epoch(X, y, 50, sgd(0.5), 1) == b.train_epoch(X, y, 2**31 - 1, sgd(0.5), 1)
    assert bits(a) == bits(b)


def test_small_batches_are_steps_over_some_permutation():
    """Five samples in batches of two, two and one: one of the 30 orders must explain the result."""
    layers = random_layers(np.random.default_rng(2), (4, 5, 3), 0.8)
    X, y = data(5, 4, 3)
    net, _ = pair(layers, "tanh", "softmax")
    orders = [
        (a, b, tuple({*range(5)} - {*a, *b}))
        for a in itertools.combinations(range(5), 2)
        for b in itertools.combinations(sorted({*range(5)} - {*a}), 2)
    ]
    found = []
    for _ in range(8):
        before = net.layers()
        mean_loss = net.train_epoch(X, y, 2, sgd(0.5), 1)
        matches = []
        for order in orders:
            model = DenseModel(before, "tanh", "softmax")
            losses = [model.sgd(X[list(b)], y[list(b)], 0.5) * (len(b) / 5) for b in order]
            try:
                model.assert_equals(net.layers())
            except AssertionError:
                continue
            matches.append(order)
            assert_close(mean_loss, losses[0] + losses[1] + losses[2])
        assert len(matches) == 1
        found += matches
    assert len(set(found)) >= 4  # each epoch draws anew: fewer has a chance of 1e-4


@pytest.mark.parametrize(("begin", "go_on"), [("sgd", "adam"), ("adam", "sgd")])
def test_state_starts_anew_when_the_optimiser_changes_kind(begin, go_on):
    """Momentum's velocity is not Adam's first moment, nor the other way round."""
    X, y = data(50, 8, 3)
    options = {"sgd": {"lr": 0.1, "momentum": 0.9}, "adam": {"lr": 0.01}}
    net = _core.Network([8, 6, 3], "tanh", "softmax", 1.0, 3)
    for _ in range(3):
        net.train_epoch(X, y, 50, _core.Optimizer(begin, **options[begin]), 1)
    model = DenseModel(net.layers(), "tanh", "softmax")
    for _ in range(2):
        net.train_epoch(X, y, 50, _core.Optimizer(go_on, **options[go_on]), 1)
        getattr(model, go_on)(X, y, **options[go_on])
    model.assert_equals(net.layers())


def test_plain_sgd_forgets_momentum():
    X, y = data(50, 8, 3)
    net = _core.Network([8, 6, 3], "tanh", "softmax", 1.0, 3)
    for momentum in (0.9, 0.9, 0.0):
        net.train_epoch(X, y, 50, sgd(0.1, momentum=momentum), 1)
    model = DenseModel(net.layers(), "tanh", "softmax")
    for _ in range(2):
        net.train_epoch(X, y, 50, sgd(0.1, momentum=0.9), 1)
        model.sgd(X, y, 0.1, momentum=0.9)
    model.assert_equals(net.layers())


def test_training_learns():
    X, _ = data(300, 6, 2)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
    net = _core.Network([6, 20, 1], "tanh", "sigmoid", 1.0, 0)
    before = net.evaluate(X, y, 1)[0]
    for _ in range(100):
        mean_loss = net.train_epoch(X, y, 16, sgd(0.2), 1)
    after, n_correct = net.evaluate(X, y, 1)
    assert after < 0.3 * before
    assert n_correct > 290
    assert mean_loss < 0.5 * before


def test_initial_weights_stay():
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    initial = [layer[4].tobytes() for layer in net.layers()]
    net.train_epoch(*data(50, 8, 3), 10, sgd(0.5), 1)
    assert [layer[4].tobytes() for layer in net.layers()] == initial
    assert [layer[3].tobytes() for layer in net.layers()] != initial


@pytest.mark.parametrize("activation", _core.ACTIVATIONS)
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_divergence_gives_a_loss_that_is_not_finite(activation, kind):
    net = _core.Network([8, 6, 3], activation, "softmax", 1.0, 3)
    X, y = data(50, 8, 3)
    losses = [net.train_epoch(X, y, 10, _core.Optimizer(kind, 3e38), 1) for _ in range(3)]
    assert not np.isfinite(losses).any()


def test_weights_that_overflow_in_the_last_batch_give_a_loss_that_is_not_finite():
    """The loss of that batch was still fine, and relu would hide the NaN of the next."""
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    X, y = data(50, 8, 3)
    assert np.isfinite(net.evaluate(100.0 * X, y, 1)[0])
    assert not np.isfinite(net.train_epoch(100.0 * X, y, 50, sgd(3e38), 1))


def parameters(net):
    return np.concatenate([layer[k] for k in (3, 5) for layer in net.layers()])


@pytest.mark.parametrize("sizes", [(8, 6, 3), (300, 60, 40, 3)], ids=["column groups", "rows"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_clipping_scales_the_gradient_of_a_batch_to_the_norm(sizes, threads):
    X, y = data(2000, sizes[0], 3)
    net = _core.Network(list(sizes), "tanh", "softmax", 1.0, 3)
    _, d_values, d_biases = net.gradients(X, y, 1)
    gradient = np.concatenate([*d_values, *d_biases]).astype(float)
    norm = np.sqrt((gradient**2).sum())

    def change(max_norm):
        twin = net.copy()
        twin.train_epoch(X, y, 2000, sgd(1.0), threads, max_norm=max_norm)
        return parameters(twin) - before

    before = parameters(net)
    free = change(None)
    np.testing.assert_array_equal(change(float(1.01 * norm)), free)
    clipped = change(float(0.1 * norm))
    np.testing.assert_allclose(clipped, 0.1 * free, rtol=1e-5, atol=4 * EPS * abs(before).max())
    np.testing.assert_allclose(free, -gradient, rtol=1e-4, atol=4 * EPS * abs(before).max())


def test_a_norm_that_is_not_positive_is_refused():
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    X, y = data(50, 8, 3)
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="max_norm must be above 0"):
            net.train_epoch(X, y, 10, sgd(0.1), 1, max_norm=wrong)


# ---- shards


@pytest.mark.parametrize("sizes", [(8, 6, 3), (12, 60, 90, 3)], ids=["column groups", "rows"])
def test_a_batch_of_shards_is_the_gradient_of_its_rows(sizes):
    X, y = data(203, sizes[0], 3)
    net = _core.Network(list(sizes), "tanh", "softmax", 1.0, 3)
    loss, d_values, d_biases = net.gradients(X, y, 1)
    before = parameters(net)
    assert abs(net.train_epoch(X, y, 256, sgd(1.0), 1, shards=(203, 8, 0, 8)) - loss) < 1e-6
    gradient = np.concatenate([*d_values, *d_biases])
    np.testing.assert_allclose(
        before - parameters(net), gradient, rtol=1e-4, atol=8 * EPS * abs(before).max()
    )


def test_the_sum_of_shards_is_told_once_a_batch():
    X, y = data(101, 8, 3)
    net = _core.Network([8, 6, 3], "tanh", "softmax", 1.0, 3)
    told = []
    net.train_epoch(X, y, 32, sgd(0.1), 1, shards=(203, 4, 0, 2), sum=lambda a: told.append(a + 0))
    assert [len(a) for a in told] == [net.n_gradient] * 7
    assert all(a[-1] == 0.0 and a[-2] > 0.0 for a in told)


def test_what_a_sum_raises_leaves_the_network_as_it_was():
    X, y = data(64, 8, 3)
    net = _core.Network([8, 6, 3], "tanh", "softmax", 1.0, 3)
    before = bits(net)

    def fails(gradient):
        raise KeyError("mine")

    for threads in (1, 2):
        with pytest.raises(KeyError, match="mine"):
            net.train_epoch(X, y, 32, sgd(0.1), threads, shards=(64, 4, 0, 4), sum=fails)
    assert bits(net) == before


@pytest.mark.parametrize(
    ("shards", "batch_size", "message"),
    [
        ((64, 3, 0, 3), 32, "shards must be a branch of a binary tree, got 0 up to 3 of 3"),
        ((64, 4, 1, 3), 32, "shards must be a branch"),
        ((64, 4, 0, 3), 32, "shards must be a branch"),
        ((64, 4, 2, 2), 32, "shards must be a branch"),
        ((65, 4, 0, 4), 32, "X must have the rows of its shards, got 64 of 65"),
        ((2**40, 4, 0, 4), 32, "X must have the rows of its shards"),
        ((64, 4, 0, 4), 30, "batch_size must be a multiple of 4, the shards, got 30"),
    ],
)
def test_shards_that_do_not_fit_are_refused(shards, batch_size, message):
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    X, y = data(64, 8, 3)
    with pytest.raises(ValueError, match=message):
        net.train_epoch(X, y, batch_size, sgd(0.1), 1, shards=shards)
