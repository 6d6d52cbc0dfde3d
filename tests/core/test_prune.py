"""Removal and clean-up in the core, training after a cut, and rollback."""

import itertools

import numpy as np
import pytest
from core.dense_model import (
    EPS,
    C,
    DenseModel,
    Rounded,
    activate,
    assert_close,
    from_mask,
    random_layers,
)
from core.synapses import data, flat, keep_these, masks, network, trained, where
from hypothesis import given, settings
from hypothesis import strategies as st
from synaprune import _core

ACTIVATIONS = _core.ACTIVATIONS
seeds = st.integers(0, 2**32 - 1)

# --- removal and clean-up -----------------------------------------------------------------------


def random_case(seed):
    """A random sparse network of up to three hidden layers, its layers, a mask over its synapses.

    Thin layers and hard cuts are likely, so that neurons and whole chains of them die.
    """
    rng = np.random.default_rng(seed)
    sizes = [int(s) for s in rng.integers(1, 9, rng.integers(2, 6))]
    if sizes[-1] == 1:
        sizes[-1] = 2
    activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    layers = random_layers(rng, sizes, rng.uniform(0.2, 1.0), dead=bool(rng.integers(2)))
    keep = (rng.random(sum(len(layer[2]) for layer in layers)) < rng.random()).astype(np.uint8)
    return activation, layers, keep


cases = given(seed=seeds)
examples = settings(max_examples=150, deadline=None)


@cases
@examples
def test_outputs_are_those_of_the_dense_network_with_the_weights_zeroed(seed):
    activation, layers, keep = random_case(seed)
    model = DenseModel(layers, activation, "softmax")
    begin = 0
    for k, mask in enumerate(model.masks):
        model.weights[k].value[mask] *= keep[begin : begin + mask.sum()]
        begin += mask.sum()
    net = network(layers, activation)
    net.remove(keep)
    X, _ = data(20, layers[0][0], 2)
    assert_close(net.outputs(X, 1), model.probabilities(X))


@cases
@examples
def test_after_removal_every_hidden_neuron_has_synapses_both_ways_or_none(seed):
    activation, layers, keep = random_case(seed)
    net = network(layers, activation)
    removed = net.remove(keep)
    after = masks(net.layers())
    for below, above in itertools.pairwise(after):
        np.testing.assert_array_equal(below.any(1), above.any(0))
    for (below, above), layer in zip(itertools.pairwise(after), net.layers(), strict=False):
        dead = ~(below.any(1) | above.any(0))
        assert not layer[5][dead].any()  # biases of dead neurons are zero
    assert removed == len(keep) - net.n_synapses
    assert set(where(net.layers())) <= {p for p, k in zip(where(layers), keep, strict=True) if k}
    assert net.remove(np.ones(net.n_synapses, np.uint8)) == 0  # nothing is left to clean up


@cases
@examples
def test_removal_takes_no_synapse_on_a_path_from_an_input_to_an_output(seed):
    activation, layers, keep = random_case(seed)
    net = network(layers, activation)
    net.remove(keep)
    kept = {place for place, k in zip(where(layers), keep, strict=True) if k}
    n_layers = len(layers)
    reached = [set(range(layers[0][0]))]  # neurons that an input reaches, layer by layer
    for k in range(n_layers):
        reached.append({r for at, r, c in kept if at == k and c in reached[k]})
    used = [set(range(len(layers[-1][5])))]  # neurons that reach an output
    for k in reversed(range(n_layers)):
        used.insert(0, {c for at, r, c in kept if at == k and r in used[0]})
    assert set(where(net.layers())) == {
        (k, r, c) for k, r, c in kept if c in reached[k] and r in used[k + 1]
    }


@cases
@examples
def test_weights_and_initial_weights_travel_with_their_synapse(seed):
    activation, layers, keep = random_case(seed)
    net = network(layers, activation)
    net.remove(keep)
    for field in (3, 4):
        before = dict(zip(where(layers), flat(layers, field).tolist(), strict=True))
        after = dict(zip(where(net.layers()), flat(net.layers(), field).tolist(), strict=True))
        assert after == {place: before[place] for place in after}


@cases
@examples
def test_structure_counts_living_neurons(seed):
    activation, layers, keep = random_case(seed)
    net = network(layers, activation)
    for cut in (False, True):
        if cut:
            net.remove(keep)
        m = masks(net.layers())
        living = [(below.any(1) & above.any(0)).sum() for below, above in itertools.pairwise(m)]
        assert net.structure == (m[0].any(0).sum(), *living, len(m[-1]))
        assert net.n_synapses == sum(mask.sum() for mask in m)


