"""Cuts by scores: ranks within layers, and scores that empty what is nearly empty."""

import itertools

import numpy as np
import pytest
from core.dense_model import random_layers
from core.synapses import masks, network, trained, where
from hypothesis import given, settings
from hypothesis import strategies as st
from synaprune import _core

seeds = st.integers(0, 2**32 - 1)


def gone(net, *arguments, **options):
    """(layer, row, column) of what a cut takes, of synapses whose loss leaves nothing dead."""
    before = where(net.layers())
    net.cut(*arguments, **options)
    return set(before) - set(where(net.layers()))


def ranks(scores, sizes):
    """Reference: (rank + 1/2) / size within each layer, first of equals lower."""
    parts = np.split(scores, np.cumsum(sizes)[:-1])
    return np.concatenate(
        [(np.argsort(np.argsort(p, kind="stable"), kind="stable") + 0.5) / len(p) for p in parts]
    )


def fills(layers):
    """Reference: for each synapse the shares f and f' of its two neurons."""
    dense = masks(layers)
    counts = [dense[0].sum(0)]
    for below, above in itertools.pairwise(dense):
        counts.append(below.sum(1) + above.sum(0))
    shares = [c / max(1, c.max()) for c in counts] + [np.ones(len(dense[-1]))]
    return np.array([shares[k][c] * shares[k + 1][r] for k, r, c in where(layers)])


@given(seed=seeds, share=st.floats(0, 1), levels=st.sampled_from([2, 10**6]))
@settings(max_examples=50, deadline=None)
def test_per_layer_is_a_cut_by_ranks(seed, share, levels):
    rng = np.random.default_rng(seed)
    layers = random_layers(rng, (7, 6, 5, 3), 0.7)
    sizes = [len(layer[2]) for layer in layers]
    scores = rng.integers(0, levels, sum(sizes)).astype(np.float32)
    n = int(share * sum(sizes))
    a, b = network(layers), network(layers)
    assert a.cut(scores, n, per_layer=True) == b.cut(ranks(scores, sizes).astype(np.float32), n)
    assert where(a.layers()) == where(b.layers())


def test_per_layer_takes_the_same_share_of_each():
    net = trained((40, 30, 20, 10))
    sizes = np.array([len(layer[2]) for layer in net.layers()])
    rng = np.random.default_rng(0)
    scores = np.concatenate([k + rng.random(n, np.float32) for k, n in enumerate(sizes)])
    net.cut(scores, int(sizes.sum()) // 4, per_layer=True)
    left = np.array([len(layer[2]) for layer in net.layers()])
    assert (abs(1 - left / sizes - 0.25) < 0.02).all()


@given(seed=seeds, share=st.floats(0, 1), exponent=st.sampled_from([0.25, 1.0, 3.0]))
@settings(max_examples=50, deadline=None)
def test_structured_bias_multiplies_scores_by_what_is_left(seed, share, exponent):
    rng = np.random.default_rng(seed)
    layers = random_layers(rng, (9, 6, 5, 3), 0.5)
    a, b = network(layers), network(layers)
    scores = rng.uniform(-0.2, 1.0, a.n_synapses).astype(np.float32)
    n = int(share * a.n_synapses)
    expected = (scores.astype(float) - min(scores.min(initial=0.0), 0.0)) * fills(layers) ** exponent
    a.cut(scores, n, structured_bias=exponent)
    b.cut(expected.astype(np.float32), n)
    assert where(a.layers()) == where(b.layers())


def test_negative_scores_keep_their_order_under_structured_bias():
    """This used to set them all to 0, so that a cut took the first positions."""
    net = _core.Network([40, 10, 3], "relu", "softmax", 1.0, 1)
    scores = -np.arange(net.n_synapses, dtype=np.float32)[::-1].copy()
    a, b = net.copy(), net.copy()
    a.cut(scores, 90)
    b.cut(scores, 90, structured_bias=1e-6)
    assert where(a.layers()) == where(b.layers())
    assert where(a.layers()) != where(net.layers())


def test_infinite_scores_stay_under_structured_bias():
    """Infinity times a power that is 0 used to be a NaN, which no order holds."""
    net = _core.Network([40, 10, 3], "relu", "softmax", 1.0, 1)
    net.remove((np.arange(net.n_synapses) != 0).astype(np.uint8))
    scores = np.ones(net.n_synapses, np.float32)
    spared, first = [3, 11, 250], [5, 100]
    scores[spared], scores[first] = np.inf, -np.inf
    places = where(net.layers())
    net.cut(scores, 2, structured_bias=1e30)
    assert {places[i] for i in first} == set(places) - set(where(net.layers()))


def test_structured_bias_leaves_fewer_inputs():
    inputs = []
    for concentration in (0.0, 0.5, 2.0):
        net = _core.Network([60, 20, 4], "relu", "softmax", 1.0, 1)
        for _ in range(20):
            net.cut(net.score("magnitude"), net.n_synapses // 8, structured_bias=concentration)
        inputs.append(net.structure[0])
    assert inputs[0] > inputs[1] > inputs[2]


@pytest.mark.parametrize(
    ("scores", "error", "message"),
    [
        (np.ones(5, np.float32), ValueError, "scores must have one entry a synapse, 18, got 5"),
        (np.full(18, np.nan, np.float32), ValueError, "scores must not hold a NaN"),
        (np.ones(18), TypeError, "scores must be float32, got float64"),
    ],
)
def test_wrong_scores_are_refused_and_change_nothing(scores, error, message):
    net = _core.Network([4, 3, 2], "relu", "softmax", 1.0, 0)
    with pytest.raises(error, match=message):
        net.cut(scores, 1)
    assert net.n_synapses == 18


def test_the_lowest_are_spared_first():
    net = trained()
    scores = np.arange(net.n_synapses, dtype=np.float32)[::-1].copy()
    assert gone(net, scores, 2, skip=3) == set(where(trained().layers())[-5:-3])
