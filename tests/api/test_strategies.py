"""The two strategies of `prune`: the schedule, the contract, exact rollback."""

import itertools
import math

import numpy as np
import pytest
import synaprune as sn
from hypothesis import given
from hypothesis import strategies as st
from synaprune.pruning import PERCENTAGES, _ladder

GRADUAL = {"n_synapses": 9, "epochs": 10}
SGD = {"optimizer": sn.SGD(0.1), "batch_size": 16, "effort": 0}

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
    assert path.stop_reason == f"reached {counts[-1]} synapses (target {n_synapses})"
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
    same = net.copy().fit(X, y, epochs=4, schedule=schedule, optimizer=sn.SGD(0.1), batch_size=16)
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
        assert path.network(i).score(*half) == step.score >= least
        assert step.epochs <= 4
        assert (step.epochs == 0) == (step.score_after_cut >= least)
    assert path.steps[0].epochs == 0
    assert (np.diff([step.n_synapses for step in path]) < 0).all()
    assert path.epochs >= sum(step.epochs for step in path)


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_ladder_at_the_ends_of_the_contract(drop, data, trained):
    path = sn.prune(trained(), *data, validation=data, max_drop=drop, retrain_epochs=2, **SGD)
    if drop == 1.0:
        assert path.smallest.n_synapses == 0
        assert path.stop_reason == "no synapse is left"
        assert np.isfinite(path.smallest.predict_proba(data[0])).all()
    else:
        assert {step.score for step in path} == {1.0}
        assert path.stop_reason == "no cut survives: validation accuracy would fall below 1.0000"


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
        attempts=4, effort=0, callback=callback,
    )  # fmt: skip
    assert len(path) == 1
    assert rejected == [True] * len(spy.cuts)
    assert path.epochs == 2 * len(spy.cuts)
    assert bits(path.smallest) == bits(spy.run.net) == before
    assert goes_on_alike(spy.run.net, net, X, y, optimizer)
    shares = dict.fromkeys(64 * p // 100 for p in PERCENTAGES if 64 * p // 100)
    tries = [(n, 0) for n in shares] + [(1, 0)] * (1 not in shares)
    assert list(spy.cuts) == tries + [(1, spared) for spared in (1, 2, 3)]


@given(
    pattern=st.lists(st.booleans(), max_size=12),
    optimizer=st.sampled_from([sn.SGD(0.1), sn.SGD(0.05, momentum=0.9), sn.Adam(0.01)]),
)
def test_rollbacks_and_successes_in_any_order(pattern, optimizer, trained3, whole, goes_on_alike):
    """After any run, what is left is exactly the last accepted network, momentum and all."""
    net, X, y = trained3()
    net.fit(X, y, epochs=1, batch_size=16, optimizer=optimizer)
    kept = [net.copy()]
    answers = iter(pattern)
    last = {}

    def retrain(run, *_, **__):
        last["run"] = run
        for _ in run.train(1):
            pass
        if next(answers, False):
            kept.append(run.net.copy())
            return 1
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ladder, "retrain", retrain)
        path = sn.prune(
            net, X, y, validation=(X, y), optimizer=optimizer, batch_size=16, attempts=2,
            criterion="magnitude", effort=0,
        )  # fmt: skip
    assert [whole(path.network(i)) for i in range(len(path))] == [whole(n) for n in kept]
    assert whole(last["run"].net) == whole(kept[-1])
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
    assert path.stop_reason.startswith("no cut survives")
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


@pytest.mark.parametrize("effort", [0, 3])
def test_ladder_takes_divergence_for_a_failed_cut(effort, trained3, bits):
    net, X, y = trained3()
    stages = []
    path = sn.prune(
        net, X, y, validation=(X, y), max_drop=0.0, optimizer=sn.SGD(1e30), effort=effort,
        callback=lambda p: stages.append(p.stage),
    )  # fmt: skip
    assert "rejected" in stages
    assert "retrain" not in stages  # no epoch ended with a finite loss
    assert path.epochs == 0
    assert path.stop_reason.startswith("no cut survives")
    assert bits(path.network(0)) == bits(net)
    for i, step in enumerate(path):
        assert path.network(i).score(X, y) == step.score >= path.steps[0].score


