"""Sparse starts, and prune-and-regrow in the core, against plain models."""

import math

import numpy as np
import pytest
from core.networks import bits, data, sgd
from synaprune import _core


def sparse(sizes, counts, seed=0, loss="softmax", scale=1.0):
    return _core.Network(list(sizes), "relu", loss, scale, seed, list(counts))


def places(layer):
    n_in, indptr, indices, *_ = layer
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return rows * n_in + indices


# ---- the start


@pytest.mark.parametrize("n", [0, 1, 7, 40, 41, 300, 599, 600])
def test_a_start_has_exactly_its_count_in_canonical_csr(n):
    net = sparse((30, 20, 3), (n, 60))
    _, indptr, _, values, initial, bias = net.layers()[0]
    keys = places(net.layers()[0])
    assert len(keys) == n == indptr[-1]
    assert (np.diff(keys) > 0).all()
    assert (keys < 600).all()
    np.testing.assert_array_equal(values, initial)
    assert not bias.any()


@pytest.mark.parametrize("n", [30, 31, 45, 200, 590])
def test_every_neuron_has_a_synapse_in_and_out_where_there_are_enough(n):
    for seed in range(20):
        _, indptr, indices, *_ = sparse((30, 20, 3), (n, 60), seed).layers()[0]
        assert (np.diff(indptr) > 0).all()
        assert len(np.unique(indices)) == 30
    rows = np.diff(sparse((30, 20, 3), (25, 60)).layers()[0][1])
    assert (rows > 0).all()  # enough for the rows alone


def test_places_are_uniform():
    n, seeds = 12, 2000
    counts = np.zeros(48)
    for seed in range(seeds):
        counts[places(sparse((8, 6), (n,), seed).layers()[0])] += 1
    # Moves to empty lines treat all places alike, so each is as likely.
    expected = seeds * n / 48
    assert abs(counts - expected).max() < 5 * math.sqrt(expected)


def test_a_start_is_that_of_its_seed():
    a = sparse((1000, 500, 10), (5000, 1000), 3)
    assert bits(a) == bits(sparse((1000, 500, 10), (5000, 1000), 3))
    assert bits(a) != bits(sparse((1000, 500, 10), (5000, 1000), 4))
    # Any platform and version: SplitMix64 and IEEE arithmetic alone.
    assert places(sparse((5, 4, 2), (6, 4), 1).layers()[0]).tolist() == FIRST


FIRST = [1, 5, 8, 12, 15, 19]


def test_weights_spread_by_the_synapses_that_are_there():
    n_in, indptr, indices, values, *_ = sparse((400, 300, 4), (6000, 600), scale=0.5).layers()[0]
    fan_in = np.repeat(np.diff(indptr), np.diff(indptr))
    fan_out = np.bincount(indices, minlength=n_in)[indices]
    share = values / (0.5 * np.sqrt(6.0 / (fan_in + fan_out)))
    assert abs(share).max() <= 1.0 + 1e-6
    assert share.std() == pytest.approx(1 / math.sqrt(3), rel=0.03)
    assert share.mean() == pytest.approx(0.0, abs=0.03)


def test_all_synapses_at_random_are_a_full_network():
    full = _core.Network([6, 5, 3], "relu", "softmax", 1.0, 0)
    for a, b in zip(full.layers(), sparse((6, 5, 3), (30, 15)).layers(), strict=True):
        for x, y in zip(a[1:3], b[1:3], strict=True):
            np.testing.assert_array_equal(x, y)


def test_masks_are_drawn_like_a_start():
    masks = [(len(w[5]), w[0], w[1], w[2]) for w in sparse((40, 30, 5), (200, 60)).layers()]
    net = _core.Network.from_masks(masks, "relu", "softmax", 1.0, 7)
    for mask, w in zip(masks, net.layers(), strict=True):
        np.testing.assert_array_equal(w[1], mask[2])
        np.testing.assert_array_equal(w[2], mask[3])
        np.testing.assert_array_equal(w[3], w[4])
        assert len(np.unique(w[3])) > 0.9 * len(w[3])
    with pytest.raises(ValueError, match="layer 1: takes 30 inputs, which is not the layer below"):
        _core.Network.from_masks([masks[1], masks[1]], "relu", "softmax", 1.0, 7)
    with pytest.raises(ValueError, match="a network needs at least one layer"):
        _core.Network.from_masks([], "relu", "softmax", 1.0, 7)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1], "counts must have one entry a layer, 2, got 1"),
        ([-1, 1], "each of counts must be from 0 to 20, got -1"),
        ([21, 1], "each of counts must be from 0 to 20, got 21"),
    ],
)
def test_impossible_counts_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        sparse((5, 4, 2), counts)


