"""`prune`: its arguments, what every run promises, and every way that a run can end."""

import inspect
import math
import os
import pickle
import signal
import warnings
from dataclasses import replace

import numpy as np
import pytest
import synaprune as sn

SGD = sn.Training(batch_size=16, optimizer=sn.SGD(0.1))
ITERATIVE = {
    "max_drop": 0.02, "training": SGD,
    "strategy": sn.Iterative(4, patience=2, n_candidates=3, search_budget=0),
}  # fmt: skip
GRADUAL = {"n_synapses": 9, "training": replace(SGD, epochs=10)}
strategies = pytest.mark.parametrize("target", [ITERATIVE, GRADUAL], ids=["iterative", "gradual"])

ONE_WAY = sn.Iterative(search_budget=0)

# --- arguments ----------------------------------------------------------------------------------

Xv, yv = np.ones((6, 4)), np.arange(6) % 2
WRONG = [
    ({"n_synapses": 1}, ValueError, r"^n_synapses must be from 2 to 30, got 1$"),
    ({"n_synapses": 0}, ValueError, r"^n_synapses must be from 1 to \d+, got 0$"),
    ({"n_synapses": -4}, ValueError, r"^n_synapses must be from 1 to \d+, got -4$"),
    ({"n_synapses": 31}, ValueError, r"^n_synapses must be from 2 to 30, got 31$"),
    ({"n_synapses": 9.0}, TypeError, r"^n_synapses must be an int, got float$"),
    ({"n_synapses": "9"}, TypeError, r"^n_synapses must be an int, got str$"),
    ({"n_synapses": True}, TypeError, r"^n_synapses must be an int, got bool$"),
    ({"min_score": -0.1}, ValueError, r"^min_score must be finite and in \[0\.0, 1\.0\]"),
    ({"min_score": 97}, ValueError, r"^min_score must be .*, got 97\.0$"),
    ({"min_score": math.nan}, ValueError, r"^min_score must be .*, got nan$"),
    ({"min_score": "0.9"}, TypeError, r"^min_score must be a number, got '0\.9'$"),
    ({"max_drop": -0.01}, ValueError, r"^max_drop must be finite and in \[0\.0, 1\.0\], got -0"),
    ({"max_drop": 1.5}, ValueError, r"^max_drop must be .*, got 1\.5$"),
    ({"max_drop": True}, TypeError, r"^max_drop must be a number, got True$"),
    ({"n_synapses": 9, "min_score": 0.9}, ValueError,
     r"at most one of n_synapses, .* may be given, .*, got n_synapses and min_score$"),
    ({"max_drop": 0.1, "min_score": 0.9}, ValueError,
     r"at most one of n_synapses, .* may be given, .*, got max_drop and min_score$"),
    ({"n_synapses": 9, "max_drop": 0.0, "min_score": 0.0}, ValueError,
     r"got n_synapses and max_drop and min_score$"),
    ({"strategy": "gradual"}, TypeError, r"^strategy must be a Strategy, .* got 'gradual'$"),
    ({"strategy": sn.Gradual}, TypeError, r"^strategy must be a Strategy, .* got <class"),
    ({"strategy": sn.Gradual()}, ValueError,
     r"^strategy Gradual goes with n_synapses or n_inputs alone, got max_drop=0\.005 \(the def"),
    ({"strategy": sn.Gradual(), "max_drop": 0.1}, ValueError, r"Gradual .*, got max_drop=0\.1$"),
    ({"strategy": sn.Gradual(), "min_score": 0.1}, ValueError, r"Gradual .*, got min_score=0\.1$"),
    ({"strategy": sn.Gradual(), "n_inputs": 2, "max_drop": 0.1}, ValueError,
     r"^strategy Gradual goes with .*, got n_inputs=2 and max_drop=0\.1$"),
    ({"strategy": sn.Iterative(), "n_synapses": 9}, ValueError,
     r"^strategy Iterative goes with max_drop or min_score, got n_synapses=9$"),
    *[({"training": sn.Training(**{name: value})}, ValueError,
       rf"^training.{name}=.* does not apply to strategy Iterative, .* retrain_epochs=20")
      for name, value in (("epochs", 30), ("swa_epochs", 2), ("lr_schedule", math.cos))],
    ({"training": sn.Training(1), "n_synapses": 9}, ValueError,
     r"^strategy Gradual needs training with at least 2 epochs, got epochs=1$"),
    ({"training": {"epochs": 3}}, TypeError, r"^training must be a Training, got {'epochs': 3}$"),
    ({"criterion": "obd"}, ValueError, r"^criterion must be one of wsf, .*, got 'obd'$"),
    ({"criterion": None}, ValueError, r"^criterion must be one of wsf, .*, got None$"),
    ({"threads": 0}, ValueError, r"^threads must be from 1 to .*, got 0$"),
    ({"threads": "1"}, TypeError, r"^threads must be an int, got str$"),
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
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, seed=1).fit(*data, training=sn.Training(1))
    has = net.score(*data)
    assert has < 0.99
    message = rf"validation accuracy {has:.4f}, below min_score 0\.9900; train it further"
    with pytest.raises(ValueError, match=message):
        sn.prune(net, *data, validation=data, min_score=0.99)
    path = sn.prune(net, *data, validation=data, min_score=has, strategy=ONE_WAY)  # enough
    assert path.steps[0].score == has