def test_retraining_stops_as_soon_as_the_accuracy_is_back(trained3):
    net, X, y = trained3()
    told = []
    path = sn.prune(
        net, X, y, validation=(X, y), max_drop=0.02, retrain_epochs=30, callback=told.append,
        attempts=2, **SGD,
    )  # fmt: skip
    least = path.steps[0].score - 0.02 - 1e-9
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
        optimizer=sn.SGD(1e-12), batch_size=16, effort=0, callback=lambda p: told.append(p.stage),
    )  # fmt: skip
    in_row = [len(part.split()) for part in " ".join(told).replace("accepted", "rejected").split(
        "rejected")]  # fmt: skip
    assert max(in_row) == 4  # the first epoch has no loss before it to be compared with


def test_ladder_needs_a_trained_network(data):
    # This used to "keep" the accuracy of chance.
    with pytest.raises(ValueError, match="never fitted"):
        sn.prune(sn.SparseMLP((4, 6, 1)), *data, validation=data)


# --- inputs -------------------------------------------------------------------------------------


def test_gradual_reaches_both_counts(trained3):
    net, X, y = trained3()
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=20, n_inputs=3, epochs=10)
    assert path.smallest.n_synapses <= 20
    assert path.smallest.n_used_inputs <= 3
    assert path.stop_reason.endswith("inputs (target 3)")
    counts = [step.n_inputs for step in path]
    assert counts == sorted(counts, reverse=True)


def test_inputs_alone_leave_the_synapses_of_the_others(trained3):
    net, X, y = trained3()
    path = sn.prune(net, X, y, validation=(X, y), n_inputs=2, epochs=4)
    assert path.smallest.structure == "2-8-3"
    assert path.smallest.n_synapses == 2 * 8 + 8 * 3


def test_the_input_that_goes_has_the_lowest_sum_of_scores(trained3):
    net, X, y = trained3()
    sums = np.zeros(5)
    np.add.at(sums, net.weights[0].indices, sn.score(net, "magnitude")[0])
    path = sn.prune(
        net, X, y, validation=(X, y), n_inputs=4, epochs=2, criterion="magnitude",
        optimizer=sn.SGD(1e-9),
    )  # fmt: skip
    assert set(range(5)) - set(path.smallest.used_inputs.tolist()) == {int(sums.argmin())}


@pytest.mark.parametrize("effort", [0, 2])
def test_inputs_may_stand_beside_a_contract(trained3, effort):
    """This used to be refused."""
    net, X, y = trained3()
    least = net.score(X, y) - 0.2
    path = sn.prune(
        net, X, y, validation=(X, y), n_inputs=3, max_drop=0.2, effort=effort, retrain_epochs=50
    )
    assert path.smallest.n_used_inputs <= 3
    assert all(step.score >= least - 1e-9 for step in path)
    assert effort or path.steps[1].n_inputs == 3  # inputs first


def test_inputs_that_the_contract_does_not_allow_to_go_are_said(trained3):
    net, X, y = trained3()
    net = net.copy().fit(X, y, epochs=100)
    path = sn.prune(net, X, y, validation=(X, y), n_inputs=1, max_drop=0.0)
    left = path.smallest.n_used_inputs
    assert left > 1
    assert path.stop_reason.startswith(f"1 inputs are not reached, {left} are left: validation acc")


@pytest.mark.parametrize("n_inputs", [0, 6, 2.0])
def test_wrong_counts_of_inputs_are_named(n_inputs, trained3):
    net, X, y = trained3()
    with pytest.raises((TypeError, ValueError), match=r"^n_inputs must be"):
        sn.prune(net, X, y, validation=(X, y), n_inputs=n_inputs)


def test_the_final_optimiser_takes_over_after_the_last_cut(trained3, bits):
    net, X, y = trained3()
    options = {"validation": (X, y), "n_synapses": 20, "epochs": 10, "criterion": "magnitude"}
    sparse, plain = sn.SGD(0.1, l1=0.01), sn.SGD(0.1)
    both = sn.prune(net, X, y, **options, optimizer=sparse, final_optimizer=plain)
    alone = sn.prune(net, X, y, **options, optimizer=sparse)
    never = sn.prune(net, X, y, **options, optimizer=plain)
    last_cut = len(alone) - 2  # accepted right before it
    assert bits(both.network(last_cut)) == bits(alone.network(last_cut))
    assert bits(both.smallest) != bits(alone.smallest)
    assert bits(both.network(last_cut)) != bits(never.network(last_cut))
    same = sn.prune(net, X, y, **options, optimizer=sparse, final_optimizer=sparse)
    assert bits(same.smallest) == bits(alone.smallest)
    with pytest.raises(TypeError, match=r"final_optimizer must be an SGD or an Adam, got 0.1"):
        sn.prune(net, X, y, **options, final_optimizer=0.1)
