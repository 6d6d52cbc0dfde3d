"""`SparseMLP`: construction, fit and its promises, prediction, threads, interrupts."""

import os
import signal
import threading
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
    assert (net.structure, net.n_inputs) == ("30-20-10", 30)
    assert net.n_bytes == 8 * net.n_synapses + 12 * 30
    assert net.used_inputs.tolist() == list(range(30))


def test_layers_may_be_any_ints(bits):
    nets = [sn.SparseMLP(layers) for layers in ((4, 3, 1), [4, 3, 1], np.array([4, 3, 1]))]
    assert bits(nets[0]) == bits(nets[1]) == bits(nets[2])


def test_repr_says_what_it_is(trained):
    assert repr(sn.SparseMLP((4, 3, 1))) == "SparseMLP(4-3-1, 15 synapses, relu, not fitted)"
    assert repr(trained()) == "SparseMLP(4-6-1, 30 synapses, relu, classes [0, 1])"


# --- arguments of fit ---------------------------------------------------------------------------

NOT_INTS = [True, 1.0, "1"]
BAD_FITS = [
    *[({n: v}, TypeError, rf"^{n} must be an int, got {type(v).__name__}")
      for n in ("epochs", "batch_size", "threads") for v in NOT_INTS],
    *[({n: v}, ValueError, rf"^{n} must be from 1 to .*, got {v}$")
      for n in ("epochs", "batch_size", "threads") for v in (0, -1, 2**40)],
    ({"epochs": None}, TypeError, r"^epochs must be an int, got NoneType"),
    ({"optimizer": "adam"}, TypeError, r"^optimizer must be an SGD or an Adam, got 'adam'"),
    ({"optimizer": 0.1}, TypeError, r"^optimizer must be an SGD or an Adam, got 0\.1"),
    ({"validation": 5}, (TypeError, ValueError), r"^validation must "),
    ({"validation": (np.ones((6, 4)),)}, (TypeError, ValueError), r"^validation must "),
    ({"validation": np.ones((6, 4))}, (TypeError, ValueError), r"^validation must "),
    ({"validation": (np.ones((6, 5)), [0] * 6)}, ValueError, r"^validation X must have 4 columns"),
    ({"validation": (np.ones((6, 4)), [0] * 5)}, ValueError, r"^validation y must have one label"),
    ({"validation": (np.ones((6, 4)), [7] * 6)}, ValueError, r"^validation y holds the label 7"),
]  # fmt: skip


OF_PARTIAL_FIT = {"batch_size", "threads", "optimizer"}
bad_calls = pytest.mark.parametrize(
    ("call", "bad", "error", "message"),
    [
        pytest.param(call, *fault, id=f"{call}-{name}-{i}")
        for i, fault in enumerate(BAD_FITS)
        for name in fault[0]
        for call in ("fit", "partial_fit")
        if call == "fit" or name in OF_PARTIAL_FIT
    ],
)


@bad_calls
def test_bad_arguments_are_named_and_change_nothing(call, bad, error, message, data, bits):
    net = sn.SparseMLP((4, 3, 1), input_scaling="standard")
    before = bits(net)
    with pytest.raises(error, match=message):
        getattr(net, call)(*data, **bad)
    assert bits(net) == before


@pytest.mark.parametrize(
    ("layers", "labels", "message"),
    [
        ((4, 1), [3] * 6, r"y must hold at least two classes, got only \[3\]"),
        ((4, 3), ["a"] * 6, r"y must hold at least two classes, got only \['a'\]"),
        ((4, 1), [0, 1, 2] * 2, r"with 1 output needs two classes, got 3: \[0, 1, 2\]"),
        ((4, 2), [0, 1, 2] * 2, r"with 2 outputs needs 2 classes, got 3: \[0, 1, 2\]"),
        ((4, 3), [0, 1] * 3, r"with 3 outputs needs 3 classes, got 2: \[0, 1\]"),
        ((4, 3), [True, False] * 3, r"with 3 outputs needs 3 classes, got 2: \[False, True\]"),
    ],
)
def test_classes_must_fit_the_outputs(layers, labels, message, bits):
    net = sn.SparseMLP(layers, input_scaling="standard")
    before = bits(net)
    for call in (net.fit, net.partial_fit):
        with pytest.raises(ValueError, match=message):
            call(np.ones((6, 4)), labels)
    assert bits(net) == before


