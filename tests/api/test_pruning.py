"""`prune`: its arguments, what every run promises, and every way that a run can end."""

import math
import os
import signal
import warnings

import numpy as np
import pytest
import synaprune as sn

LADDER = {"max_drop": 0.02, "retrain_epochs": 4, "patience": 2, "attempts": 3}
GRADUAL = {"n_synapses": 9, "epochs": 10}
SGD = {"optimizer": sn.SGD(0.1), "batch_size": 16, "effort": 0}
strategies = pytest.mark.parametrize("target", [LADDER, GRADUAL], ids=["ladder", "gradual"])

# --- arguments ----------------------------------------------------------------------------------

Xv, yv = np.ones((6, 4)), np.arange(6) % 2
WRONG = [
    ({"n_synapses": 1}, ValueError, r"^n_synapses must be from 2 to 30, got 1$"),
    ({"n_synapses": 0}, ValueError, r"^n_synapses must be from 2 to 30, got 0$"),
    ({"n_synapses": -4}, ValueError, r"^n_synapses must be from 2 to 30, got -4$"),
    ({"n_synapses": 31}, ValueError, r"^n_synapses must be from 2 to 30, got 31$"),
    ({"n_synapses": 9.0}, TypeError, r"^n_synapses must be an int, got float$"),
    ({"n_synapses": "9"}, TypeError, r"^n_synapses must be an int, got str$"),
    ({"n_synapses": True}, TypeError, r"^n_synapses must be an int, got bool$"),
    ({"min_accuracy": -0.1}, ValueError, r"^min_accuracy must be finite and in \[0\.0, 1\.0\]"),
    ({"min_accuracy": 97}, ValueError, r"^min_accuracy must be .*, got 97\.0$"),
    ({"min_accuracy": math.nan}, ValueError, r"^min_accuracy must be .*, got nan$"),
    ({"min_accuracy": "0.9"}, TypeError, r"^min_accuracy must be a number, got '0\.9'$"),
    ({"max_drop": -0.01}, ValueError, r"^max_drop must be finite and in \[0\.0, 1\.0\], got -0"),
    ({"max_drop": 1.5}, ValueError, r"^max_drop must be .*, got 1\.5$"),
    ({"max_drop": True}, TypeError, r"^max_drop must be a number, got True$"),
    ({"n_synapses": 9, "min_accuracy": 0.9}, ValueError,
     r"at most one of n_synapses, .* may be given, .*, got n_synapses and min_accuracy$"),
    ({"max_drop": 0.1, "min_accuracy": 0.9}, ValueError,
     r"at most one of n_synapses, .* may be given, .*, got min_accuracy and max_drop$"),
    ({"n_synapses": 9, "max_drop": 0.0, "min_accuracy": 0.0}, ValueError,
     r"got n_synapses and min_accuracy and max_drop$"),
    ({"strategy": "best"}, ValueError, r"^strategy must be one of auto, ladder, grad.*'best'$"),
    ({"strategy": None}, ValueError, r"^strategy must be one of auto, ladder, gradual, got None$"),
    ({"strategy": "gradual"}, ValueError, r"got 'gradual' with no target$"),
    ({"strategy": "gradual", "max_drop": 0.1}, ValueError, r"got 'gradual' with max_drop$"),
    ({"strategy": "gradual", "min_accuracy": 0.1}, ValueError, r"'gradual' with min_accuracy$"),
    ({"strategy": "ladder", "n_synapses": 9}, ValueError, r"got 'ladder' with n_synapses$"),
    ({"criterion": "obd"}, ValueError, r"^criterion must be one of wsf, .*, got 'obd'$"),
    ({"criterion": None}, ValueError, r"^criterion must be one of wsf, .*, got None$"),
    ({"optimizer": "sgd"}, TypeError, r"^optimizer must be an SGD or an Adam, got 'sgd'$"),
    ({"epochs": 1, "n_synapses": 9}, ValueError, r"^epochs must be from 2 to .*, got 1$"),
    ({"epochs": 2.0, "n_synapses": 9}, TypeError, r"^epochs must be an int, got float$"),
    *[({name: 0}, ValueError, rf"^{name} must be from 1 to .*, got 0$")
      for name in ("retrain_epochs", "patience", "attempts", "batch_size", "threads")],
    *[({name: "1"}, TypeError, rf"^{name} must be an int, got str$")
      for name in ("retrain_epochs", "patience", "attempts", "batch_size", "threads", "epochs")],
    ({"validation": None}, (TypeError, ValueError), r"^validation must "),
    ({"validation": Xv}, (TypeError, ValueError), r"^validation must "),
    ({"validation": (Xv,)}, (TypeError, ValueError), r"^validation must "),
    ({"validation": (Xv, yv, yv)}, (TypeError, ValueError), r"^validation must "),
    ({"validation": (Xv, yv + 1)}, ValueError, r"^validation y holds the label 2"),
    ({"callback": 5}, TypeError, r"^callback must be "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [pytest.param(*fault, id=f"{'+'.join(fault[0])}-{i}") for i, fault in enumerate(WRONG)],
)
def test_wrong_arguments_are_named(wrong, error, message, data, trained, bits):
    net = trained()
    before = bits(net)
    with pytest.raises(error, match=message):
        sn.prune(net, *data, **{"validation": data, **wrong})
    assert bits(net) == before


def test_what_is_no_network_is_refused(data):
    with pytest.raises(TypeError, match=r"^net must be a SparseMLP, got tuple$"):
        sn.prune((4, 6, 1), *data, validation=data)


def test_a_contract_above_what_the_network_has_is_refused(data):
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=1).fit(*data, epochs=1)
    has = net.score(*data)
    assert has < 0.99
    message = rf"validation accuracy {has:.4f}, below min_accuracy 0\.9900; train it further"
    with pytest.raises(ValueError, match=message):
        sn.prune(net, *data, validation=data, min_accuracy=0.99)
    path = sn.prune(net, *data, validation=data, min_accuracy=has, **SGD)  # exactly is enough
    assert path.steps[0].score == has


