"""What a `_core.Network` holds: when new, after its layers went in, copied and assigned."""

import math

import numpy as np
import pytest
from core.dense_model import EPS, random_layers
from core.networks import bits, data, sgd, transform_for
from synaprune import _core

# --- construction -------------------------------------------------------------------------------


def test_new_network_is_full_with_glorot_weights_and_zero_biases():
    net = _core.Network([300, 40, 10], "relu", "softmax", 0.5, 11)
    assert net.structure == (300, 40, 10)
    assert net.n_synapses == 300 * 40 + 40 * 10
    for (n_in, indptr, indices, values, initial, bias), n_out in zip(
        net.layers(), (40, 10), strict=True
    ):
        limit = 0.5 * math.sqrt(6.0 / (n_in + n_out))
        np.testing.assert_array_equal(indptr, np.arange(n_out + 1) * n_in)
        np.testing.assert_array_equal(indices, np.tile(np.arange(n_in), n_out))
        assert abs(values).max() <= limit * (1 + EPS)
        assert abs(values).max() > 0.98 * limit  # 400 draws all below that: once in 3000
        assert abs(values.mean()) < 5.0 * limit / math.sqrt(3 * len(values))
        assert values.tobytes() == initial.tobytes()
        assert not bias.any()
    shift, scale = net.input_transform
    assert shift.tolist() == [0.0] * 300
    assert scale.tolist() == [1.0] * 300


def test_weights_are_those_of_splitmix64():
    net = _core.Network([2, 3, 1], "relu", "sigmoid", 1.0, 2**63 + 5)
    state, values = 2**63 + 5, []
    for n_in, n_out in ((2, 3), (3, 1)):
        limit = np.float32(math.sqrt(6.0 / (n_in + n_out)))
        for _ in range(n_in * n_out):
            state, z = splitmix64(state)
            values.append((np.float32(2.0) * np.float32((z >> 40) / 2**24) - np.float32(1)) * limit)
    np.testing.assert_array_equal(np.concatenate([layer[3] for layer in net.layers()]), values)
    assert net.rng_state == state


def splitmix64(state):
    """Steele, Lea, Flood 2014: the next state and the number drawn."""
    wrap = 2**64 - 1
    state = (state + 0x9E3779B97F4A7C15) & wrap
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & wrap
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & wrap
    return state, z ^ (z >> 31)


def test_layers_go_in_and_come_out_unchanged():
    layers = random_layers(np.random.default_rng(0), (6, 5, 3))
    net = _core.Network.from_layers(layers, "relu", "softmax", 2**64 - 1)
    assert net.rng_state == 2**64 - 1
    assert net.n_synapses == sum(len(layer[2]) for layer in layers)
    for got, given in zip(net.layers(), layers, strict=True):
        assert got[0] == given[0]
        for a, b in zip(got[1:], given[1:], strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_arrays_that_come_out_are_copies():
    net = _core.Network([3, 2], "relu", "softmax", 1.0, 0)
    before = bits(net)
    for array in net.layers()[0][1:]:
        array[:] = 1
    for array in net.input_transform:
        array[:] = 7
    assert bits(net) == before


# --- copy and assign ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [sgd(0.1), sgd(0.1, momentum=0.9), _core.Optimizer("adam", 0.01)],
    ids=["plain", "momentum", "adam"],
)
def test_assign_undoes_training_and_cuts_bit_for_bit(optimizer):
    X, y = data(120, 20, 4)
    net = _core.Network([20, 12, 4], "relu", "softmax", 1.0, 5)
    net.input_transform = transform_for(np.float32, 20)
    for _ in range(3):
        net.train_epoch(X, y, 16, optimizer, 1)
    net.cut(net.score("wsf"), 100)
    net.train_epoch(X, y, 16, optimizer, 1)
    saved, at_save = net.copy(), bits(net)

    net.cut(net.score("random"), 60)
    net.train_epoch(X, y, 16, optimizer, 1)
    net.input_transform = (np.zeros(20, np.float32), np.ones(20, np.float32))
    assert all(a != b for a, b in zip(bits(net)[2:4], at_save[2:4], strict=True))
    assert bits(saved) == at_save  # the copy is independent

    net.assign(saved)
    assert bits(net) == at_save
    assert net.structure == saved.structure
    assert bits(saved) == at_save

    # what cannot be seen (moments, step count, derived plan) shows in how training goes on
    losses = [[n.train_epoch(X, y, 16, optimizer, 1) for _ in range(3)] for n in (net, saved)]
    assert losses[0] == losses[1]
    assert bits(net) == bits(saved)
    assert bits(net) != at_save


@pytest.mark.parametrize(
    "optimizer",
    [sgd(0.01, momentum=0.9), _core.Optimizer("adam", 0.01)],
    ids=["momentum", "adam"],
)
def test_copy_holds_the_optimizer_state(optimizer):
    """The test above compares like with like; this one shows that the state matters at all."""
    X, y = data(120, 20, 4)
    net = _core.Network([20, 12, 4], "relu", "softmax", 1.0, 5)
    net.train_epoch(X, y, 16, optimizer, 1)
    fresh = _core.Network.from_layers(net.layers(), "relu", "softmax", net.rng_state)
    copy = net.copy()
    assert bits(fresh) == bits(net)
    for n in (net, copy, fresh):
        n.train_epoch(X, y, 16, optimizer, 1)
    assert bits(copy) == bits(net)
    assert bits(fresh) != bits(net)