def test_unknown_labels_at_a_later_call_are_named(data, trained, bits):
    net = trained()
    before = bits(net)
    wrong = data[1] * 3
    message = r"y holds the label 3, which is not among the classes \[0, 1\]"
    for call in (net.fit, net.partial_fit, net.score):
        with pytest.raises(ValueError, match=message):
            call(data[0], wrong)
    assert bits(net) == before


def test_an_unfitted_network_predicts_nothing(data):
    net = sn.SparseMLP((4, 3, 1))
    asks = (net.predict, net.predict_proba, lambda X: net.score(X, data[1]), lambda X: net.classes)
    for ask in asks:
        with pytest.raises(ValueError, match=r"the network was never fitted.*call fit"):
            ask(data[0])


def test_predict_refuses_bad_threads(data, trained):
    net = trained()
    for ask in (net.predict, net.predict_proba, lambda X, **k: net.score(X, data[1], **k)):
        with pytest.raises(ValueError, match=r"^threads must be from 1 to .*, got 0$"):
            ask(data[0], threads=0)
        with pytest.raises(TypeError, match=r"^threads must be an int, got str$"):
            ask(data[0], threads="2")


# --- learning -----------------------------------------------------------------------------------

PROBLEMS = [
    (2, 1, "auto"),
    (2, 1, "sigmoid"),
    (2, 1, "squared"),
    (2, 2, "auto"),
    (2, 2, "softmax"),
    (2, 2, "squared"),
    (3, 3, "auto"),
    (3, 3, "softmax"),
    (3, 3, "squared"),
    (6, 6, "auto"),
]


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(("n_classes", "n_out", "loss"), PROBLEMS)
def test_fit_learns_blobs(activation, n_classes, n_out, loss, blobs):
    X, y = blobs(n_classes, n=120)
    net = sn.SparseMLP((4, 12, n_out), activation=activation, loss=loss, init_scale=1.0)
    assert net.loss == (loss if loss != "auto" else "sigmoid" if n_out == 1 else "softmax")
    assert net.fit(X, y, epochs=150, batch_size=8, optimizer=sn.SGD(lr=0.3)) is net
    assert net.score(X, y) >= 0.95
    p = net.predict_proba(X)
    assert p.shape == (len(X), n_classes)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=4 * n_classes * EPS)
    assert (net.classes[p.argmax(axis=1)] == net.predict(X)).all()
    assert net.score(X, y) == np.mean(net.predict(X) == y)


@pytest.mark.parametrize("layers", [(4, 1), (4, 2), (4, 8, 6, 1)])
def test_fit_learns_at_any_depth(layers, data):
    net = sn.SparseMLP(layers, init_scale=1.0)
    assert net.fit(*data, epochs=60, batch_size=8, optimizer=sn.SGD(lr=0.2)).score(*data) == 1.0


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ([0, 1, 2], "i"),
        ([-7, 3, 2**40], "i"),
        (np.array([3, 200, 255], np.uint8), "u"),
        (np.array([1, 2**62, 2**63 + 1], np.uint64), "u"),
        ([False, True], "b"),
        (["ant", "bee", "wasp"], "U"),
        (np.array(["", "ä", "日本"], object), "U"),
    ],
    ids=str,
)
def test_predict_speaks_in_the_labels_of_fit(names, kind, blobs):
    names = np.array(names)
    X, codes = blobs(len(names))
    net = sn.SparseMLP((4, 10, len(names)), init_scale=1.0)
    net.fit(X, names[codes], epochs=60, batch_size=8, optimizer=sn.SGD(lr=0.1))
    labels = net.predict(X)
    assert labels.shape == (len(X),)
    assert labels.dtype.kind == net.classes.dtype.kind == kind
    assert net.classes.tolist() == sorted(names.tolist())
    assert net.score(X, names[codes]) == np.mean(labels == names[codes]) >= 0.95