# ---- exchange


def trained(sizes=(12, 10, 8, 3), counts=(50, 40, 24), optimizer=None, n=90):
    net = sparse(sizes, counts)
    X, y = data(n, sizes[0], sizes[-1])
    net.train_epoch(X, y, 32, optimizer or _core.Optimizer("sgd", 0.1, momentum=0.9), 1)
    return net, X, y


def state_of(net):
    """The optimiser's state as {place: value} per layer."""
    _, _, moments = net.optimizer_state
    found, at = [], 0
    for w in net.layers():
        n = len(w[3])
        found.append(dict(zip(places(w).tolist(), moments[0, at : at + n].tolist(), strict=True)))
        at += n + len(w[5])
    return found


@pytest.mark.parametrize("candidates", [0.0, 3.0, math.inf])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_an_exchange_keeps_the_largest_and_counts(share, candidates):
    net, X, y = trained()
    before, state = net.layers(), state_of(net)
    net.rewire(X, y, share, candidates, 64)
    after = state_of(net)
    for i_layer, (old, new) in enumerate(zip(before, net.layers(), strict=True)):
        size = old[0] * len(old[5])
        n = min(math.floor(share * len(old[3])), size - len(old[3]))
        a, b = places(old), places(new)
        assert len(a) == len(b)
        assert (np.diff(b) > 0).all()
        order = np.argsort(abs(old[3]), kind="stable")
        kept = np.sort(a[order[n:]])
        grown = np.setdiff1d(b, a)
        assert len(grown) == n
        np.testing.assert_array_equal(np.setdiff1d(b, grown), kept)
        for i in (3, 4):  # values and w(0) of what was kept; 0 of the rest
            was = dict(zip(a.tolist(), old[i].tolist(), strict=True))
            assert dict(zip(b.tolist(), new[i].tolist(), strict=True)) == {
                k: was[k] if k in set(kept.tolist()) else 0.0 for k in b.tolist()
            }
        was = state[i_layer]
        assert after[i_layer] == {k: 0.0 if k in grown else was[k] for k in b.tolist()}
        np.testing.assert_array_equal(old[5], new[5])
    assert net.optimizer_state[1] == 3  # updates


def test_what_grows_is_where_the_gradient_is_largest():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sizes = (9, 8, 7, 3)
        net = sparse(sizes, (20, 18, 15), seed)
        layers = net.layers()
        X = rng.normal(size=(1, 9)).astype(np.float32).repeat(40, 0)  # any sample is the same
        y = np.full(40, seed % 3, np.int32)
        # Gradients of the full network in which what is absent weighs nothing.
        full = []
        for n_in, indptr, indices, values, _, bias in layers:
            W = np.zeros((len(bias), n_in))
            W[np.repeat(np.arange(len(bias)), np.diff(indptr)), indices] = values
            full.append(W)
        outputs, sums = [X[0].astype(float)], []
        for W in full:
            sums.append(W @ outputs[-1])
            outputs.append(np.maximum(sums[-1], 0.0))
        p = np.exp(sums[-1] - sums[-1].max())
        delta = p / p.sum() - np.eye(3)[y[0]]
        best = []
        for layer in range(2, -1, -1):
            gradient = abs(np.outer(delta, outputs[layer])).ravel()
            gradient[places(layers[layer])] = -1.0
            best.append(gradient)
            if layer:
                delta = (full[layer].T @ delta) * (sums[layer - 1] > 0)
        net.rewire(X, y, 0.3, math.inf, 16)
        for gradient, old, new in zip(best[::-1], layers, net.layers(), strict=True):
            grown = np.setdiff1d(places(new), places(old))
            others = np.setdiff1d(np.arange(len(gradient)), np.union1d(places(old), grown))
            if len(others):
                assert gradient[grown].min() >= gradient[others].max() * (1 - 1e-4) - 1e-7


