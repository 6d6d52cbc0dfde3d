"""`prune`: the contract, the schedule, exact rollback, and every way that a run can end."""

import itertools
import math
import os
import signal
import warnings
from fractions import Fraction

import numpy as np
import pytest
import synaprune as sn
from hypothesis import given
from hypothesis import strategies as st
from synaprune.pruning import PERCENTAGES, _ladder, _run, mcnemar

LADDER = {"max_drop": 0.02, "retrain_epochs": 4, "patience": 2, "attempts": 3}
GRADUAL = {"n_synapses": 9, "epochs": 10}
SGD = {"optimizer": sn.SGD(0.1), "batch_size": 16}
strategies = pytest.mark.parametrize("target", [LADDER, GRADUAL], ids=["ladder", "gradual"])


@pytest.fixture
def spy(monkeypatch):
    """Record the cuts of a run, and let a test decide which of them survive.

    ``spy.verdict(run, n, spared)`` says so; None leaves it to the real `retrain`.
    """

    class Spy:
        run = None
        cuts = ()
        verdict = None

    cut, retrain = _run.Run.cut, _ladder.retrain

    def recording_cut(run, n, spared=0):
        Spy.run = run
        Spy.cuts = (*Spy.cuts, (n, spared))
        cut(run, n, spared)

    def decided_retrain(run, *args, **options):
        if Spy.verdict is None:
            return retrain(run, *args, **options)
        for _ in run.train(2, "retrain"):  # all state moves: weights, biases, momentum, random
            pass
        return 0 if Spy.verdict(run, *Spy.cuts[-1]) else None

    monkeypatch.setattr(_run.Run, "cut", recording_cut)
    monkeypatch.setattr(_ladder, "retrain", decided_retrain)
    return Spy


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
     r"at most one target may be given, got n_synapses and min_accuracy$"),
    ({"max_drop": 0.1, "min_accuracy": 0.9}, ValueError,
     r"at most one target may be given, got min_accuracy and max_drop$"),
    ({"n_synapses": 9, "max_drop": 0.0, "min_accuracy": 0.0}, ValueError,
     r"got n_synapses and min_accuracy and max_drop$"),
    ({"strategy": "best"}, ValueError, r"^strategy must be one of auto, ladder, grad.*'best'$"),
    ({"strategy": None}, ValueError, r"^strategy must be one of auto, ladder, gradual, got None$"),
    ({"strategy": "gradual"}, ValueError, r"got 'gradual' with no target$"),
    ({"strategy": "gradual", "max_drop": 0.1}, ValueError, r"got 'gradual' with max_drop$"),
    ({"strategy": "gradual", "min_accuracy": 0.1}, ValueError, r"'gradual' with min_accuracy$"),
    ({"strategy": "ladder", "n_synapses": 9}, ValueError, r"got 'ladder' with n_synapses$"),
    ({"criterion": "fisher"}, ValueError, r"^criterion must be one of wsf, .*, got 'fisher'$"),
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
    assert path.steps[0].accuracy == has


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
    assert [p.accuracy for p in accepted] == [step.accuracy for step in path]
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
    assert quiet.verdict == path.verdict


@strategies
def test_a_callback_that_returns_true_ends_the_run(target, trained3, bits):
    net, X, y = trained3()
    whole = sn.prune(net, X, y, validation=(X, y), **target, **SGD)
    seen = []

    def third(progress):
        seen.append(progress.stage == "accepted")
        return sum(seen) == 3

    path = sn.prune(net, X, y, validation=(X, y), callback=third, **target, **SGD)
    assert path.verdict == "ended by the callback"
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
    assert default.verdict == same.verdict


