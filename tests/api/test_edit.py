"""Targeted changes: without, set_weight, set_bias, freeze."""

import numpy as np
import pytest
import synaprune as sn


@pytest.fixture
def net():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6)).astype(np.float32)
    made = sn.SparseMLP((6, 5, 4, 3), activation="tanh", seed=1, init_scale=1.0)
    made.fit(X, np.arange(200) % 3, training=sn.Training(3, optimizer=sn.SGD(0.1, momentum=0.9)))
    made.input_names = tuple("abcdef")
    return made


def data(n=200):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 6)).astype(np.float32), np.arange(n) % 3


def outputs(net, X):
    return sn.explain.activations(net, X, -1)


def test_without_leaves_the_rest_and_the_original(net, bits):
    X, _ = data()
    before = bits(net)
    dense = [w.to_dense().astype(np.float64) for w in net.weights]
    dense[0][:, [0, 3]] = 0
    dense[1][:, 2] = 0  # what neuron 2 of the first hidden layer says
    dense[2][1, 3] = 0
    other = net.without(inputs=[0, "d"], neurons=[(0, 2)], synapses=[(2, 1, 3)])
    a = X.astype(np.float64)
    for level, (matrix, w) in enumerate(zip(dense, net.weights, strict=True)):
        a = a @ matrix.T + w.bias
        a = np.tanh(a) if level < 2 else a
    np.testing.assert_allclose(outputs(other, X), a, rtol=1e-4, atol=1e-5)
    assert other.structure == "4-4-4-3"
    assert bits(net) == before
    assert other.without().structure == other.structure


def test_a_name_a_pair_and_a_number_mean_the_same(net, bits):
    assert bits(net.without(inputs=["b"])) == bits(net.without(inputs=[1]))
    small = sn.SparseMLP((3, 4, 2), seed=0)
    assert bits(small.without(neurons=[1])) == bits(small.without(neurons=[(0, 1)]))


def test_set_weight_and_bias_change_one_number(net):
    other = net.with_weight(1, 3, 4, 0.5).with_bias(0, 2, -1.0)
    before, after = net.weights, other.weights
    change = after[1].to_dense() - before[1].to_dense()
    assert np.flatnonzero(change).tolist() == [3 * 5 + 4]
    assert after[1].to_dense()[3, 4] == 0.5
    assert np.flatnonzero(after[0].bias - before[0].bias).tolist() == [2]
    assert (after[1].initial == before[1].initial).all()
    state = net._core.optimizer_state
    assert (other._core.optimizer_state[2] == state[2]).all()  # momentum lives on


@pytest.mark.parametrize(
    "optimizer",
    [
        sn.SGD(0.1),
        sn.SGD(0.1, momentum=0.9),
        sn.SGD(0.1, l1=0.01, weight_decay=0.01),
        sn.Adam(0.01),
    ],
)
@pytest.mark.parametrize("batch_size", [16, 200])
def test_frozen_parts_do_not_move_and_others_do(net, optimizer, batch_size):
    X, y = data()
    held = net.with_frozen(inputs=[2], neurons=[(1, 0)], synapses=[(2, 1, 3)])
    after = held.copy().fit(
        X, y, training=sn.Training(3, optimizer=optimizer, batch_size=batch_size)
    )
    old, new = held.weights, after.weights
    moved = [a.to_dense() != b.to_dense() for a, b in zip(old, new, strict=True)]
    assert not moved[0][:, 2].any()
    assert not moved[1][0].any()
    assert not moved[2][1, 3]
    assert moved[0][:, 0].any()
    assert moved[1][1].any()
    assert moved[2].any()
    biases = [a.bias != b.bias for a, b in zip(old, new, strict=True)]
    assert not biases[1][0]
    assert biases[1][1:].any()
    assert biases[2].all()
    free = held.with_nothing_frozen().fit(X, y, training=sn.Training(1))
    assert (free.weights[1].to_dense()[0] != old[1].to_dense()[0]).any()


@pytest.mark.parametrize("sizes", [(6, 5, 4, 3), (700, 300, 200, 3)])  # a small and a large path
def test_frozen_networks_train_alike_on_any_threads(sizes, bits):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, sizes[0])).astype(np.float32)
    net = sn.SparseMLP(sizes, activation="tanh", seed=0, init_scale=1.0)
    net = net.with_frozen(neurons=[(0, 1)], inputs=[3])
    results = [
        bits(net.copy().fit(X, np.arange(300) % 3, training=sn.Training(2), threads=n))
        for n in (1, 2, 7)
    ]
    assert results[0] == results[1] == results[2]
    twin = net.copy().fit(X, np.arange(300) % 3, training=sn.Training(2))
    assert (twin.weights[0].to_dense()[1] == net.weights[0].to_dense()[1]).all()
    free = net.with_nothing_frozen().fit(X, np.arange(300) % 3, training=sn.Training(1))
    assert (free.weights[0].to_dense()[1] != net.weights[0].to_dense()[1]).any()