# --- what every run promises --------------------------------------------------------------------


@strategies
@pytest.mark.parametrize("criterion", sn.CRITERIA)
def test_the_network_given_is_never_changed(target, criterion, trained3, bits, goes_on_alike):
    net, X, y = trained3()
    heavy = sn.SGD(0.05, momentum=0.9)
    net.fit(X, y, training=sn.Training(1, optimizer=heavy))
    twin, before = net.copy(), bits(net)
    path = sn.prune(net, X, y, validation=(X, y), criterion=criterion, **target)
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
                net, X, y, validation=(X, y), threads=threads, criterion=criterion, **target
            )
            path.save(tmp_path / "path.npz")
            contents.add((criterion, (tmp_path / "path.npz").read_bytes()))
    assert len(contents) == len(sn.CRITERIA)
    assert len({content for _, content in contents}) == len(sn.CRITERIA)


@strategies
def test_the_callback_is_told_everything(target, trained3):
    net, X, y = trained3()
    told = []
    path = sn.prune(net, X, y, validation=(X, y), callback=told.append, **target)
    accepted = [p for p in told if p.stage == "accepted"]
    assert [p.n_synapses for p in accepted] == [step.n_synapses for step in path]
    assert [p.score for p in accepted] == [step.score for step in path]
    stages = {p.stage for p in told}
    epochs = [p.epoch for p in told]
    assert epochs == sorted(epochs)
    assert epochs[-1] == path.epochs
    if target is ITERATIVE:
        assert stages == {"accepted", "rejected", "retrain"}
        assert {p.epochs for p in told} == {None}
        assert sum(p.stage == "retrain" for p in told) == path.epochs
        assert all((p.score is None) == (p.stage == "rejected") for p in told)
    else:
        assert stages == {"accepted", "train"}
        assert {p.epochs for p in told} == {target["training"].epochs}
    quiet = sn.prune(net, X, y, validation=(X, y), **target)
    assert quiet.to_json() == path.to_json()
    assert quiet.stop_reason == path.stop_reason


@strategies
@pytest.mark.parametrize("how", ["return", "raise"])
def test_a_callback_that_asks_to_stop_ends_the_run(target, how, trained3, bits):
    net, X, y = trained3()
    whole = sn.prune(net, X, y, validation=(X, y), **target)
    seen = []

    def third(progress):
        seen.append(progress.stage == "accepted")
        if sum(seen) == 3:
            if how == "raise":
                raise StopIteration
            return sn.STOP
        return None

    path = sn.prune(net, X, y, validation=(X, y), callback=third, **target)
    assert path.stop_reason == "ended by the callback"
    assert len(path) == 3
    assert [bits(path.network(i)) for i in range(3)] == [bits(whole.network(i)) for i in range(3)]
    path = sn.prune(net, X, y, validation=(X, y), callback=lambda p: sn.STOP, **target)
    assert len(path) <= 1


@strategies
@pytest.mark.parametrize("answer", [True, 1, "stop", np.True_, object], ids=repr)
def test_a_callback_that_returns_something_true_ends_nothing(target, answer, trained3, bits):
    # This used to end a run whose callback was a progress bar's or a file's method.
    net, X, y = trained3()
    whole = sn.prune(net, X, y, validation=(X, y), **target)
    path = sn.prune(net, X, y, validation=(X, y), callback=lambda p: answer, **target)
    assert path.stop_reason == whole.stop_reason
    assert path.to_json() == whole.to_json()


def test_stop_is_one_thing_in_every_process():
    assert pickle.loads(pickle.dumps(sn.STOP)) is sn.STOP
    assert repr(sn.STOP) == "STOP"


@strategies
@pytest.mark.parametrize("how", ["raise", "signal"])
def test_ctrl_c_hands_over_what_was_accepted(target, how, trained3, bits):
    net, X, y = trained3()
    before = bits(net)
    whole = sn.prune(net, X, y, validation=(X, y), **target)
    seen = []

    def interrupt(progress):
        seen.append(progress.stage == "accepted")
        if sum(seen) == 3:
            if how == "raise":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(sn.PruningInterrupted, match=r"after 3 accepted networks") as caught:
        sn.prune(net, X, y, validation=(X, y), callback=interrupt, **target)
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
        sn.prune(net, X, y, validation=(X, y), callback=callback, **target)
    assert bits(net) == before


