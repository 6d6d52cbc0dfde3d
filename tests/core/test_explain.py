"""Ablation, activations and path energy, against doing it one by one."""

import itertools

import numpy as np
import pytest
from core.dense_model import DenseModel, assert_close, random_layers
from core.networks import ablated, bits, data
from synaprune import _core

KINDS = [
    ((9, 8, 6, 4), "relu", "softmax"),
    ((9, 7, 1), "tanh", "sigmoid"),
    ((9, 3), "relu", "softmax"),
    ((9, 8, 3), "sigmoid", "squared"),
]


def network(sizes, activation, loss, density=0.6, seed=0):
    layers = random_layers(np.random.default_rng(seed), sizes, density)
    return _core.Network.from_layers(layers, activation, loss, 0)


def without(net, layer, part, k):
    """The same network, weights of one part zero."""
    layers = net.layers()
    values = layers[layer][3]
    values[k if part == "synapses" else layers[layer][2] == k] = 0.0
    return layers


@pytest.mark.parametrize("part", ["synapses", "columns"])
@pytest.mark.parametrize(("sizes", "activation", "loss"), KINDS)
def test_ablation_is_what_zero_weights_cost(sizes, activation, loss, part):
    net = network(sizes, activation, loss)
    n_classes = max(sizes[-1], 2)
    X, y = data(333, sizes[0], n_classes)
    before = net.classify(X, 1) == y
    some = 0
    for layer in range(len(sizes) - 1):
        lost, won = ablated(net, X, y, layer, part, 2)
        n = len(net.layers()[layer][3]) if part == "synapses" else sizes[layer]
        assert lost.shape == won.shape == (n, n_classes)
        for k in range(n):
            other = _core.Network.from_layers(
                without(net, layer, part, k), activation, loss, 0
            ).classify(X, 1)
            after = other == y
            for c in range(n_classes):
                assert lost[k, c] == (before & ~after & (y == c)).sum()
                assert won[k, c] == (~before & after & (y == c)).sum()
        some += lost.sum()
    assert some > 0


@pytest.mark.parametrize("part", ["synapses", "columns"])
@pytest.mark.parametrize("loss", _core.REGRESSION_LOSSES)
def test_ablation_of_a_regression_is_the_change_of_its_loss(loss, part):
    sizes = (9, 8, 6, 2)
    net = network(sizes, "tanh", loss)
    X, y = data(333, 9, 2)[0], np.random.default_rng(0).normal(size=(333, 2)).astype(np.float32)
    before = net.evaluate(X, y, 1)[0]
    for layer in range(3):
        change = _core.ablate(net, X, y, layer, part, 2)
        assert change.tobytes() == _core.ablate(net, X, y, layer, part, 7).tobytes()
        for k, change_of_part in enumerate(change):
            other = _core.Network.from_layers(without(net, layer, part, k), "tanh", loss, 0)
            expected = other.evaluate(X, y, 1)[0] - before
            assert change_of_part == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("n", [1, 7, 63, 64, 65, 1000])
def test_ablation_is_equal_for_any_threads_and_changes_nothing(n):
    net = network((20, 16, 12, 5), "relu", "softmax")
    X, y = data(n, 20, 5)
    before = bits(net)
    for layer, part in itertools.product(range(3), ("synapses", "columns")):
        one = _core.ablate(net, X, y, layer, part, 1)
        for threads in (2, 7):
            several = _core.ablate(net, X, y, layer, part, threads)
            assert one.tobytes() == several.tobytes()
    assert bits(net) == before


def test_what_nothing_reads_costs_nothing():
    net = network((6, 5, 3), "relu", "softmax", density=1.0)
    keep = np.ones(net.n_synapses, np.uint8)
    n = len(net.layers()[0][3])
    keep[:n][net.layers()[0][2] == 4] = 0
    net.remove(keep)
    X, y = data(100, 6, 3)
    lost, won = ablated(net, X, y, 0, "columns")
    assert lost[4].sum() == won[4].sum() == 0