# --- what every run promises --------------------------------------------------------------------


@strategies
@pytest.mark.parametrize("criterion", sn.CRITERIA)
def test_the_network_given_is_never_changed(target, criterion, trained3, bits, goes_on_alike):
    net, X, y = trained3()
    heavy = sn.SGD(0.05, momentum=0.9)
    net.fit(X, y, epochs=1, optimizer=heavy)
    twin, before = net.copy(), bits(net)
    path = sn.prune(net, X, y, validation=(X, y), criterion=criterion, **target, **SGD)
    assert len(path) > 2
    assert bits(net) == before
    assert goes_on_alike(net, twin, X, y, heavy)
    assert bits(path.network(0))[-2:] == before[-2:]  # the input transform
    assert {step.criterion for step in path} == {criterion}


@strategies
def test_equal_calls_give_equal_files(target, trained3, tmp_path):
    net, X, y = trained3()
    contents = set()
    for criterion in sn.CRITERIA:
        for threads in (1, 2, 7, None):
            path = sn.prune(
                net, X, y, validation=(X, y), threads=threads, criterion=criterion, **target, **SGD
            )
            path.save(tmp_path / "path.npz")
            contents.add((criterion, (tmp_path / "path.npz").read_bytes()))
    assert len(contents) == len(sn.CRITERIA)
    assert len({content for _, content in contents}) == len(sn.CRITERIA)


@strategies
def test_the_callback_is_told_everything(target, trained3):
    net, X, y = trained3()
    told = []
    path = sn.prune(net, X, y, validation=(X, y), callback=told.append, **target, **SGD)
    accepted = [p for p in told if p.stage == "accepted"]
    assert [p.n_synapses for p in accepted] == [step.n_synapses for step in path]
    assert [p.accuracy for p in accepted] == [step.score for step in path]
    stages = {p.stage for p in told}
    epochs = [p.epoch for p in told]
    assert epochs == sorted(epochs)
    assert epochs[-1] == path.epochs
    if target is LADDER:
        assert stages == {"accepted", "rejected", "retrain"}
        assert {p.epochs for p in told} == {None}
        assert sum(p.stage == "retrain" for p in told) == path.epochs
        assert all((p.accuracy is None) == (p.stage == "rejected") for p in told)
    else:
        assert stages == {"accepted", "train"}
        assert {p.epochs for p in told} == {target["epochs"]}
    quiet = sn.prune(net, X, y, validation=(X, y), **target, **SGD)
    assert quiet.to_json() == path.to_json()
    assert quiet.stop_reason == path.stop_reason