def test_predict_gives_the_first_of_equally_likely_classes(blobs):
    for n_out in (1, 2, 3):
        n_classes = max(n_out, 2)
        X, y = blobs(n_classes)
        net = sn.SparseMLP((4, n_out)).fit(X, y + 5)
        net.set_weights([replace(w, values=0 * w.values, bias=0 * w.bias) for w in net.weights])
        assert (net.predict(X) == 5).all()
        np.testing.assert_allclose(net.predict_proba(X), 1 / n_classes, rtol=2 * EPS)


def test_a_single_sample_and_a_single_batch(data, trained):
    X, _ = data
    net = trained()
    one = [net.predict_proba(X[i : i + 1])[0].tolist() for i in range(len(X))]
    assert one == net.predict_proba(X).tolist()


def test_outputs_that_overflow_are_an_error_not_nan():
    X = np.array([[1.0, -1.0], [-1.0, 1.0], [0.5, -0.5], [0.0, 1.0]])
    net = sn.SparseMLP((2, 6, 3), init_scale=50.0).fit(X / 1e3, [0, 1, 2, 1], epochs=1)
    assert np.isfinite(net.predict_proba(X)).all()
    with pytest.raises(ValueError, match=r"X holds values so large that .* outputs overflow"):
        net.predict_proba(X * 3e38)


@pytest.mark.parametrize("bias", [-500.0, 500.0])
def test_squared_probabilities_of_far_off_outputs_are_no_nan(bias, blobs):
    X, y = blobs(3)
    net = sn.SparseMLP((4, 3), loss="squared").fit(X, y)
    w = net.weights[0]
    net.set_weights([replace(w, bias=np.full(3, bias, np.float32))])
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1.0, atol=12 * EPS)


# --- input scaling ------------------------------------------------------------------------------


def shift_scale(net):
    return [a.tolist() for a in net.input_transform]


@pytest.mark.parametrize(
    ("scaling", "dtype", "shift", "scale"),
    [
        ("auto", np.uint8, [0, 0], [np.float32(1) / np.float32(255)] * 2),
        ("auto", np.float32, [0, 0], [1, 1]),
        ("auto", np.int64, [0, 0], [1, 1]),
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
    net.fit(X, [0, 1, 0, 1], epochs=1)
    assert shift_scale(net) == [shift, scale]
    net.fit(X.astype(np.float32) * 10 + 3, [0, 1, 0, 1], epochs=1)
    net.partial_fit(X + 1, [0, 1, 0, 1])
    assert shift_scale(net) == [shift, scale]
    net.reset()
    net.fit(X.astype(np.float64), [0, 1, 0, 1], epochs=1)
    if scaling != "auto" or dtype != np.uint8:
        assert shift_scale(net) == [shift, scale]


def test_scaling_by_hand_equals_scaled_inputs(data, bits):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), input_scaling=(0.5, 2.0)).fit(X, y, epochs=3)
    by_hand = sn.SparseMLP((4, 6, 1)).fit((X - np.float32(0.5)) * 2, y, epochs=3)
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


# --- fit continues, reset begins anew -----------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer", [None, sn.SGD(0.1), sn.SGD(0.05, momentum=0.9), sn.Adam(0.01)], ids=repr
)
def test_fit_continues_bit_for_bit(optimizer, data, bits):
    def net():
        return sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=5)

    options = {"batch_size": 16, "optimizer": optimizer}
    once = net().fit(*data, epochs=6, **options)
    twice = net().fit(*data, epochs=3, **options).fit(*data, epochs=3, **options)
    parts = net()
    for _ in range(6):
        parts.partial_fit(*data, **options)
    assert bits(once) == bits(twice) == bits(parts)


def test_momentum_makes_a_difference(data, bits):
    plain, heavy = (
        sn.SparseMLP((4, 6, 1)).fit(*data, epochs=2, optimizer=sn.SGD(0.05, momentum=m))
        for m in (0.0, 0.9)
    )
    assert bits(plain) != bits(heavy)


