"""Frozen parameters in the core: what updates, cuts and clean-up leave alone."""

import numpy as np
import pytest
from core.networks import data, sgd
from synaprune import _core


def network(sizes=(3, 3, 2), activation="tanh"):
    return _core.Network(list(sizes), activation, "softmax", 1.0, 0)


def mask(net, *positions):
    """1 at positions among synapses and biases, layer by layer."""
    n = sum(len(layer[3]) + len(layer[5]) for layer in net.layers())
    frozen = np.zeros(n, np.uint8)
    frozen[list(positions)] = 1
    return frozen


def test_the_mask_goes_in_and_out():
    net = network()
    assert net.frozen is None
    net.frozen = mask(net, 2, 10)
    assert net.frozen.tolist() == mask(net, 2, 10).tolist()
    assert net.copy().frozen.tolist() == net.frozen.tolist()
    net.frozen = mask(net)
    assert net.frozen is None
    net.frozen = mask(net, 0)
    net.frozen = None
    assert net.frozen is None
    with pytest.raises(ValueError, match=r"^frozen must have one entry a .*, 20, got 19"):
        net.frozen = np.ones(19, np.uint8)
    with pytest.raises(TypeError, match="frozen must be uint8"):
        net.frozen = np.ones(20, bool)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "penalties"])
@pytest.mark.parametrize("sizes", [(30, 20, 3), (300, 250, 200, 3)])  # more than a chunk of 256
def test_only_what_is_free_moves(optimizer, sizes):
    made = {
        "sgd": sgd(0.1),
        "momentum": sgd(0.1, momentum=0.9),
        "adam": _core.Optimizer("adam", 0.01),
        "penalties": sgd(0.1, weight_decay=0.1, l1=0.01),
    }[optimizer]
    net = network(sizes)
    n = len(mask(net))
    frozen = (np.random.default_rng(0).random(n) < 0.3).astype(np.uint8)
    net.frozen = frozen
    X, y = data(200, sizes[0], 3)
    free = network(sizes)

    def flat(of):
        return np.concatenate([a for layer in of.layers() for a in (layer[3], layer[5])])

    before = flat(net)
    for each in (net, free):
        each.train_epoch(X, y, 32, made, 2)
    moved = flat(net) != before
    assert not moved[frozen == 1].any()
    assert moved[frozen == 0].mean() > 0.95
    state = net.optimizer_state
    if state is not None:
        assert not state[2][:, frozen == 1].any()
        assert state[2][:, frozen == 0].any()
    one = network(sizes)
    one.frozen = frozen
    one.train_epoch(X, y, 32, made, 1)
    assert (flat(one) == flat(net)).all()
    assert (flat(free) != flat(net)).any()


def test_a_cut_takes_free_synapses_only():
    net = network()
    net.frozen = mask(net, 0, 1)
    net.cut(np.arange(15, dtype=np.float32), 3)
    left = net.layers()[0][2].tolist()
    assert left[:2] == [0, 1]
    assert net.n_synapses == 12
    net.cut(np.zeros(12, np.float32), 12)  # more than are free
    assert net.n_synapses == 2


def test_clean_up_keeps_frozen_synapses_of_dead_neurons():
    net = network()
    net.frozen = mask(net, 3)  # into neuron 1
    keep = np.ones(15, np.uint8)
    keep[9:][net.layers()[1][2] == 1] = 0
    net.remove(keep)
    indptr, indices = net.layers()[0][1:3]
    assert np.diff(indptr).tolist() == [3, 1, 3]
    assert indices[3] == 0
    assert net.structure == (3, 2, 2)


def test_constants_do_not_move_into_frozen_biases():
    net = network()
    layers = net.layers()
    layers[0][5][:] = [0.5, 0.6, 0.7]
    net = _core.Network.from_layers(layers, "tanh", "softmax", 0)
    net.frozen = mask(net, 9 + 3 + 6)  # the first output's bias
    keep = np.ones(15, np.uint8)
    keep[3:6] = 0  # all into neuron 1, which is a constant then
    X, _ = data(20, 3, 2)
    expected = net.copy()
    values = expected.layers()
    values[0][3][3:6] = 0
    expected = _core.Network.from_layers(values, "tanh", "softmax", 0).outputs(X, 1)
    net.remove(keep)
    assert net.layers()[1][5][0] == 0
    assert net.layers()[1][5][1] != 0
    assert np.diff(net.layers()[1][1]).tolist() == [3, 2]
    np.testing.assert_allclose(net.outputs(X, 1), expected, atol=1e-6)