@strategies
def test_a_callback_that_returns_true_ends_the_run(target, trained3, bits):
    net, X, y = trained3()
    whole = sn.prune(net, X, y, validation=(X, y), **target, **SGD)
    seen = []

    def third(progress):
        seen.append(progress.stage == "accepted")
        return sum(seen) == 3

    path = sn.prune(net, X, y, validation=(X, y), callback=third, **target, **SGD)
    assert path.stop_reason == "ended by the callback"
    assert len(path) == 3
    assert [bits(path.network(i)) for i in range(3)] == [bits(whole.network(i)) for i in range(3)]
    path = sn.prune(net, X, y, validation=(X, y), callback=lambda p: True, **target, **SGD)
    assert len(path) <= 1


@strategies
@pytest.mark.parametrize("how", ["raise", "signal"])
def test_ctrl_c_hands_over_what_was_accepted(target, how, trained3, bits):
    net, X, y = trained3()
    before = bits(net)
    whole = sn.prune(net, X, y, validation=(X, y), **target, **SGD)
    seen = []

    def interrupt(progress):
        seen.append(progress.stage == "accepted")
        if sum(seen) == 3:
            if how == "raise":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(sn.PruningInterrupted, match=r"after 3 accepted networks") as caught:
        sn.prune(net, X, y, validation=(X, y), callback=interrupt, **target, **SGD)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert not isinstance(caught.value, Exception)
    path = caught.value.path
    assert [s.record() for s in path] == [s.record() for s in whole.steps[:3]]
    assert bits(path.smallest) == bits(whole.network(2))
    assert bits(net) == before


@strategies
def test_an_exception_in_the_callback_passes_through(target, trained3, bits):
    net, X, y = trained3()
    before = bits(net)

    def callback(progress):
        raise LookupError("from the callback")

    with pytest.raises(LookupError, match="from the callback"):
        sn.prune(net, X, y, validation=(X, y), callback=callback, **target, **SGD)
    assert bits(net) == before


def test_no_target_means_a_drop_of_half_a_percent(trained3):
    net, X, y = trained3()
    options = {"validation": (X, y), "retrain_epochs": 2, "attempts": 2, **SGD}
    default = sn.prune(net, X, y, **options)
    same = sn.prune(net, X, y, max_drop=0.005, strategy="ladder", **options)
    assert default.to_json() == same.to_json()
    assert default.stop_reason == same.stop_reason


# --- what stays, and what may come next ---------------------------------------------------------


def test_labels_and_names_stay_with_the_network(data):
    X, y = data
    labels = np.where(y == 1, "yes", "no")
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    net.input_names = ("a", "b", "c", "d")
    net.fit(X, labels, epochs=30, batch_size=16, optimizer=sn.SGD(0.3))
    path = sn.prune(net, X, labels, validation=(X, labels), retrain_epochs=2, **SGD)
    assert path.smallest.input_names == ("a", "b", "c", "d")
    assert set(path.smallest.predict(X)) == {"yes", "no"}


def test_a_fresh_network_gets_its_scaling_and_classes_from_the_training_data(data):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, input_scaling="standard")
    path = sn.prune(net, X, y, validation=(X[:9], y[:9]), n_synapses=12, epochs=3, **SGD)
    fitted = sn.SparseMLP((4, 6, 1), input_scaling="standard").fit(X, y, epochs=1)
    for got, expected in zip(
        path.smallest.input_transform, fitted.input_transform, strict=True
    ):  # fmt: skip
        assert got.tolist() == expected.tolist()
    assert net._labels is None


def test_a_pruned_network_can_be_pruned_further(trained3):
    net, X, y = trained3()
    first = sn.prune(net, X, y, validation=(X, y), n_synapses=30, epochs=6, **SGD)
    second = sn.prune(first.smallest, X, y, validation=(X, y), n_synapses=12, epochs=6, **SGD)
    assert second.steps[0].n_synapses == first.smallest.n_synapses
    assert second.smallest.n_synapses <= 12
    most = first.smallest.n_synapses
    with pytest.raises(ValueError, match=rf"n_synapses must be from 2 to {most}, got 60"):
        sn.prune(first.smallest, X, y, validation=(X, y), n_synapses=60)


def test_momentum_and_plain_sgd_do_not_warn(trained3):
    net, X, y = trained3()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sn.prune(net, X, y, validation=(X, y), optimizer=sn.SGD(0.1, momentum=0.5), **GRADUAL)