def test_reset_begins_anew(data, bits):
    fresh = sn.SparseMLP((4, 6, 1), seed=5)
    net = fresh.copy().fit(*data, optimizer=sn.SGD(0.1, momentum=0.9))
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
    path = sn.prune(trained(), *data, validation=data, n_synapses=8, epochs=4)
    assert path.smallest.n_synapses <= 8
    assert path.smallest.reset().n_synapses == 30


def test_copies_are_independent_and_go_on_alike(data, trained, bits, goes_on_alike):
    heavy = sn.SGD(0.05, momentum=0.9)
    net = trained().fit(*data, epochs=2, optimizer=heavy)
    before = bits(net)
    twin = net.copy()
    assert bits(twin) == before
    assert goes_on_alike(net, twin, *data, heavy)
    twin.fit(*data, epochs=1)
    twin.input_names = ("a", "b", "c", "d")
    twin.reset(9)
    assert bits(net) == before
    twin = net.copy()
    net.fit(*data, epochs=1)
    assert bits(twin) == before


def test_writing_into_what_a_network_shows_changes_nothing(data, bits):
    net = sn.SparseMLP((4, 6, 1)).fit(*data, epochs=1)
    twin = net.copy()
    before = bits(net)
    shown = [net.used_inputs, *net.input_transform, net.classes]
    shown += [a for w in net.weights for a in (w.indptr, w.indices, w.values, w.initial, w.bias)]
    for array in shown:
        if array.flags.writeable:
            array += 1
    assert bits(net) == bits(twin) == before


def test_partial_fit_with_all_classes(blobs):
    X, y = blobs(3)
    net = sn.SparseMLP((4, 8, 3), init_scale=1.0)
    few = y < 2
    with pytest.raises(ValueError, match=r"with 3 outputs needs 3 classes, got 2: \[0, 1\]"):
        net.partial_fit(X[few], y[few])
    assert net.partial_fit(X[few], y[few], classes=[2, 0, 1, 1]) is net
    assert net.classes.tolist() == [0, 1, 2]
    net.partial_fit(X, y)
    net.partial_fit(X[few], y[few], [0, 1, 2])
    for _ in range(60):
        net.partial_fit(X, y, batch_size=8, optimizer=sn.SGD(0.2))
    assert net.score(X, y) >= 0.95


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        ([0, 2], ValueError, r"^classes must be those of the first call, \[0, 1\], got \[0, 2\]"),
        ([0, 1, 2], ValueError, r"needs two classes, got 3"),
        ([0], ValueError, r"at least two classes"),
        ([], (TypeError, ValueError), r"classes must"),
        (["0", "1"], (TypeError, ValueError), r"str|<U1|classes must be those"),
        ([0.0, 1.0], TypeError, r"^classes must hold ints, bools or strings, got dtype float64"),
        ([[0, 1]], ValueError, r"^classes must have shape"),
        (5, (TypeError, ValueError), r"^classes must"),
    ],
    ids=str,
)
def test_partial_fit_refuses_other_classes(classes, error, message, data, trained, bits):
    X, y = data[0][data[1] == 0], data[1][data[1] == 0]
    net = trained()
    before = bits(net)
    with pytest.raises(error, match=message):
        net.partial_fit(X, y, classes)
    assert bits(net) == before


# --- callbacks and interrupts -------------------------------------------------------------------


def test_callback_is_told_of_every_epoch(data, bits):
    told = []
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    net.fit(*data, epochs=5, callback=told.append)
    assert [(p.stage, p.epoch, p.epochs, p.n_synapses) for p in told] == [
        ("train", epoch, 5, 30) for epoch in range(1, 6)
    ]
    assert all(p.accuracy is None and 0.0 < p.loss < 10.0 for p in told)
    silent = sn.SparseMLP((4, 6, 1), init_scale=1.0).fit(*data, epochs=5)
    assert bits(net) == bits(silent)


def test_callback_is_told_the_validation_accuracy(data):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    told = []

    def callback(progress):
        told.append((progress.accuracy, net.score(X[:30], y[:30])))

    net.fit(X, y, epochs=4, validation=(X[:30], y[:30]), callback=callback)
    assert len(told) == 4
    assert all(said == true for said, true in told)