def test_freezing_everything_leaves_nothing_to_train(net, bits):
    X, y = data()
    held = net.with_frozen()
    after = held.copy().fit(X, y, training=sn.Training(2))
    assert [w.values.tobytes() for w in after.weights] == [w.values.tobytes() for w in net.weights]
    assert [w.bias.tobytes() for w in after.weights] == [w.bias.tobytes() for w in net.weights]
    path = sn.prune(
        held, X, y, validation=(X, y), max_drop=1.0, strategy=sn.Iterative(retrain_epochs=1)
    )
    assert path.smallest.n_synapses == net.n_synapses
    assert path.stop_reason == "all that is left is frozen"


def test_empty_lists_freeze_nothing(net):
    """A list that happened to be empty used to freeze the whole network."""
    assert net.with_frozen(neurons=[], inputs=[])._core.frozen is None
    assert net.with_frozen(synapses=())._core.frozen is None


def test_parts_may_come_as_arrays(net, bits):
    """`with_frozen(inputs=net.used_inputs)` used to end in numpy's "truth value is ambiguous"."""
    for call in ("with_frozen", "without"):
        few = getattr(net, call)(inputs=np.array([1, 2]))
        same = getattr(net, call)(inputs=[1, 2])
        assert bits(few) == bits(same)
        assert np.array_equal(few._core.frozen, same._core.frozen)
    assert net.with_frozen(inputs=net.used_inputs).frozen_synapses[0].all()


@pytest.mark.parametrize(
    ("target", "least"), [({"n_synapses": 4}, 6), ({"n_inputs": 2, "max_drop": 0.5}, 6)]
)
def test_targets_below_what_is_frozen_are_refused(net, target, least):
    X, y = data()
    with pytest.raises(ValueError, match=f"must be at least {least}, what is frozen, got"):
        sn.prune(net.with_frozen(neurons=[(0, 1)]), X, y, validation=(X, y), **target)


ONE_SIDED = {
    "neurons": {"neurons": [(0, 1), (1, 2)]},
    "inputs": {"inputs": [4]},
    "synapses": {"synapses": [(1, 0, 0), (2, 2, 1)]},
}


@pytest.mark.parametrize("parts", ONE_SIDED)
@pytest.mark.parametrize(
    "target",
    [
        {"n_synapses": 20, "training": sn.Training(12)},
        {"n_synapses": 20, "training": sn.Training(12), "strategy": sn.Gradual(regrow_budget=1)},
        {"max_drop": 0.6, "strategy": sn.Iterative(3, search_budget=2)},
        {"max_drop": 0.6, "strategy": sn.Iterative(3), "n_inputs": 6},
    ],
)
def test_clean_up_spares_what_is_frozen_too(net, parts, target):
    """Frozen synapses of neurons that died used to go with them, into frozen biases even."""
    X, y = data()
    held = net.with_frozen(**ONE_SIDED[parts])
    before = held._core.frozen
    path = sn.prune(held, X, y, validation=(X, y), **target)
    for step in range(len(path)):
        small = path.network(step)
        for old, now, was, kept in zip(
            held.weights, small.weights, held.frozen_synapses, small.frozen_synapses, strict=True
        ):
            assert old.keys[was].tolist() == now.keys[kept].tolist()
            assert (old.values[was] == now.values[kept]).all()
        assert small._core.frozen.sum() == before.sum()
    at = 0
    for old, now in zip(held.weights, small.weights, strict=True):
        at += len(old.values)
        frozen = before[at : at + len(old.bias)] != 0
        assert (old.bias[frozen] == now.bias[frozen]).all()
        at += len(old.bias)
    assert path.smallest.n_synapses < net.n_synapses


def test_infinite_scores_do_not_reach_what_is_frozen(net):
    """Frozen synapses used to be cut first where all scores were infinite."""
    held = net.with_frozen(synapses=[(0, 0, 0)])
    held._core.cut(np.full(held.n_synapses, np.inf, np.float32), 3)
    assert held.frozen_synapses[0].sum() == 1


def test_what_is_removed_by_name_goes_even_if_it_is_frozen(net):
    assert net.with_frozen(neurons=[(0, 1)]).without(neurons=[(0, 1)]).structure == "6-4-4-3"