# --- gradual ------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [2, 3, 10, 25])
@pytest.mark.parametrize("n_synapses", [3, 4, 20, 56, 57])
@pytest.mark.parametrize("criterion", sn.CRITERIA)
def test_gradual_ends_at_the_target(epochs, n_synapses, criterion, trained3):
    _, X, y = trained3()
    net = sn.SparseMLP((5, 5, 4, 3), init_scale=1.0, seed=9)  # 57 synapses, fresh
    told = []
    path = sn.prune(
        net, X, y, validation=(X, y), n_synapses=n_synapses, epochs=epochs, criterion=criterion,
        callback=told.append, **SGD,
    )  # fmt: skip
    counts = [step.n_synapses for step in path]
    assert counts[0] == 57
    assert counts[-1] <= n_synapses
    assert (np.diff(counts) < 0).all()
    assert path.epochs == epochs == sum(step.epochs for step in path)
    assert path.verdict == f"reached {counts[-1]} synapses (target {n_synapses})"
    # cuts stand between 5 % and 70 % of the run, and follow an exponential
    living = {p.epoch: p.n_synapses for p in told if p.stage == "train"}
    last = max(1, math.floor(0.7 * epochs))
    cuts = [e for e in range(1, last + 1) if e > 0.05 * epochs]
    for epoch, count in living.items():
        share = min(1.0, sum(e <= epoch for e in cuts) / len(cuts))
        assert count <= 57 * (n_synapses / 57) ** share + 1e-6
        assert count == 57 or share > 0
        assert count == counts[-1] or share < 1


def test_gradual_with_nothing_to_cut_is_training(trained3, bits):
    net, X, y = trained3()
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=64, epochs=4, **SGD)
    assert len(path) == 1
    assert path.steps[0].epochs == 4
    schedule = sn.constant_then_cosine(turn=0.5)
    same = net.copy().fit(X, y, epochs=4, schedule=schedule, **SGD)
    assert bits(path.smallest) == bits(same)


def test_gradual_cuts_the_lowest_scores(trained3, spy):
    """The first cut, seen from outside: who is gone had the lowest scores."""
    net, X, y = trained3()
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=40, epochs=2, **SGD)
    scores = np.concatenate(sn.score(path.network(0)))
    assert spy.cuts == ((24, 0),)
    lowest = set(np.argsort(scores, kind="stable")[:24])
    gone = set(range(64)) - set(path.steps[1].living)
    assert lowest <= gone
    assert len(gone) == path.steps[1].n_removed


def test_gradual_that_diverges_raises(trained3, bits):
    net, X, y = trained3()
    before = bits(net)
    with pytest.raises(sn.TrainingDiverged) as caught:
        sn.prune(net, X, y, validation=(X, y), optimizer=sn.SGD(1e30), **GRADUAL)
    assert (caught.value.epoch, caught.value.lr) == (1, 1e30)
    assert bits(net) == before


# --- ladder -------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", sn.CRITERIA)
@pytest.mark.parametrize("contract", [{"max_drop": 0.0}, {"max_drop": 0.1}, {"min_accuracy": 0.8}])
def test_ladder_keeps_the_contract_in_every_step(criterion, contract, trained3):
    net, X, y = trained3()
    half = (X[::2], y[::2])
    path = sn.prune(
        net, X[1::2], y[1::2], validation=half, criterion=criterion, retrain_epochs=4,
        attempts=3, **contract, **SGD,
    )  # fmt: skip
    full = net.score(*half)
    least = contract.get("min_accuracy", full - contract.get("max_drop", 0.0)) - 1e-9
    assert len(path) > 2
    for i, step in enumerate(path):
        assert path.network(i).score(*half) == step.accuracy >= least
        assert step.epochs <= 4
        assert (step.epochs == 0) == (step.accuracy_before >= least)
    assert path.steps[0].epochs == 0
    assert (np.diff([step.n_synapses for step in path]) < 0).all()
    assert path.epochs >= sum(step.epochs for step in path)


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_ladder_at_the_ends_of_the_contract(drop, data, trained):
    path = sn.prune(trained(), *data, validation=data, max_drop=drop, retrain_epochs=2, **SGD)
    if drop == 1.0:
        assert path.smallest.n_synapses == 0
        assert path.verdict == "no synapse is left"
        assert np.isfinite(path.smallest.predict_proba(data[0])).all()
    else:
        assert {step.accuracy for step in path} == {1.0}
        assert path.verdict == "no cut survives: validation accuracy would fall below 1.0000"