def test_validation_does_not_change_training(data, bits):
    X, y = data
    nets = [
        sn.SparseMLP((4, 6, 1)).fit(X, y, validation=v, callback=lambda p: None)
        for v in (None, (X[:7], y[:7]))
    ]
    assert bits(nets[0]) == bits(nets[1])


def test_callback_that_returns_true_ends_the_fit(data, bits):
    net = sn.SparseMLP((4, 6, 1)).fit(*data, epochs=9, callback=lambda p: p.epoch == 3)
    assert bits(net) == bits(sn.SparseMLP((4, 6, 1)).fit(*data, epochs=3))


class OddError(Exception):
    """No error that the package knows."""


@pytest.mark.parametrize("error", [OddError, ZeroDivisionError, KeyboardInterrupt, MemoryError])
def test_an_exception_in_a_callback_leaves_a_usable_network(error, data, bits):
    def callback(progress):
        if progress.epoch == 2:
            raise error("from the callback")

    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    with pytest.raises(error, match="from the callback"):
        net.fit(*data, epochs=5, callback=callback)
    twin = net.copy()
    for n in (net, twin):
        n.fit(*data, epochs=40, batch_size=16, optimizer=sn.SGD(0.3))
    assert net.score(*data) == 1.0
    assert bits(net) == bits(twin)


def test_ctrl_c_leaves_a_usable_network(data):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*data, epochs=10**6, callback=lambda p: os.kill(os.getpid(), signal.SIGINT))
    assert net.fit(*data, epochs=60, batch_size=16, optimizer=sn.SGD(0.3)).score(*data) == 1.0


# --- threads ------------------------------------------------------------------------------------


def test_the_number_of_threads_changes_no_bit(tmp_path):
    """512·256 synapses · 64 samples are enough work to be shared."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (160, 512), np.uint8)
    y = rng.integers(0, 10, 160)
    y[:10] = range(10)
    files, outputs = set(), set()
    for threads in (1, 2, 7):
        net = sn.SparseMLP((512, 256, 10), seed=4)
        net.fit(X, y, epochs=2, optimizer=sn.SGD(0.05, momentum=0.5), threads=threads)
        net.save(tmp_path / "net.npz")
        files.add((tmp_path / "net.npz").read_bytes())
        p = net.predict_proba(X, threads=threads)
        score = net.score(X, y, threads=threads)
        outputs.add((p.tobytes(), net.predict(X, threads=threads).tobytes(), score))
    assert len(files) == len(outputs) == 1


def test_predicting_while_another_thread_fits(data, bits):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0).fit(X, y, epochs=1)
    expected = net.copy().fit(X, y, epochs=300, batch_size=8)
    faults, counts, done = [], [0, 0], threading.Event()

    def predict(i):
        try:
            while not done.is_set() or counts[i] == 0:
                p = net.predict_proba(X)
                assert np.allclose(p.sum(axis=1), 1.0)
                assert set(net.predict(X)) <= {0, 1}
                assert net.n_synapses == 30
                net.copy().score(X, y)
                counts[i] += 1
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        net.fit(X, y, epochs=300, batch_size=8)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert faults == []
    assert min(counts) > 0
    assert bits(net) == bits(expected)


# --- weights by hand ----------------------------------------------------------------------------


def test_set_weights_replaces_structure_and_keeps_the_rest(data):
    net = sn.SparseMLP((4, 6, 1), input_scaling=(0.5, 2.0)).fit(*data, epochs=1)
    state, transform = net.core.rng_state, shift_scale(net)
    first, second = net.weights
    row = np.array([0, 1, 1, 1, 1, 1, 1])
    thin = sn.Weights(4, row, [2], [0.5], [0.25], np.zeros(6))
    last = sn.Weights(6, [0, 1], [0], [2.0], [1.0], [-1.0])
    assert net.set_weights([thin, last]) is net
    assert (net.structure, net.n_synapses, net.used_inputs.tolist()) == ("1-1-1", 2, [2])
    assert (net.core.rng_state, shift_scale(net)) == (state, transform)
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
        ({"values": np.zeros(23)}, r"layer 0: values and initial must have one entry a synapse"),
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