def test_no_goal_means_a_drop_of_half_a_percent(trained3):
    net, X, y = trained3()
    strategy = sn.Iterative(2, n_candidates=2, search_budget=0)
    default = sn.prune(net, X, y, validation=(X, y), strategy=strategy)
    same = sn.prune(net, X, y, validation=(X, y), max_drop=0.005, strategy=strategy)
    assert default.to_json() == same.to_json()
    assert default.stop_reason == same.stop_reason


def test_the_goal_chooses_the_strategy(trained3):
    net, X, y = trained3()
    options = {"validation": (X, y)}
    for goal, kind in (({"n_synapses": 9}, sn.Gradual), ({"max_drop": 0.02}, sn.Iterative)):
        left_out = sn.prune(net, X, y, **options, **goal)
        assert (
            left_out.to_json() == sn.prune(net, X, y, **options, **goal, strategy=kind()).to_json()
        )


# --- what stays, and what may come next ---------------------------------------------------------


def test_labels_and_names_stay_with_the_network(data):
    X, y = data
    labels = np.where(y == 1, "yes", "no")
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0)
    net.input_names = ("a", "b", "c", "d")
    net.fit(X, labels, training=sn.Training(30, batch_size=16, optimizer=sn.SGD(0.3)))
    path = sn.prune(net, X, labels, validation=(X, labels), strategy=ONE_WAY, training=SGD)
    assert path.smallest.input_names == ("a", "b", "c", "d")
    assert set(path.smallest.predict(X)) == {"yes", "no"}


def test_a_fresh_network_gets_its_scaling_and_classes_from_the_training_data(data):
    X, y = data
    net = sn.SparseMLP((4, 6, 1), init_scale=1.0, input_scaling="standard")
    path = sn.prune(
        net, X, y, validation=(X[:9], y[:9]), n_synapses=12, training=replace(SGD, epochs=3)
    )
    fitted = sn.SparseMLP((4, 6, 1), input_scaling="standard").fit(X, y, training=sn.Training(1))
    for got, expected in zip(
        path.smallest.input_transform, fitted.input_transform, strict=True
    ):  # fmt: skip
        assert got.tolist() == expected.tolist()
    assert net._targets is None


def test_a_pruned_network_can_be_pruned_further(trained3):
    net, X, y = trained3()
    first = sn.prune(net, X, y, validation=(X, y), n_synapses=30, training=replace(SGD, epochs=6))
    second = sn.prune(
        first.smallest, X, y, validation=(X, y), n_synapses=12, training=replace(SGD, epochs=6)
    )
    assert second.steps[0].n_synapses == first.smallest.n_synapses
    assert second.smallest.n_synapses <= 12
    most = first.smallest.n_synapses
    with pytest.raises(ValueError, match=rf"n_synapses must be from 2 to {most}, got 60"):
        sn.prune(first.smallest, X, y, validation=(X, y), n_synapses=60)


def test_momentum_and_plain_sgd_do_not_warn(trained3):
    net, X, y = trained3()
    training = sn.Training(10, optimizer=sn.SGD(0.1, momentum=0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sn.prune(net, X, y, validation=(X, y), n_synapses=9, training=training)


def test_prune_has_at_most_twelve_options():
    # It used to have 27, of which some were ignored. How a run goes does not decide what comes out.
    parameters = inspect.signature(sn.prune).parameters.values()
    named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    of_the_run = {"threads", "callback", "checkpoint", "resume", "time_limit", "max_epochs"}
    assert of_the_run < named
    assert len(named - of_the_run) <= 12
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters)


def test_a_pruned_network_that_says_one_class_is_warned_of():
    """Imbalance used to end in an empty network that was called a success."""
    X = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    y = np.where(np.arange(200) % 10 == 0, "yes", "no")
    net = sn.SparseMLP((2, 4, 1), seed=0).fit(X, y)
    with pytest.warns(UserWarning, match="says 'no' to every validation sample.* its accuracy of"):
        sn.prune(net, X, y, validation=(X, y), max_drop=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = sn.prune(net, X, y, validation=(X, y), n_synapses=2, metric="roc_auc")
        assert set(path.smallest.predict(X)) == {"no"}  # but probabilities may be told apart
        y = X[:, 0] > X[:, 1]
        net = sn.SparseMLP((2, 4, 1), init_scale=1.0, seed=0)
        net.fit(X, y, training=sn.Training(100))
        sn.prune(net, X, y, validation=(X, y), max_drop=0.01)
        sn.prune(net, X, y, validation=(X[y], y[y]), max_drop=0.01)  # holds one class itself