def test_dead_inputs_can_be_read_again_and_dead_neurons_stay():
    first = (6, np.array([0, 2, 2, 3, 4]), np.array([0, 1, 0, 1], np.int32))
    w = np.ones(4, np.float32)
    last = (4, np.array([0, 2, 4]), np.array([0, 2, 0, 3], np.int32))
    net = _core.Network.from_layers(
        [(*first, w, w, np.zeros(4, np.float32)), (*last, w, w, np.zeros(2, np.float32))],
        "tanh", "softmax", 1,
    )  # fmt: skip
    X = np.zeros((32, 6), np.float32)
    X[:, 5] = 1.0  # the only input that says anything is dead
    X[:, 0] = 0.1
    y = np.zeros(32, np.int32)
    net.rewire(X, y, 0.5, math.inf, 32)
    assert 5 in net.layers()[0][2]


def test_frozen_synapses_stay():
    net, X, y = trained()
    frozen = np.zeros(50 + 10 + 40 + 8 + 24 + 3, np.uint8)
    frozen[:20] = 1
    net.frozen = frozen
    before = net.layers()[0]
    net.rewire(X, y, 1.0, 0.0, 1)
    after = net.layers()[0]
    assert set(places(before)[:20]) <= set(places(after))
    assert len(np.intersect1d(places(before), places(after))) == 20
    assert net.frozen[:50].sum() == 20
    assert set(places(after)[net.frozen[:50] == 1]) == set(places(before)[:20])


def test_a_full_layer_is_left_alone():
    net, X, y = trained(counts=(120, 40, 24))
    before = net.layers()[0]
    net.rewire(X, y, 0.5, math.inf, 16)
    for a, b in zip(before[1:], net.layers()[0][1:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_goes_on_as_if_the_network_had_been_made_anew():
    net, X, y = trained(optimizer=sgd(0.1))
    for _ in range(4):
        net.rewire(X, y, 0.4, 2.0, 16)
        twin = _core.Network.from_layers(net.layers(), "relu", "softmax", net.rng_state)
        for each in (net, twin):
            each.train_epoch(X, y, 16, sgd(0.1), 1)
        assert bits(net) == bits(twin)


def test_copies_are_not_changed():
    net, X, y = trained()
    twin = net.copy()
    kept = bits(twin)
    net.rewire(X, y, 0.5, 2.0, 16)
    assert bits(twin) == kept != bits(net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1, 0.0, 1), "share must be in"),
        ((1.1, 0.0, 1), "share must be in"),
        ((0.1, 0.5, 1), "candidates must be 0 or at least 1"),
        ((0.1, 0.0, 0), "n_samples must be at least 1, got 0"),
    ],
)
def test_impossible_exchanges_are_refused(arguments, message):
    net, X, y = trained()
    with pytest.raises(ValueError, match=message):
        net.rewire(X, y, *arguments)


# ---- parts of an epoch


def test_an_epoch_in_parts_is_the_epoch():
    X, y = data(100, 16, 3)
    shift = _core.ImageShift(4, 4, 1, 0.5)
    for options in ({}, {"shift": shift}):
        net = sparse((16, 12, 3), (100, 36))
        twin = net.copy()
        for _ in range(2):
            whole = net.train_epoch(X, y, 16, sgd(0.1), 1, **options)
            state, losses = twin.rng_state, []
            for part in ((0, 48), (48, 64), (64, 100)):
                loss = twin.train_epoch(X, y, 16, sgd(0.1), 1, part=(*part, state), **options)
                losses.append(loss * (part[1] - part[0]))
            assert sum(losses) / 100 == pytest.approx(whole)
            assert bits(net) == bits(twin)
            assert net.rng_state == twin.rng_state
    with pytest.raises(ValueError, match="part must be samples from 0 to 100, got 5 to 101"):
        net.train_epoch(X, y, 16, sgd(0.1), 1, part=(5, 101, 0))


def test_gradients_in_pieces_are_those_of_the_layer():
    """A layer of more synapses than a thread keeps gradients of."""
    net = sparse((60_000, 60_000, 2), (1_200_000, 120_000))  # one block of columns
    X, y = data(8, 60_000, 2)
    _, values, _ = net.gradients(X, y, 1)
    before = net.layers()[0]
    for threads in (1, 2):
        twin = net.copy()
        twin.train_epoch(X, y, 8, sgd(1.0), threads)
        np.testing.assert_allclose(
            before[3] - twin.layers()[0][3], values[0], atol=1e-6 * abs(before[3]).max()
        )
