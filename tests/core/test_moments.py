"""Moments of single samples' gradients, and the scores that need them."""

import numpy as np
import pytest
from core.dense_model import EPS, C, DenseModel, random_layers
from core.networks import bits, data
from core.synapses import flat, trained
from core.test_targets import soft_targets
from synaprune import _core


def per_sample(layers, activation, loss, X, y):
    """Gradients of every sample and their error bounds, [n, synapses], by the dense model."""
    model = DenseModel(layers, activation, loss)
    rows = []
    for x, label in zip(X, y, strict=True):
        _, d_weights, _ = model.gradients(x[None], label[None])
        rows.append([d[np.nonzero(m)] for d, m in zip(d_weights, model.masks, strict=True)])
    return (
        np.array([np.concatenate([d.value for d in row]) for row in rows]),
        np.array([np.concatenate([d.error for d in row]) for row in rows]),
    )


@pytest.mark.parametrize(
    ("activation", "loss", "n_out"),
    [("tanh", "softmax", 4), ("sigmoid", "sigmoid", 1), ("tanh", "squared", 3)],
)
@pytest.mark.parametrize("n", [1, 17, 150])
@pytest.mark.parametrize("soft", [True, False])
def test_moments_are_those_of_single_gradients(activation, loss, n_out, n, soft):
    sizes = (9, 8, 6, n_out)
    layers = random_layers(np.random.default_rng(1), sizes, 0.7)
    net = _core.Network.from_layers(layers, activation, loss, 0)
    X, y = data(n, 9, max(n_out, 2))
    y = soft_targets(n, max(n_out, 2)) if soft else y
    g, error = per_sample(layers, activation, loss, X, y)
    mean, square = net.gradient_moments(X, y, 1)
    size = abs(g) + error
    assert (abs(mean - g.mean(0)) <= C * EPS * (size.sum(0) + abs(g).sum(0)) / n).all()
    allowed = C * EPS * (2 * abs(g) * error + 4 * g**2).sum(0) / n
    assert (abs(square - (g**2).mean(0)) <= allowed + 1e-30).all()
    assert n == 1 or (square > mean**2).any()


def test_the_mean_is_the_gradient_of_the_mean_loss():
    net = trained()
    X, y = data(300, 10, 3)
    mean, _ = net.gradient_moments(X, y, 1)
    expected = np.concatenate(net.gradients(X, y, 1)[1])
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-7)


def test_moments_give_equal_bits_for_any_threads_and_change_nothing():
    net = _core.Network([450, 30, 20, 10], "relu", "softmax", 1.0, 5)
    X, y = data(2033, 450, 10)
    before = bits(net)
    one = [a.tobytes() for a in net.gradient_moments(X, y, 1)]
    for threads in (2, 3, 7):
        assert [a.tobytes() for a in net.gradient_moments(X, y, threads)] == one
    assert bits(net) == before


def test_moments_of_a_network_without_synapses_are_empty():
    net = _core.Network([5, 4, 3], "relu", "softmax", 1.0, 5)
    net.remove(np.zeros(net.n_synapses, np.uint8))
    assert [len(a) for a in net.gradient_moments(*data(20, 5, 3), 1)] == [0, 0]


FORMULAS = {
    "magnitude_increase": lambda w, w0, g, g2: abs(w) - abs(w0),
    "movement_magnitude": lambda w, w0, g, g2: abs(w - w0) * abs(w),
    "fisher": lambda w, w0, g, g2: w * w * g2,
    "wsf_fisher": lambda w, w0, g, g2: abs(w - w0) * np.sqrt(g2),
    "taylor": lambda w, w0, g, g2: abs(w * g),
    "taylor2": lambda w, w0, g, g2: w * w * g2 / 2 - w * g,
}


@pytest.mark.parametrize("criterion", FORMULAS)
def test_scores_are_their_formulas(criterion):
    net = trained()
    moments = net.gradient_moments(*data(300, 10, 3), 1)
    layers, state = net.layers(), net.rng_state
    scores = net.score(criterion, moments)
    assert scores.dtype == np.float32
    expected = FORMULAS[criterion](flat(layers, 3), flat(layers, 4), *moments)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-30)
    assert len(np.unique(scores)) > len(scores) // 2
    assert net.rng_state == state


@pytest.mark.parametrize("criterion", _core.GRADIENT_CRITERIA)
def test_moments_that_do_not_fit_are_refused(criterion):
    net = trained()
    n = net.n_synapses
    for moments in (None, (np.ones(n, np.float32), np.ones(n - 1, np.float32))):
        with pytest.raises(ValueError, match=f"must have one entry a synapse, {n}, got"):
            net.score(criterion, moments)