def test_assign_takes_another_shape_and_itself():
    net = _core.Network([8, 6, 3], "relu", "softmax", 1.0, 3)
    net.assign(_core.Network([5, 4, 4, 1], "tanh", "sigmoid", 1.0, 9))
    net.assign(net)
    assert net.structure == (5, 4, 4, 1)
    assert bits(net) == bits(_core.Network([5, 4, 4, 1], "tanh", "sigmoid", 1.0, 9))
    assert net.outputs(np.zeros((2, 5), np.float32), 1).tolist() == [[0.5], [0.5]]


# --- the optimiser's state ----------------------------------------------------------------------

OPTIMIZERS = {
    "momentum": (sgd(0.1, momentum=0.9), ("sgd", 1)),
    "adam": (_core.Optimizer("adam", 0.01), ("adam", 2)),
}


def rebuilt(net):
    return _core.Network.from_layers(net.layers(), "relu", "softmax", net.rng_state)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_from_a_state_that_was_read_and_set(name):
    optimizer, (kind, rows) = OPTIMIZERS[name]
    X, y = data(120, 20, 4)
    net = _core.Network([20, 12, 4], "relu", "softmax", 1.0, 5)
    assert net.optimizer_state is None
    for n_cut in (0, 100, 30):
        net.train_epoch(X, y, 16, optimizer, 1)
        net.cut(net.score("wsf"), n_cut)
    got_kind, updates, moments = net.optimizer_state
    assert (got_kind, updates) == (kind, 3 * 8)
    assert (moments.dtype, moments.shape) == (np.float32, (rows, net.n_synapses + 16))
    same, other = rebuilt(net), rebuilt(net)
    same.optimizer_state = net.optimizer_state
    moments[:] = 0.0  # a copy
    assert same.optimizer_state[2].any(axis=1).all()
    for n in (net, same, other):
        n.train_epoch(X, y, 16, optimizer, 1)
    assert bits(same) == bits(net)
    assert bits(other) != bits(net)
    net.optimizer_state = None
    assert net.optimizer_state is None


def test_moments_stand_layer_by_layer_synapses_before_biases():
    net = _core.Network([2, 3, 2], "relu", "softmax", 1.0, 0)
    net.optimizer_state = ("sgd", 5, np.arange(6 + 3 + 6 + 2, dtype=np.float32)[None])
    mask = np.ones(12, np.uint8)
    mask[[0, 7]] = 0  # the first synapse of layer 0, the second of layer 1
    net.remove(mask)
    kind, updates, moments = net.optimizer_state
    assert (kind, updates) == ("sgd", 5)
    assert moments.tolist() == [[n for n in range(17) if n not in (0, 10)]]


def test_plain_sgd_has_no_state():
    X, y = data(30, 5, 2)
    net = _core.Network([5, 4, 2], "relu", "softmax", 1.0, 0)
    for optimizer in (sgd(0.1), sgd(0.1, momentum=0.5), sgd(0.1)):
        net.train_epoch(X, y, 16, optimizer, 1)
    assert net.optimizer_state is None


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (("sgd", 1, np.zeros((1, 6), np.float32)), ValueError, "must have 17 entries a row"),
        (("sgd", 1, np.zeros((2, 17), np.float32)), ValueError, "'sgd' must have 1 rows, got 2"),
        (("adam", 1, np.zeros((1, 17), np.float32)), ValueError, "'adam' must have 2 rows, got 1"),
        (("adam", 1, np.zeros((9, 17), np.float32)), ValueError, "'adam' must have 2 rows, got 9"),
        (("adam", -1, np.zeros((2, 17), np.float32)), ValueError, "updates must not be .*, got -1"),
        (("rms", 1, np.zeros((2, 17), np.float32)), ValueError, "optimizer must be .*, got 'rms'"),
        (("sgd", 1, np.full((1, 17), np.nan, np.float32)), ValueError, "moments must be finite"),
        (("sgd", 1, np.zeros((1, 17))), TypeError, "moments must be float32, got float64"),
        (("sgd", 1, np.zeros(17, np.float32)), ValueError, "moments must be .* with 2 axes"),
        (5, TypeError, "incompatible function arguments"),
    ],
)
def test_a_wrong_state_is_refused_and_changes_nothing(state, error, message):
    net = _core.Network([2, 3, 2], "relu", "softmax", 1.0, 0)
    moments = np.arange(17, dtype=np.float32)[None]
    net.optimizer_state = ("sgd", 4, moments)
    with pytest.raises(error, match=message):
        net.optimizer_state = state
    kind, updates, now = net.optimizer_state
    assert (kind, updates, now.tolist()) == ("sgd", 4, moments.tolist())
