"""`SparseMLP.fit` and `partial_fit`: arguments, promises, callbacks, interrupts."""

import os
import pickle
import signal
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import synaprune as sn
from synaprune import _core

# --- the recipe ---------------------------------------------------------------------------------

NOT_INTS = [True, 1.0, "1"]
BAD_RECIPES = [
    *[({n: v}, TypeError, rf"^{n} must be an int, got {type(v).__name__}")
      for n in ("epochs", "batch_size", "swa_epochs") for v in NOT_INTS],
    *[({n: v}, ValueError, rf"^{n} must be from 1 to .*, got {v}$")
      for n in ("epochs", "batch_size", "swa_epochs") for v in (0, -1, 2**40)],
    ({"epochs": 3, "swa_epochs": 4}, ValueError,
     r"^swa_epochs must be from 1 to 3, the epochs, got 4$"),
    ({"optimizer": "adam"}, TypeError, r"^optimizer must be an optimizer, .*, got 'adam'"),
    ({"optimizer": 0.1}, TypeError, r"^optimizer must be an optimizer, .*, got 0\.1"),
    ({"optimizer": None}, TypeError, r"^optimizer must be an optimizer, .*, got None"),
    ({"lr_schedule": 0.5}, TypeError, r"^lr_schedule must be a callable, got 0\.5"),
    ({"class_weight": "even"}, TypeError, r"^class_weight must be 'balanced' or a dict, got 'ev"),
    ({"class_weight": {0: -1.0}}, ValueError, r"^class_weight of 0 must be finite and in"),
    ({"class_weight": {0: "1"}}, TypeError, r"^class_weight of 0 must be a number, got '1'"),
    ({"label_smoothing": 1.0}, ValueError, r"^label_smoothing must be finite and in"),
    ({"label_smoothing": None}, TypeError, r"^label_smoothing must be a number"),
    ({"input_dropout": 1.0}, ValueError, r"^input_dropout must be finite and in"),
    ({"input_dropout": None}, TypeError, r"^input_dropout must be a number"),
    ({"augment": 1}, TypeError, r"^augment must be a ShiftImages, got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "error", "message"), BAD_RECIPES)
def test_a_field_out_of_range_raises_when_the_recipe_is_made(fields, error, message):
    with pytest.raises(error, match=message):
        sn.Training(**fields)


def test_a_recipe_is_a_value():
    recipe = sn.Training(np.int64(3), class_weight={"a": 2}, lr_schedule=sn.ConstantThenCosine())
    assert recipe == sn.Training(3, class_weight={"a": 2.0}, lr_schedule=sn.ConstantThenCosine())
    assert type(recipe.epochs) is int
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    weights = {"a": 2.0}
    recipe = sn.Training(class_weight=weights)
    weights["a"] = -1.0
    assert recipe.class_weight == {"a": 2.0}
    with pytest.raises(FrozenInstanceError):
        recipe.epochs = 5


# --- arguments of fit, partial_fit and prepare --------------------------------------------------

BAD_FITS = [
    *[({"threads": v}, TypeError, rf"^threads must be an int, got {type(v).__name__}")
      for v in NOT_INTS],
    *[({"threads": v}, ValueError, rf"^threads must be from 1 to .*, got {v}$")
      for v in (0, -1, 2**40)],
    ({"training": {"epochs": 3}}, TypeError, r"^training must be a Training, got {'epochs': 3}"),
    ({"training": sn.Training}, TypeError, r"^training must be a Training, got <class"),
    *[({"exchange": v}, TypeError, r"^exchange must be an Exchange, got ")
      for v in (1.5, (1, 2), "mpi")],
    ({"validation": 5}, (TypeError, ValueError), r"^validation must "),
    ({"validation": (np.ones((6, 4)),)}, (TypeError, ValueError), r"^validation must "),
    ({"validation": np.ones((6, 4))}, (TypeError, ValueError), r"^validation must "),
    ({"validation": (np.ones((6, 5)), [0] * 6)}, ValueError, r"^validation X must have 4 columns"),
    ({"validation": (np.ones((6, 4)), [0] * 5)}, ValueError, r"^validation y must have one label"),
    ({"validation": (np.ones((6, 4)), [7] * 6)}, ValueError, r"^validation y holds the label 7"),
]  # fmt: skip
TAKEN = {
    "fit": {"threads", "training", "validation"},
    "partial_fit": {"threads", "training"},
    "prepare": {"training", "exchange"},
}
bad_calls = pytest.mark.parametrize(
    ("call", "bad", "error", "message"),
    [
        pytest.param(call, *fault, id=f"{call}-{name}-{i}")
        for i, fault in enumerate(BAD_FITS)
        for name in fault[0]
        for call, taken in TAKEN.items()
        if name in taken
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


# --- fit continues ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer", [sn.SGD(), sn.SGD(0.1), sn.SGD(0.05, momentum=0.9), sn.Adam(0.01)], ids=repr
)
def test_fit_continues_bit_for_bit(optimizer, data, bits):
    def net():
        return sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=5)

    recipe = sn.Training(batch_size=16, optimizer=optimizer)
    once = net().fit(*data, training=replace(recipe, epochs=6))
    half = replace(recipe, epochs=3)
    twice = net().fit(*data, training=half).fit(*data, training=half)
    parts = net()
    for _ in range(6):
        parts.partial_fit(*data, training=recipe)
    assert bits(once) == bits(twice) == bits(parts)


def test_momentum_makes_a_difference(data, bits):
    plain, heavy = (
        sn.SparseMLP((4, 6, 1)).fit(
            *data, training=sn.Training(2, optimizer=sn.SGD(0.05, momentum=m))
        )
        for m in (0.0, 0.9)
    )
    assert bits(plain) != bits(heavy)


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
        net.partial_fit(X, y, training=sn.Training(batch_size=8, optimizer=sn.SGD(0.2)))
    assert net.score(X, y) >= 0.95


def test_partial_fit_checks_and_copies_once(blobs, monkeypatch):
    """It used to scan X twice and to copy the network three times, at every call."""
    X, y = blobs(3)
    net = sn.SparseMLP((4, 8, 3)).partial_fit(X, y)
    calls = []

    def counted(name, function):
        return lambda *args: calls.append(name) or function(*args)

    monkeypatch.setattr(_core, "all_finite", counted("scan", _core.all_finite))
    monkeypatch.setattr(_core.Network, "copy", counted("copy", _core.Network.copy))
    net.partial_fit(X, y)
    assert sorted(calls) == ["copy", "scan"]


def test_a_diverging_partial_fit_leaves_an_unfitted_network_unfitted(blobs, bits):
    X, y = blobs(3)
    net = sn.SparseMLP((4, 8, 3), init_scale=1.0, input_scaling="standard")
    before = bits(net)
    with pytest.raises(sn.TrainingDiverged):
        net.partial_fit(X * 1e10, y, training=sn.Training(optimizer=sn.SGD(1e30)))
    assert bits(net) == before


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        ([0, 2], ValueError, r"^classes must be those of the first call, \[0, 1\], got \[0, 2\]"),
        ([0, 1, 2], ValueError, r"^classes must be those of the first .*, got \[0, 1, 2\]"),
        ([0], ValueError, r"^classes must be those of the first call, \[0, 1\], got \[0\]"),
        ([], (TypeError, ValueError), r"classes must"),
        (["0", "1"], (TypeError, ValueError), r"str|<U1|classes must be those"),
        ([0.0, 0.5], ValueError, r"^classes must hold ints, .* whole floats, got 0.5 in row 1"),
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
    net.fit(*data, training=sn.Training(5), callback=told.append)
    assert [(p.stage, p.epoch, p.epochs, p.n_synapses) for p in told] == [
        ("train", epoch, 5, 30) for epoch in range(1, 6)
    ]
    assert all(p.score is None and 0.0 < p.loss < 10.0 for p in told)
    silent = sn.SparseMLP((4, 6, 1), init_scale=1.0).fit(*data, training=sn.Training(5))
    assert bits(net) == bits(silent)


def test_callback_is_told_the_validation_accuracy(data):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    told = []

    def callback(progress):
        told.append((progress.score, net.score(X[:30], y[:30])))

    net.fit(X, y, training=sn.Training(4), validation=(X[:30], y[:30]), callback=callback)
    assert len(told) == 4
    assert all(said == true for said, true in told)


def test_validation_does_not_change_training(data, bits):
    X, y = data
    nets = [
        sn.SparseMLP((4, 6, 1)).fit(X, y, validation=v, callback=lambda p: None)
        for v in (None, (X[:7], y[:7]))
    ]
    assert bits(nets[0]) == bits(nets[1])


@pytest.mark.parametrize("how", ["return", "raise"])
def test_callback_that_asks_to_stop_ends_the_fit(how, data, bits):
    def third(progress):
        if progress.epoch == 3:
            if how == "raise":
                raise StopIteration
            return sn.STOP
        return None

    net = sn.SparseMLP((4, 6, 1)).fit(*data, training=sn.Training(9), callback=third)
    assert bits(net) == bits(sn.SparseMLP((4, 6, 1)).fit(*data, training=sn.Training(3)))


def test_f5_callbacks_that_return_something_true_end_nothing(data, tmp_path):
    # A progress bar's update and a file's write used to end the training after an epoch.
    epochs = []
    with (tmp_path / "log").open("w") as log:
        for callback in (
            lambda p: log.write(f"{p.loss}\n"),
            lambda p: epochs.append(p.epoch) or True,
            lambda p: np.True_,
        ):
            sn.SparseMLP((4, 6, 1)).fit(*data, training=sn.Training(20), callback=callback)
    assert len((tmp_path / "log").read_text().splitlines()) == len(epochs) == 20


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (sn.Training(2), r"^training.epochs=2 does not apply to partial_fit, which is"),
        (sn.Training(lr_schedule=sn.ConstantThenCosine()), r"^training.lr_schedule=Constant"),
        (sn.Training(swa_epochs=2), r"^training.swa_epochs=2 does not apply to partial"),
        (sn.Training(class_weight="balanced"), r"^training.class_weight='balanced' does not "),
    ],
)
def test_partial_fit_refuses_what_one_pass_cannot_do(recipe, message, data, bits):
    net = sn.SparseMLP((4, 6, 1))
    before = bits(net)
    with pytest.raises(ValueError, match=message):
        net.partial_fit(*data, training=recipe)
    assert bits(net) == before