OPTIMIZERS = [
    (sn.SGD(0.1), "wsf"),
    (sn.SGD(0.05, momentum=0.9), "wsf"),
    (sn.SGD(0.05, momentum=0.9), "random"),
    (sn.Adam(0.01), "magnitude"),
    (sn.Adam(0.01), "random"),
]


@pytest.mark.parametrize(("optimizer", "criterion"), OPTIMIZERS, ids=str)
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_a_rejected_cut_leaves_every_bit(
    optimizer, criterion, activation, trained3, spy, bits, goes_on_alike
):
    _, X, y = trained3()
    net = sn.SparseMLP((5, 8, 3), activation=activation, init_scale=1.0, seed=6)
    net.fit(X, y, epochs=2, batch_size=16, optimizer=optimizer)
    before = bits(net)
    rejected = []

    def callback(progress):
        if progress.stage == "rejected":
            rejected.append(bits(spy.run.net) == before)

    spy.verdict = lambda run, n, spared: False
    path = sn.prune(
        net, X, y, validation=(X, y), criterion=criterion, optimizer=optimizer, batch_size=16,
        attempts=4, callback=callback,
    )  # fmt: skip
    assert len(path) == 1
    assert rejected == [True] * len(spy.cuts)
    assert path.epochs == 2 * len(spy.cuts)
    assert bits(path.smallest) == bits(spy.run.net) == before
    assert goes_on_alike(spy.run.net, net, X, y, optimizer)
    shares = dict.fromkeys(64 * p // 100 for p in PERCENTAGES if 64 * p // 100)
    tries = [(n, 0) for n in shares] + [(1, 0)] * (1 not in shares)
    assert list(spy.cuts) == tries + [(1, spared) for spared in (1, 2, 3)]


@given(pattern=st.lists(st.booleans(), max_size=12), heavy=st.booleans())
def test_rollbacks_and_successes_in_any_order(pattern, heavy, trained3, bits, goes_on_alike):
    """After any run, what is left is exactly the last accepted network, momentum and all."""
    net, X, y = trained3()
    optimizer = sn.SGD(0.05, momentum=0.9 * heavy)
    net.fit(X, y, epochs=1, batch_size=16, optimizer=optimizer)
    kept = [net.copy()]
    answers = iter(pattern)
    last = {}

    def retrain(run, *_, **__):
        last["run"] = run
        for _ in run.train(1, "retrain"):
            pass
        if next(answers, False):
            kept.append(run.net.copy())
            return 1
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ladder, "retrain", retrain)
        path = sn.prune(
            net, X, y, validation=(X, y), optimizer=optimizer, batch_size=16, attempts=2
        )
    assert [bits(path.network(i)) for i in range(len(path))] == [bits(n) for n in kept]
    assert bits(last["run"].net) == bits(kept[-1])
    assert goes_on_alike(last["run"].net, kept[-1], X, y, optimizer)