@pytest.mark.parametrize(
    "target",
    [
        {"n_synapses": 12, "training": sn.Training(10)},
        {"n_inputs": 2, "training": sn.Training(10)},
        {"max_drop": 0.5, "strategy": sn.Iterative(3, search_budget=0.5)},
    ],
)
def test_pruning_spares_what_is_frozen_and_files_keep_it(net, tmp_path, target):
    X, y = data()
    held = net.with_frozen(synapses=[(0, 0, 4), (0, 1, 4), (1, 0, 1), (1, 0, 0), (2, 0, 0)])
    path = sn.prune(held, X, y, validation=(X, y), **target)
    path.save(tmp_path / "path.npz")
    loaded = sn.PruningPath.load(tmp_path / "path.npz")
    for small in (path.smallest, loaded.smallest, sn.SparseMLP.load(tmp_path / "path.npz")):
        frozen = small.frozen_synapses
        assert sum(part.sum() for part in frozen) == 5
        for layer, row, source in [(0, 0, 4), (0, 1, 4), (1, 0, 1), (1, 0, 0), (2, 0, 0)]:
            w = small.weights[layer]
            at = np.flatnonzero((w.rows == row) & (w.indices == source))
            assert frozen[layer][at].all()
            assert w.values[at] == net.weights[layer].to_dense()[row, source]
    assert small.n_synapses < net.n_synapses


def test_frozen_stays_through_copies_and_new_weights(net, bits):
    held = net.with_frozen(neurons=[(0, 3)])
    assert bits(held.copy()) == bits(held)
    assert (held.copy()._core.frozen == held._core.frozen).all()
    more = held.with_frozen(inputs=[0])
    assert more._core.frozen.sum() == 6 + 1 + 5 - 1  # the neuron's, its bias, the input's
    weights = held.weights
    few = weights[0]
    keep = few.indices != 0
    indptr = np.concatenate([[0], np.cumsum(np.bincount(few.rows[keep], minlength=5))])
    weights[0] = sn.SparseLayer(
        6, indptr, few.indices[keep], few.values[keep], few.initial[keep], few.bias
    )
    assert held.copy().set_weights(weights)._core.frozen.sum() == 5 + 1
    assert net._core.frozen is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n: n.without(inputs=[6]), ValueError, r"^input must be from 0 to 5, got 6$"),
        (lambda n: n.without(inputs=["z"]), ValueError, r"^no input is called 'z'$"),
        (lambda n: n.without(inputs=[1.0]), TypeError, r"^input must be an int, got float$"),
        (lambda n: n.without(neurons=[1]), TypeError, r"^a neuron must be a pair .*, got 1$"),
        (lambda n: n.without(neurons=[(2, 0)]), ValueError, r"^hidden layer must be from 0 to 1"),
        (lambda n: n.without(neurons=[(1, 4)]), ValueError, r"^neuron must be from 0 to 3, got 4"),
        (lambda n: n.without(synapses=[(0, 1)]), TypeError, r"^a synapse must be \(layer, neuron"),
        (lambda n: n.without(synapses=[(3, 0, 0)]), ValueError, r"^layer must be from 0 to 2"),
        (lambda n: n.with_weight(0, 0, 9, 1.0), ValueError, r"^source must be from 0 to 5, got 9"),
        (lambda n: n.with_weight(0, 0, 1, np.nan), ValueError, r"^value must be finite"),
        (lambda n: n.with_weight(0, 0, 1, "1"), TypeError, r"^value must be a number, got '1'$"),
        (lambda n: n.with_bias(2, 3, 1.0), ValueError, r"^neuron must be from 0 to 2, got 3$"),
        (lambda n: n.with_bias(3, 0, 1.0), ValueError, r"^layer must be from 0 to 2, got 3$"),
        (lambda n: n.with_frozen(neurons=[(0, -1)]), ValueError, r"^neuron must be from 0 to 4"),
        (
            lambda n: n.without(inputs=[1]).with_weight(0, 0, 1, 1.0),
            ValueError,
            r"^no synapse of layer 0 leads from 1 to 0$",
        ),
    ],
)
def test_wrong_parts_are_named_and_change_nothing(net, bits, call, error, message):
    before = bits(net)
    with pytest.raises(error, match=message):
        call(net)
    assert bits(net) == before


def test_a_network_without_hidden_layers_has_no_neuron_to_take():
    with pytest.raises(ValueError, match="the network has no hidden layer"):
        sn.SparseMLP((3, 2)).without(neurons=[(0, 0)])