class OddError(Exception):
    """No error that the package knows."""


@pytest.mark.parametrize("error", [OddError, ZeroDivisionError, KeyboardInterrupt, MemoryError])
def test_an_exception_in_a_callback_leaves_a_usable_network(error, data, bits):
    def callback(progress):
        if progress.epoch == 2:
            raise error("from the callback")

    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    with pytest.raises(error, match="from the callback"):
        net.fit(*data, training=sn.Training(5), callback=callback)
    twin = net.copy()
    for n in (net, twin):
        n.fit(*data, training=sn.Training(40, batch_size=16, optimizer=sn.SGD(0.3)))
    assert net.score(*data) == 1.0
    assert bits(net) == bits(twin)


def test_ctrl_c_leaves_a_usable_network(data):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    with pytest.raises(KeyboardInterrupt):
        net.fit(
            *data,
            training=sn.Training(10**6),
            callback=lambda p: os.kill(os.getpid(), signal.SIGINT),
        )
    assert (
        net.fit(*data, training=sn.Training(60, batch_size=16, optimizer=sn.SGD(0.3))).score(*data)
        == 1.0
    )


@pytest.mark.parametrize("n_rows", [40, 4000])
def test_a_long_training_that_ends_in_one_class_is_warned_of(n_rows):
    X, y = np.ones((n_rows, 2)), np.array(["a", "b"])[np.arange(n_rows) % 2]
    batch_size = n_rows // 40
    n = min(n_rows, 1000)

    def train(y, epochs, X=X, callback=None):
        recipe = sn.Training(epochs, batch_size=batch_size)
        return sn.SparseMLP((2, 1)).fit(X, y, training=recipe, callback=callback)

    text = rf"^the network says '[ab]' to every one of {n} training samples; try another learning"
    with pytest.warns(UserWarning, match=text) as caught:
        train(y, 25)
    assert caught[0].filename == __file__
    # Not if it was short, if one class is rare, or if the network tells some sample from another.
    train(y, 24)
    train(y, 100, callback=lambda p: sn.STOP if p.epoch == 24 else None)
    train(np.where(np.arange(n_rows) % 4 == 0, "b", "a"), 25)
    train(y, 25, X=np.stack([y == "a", y == "b"], 1))