def test_structure_of_a_known_network():
    mask = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]], bool)
    above = np.array([[1, 1, 0], [1, 0, 0]], bool)
    layers = [from_mask(np.random.default_rng(0), m) for m in (mask, above)]
    net = network(layers)
    # inputs 0 and 2; hidden 0 alone has both (1 lacks synapses in, 2 out); both outputs
    assert net.structure == (2, 1, 2)
    assert net.n_synapses == 6
    assert net.remove(np.ones(6, np.uint8)) == 2
    assert net.structure == (2, 1, 2)
    assert where(net.layers()) == [(0, 0, 0), (0, 0, 2), (1, 0, 0), (1, 1, 0)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_chain_of_neurons_that_nothing_reads_dies_downwards(activation):
    layers = random_layers(np.random.default_rng(0), (3, 2, 2, 2), density=1.0, dead=False)
    chain = {(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 0)}  # inputs to h1[0] to h2[0], to nothing
    rest = {(0, 1, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1)}
    net = network(layers, activation)
    assert net.remove(keep_these(layers, chain | rest)) == 14 - 4
    assert set(where(net.layers())) == rest
    assert net.structure == (1, 1, 1, 2)
    assert [layer[5][0] for layer in net.layers()[:2]] == [0.0, 0.0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_chain_of_constants_dies_upwards_into_the_biases(activation):
    layers = random_layers(np.random.default_rng(9), (3, 2, 2, 2), density=1.0, dead=False)
    chain = {(1, 0, 0), (2, 0, 0), (2, 1, 0)}  # from h1[0], which has no synapse in, to h2[0]
    rest = {(0, 1, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1)}
    net = network(layers, activation)
    assert net.remove(keep_these(layers, chain | rest)) == 14 - 4
    assert set(where(net.layers())) == rest
    (*_, bias1), (*_, bias2), (*_, bias3) = net.layers()
    assert [bias1[0], bias2[0]] == [0.0, 0.0]
    assert [bias1[1], bias2[1]] == [layers[0][5][1], layers[1][5][1]]
    f = lambda z: float(activate(activation, Rounded(z)).value)  # noqa: E731
    W2, W3 = (w.value for w in DenseModel(layers, activation, "softmax").weights[1:])
    h1 = f(float(layers[0][5][0]))
    h2 = f(W2[0, 0] * h1 + layers[1][5][0])
    moved = W3[:, 0] * h2
    allowed = C * EPS * (abs(moved) + abs(layers[2][5]) + abs(W3[:, 0] * W2[0, 0] * h1))
    assert (abs(bias3 - (layers[2][5] + moved)) <= allowed).all()
    assert (moved != 0.0).all()


def test_removing_everything_leaves_a_constant_network():
    rng = np.random.default_rng(0)
    layers = random_layers(rng, (5, 4, 4, 3), 0.8)
    net = network(layers, "tanh")
    before = net.n_synapses
    model = DenseModel(layers, "tanh", "softmax")
    model.weights = [w * 0.0 for w in model.weights]
    assert net.remove(np.zeros(before, np.uint8)) == before
    assert net.n_synapses == 0
    assert net.structure == (0, 0, 0, 3)
    X, y = data(70, 5, 3)
    probabilities = net.outputs(X, 2)
    assert_close(probabilities, model.probabilities(X))
    assert (probabilities == probabilities[0]).all()
    np.testing.assert_array_equal(net.classify(X, 2), probabilities.argmax(1))
    assert net.score("wsf").shape == (0,)
    assert net.cut(net.score("random"), 0) == 0
    assert net.remove(np.zeros(0, np.uint8)) == 0

    # the biases of the outputs still learn: the class frequencies in the end
    y = np.where(np.arange(70) < 49, 0, np.arange(70) % 2 + 1).astype(np.int32)
    assert [len(g) for g in net.gradients(X, y, 1)[1]] == [0, 0, 0]
    for _ in range(300):
        assert np.isfinite(net.train_epoch(X, y, 70, _core.Optimizer("sgd", 1.0, momentum=0.5), 2))
    shares = np.bincount(y) / 70
    np.testing.assert_allclose(net.outputs(X[:1], 1)[0], shares, rtol=0, atol=100 * EPS)
    mean_loss, n_correct = net.evaluate(X, y, 1)
    assert n_correct == 49
    np.testing.assert_allclose(mean_loss, -(shares * np.log(shares)).sum(), rtol=100 * EPS)
    assert not any(layer[5].any() for layer in net.layers()[:2])


def test_removal_of_one_layer_whole_cuts_all_that_hangs_on_it():
    layers = random_layers(np.random.default_rng(0), (5, 4, 3), 1.0, dead=False)
    for gone in (0, 1):
        net = network(layers)
        keep = np.array([place[0] != gone for place in where(layers)], np.uint8)
        assert net.remove(keep) == 5 * 4 + 4 * 3
        assert net.structure == (0, 0, 3)


# --- going on after a cut -----------------------------------------------------------------------

TRAINERS = {
    "plain": ("sgd", {"lr": 0.2}),
    "momentum": ("sgd", {"lr": 0.1, "momentum": 0.9}),
    "adam": ("adam", {"lr": 0.01}),
}


@pytest.mark.parametrize(("kind", "options"), TRAINERS.values(), ids=TRAINERS)
@pytest.mark.parametrize("kills", [False, True], ids=["all live", "neurons die"])
def test_training_goes_on_with_the_state_of_the_synapses_that_stay(kind, options, kills):
    """The moments are compacted with their synapses, and the count of steps goes on."""
    X, y = data(60, 10, 3)
    layers = random_layers(np.random.default_rng(3), (10, 8, 6, 3), 0.8, dead=False)
    net, model = network(layers, "tanh"), DenseModel(layers, "tanh", "softmax")
    optimizer = _core.Optimizer(kind, **options)
    for _ in range(3):
        net.train_epoch(X, y, 60, optimizer, 1)
        getattr(model, kind)(X, y, **options)
    keep = (np.random.default_rng(4).random(net.n_synapses) < 0.8).astype(np.uint8)
    if kills:  # h1[0] loses its synapses in, h2[1] those out
        for i, (k, r, c) in enumerate(where(net.layers())):
            if (k, r) == (0, 0) or (k, c) == (2, 1):
                keep[i] = 0
    removed = net.remove(keep)
    assert net.structure[1:3] == ((7, 5) if kills else (8, 6))
    assert (removed > (keep == 0).sum()) == kills
    model.restrict(net.layers())
    model.assert_equals(net.layers())
    for _ in range(3):
        assert_close(net.train_epoch(X, y, 60, optimizer, 1), getattr(model, kind)(X, y, **options))
        model.assert_equals(net.layers())


@pytest.mark.parametrize(("kind", "options"), [("sgd", {"momentum": 0.9}), ("adam", {})])
def test_dead_neurons_stay_dead_in_training(kind, options):
    net = trained(optimizer=_core.Optimizer(kind, 0.01, **options))
    net.remove(keep_these(net.layers(), {p for p in where(net.layers()) if p[:2] != (0, 2)}))
    before = where(net.layers())
    X, y = data(60, 10, 3)
    for _ in range(3):
        net.train_epoch(X, y, 7, _core.Optimizer(kind, 0.01, **options), 1)
    assert where(net.layers()) == before
    assert net.layers()[0][5][2] == 0.0
    assert np.delete(net.layers()[0][5], 2).all()  # all others have learnt


def test_wsf_after_a_cut_is_still_measured_from_the_first_weights():
    net = trained()
    first = dict(zip(where(net.layers()), flat(net.layers(), 4).tolist(), strict=True))
    net.cut(net.score("wsf"), 50)
    net.train_epoch(*data(60, 10, 3), 7, _core.Optimizer("sgd", 0.3), 1)
    layers = net.layers()
    initial = np.array([first[place] for place in where(layers)], np.float32)
    np.testing.assert_array_equal(net.score("wsf"), abs(flat(layers, 3) - initial))


# --- rollback -----------------------------------------------------------------------------------


def test_rejected_random_cut_is_undone_with_its_random_state():
    net = trained()
    saved = net.copy()
    state = net.rng_state
    first = net.cut(net.score("random"), 30), where(net.layers()), net.rng_state
    assert net.rng_state != state
    net.assign(saved)
    assert net.rng_state == state
    assert (net.cut(net.score("random"), 30), where(net.layers()), net.rng_state) == first
    other = net.cut(net.score("random"), 30), where(net.layers()), net.rng_state
    assert other != first


def test_rejected_cut_is_undone_bit_for_bit():
    net = trained(optimizer=_core.Optimizer("sgd", 0.1, momentum=0.9))
    saved = net.copy()
    before = [[a.tobytes() for a in layer[1:]] for layer in net.layers()]
    net.cut(net.score("magnitude"), net.n_synapses - 5)
    assert [[a.tobytes() for a in layer[1:]] for layer in net.layers()] != before
    net.assign(saved)
    assert [[a.tobytes() for a in layer[1:]] for layer in net.layers()] == before
    assert net.structure == (10, 8, 6, 3)