@pytest.mark.parametrize(("sizes", "activation", "loss"), KINDS)
def test_activations_are_the_dense_models(sizes, activation, loss):
    net = network(sizes, activation, loss, density=0.8)
    X, _ = data(70, sizes[0], 2)
    model = DenseModel(net.layers(), activation, loss)
    for layer in range(len(sizes) - 1):
        expected = model.neurons(X, layer)
        got = _core.activations(net, X, layer, 2)
        assert got.shape == expected.value.shape
        computed = np.diff(net.layers()[layer][1]) > 0
        if layer + 2 < len(sizes):
            computed |= np.isin(np.arange(sizes[layer + 1]), net.layers()[layer + 1][2])
        else:
            computed[:] = True
        assert (got[:, ~computed] == 0).all()
        assert_close(got[:, computed], expected[:, computed])


def enumerated(net, factors):
    """Energy of every (input, output), and of every neuron, path by path."""
    dense = [np.zeros((len(layer[1]) - 1, layer[0])) for layer in net.layers()]
    for matrix, (_, indptr, indices, values, *_) in zip(dense, net.layers(), strict=True):
        matrix[np.repeat(np.arange(len(matrix)), np.diff(indptr)), indices] = abs(values)
    sizes = [dense[0].shape[1], *(len(m) for m in dense)]
    energy = np.zeros((sizes[0], sizes[-1]))
    for path in itertools.product(*map(range, sizes)):
        strength = 1.0
        for level, (a, b) in enumerate(itertools.pairwise(path)):
            strength *= dense[level][b, a] * factors[level][a]
        energy[path[0], path[-1]] += strength
    return energy


@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), (4, 3, 5, 2)])
def test_path_energy_is_the_sum_over_paths(sizes):
    net = network(sizes, "relu", "softmax")
    rng = np.random.default_rng(2)
    factors = [rng.uniform(0.0, 2.0, n).astype(np.float32) for n in sizes[:-1]]
    below = _core.energy_below(net, factors)
    above = [*_core.energy_above(net, factors, np.eye(sizes[-1])), np.eye(sizes[-1])]
    expected = enumerated(net, factors)
    np.testing.assert_allclose(above[0], expected, rtol=1e-9)
    np.testing.assert_allclose(below[-1], expected.sum(axis=0), rtol=1e-9)
    for level in range(len(sizes)):  # every path passes each level once
        np.testing.assert_allclose(below[level] @ above[level], expected.sum(axis=0), rtol=1e-9)
    for top in range(1, len(sizes)):  # from any level on
        part = _core.energy_above(net, factors[:top], above[top])
        for a, b in zip(part, above, strict=False):
            np.testing.assert_allclose(a, b, rtol=1e-9)
    ends = rng.uniform(size=(sizes[-1], 1))
    np.testing.assert_allclose(
        _core.energy_above(net, factors, ends)[0], above[0] @ ends, rtol=1e-9
    )


def test_wrong_arguments_are_named():
    net = network((6, 5, 3), "relu", "softmax")
    X, y = data(10, 6, 3)
    for layer in (-1, 2):
        with pytest.raises(ValueError, match=r"^layer must be from 0 to 1, got"):
            _core.ablate(net, X, y, layer, "columns", 1)
        with pytest.raises(ValueError, match=r"^layer must be from 0 to 1, got"):
            _core.activations(net, X, layer, 1)
    with pytest.raises(ValueError, match=r"^part must be 'synapses' or 'columns', got 'rows'$"):
        _core.ablate(net, X, y, 0, "rows", 1)
    with pytest.raises(ValueError, match="threads"):
        _core.ablate(net, X, y, 0, "columns", 0)
    for factors in ([np.ones(6, np.float32)], [np.ones(6, np.float32), np.ones(6, np.float32)]):
        with pytest.raises(ValueError, match="factors must have one entry"):
            _core.energy_below(net, factors)
    ones = [np.ones(6, np.float32), np.ones(5, np.float32)]
    with pytest.raises(ValueError, match="factors must have one entry"):
        _core.energy_above(net, ones[1:], np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"ends must have shape \(3, 2\), got"):
        _core.energy_above(net, ones, np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"factors must be from 1 to 2 arrays, got 0"):
        _core.energy_above(net, [], np.ones((6, 2)))
    X[3, 3] = np.nan
    assert _core.ablate(net, X, y, 0, "columns", 2) is None
    assert _core.activations(net, X, 0, 2) is None
