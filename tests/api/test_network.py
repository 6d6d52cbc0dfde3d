"""`SparseMLP`: construction, input scaling, reset, copies, weights by hand."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import synaprune as sn

EPS = float(np.finfo(np.float32).eps)

# --- construction -------------------------------------------------------------------------------

BAD_NETWORKS = [
    ({"layers": (4, 0, 1)}, ValueError, r"layers must be from 1 to .*, got 0"),
    ({"layers": (4, -3, 1)}, ValueError, r"layers must be from 1 to .*, got -3"),
    ({"layers": (4, 2**31, 1)}, ValueError, r"layers must be from 1 to .*, got 2147483648"),
    ({"layers": (4,)}, ValueError, r"layers must name at least inputs and outputs, got \(4,\)"),
    ({"layers": ()}, ValueError, r"layers must name at least inputs and outputs, got \(\)"),
    ({"layers": (4, 3.0, 1)}, TypeError, r"layers must be an int, got float"),
    ({"layers": (4, "3", 1)}, TypeError, r"layers must be an int, got str"),
    ({"layers": (4, True, 1)}, TypeError, r"layers must be an int, got bool"),
    ({"layers": (4, None, 1)}, TypeError, r"layers must be an int, got NoneType"),
    ({"layers": "431"}, TypeError, r"layers must be a sequence of ints, got '431'"),
    ({"layers": 4}, TypeError, r"layers must be a sequence of ints, got 4"),
    ({"layers": None}, TypeError, r"layers must be a sequence of ints, got None"),
    ({"activation": "gelu"}, ValueError, r"activation must be one of relu, .*, got 'gelu'"),
    ({"activation": None}, ValueError, r"activation must be one of relu, .*, got None"),
    ({"activation": ["relu"]}, ValueError, r"activation must be one of relu, .*, got \['relu'\]"),
    ({"loss": "hinge"}, ValueError, r"loss must be one of auto, .*, got 'hinge'"),
    ({"loss": "softmax"}, ValueError, r"loss 'softmax' needs one output a class, got one output"),
    ({"loss": "sigmoid", "layers": (4, 3)}, ValueError, r"loss 'sigmoid' needs one output, got 3"),
    ({"init_scale": 0.0}, ValueError, r"init_scale must be .*\(0\.0, inf\], got 0\.0"),
    ({"init_scale": -1.0}, ValueError, r"init_scale must be .*, got -1\.0"),
    ({"init_scale": np.nan}, ValueError, r"init_scale must be .*, got nan"),
    ({"init_scale": np.inf}, ValueError, r"init_scale must be .*, got inf"),
    ({"init_scale": 1e39}, ValueError, r"init_scale must be "),
    ({"init_scale": "0.1"}, TypeError, r"init_scale must be a number, got '0\.1'"),
    ({"init_scale": True}, TypeError, r"init_scale must be a number, got True"),
    ({"init_scale": None}, TypeError, r"init_scale must be a number, got None"),
    ({"seed": -1}, ValueError, r"seed must be from 0 to .*, got -1"),
    ({"seed": 2**64}, ValueError, r"seed must be from 0 to 18446744073709551615, got 18446"),
    ({"seed": 1.0}, TypeError, r"seed must be an int, got float"),
    ({"seed": "1"}, TypeError, r"seed must be an int, got str"),
    ({"seed": True}, TypeError, r"seed must be an int, got bool"),
    ({"seed": None}, TypeError, r"seed must be an int, got NoneType"),
    ({"input_scaling": "minmax"}, ValueError, r"input_scaling must be one of auto, .*'minmax'"),
    ({"input_scaling": None}, TypeError, r"input_scaling must be "),
    ({"input_scaling": 1.0}, TypeError, r"input_scaling must be "),
    ({"input_scaling": (0.0,)}, (TypeError, ValueError), r"input_scaling must "),
    ({"input_scaling": (0.0, "a")}, (TypeError, ValueError), r"input_scaling must "),
    ({"input_scaling": ([0.0, 1.0], 1.0)}, ValueError, r"input_scaling must .*4.*got.*2"),
    ({"input_scaling": (0.0, np.nan)}, ValueError, r"input.* must be finite"),
    ({"input_scaling": (0.0, 1e39)}, ValueError, r"input.* must be finite"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "error", "message"), BAD_NETWORKS, ids=[str(b[0]) for b in BAD_NETWORKS]
)
def test_bad_networks_are_refused(bad, error, message):
    with pytest.raises(error, match=message):
        sn.SparseMLP(**{"layers": (4, 3, 1), **bad})


def test_reset_refuses_a_bad_seed_and_changes_nothing(trained, bits):
    net = trained()
    before = bits(net)
    for seed, error in ((-1, ValueError), (2**64, ValueError), (0.5, TypeError), ("1", TypeError)):
        with pytest.raises(error, match="seed must be"):
            net.reset(seed)
        assert bits(net) == before


def test_initial_weights_are_glorots_range_times_the_scale():
    net = sn.SparseMLP((30, 20, 10), init_scale=0.3, seed=2**64 - 1)
    for w in net.weights:
        limit = 0.3 * (6.0 / (w.n_in + len(w.bias))) ** 0.5
        assert 0.9 * limit < np.abs(w.values).max() <= limit * (1 + EPS)
        assert (w.values == w.initial).all()
        assert (w.bias == 0.0).all()
        assert w.to_dense().shape == w.shape == (len(w.bias), w.n_in)
    assert net.n_synapses == 30 * 20 + 20 * 10
    assert (net.structure, net.n_used_inputs) == ("30-20-10", 30)
    assert net.n_bytes == 8 * net.n_synapses + 12 * 30
    assert net.used_inputs.tolist() == list(range(30))


def test_layers_may_be_any_ints(bits):
    nets = [sn.SparseMLP(layers) for layers in ((4, 3, 1), [4, 3, 1], np.array([4, 3, 1]))]
    assert bits(nets[0]) == bits(nets[1]) == bits(nets[2])


def test_repr_says_what_it_is(trained):
    assert repr(sn.SparseMLP((4, 3, 1))) == "SparseMLP(4-3-1, 15 synapses, relu, not fitted)"
    assert repr(trained()) == "SparseMLP(4-6-1, 30 synapses, relu, classes [0, 1])"


# --- input scaling ------------------------------------------------------------------------------


def shift_scale(net):
    return [a.tolist() for a in net.input_transform]


@pytest.mark.parametrize(
    ("scaling", "dtype", "shift", "scale"),
    [
        ("auto", np.uint8, [0, 0], [np.float32(1) / np.float32(255)] * 2),
        ("auto", np.float32, [0, 0], [1, 1]),
        ("auto", np.int64, [0, 0], [1, 1]),
        ("center", np.uint8, [2, 7], [np.float32(1) / np.float32(255)] * 2),
        ("center", np.float32, [2, 7], [1, 1]),
        ("none", np.uint8, [0, 0], [1, 1]),
        ("none", np.float32, [0, 0], [1, 1]),
        ("standard", np.uint8, [2, 7], [0.5, 1]),  # the second input is constant
        ("standard", np.float64, [2, 7], [0.5, 1]),
        ((1.5, 2.0), np.float32, [1.5, 1.5], [2, 2]),
        (([1.0, 2.0], np.array([3, 4])), np.uint8, [1, 2], [3, 4]),
    ],
)
def test_input_scaling_is_fixed_at_the_first_fit(scaling, dtype, shift, scale):
    X = np.array([[0, 7], [4, 7], [0, 7], [4, 7]], dtype)
    net = sn.SparseMLP((2, 3, 1), input_scaling=scaling)
    if not isinstance(scaling, tuple):
        assert shift_scale(net) == [[0, 0], [1, 1]]
    net.fit(X, [0, 1, 0, 1], training=sn.Training(1))
    assert shift_scale(net) == [shift, scale]
    net.fit(X.astype(np.float32) * 10 + 3, [0, 1, 0, 1], training=sn.Training(1))
    net.partial_fit(X + 1, [0, 1, 0, 1])
    assert shift_scale(net) == [shift, scale]
    net.reset()
    net.fit(X.astype(np.float64), [0, 1, 0, 1], training=sn.Training(1))
    if scaling not in ("auto", "center") or dtype != np.uint8:
        assert shift_scale(net) == [shift, scale]


def test_scaling_by_hand_equals_scaled_inputs(data, bits):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), input_scaling=(0.5, 2.0)).fit(X, y, training=sn.Training(3))
    by_hand = sn.SparseMLP((4, 6, 1)).fit((X - np.float32(0.5)) * 2, y, training=sn.Training(3))
    assert [w.values.tolist() for w in net.weights] == [w.values.tolist() for w in by_hand.weights]
    assert (net.predict_proba(X) == by_hand.predict_proba((X - np.float32(0.5)) * 2)).all()


def test_a_given_scaling_is_the_networks_own_copy(data):
    shift = np.zeros(4)
    net = sn.SparseMLP((4, 6, 1), input_scaling=(shift, 1.0))
    shift += 9.0
    assert shift_scale(net.reset())[0] == [0.0] * 4


def test_standard_scaling_of_tiny_values_is_finite_or_named():
    X = np.float32([[0, 1], [1e-40, 2], [0, 3], [1e-40, 4]])
    net = sn.SparseMLP((2, 3, 1), input_scaling="standard")
    try:
        net.fit(X, [0, 1, 0, 1])
    except ValueError as error:
        assert "X" in str(error)  # noqa: PT017 - either is right
    else:
        assert np.isfinite(net.input_transform[1]).all()


# --- reset and copies ---------------------------------------------------------------------------


def test_reset_begins_anew(data, bits):
    fresh = sn.SparseMLP((4, 6, 1), seed=5)
    net = fresh.copy().fit(*data, training=sn.Training(optimizer=sn.SGD(0.1, momentum=0.9)))
    assert bits(net) != bits(fresh)
    assert net.reset() is net
    assert bits(net) == bits(fresh)
    assert bits(net.fit(*data)) == bits(fresh.copy().fit(*data))
    other = net.reset(6)
    assert other.seed == 6
    assert bits(other) == bits(sn.SparseMLP((4, 6, 1), seed=6))
    assert (other.weights[0].values != fresh.weights[0].values).all()
    assert bits(other.reset()) == bits(sn.SparseMLP((4, 6, 1), seed=6))
    assert bits(other.reset(5)) == bits(fresh)


def test_reset_of_a_pruned_network_is_fully_connected(data, trained):
    path = sn.prune(trained(), *data, validation=data, n_synapses=8, training=sn.Training(4))
    assert path.smallest.n_synapses <= 8
    assert path.smallest.reset().n_synapses == 30


def test_copies_are_independent_and_go_on_alike(data, trained, bits, goes_on_alike):
    heavy = sn.SGD(0.05, momentum=0.9)
    net = trained().fit(*data, training=sn.Training(2, optimizer=heavy))
    before = bits(net)
    twin = net.copy()
    assert bits(twin) == before
    assert goes_on_alike(net, twin, *data, heavy)
    twin.fit(*data, training=sn.Training(1))
    twin.input_names = ("a", "b", "c", "d")
    twin.reset(9)
    assert bits(net) == before
    twin = net.copy()
    net.fit(*data, training=sn.Training(1))
    assert bits(twin) == before


def test_writing_into_what_a_network_shows_changes_nothing(data, bits):
    net = sn.SparseMLP((4, 6, 1)).fit(*data, training=sn.Training(1))
    twin = net.copy()
    before = bits(net)
    shown = [net.used_inputs, *net.input_transform, net.classes]
    shown += [a for w in net.weights for a in (w.indptr, w.indices, w.values, w.initial, w.bias)]
    for array in shown:
        if array.flags.writeable:
            array += 1
    assert bits(net) == bits(twin) == before


def go_on(net, data, optimizer):
    """What a network becomes when it trains on: momentum and moments show in it."""
    return [
        w.values.tobytes()
        for w in net.copy().fit(*data, training=sn.Training(2, optimizer=optimizer)).weights
    ]


@pytest.mark.parametrize("optimizer", [sn.SGD(0.05, momentum=0.9), sn.Adam(0.01)], ids=str)
def test_every_kind_of_copy_keeps_the_optimizer_state(optimizer, data, tmp_path, whole):
    """`deepcopy`, pickles and files used to forget momentum and the moments of Adam."""
    net = sn.SparseMLP((4, 6, 1), seed=1).fit(*data, training=sn.Training(3, optimizer=optimizer))
    net.save(tmp_path / "net.npz")
    copies = {
        "copy": net.copy(),
        "copy.copy": copy.copy(net),
        "deepcopy": copy.deepcopy(net),
        "pickle": pickle.loads(pickle.dumps(net)),
        "file": sn.SparseMLP.load(tmp_path / "net.npz"),
    }
    expected = go_on(net, data, optimizer)
    for kind, twin in copies.items():
        assert whole(twin) == whole(net), kind
        assert go_on(twin, data, optimizer) == expected, kind
    fresh = sn.SparseMLP((4, 6, 1), seed=1).set_weights(net.weights)
    assert go_on(fresh, data, optimizer) != expected  # so that the state makes a difference


class Tagged(sn.SparseMLP):
    """A subclass with an attribute, and one in a slot."""

    __slots__ = ("place",)

    def __init__(self, tag):
        super().__init__((4, 6, 1), seed=2)
        self.tag, self.place = tag, "slot"


@pytest.mark.parametrize(
    "copied",
    [
        sn.SparseMLP.copy, copy.copy, copy.deepcopy,
        *(lambda net, p=p: pickle.loads(pickle.dumps(net, p)) for p in range(2, 6)),
    ],
)  # fmt: skip
def test_attributes_of_a_subclass_outlive_copies_and_pickles(copied, data, whole):
    """Pickles and `deepcopy` used to drop all that a subclass had added."""
    net = Tagged(["a", 1]).fit(*data, training=sn.Training(1))
    twin = copied(net)
    assert type(twin) is Tagged
    assert (twin.tag, twin.place) == (["a", 1], "slot")
    assert whole(twin) == whole(net)
    assert not twin.classes.flags.writeable
    twin.fit(*data, training=sn.Training(1))
    assert whole(twin) != whole(net)


def test_a_shallow_copy_does_not_share_the_weights(data, bits):
    """`copy.copy` must not leave two networks that train each other."""
    net = sn.SparseMLP((4, 6, 1))
    before = bits(net)
    copy.copy(net).fit(*data, training=sn.Training(1))
    assert bits(net) == before


@pytest.mark.parametrize("name", ["indptr", "indices", "values", "initial", "bias"])
def test_writing_into_weights_is_refused(name):
    """`net.weights[0].values[:] = 0` used to change nothing, in silence."""
    net = sn.SparseMLP((4, 6, 1))
    with pytest.raises(ValueError, match="read-only"):
        getattr(net.weights[0], name)[:] = 0


# --- names of inputs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("a", "b", "c"), ValueError, r"^input_names must hold 4 names, got 3$"),
        (list("abcde"), ValueError, r"^input_names must hold 4 names, got 5$"),
        (("a", "b", "c", "b"), ValueError, r"^input_names must be unique, got 'b' twice$"),
        (("a", "b", "c", 4), TypeError, r"^input_names must hold strings, got 4$"),
        ("abcd", TypeError, r"^input_names must be a sequence of strings or None, got 'abcd'$"),
        (4, TypeError, r"^input_names must be a sequence of strings or None, got 4$"),
    ],
    ids=str,
)
def test_wrong_input_names_are_refused_when_set(names, error, message):
    """They used to be taken as they came, and broke plots and files later."""
    net = sn.SparseMLP((4, 6, 1))
    net.input_names = ["a", "b", "c", "d"]
    with pytest.raises(error, match=message):
        net.input_names = names
    assert net.input_names == ("a", "b", "c", "d")
    assert net.input_name(3) == "d"
    net.input_names = None
    assert (net.input_names, net.input_name(3)) == (None, "x3")


def test_features_and_used_inputs_are_counted_apart():
    net = sn.SparseMLP((4, 6, 1)).without(inputs=[1])
    assert (net.n_features, net.n_used_inputs, net.used_inputs.tolist()) == (4, 3, [0, 2, 3])


# --- texts stay short ---------------------------------------------------------------------------


def test_the_repr_of_a_deep_network_is_short():
    """It used to name every layer."""
    net = sn.SparseMLP([2] * 10_000)
    assert len(repr(net)) < 200
    assert repr(net).startswith("SparseMLP(2-2-2-2-…-2-2-2-2 (10000 levels), 39996 synapses")
    path = sn.PruningPath(net)
    step = path.add(net, criterion="wsf", epochs=0, score_after_cut=1.0, score=1.0, p_value=1.0)
    assert max(len(repr(path)), len(repr(step)), len(repr(net.weights[0]))) < 200
    with pytest.raises(ValueError, match="no network of the path meets") as caught:
        path.select(n_synapses=3)
    assert len(str(caught.value)) < 300
    with pytest.raises(ValueError, match="weights must have shapes") as caught:
        net.set_weights(net.weights[1:])
    assert len(str(caught.value)) < 300


LONG = {
    "layers": (lambda: sn.SparseMLP([2] * 10_000 + ["3"]), TypeError),
    "layers as text": (lambda: sn.SparseMLP("2" * 10_000), TypeError),
    "a size": (lambda: sn.SparseMLP((10**10_000, 1)), ValueError),
    "init_scale": (lambda: sn.SparseMLP((2, 1), init_scale=10**10_000), ValueError),
    "activation": (lambda: sn.SparseMLP((2, 1), activation="r" * 10_000), ValueError),
    "input_scaling": (lambda: sn.SparseMLP((2, 1), input_scaling=[0.0] * 10_000), TypeError),
    "shift": (lambda: sn.SparseMLP((2, 1), input_scaling=([0.0] * 10_000, 1.0)), ValueError),
    "an unknown label": (lambda: many().score(np.zeros((1, 2)), [10_000]), ValueError),
    "a long label": (lambda: named().score(np.zeros((1, 2)), ["x" * 10_000]), ValueError),
    "too many classes": (
        lambda: sn.SparseMLP((2, 10)).fit(np.zeros((10_000, 2)), np.arange(10_000)), ValueError,
    ),
    "one class": (
        lambda: sn.SparseMLP((2, 10)).fit(np.zeros((2, 2)), ["x" * 10_000] * 2), ValueError,
    ),
    "class_weight": (
        lambda: many().fit(
            np.zeros((1, 2)), [0], training=sn.Training(class_weight={"x" * 10_000: 1.0})
        ), ValueError,
    ),
    "soft": (lambda: many().fit(np.zeros((1, 2)), np.ones((1, 10_000))), ValueError),
    "dtype": (
        lambda: many().predict(np.zeros(3, [(f"f{i}", "f4") for i in range(10_000)])), TypeError,
    ),
    "neuron": (lambda: sn.SparseMLP((2, 1)).without(neurons=[[0] * 10_000]), TypeError),
    "synapse": (lambda: sn.SparseMLP((2, 1)).without(synapses=[[0] * 10_000]), TypeError),
    "input": (lambda: sn.SparseMLP((2, 1)).without(inputs=["x" * 10_000]), ValueError),
}  # fmt: skip


def many():
    """A network of 10000 classes."""
    net = sn.SparseMLP((2, 10_000))
    net.prepare(np.zeros((10_000, 2), np.float32), np.arange(10_000))
    return net


def named():
    """A network with two classes of long names."""
    net = sn.SparseMLP((2, 1))
    net.prepare(np.zeros((2, 2), np.float32), ["a" * 10_000, "b" * 10_000])
    return net


@pytest.mark.parametrize("fault", LONG)
def test_error_texts_stay_short(fault):
    """Errors used to list all classes, all layers, or all of a long argument."""
    call, error = LONG[fault]
    with pytest.raises(error) as caught:
        call()
    assert 20 < len(str(caught.value)) < 400


def test_reprs_of_many_or_long_classes_are_short():
    """A class name of any length used to stand in the repr."""
    for net in (many(), named()):
        checked = net.check_data(np.zeros((1, 2)), net.classes[:1])
        assert max(len(repr(net)), len(repr(checked))) < 400


# --- weights by hand ----------------------------------------------------------------------------


def test_set_weights_replaces_structure_and_keeps_the_rest(data):
    net = sn.SparseMLP((4, 6, 1), input_scaling=(0.5, 2.0)).fit(*data, training=sn.Training(1))
    state, transform = net._core.rng_state, shift_scale(net)
    first, second = net.weights
    row = np.array([0, 1, 1, 1, 1, 1, 1])
    thin = sn.SparseLayer(4, row, [2], [0.5], [0.25], np.zeros(6))
    last = sn.SparseLayer(6, [0, 1], [0], [2.0], [1.0], [-1.0])
    assert net.set_weights([thin, last]) is net
    assert (net.structure, net.n_synapses, net.used_inputs.tolist()) == ("1-1-1", 2, [2])
    assert (net._core.rng_state, shift_scale(net)) == (state, transform)
    hidden = np.maximum(0.5 * (data[0][:, 2].astype(np.float64) - 0.5) * 2.0, 0.0)
    p = 1.0 / (1.0 + np.exp(1.0 - 2.0 * hidden))
    np.testing.assert_allclose(net.predict_proba(data[0])[:, 1], p, rtol=1e2 * EPS)
    assert (len(first.values), len(second.values)) == (24, 6)  # copies, as they were


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_in": 5}, r"weights must have shapes \[\(6, 4\), \(1, 6\)\], got \[\(6, 5\), "),
        ({"bias": np.zeros(5)}, r"weights must have shapes"),
        ({"values": np.full(24, np.nan)}, r"layer 0: weights and biases must be finite"),
        ({"initial": np.full(24, np.inf)}, r"layer 0: weights and biases must be finite"),
        ({"bias": np.full(6, np.nan)}, r"layer 0: weights and biases must be finite"),
        ({"values": np.zeros(23)}, r"layer 0: values must have 24 entries"),
        ({"indices": np.tile([3, 2, 1, 0], 6)}, r"layer 0"),
        ({"indices": np.tile([0, 1, 2, 4], 6)}, r"layer 0"),
        ({"indices": np.tile([0, 1, 1, 2], 6)}, r"layer 0"),
        ({"indices": np.tile([-1, 1, 2, 3], 6)}, r"layer 0"),
        ({"indptr": np.arange(7)}, r"layer 0"),
        ({"indptr": np.array([0, 4, 2, 12, 16, 20, 24])}, r"layer 0"),
        ({"indptr": np.array([0, 4, 8])}, r"layer 0"),
    ],
)
def test_set_weights_refuses_and_changes_nothing(change, message, trained, bits):
    net = trained()
    before = bits(net)
    first, second = net.weights
    with pytest.raises(ValueError, match=message):
        net.set_weights([replace(first, **change), second])
    with pytest.raises(ValueError, match=r"weights must have shapes"):
        net.set_weights([first])
    assert bits(net) == before


def test_integers_that_do_not_fit_are_refused():
    # This used to wrap 2^32 around to column 0.
    net = sn.SparseMLP((2, 1, 1))
    first, second = net.weights
    first = replace(first, indices=first.indices.astype(np.int64) + 2**32)
    with pytest.raises(ValueError, match="indices holds numbers that do not fit int32"):
        net.set_weights([first, second])


@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_a_small_start_shrinks_gradients_alike_at_any_depth(hidden):
    net = sn.SparseMLP((30, *[20] * hidden, 2), init_scale=0.05, seed=0)
    scales = [np.abs(w.values).max() / np.sqrt(6 / sum(w.shape)) for w in net.weights]
    assert np.prod(scales[1:]) == pytest.approx(0.05, rel=0.1)