def test_a_share_repeats_after_success_and_falls_after_failure(trained3, spy):
    net, X, y = trained3()
    answers = iter([False, True, False, True])
    spy.verdict = lambda run, n, spared: next(answers, False)
    path = sn.prune(net, X, y, validation=(X, y), attempts=1, **SGD)
    full, second, third = (step.n_synapses for step in path)
    shares = [(full, 75), (full, 60), (second, 60), (second, 50), (third, 50), (third, 45)]
    assert [n for n, _ in spy.cuts[:6]] == [n * percent // 100 for n, percent in shares]


@pytest.mark.parametrize("attempts", [1, 2, 5, 1000])
def test_at_last_the_weakest_few_are_tried_one_by_one(attempts, trained3, spy):
    net, X, y = trained3()
    spy.verdict = lambda run, n, spared: False
    path = sn.prune(net, X, y, validation=(X, y), attempts=attempts, **SGD)
    singles = [spared for n, spared in spy.cuts if n == 1]
    assert singles == list(range(min(attempts, 64)))
    assert len(path) == 1


def test_a_run_ends_only_when_every_attempt_failed_on_its_last_network(trained3, spy):
    """A success at the second weakest makes a new network, whose weakest has to be tried anew."""
    net, X, y = trained3()
    spy.verdict = lambda run, n, spared: spared == 1 and len(run.path) == 1
    path = sn.prune(net, X, y, validation=(X, y), attempts=4, **SGD)
    assert len(path) == 2
    assert path.verdict.startswith("no cut survives")
    tried_on_the_last = spy.cuts[spy.cuts.index((1, 1)) + 1 :]
    assert tried_on_the_last == ((1, 0), (1, 1), (1, 2), (1, 3))


def test_sparing_takes_the_next_weakest(trained3, spy):
    net, X, y = trained3()
    spy.verdict = lambda run, n, spared: spared == 2
    path = sn.prune(net, X, y, validation=(X, y), attempts=3, **SGD)
    order = np.argsort(np.concatenate(sn.score(path.network(0))), kind="stable")
    gone = set(range(64)) - set(path.steps[1].living)
    assert order[2] in gone
    assert not gone & {order[0], order[1]} or len(gone) > 1


def test_ladder_takes_divergence_for_a_failed_cut(trained3, bits):
    net, X, y = trained3()
    stages = []
    path = sn.prune(
        net, X, y, validation=(X, y), max_drop=0.0, optimizer=sn.SGD(1e30),
        callback=lambda p: stages.append(p.stage),
    )  # fmt: skip
    assert "rejected" in stages
    assert "retrain" not in stages  # no epoch ended with a finite loss
    assert path.epochs == 0
    assert path.verdict.startswith("no cut survives")
    assert bits(path.network(0)) == bits(net)
    for i, step in enumerate(path):
        assert path.network(i).score(X, y) == step.accuracy >= path.steps[0].accuracy


def test_retraining_stops_as_soon_as_the_accuracy_is_back(trained3):
    net, X, y = trained3()
    told = []
    path = sn.prune(
        net, X, y, validation=(X, y), max_drop=0.02, retrain_epochs=30, callback=told.append,
        attempts=2, **SGD,
    )  # fmt: skip
    least = path.steps[0].accuracy - 0.02 - 1e-9
    assert any(step.epochs > 0 for step in path)
    for before, now in itertools.pairwise(told):
        if before.stage == "retrain" and before.accuracy >= least:
            assert now.stage == "accepted"
        if now.stage == "accepted" and before.stage == "retrain":
            assert before.accuracy == now.accuracy


def test_patience_ends_a_hopeless_retraining(trained3):
    """With a learning rate of next to nothing nothing improves: it stops after `patience`."""
    net, X, y = trained3()
    told = []
    sn.prune(
        net, X, y, validation=(X, y), max_drop=0.0, retrain_epochs=50, patience=3, attempts=1,
        optimizer=sn.SGD(1e-12), batch_size=16, callback=lambda p: told.append(p.stage),
    )  # fmt: skip
    in_row = [len(part.split()) for part in " ".join(told).replace("accepted", "rejected").split(
        "rejected")]  # fmt: skip
    assert max(in_row) == 4  # the first epoch has no loss before it to be compared with


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
    assert net._classes is None


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


# --- McNemar ------------------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_is_the_binomial_sum(only_a, only_b, both, neither):
    a = np.repeat([True, False, True, False], [only_a, only_b, both, neither])
    b = np.repeat([False, True, True, False], [only_a, only_b, both, neither])
    n = only_a + only_b
    tail = Fraction(sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)), 2**n)
    expected = float(min(Fraction(1), 2 * tail))
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-12)
    assert mcnemar(b, a) == mcnemar(a, b)
    order = np.random.default_rng(n).permutation(len(a))
    assert mcnemar(a[order], b[order]) == mcnemar(a, b)


@pytest.mark.parametrize("k", [0, 1, 900, 950, 1000])
def test_mcnemar_of_many_disagreements(k):
    a = np.arange(2000) < k
    tail = Fraction(sum(math.comb(2000, i) for i in range(k + 1)), 2**2000)
    expected = float(min(Fraction(1), 2 * tail))
    assert mcnemar(a, ~a) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_agreement_is_one():
    for right in (np.ones(5, bool), np.zeros(5, bool), np.array([True, False])):
        assert mcnemar(right, right) == 1.0
    assert mcnemar(np.array([True, False]), np.array([False, True])) == 1.0
