"""The two strategies of `prune`: the schedule, the contract, exact rollback."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import synaprune as sn
from hypothesis import given
from hypothesis import strategies as st
from synaprune.pruning import PERCENTAGES, Goal, sizes
from synaprune.pruning.strategies.iterative import _least

SGD = sn.Training(batch_size=16, optimizer=sn.SGD(0.1))


def iterative(*args, **fields):
    return sn.Iterative(*args, **{"search_budget": 0, **fields})


# --- gradual ------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [2, 3, 10, 25])
@pytest.mark.parametrize("n_synapses", [3, 4, 20, 56, 57])
@pytest.mark.parametrize("criterion", sn.CRITERIA)
def test_gradual_ends_at_the_target(epochs, n_synapses, criterion, trained3):
    _, X, y = trained3()
    net = sn.SparseMLP((5, 5, 4, 3), init_scale=1.0, seed=9)  # 57 synapses, fresh
    told = []
    path = sn.prune(
        net, X, y, validation=(X, y), n_synapses=n_synapses, criterion=criterion,
        training=replace(SGD, epochs=epochs), callback=told.append,
    )  # fmt: skip
    counts = [step.n_synapses for step in path]
    assert counts[0] == 57
    assert counts[-1] <= n_synapses
    assert (np.diff(counts) < 0).all()
    assert path.epochs == epochs == sum(step.epochs for step in path)
    assert path.stop_reason == f"reached {counts[-1]} synapses (target {n_synapses})"
    # cuts stand between 5 % and 70 % of the run, and no count is above an exponential
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
    training = replace(SGD, epochs=4)
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=64, training=training)
    assert len(path) == 1
    assert path.steps[0].epochs == 4
    schedule = sn.ConstantThenCosine(turn=0.5)
    same = net.copy().fit(X, y, training=replace(training, lr_schedule=schedule))
    assert bits(path.smallest) == bits(same)


def test_gradual_cuts_the_lowest_scores(trained3, watched):
    """The first cut, seen from outside: who is gone had the lowest scores."""
    net, X, y = trained3()
    spy = watched(sn.Gradual())
    path = sn.prune(
        net, X, y, validation=(X, y), n_synapses=40, strategy=spy, training=replace(SGD, epochs=2)
    )
    scores = np.concatenate(sn.saliency(path.network(0)))
    assert spy.cuts == [(24, 0)]
    lowest = set(np.argsort(scores, kind="stable")[:24])
    gone = set(range(64)) - set(path.steps[1].living)
    assert lowest <= gone
    assert len(gone) == path.steps[1].n_removed


def test_gradual_that_diverges_raises(trained3, bits):
    net, X, y = trained3()
    before = bits(net)
    with pytest.raises(sn.TrainingDiverged) as caught:
        sn.prune(
            net, X, y, validation=(X, y), n_synapses=9,
            training=sn.Training(10, optimizer=sn.SGD(1e30)),
        )  # fmt: skip
    assert (caught.value.epoch, caught.value.lr) == (1, 1e30)
    assert bits(net) == before


@pytest.mark.parametrize(("first", "last"), [(0.0, 0.2), (0.5, 1.0), (0.3, 0.4), (0.4, 0.4001)])
def test_the_sparsity_schedule_says_when_cuts_are_made(first, last, trained3):
    net, X, y = trained3()
    told = []
    sn.prune(
        net, X, y, validation=(X, y), n_synapses=9, training=replace(SGD, epochs=20),
        strategy=sn.Gradual(first_cut=first, last_cut=last, power=1.0), callback=told.append,
    )  # fmt: skip
    living = [64] + [p.n_synapses for p in told if p.stage == "train"]
    cut_after = [epoch for epoch in range(1, 21) if living[epoch] < living[epoch - 1]]
    assert 20 * last - 2 < cut_after[-1] <= 20 * last  # the last of all may find nothing to do
    assert cut_after[0] > 20 * first or len(cut_after) == 1
    assert living[-1] <= 9


# --- iterative ----------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", sn.CRITERIA)
@pytest.mark.parametrize("contract", [{"max_drop": 0.0}, {"max_drop": 0.1}, {"min_score": 0.8}])
def test_the_contract_is_kept_in_every_step(criterion, contract, trained3):
    net, X, y = trained3()
    half = (X[::2], y[::2])
    path = sn.prune(
        net, X[1::2], y[1::2], validation=half, criterion=criterion,
        strategy=iterative(4, n_candidates=3), training=SGD, **contract,
    )  # fmt: skip
    full = net.score(*half)
    least = contract.get("min_score", full - contract.get("max_drop", 0.0)) - 1e-9
    assert len(path) > 1
    for i, step in enumerate(path):
        assert path.network(i).score(*half) == step.score >= least
        assert step.epochs <= 4
        assert (step.epochs == 0) == (step.score_after_cut >= least)
    assert path.steps[0].epochs == 0
    assert (np.diff([step.n_synapses for step in path]) < 0).all()
    assert path.epochs >= sum(step.epochs for step in path)


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_the_ends_of_the_contract(drop, data, trained):
    path = sn.prune(
        trained(), *data, validation=data, max_drop=drop, strategy=iterative(2), training=SGD
    )
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
    optimizer, criterion, activation, trained3, watched, bits, goes_on_alike
):
    _, X, y = trained3()
    training = sn.Training(batch_size=16, optimizer=optimizer)
    net = sn.SparseMLP((5, 8, 3), activation=activation, init_scale=1.0, seed=6)
    net.fit(X, y, training=replace(training, epochs=2))
    before = bits(net)
    rejected = []

    def callback(progress):
        if progress.stage == "rejected":
            rejected.append(bits(spy.session.net) == before)

    spy = watched(iterative(2, n_candidates=4), lambda session, n, skip: False)
    path = sn.prune(
        net, X, y, validation=(X, y), metric=spy.metric, criterion=criterion, strategy=spy,
        training=training, callback=callback,
    )  # fmt: skip
    assert len(path) == 1
    assert rejected == [True] * len(spy.cuts)
    assert path.epochs == 2 * len(spy.cuts)
    assert bits(path.smallest) == bits(spy.session.net) == before
    assert goes_on_alike(spy.session.net, net, X, y, optimizer)
    shares = dict.fromkeys(64 * p // 100 for p in PERCENTAGES if 64 * p // 100)
    tries = [(n, 0) for n in shares] + [(1, 0)] * (1 not in shares)
    assert spy.cuts == tries + [(1, skip) for skip in (1, 2, 3)]


@given(
    pattern=st.lists(st.booleans(), max_size=12),
    optimizer=st.sampled_from([sn.SGD(0.1), sn.SGD(0.05, momentum=0.9), sn.Adam(0.01)]),
)
def test_rollbacks_and_successes_in_any_order(
    pattern, optimizer, trained3, watched, whole, goes_on_alike
):
    """After any run, what is left is exactly the last accepted network, momentum and all."""
    net, X, y = trained3()
    training = sn.Training(batch_size=16, optimizer=optimizer)
    net.fit(X, y, training=replace(training, epochs=1))
    kept = [net.copy()]
    answers = iter(pattern)

    def decide(session, n, skip):
        survives = next(answers, False)
        if survives:
            kept.append(session.net.copy())
        return survives

    spy = watched(iterative(2, n_candidates=2), decide)
    path = sn.prune(
        net, X, y, validation=(X, y), metric=spy.metric, criterion="magnitude", strategy=spy,
        training=training,
    )  # fmt: skip
    assert [whole(path.network(i)) for i in range(len(path))] == [whole(n) for n in kept]
    assert whole(spy.session.net) == whole(kept[-1])
    assert goes_on_alike(spy.session.net, kept[-1], X, y, optimizer)


@pytest.fixture
def decided(trained3, watched):
    """Prune with decided cuts; returns the path and the cuts that were tried."""

    def pruned(decide, n_candidates):
        net, X, y = trained3()
        spy = watched(iterative(2, n_candidates=n_candidates), decide)
        path = sn.prune(net, X, y, validation=(X, y), metric=spy.metric, strategy=spy, training=SGD)
        return path, spy.cuts

    return pruned


def test_a_share_repeats_after_success_and_falls_after_failure(decided):
    answers = iter([False, True, False, True])
    path, cuts = decided(lambda session, n, skip: next(answers, False), 1)
    full, second, third = (step.n_synapses for step in path)
    shares = [(full, 75), (full, 60), (second, 60), (second, 50), (third, 50), (third, 45)]
    assert [n for n, _ in cuts[:6]] == [n * percent // 100 for n, percent in shares]


@pytest.mark.parametrize("n_candidates", [1, 2, 5, 1000])
def test_at_last_the_weakest_few_are_tried_one_by_one(n_candidates, decided):
    path, cuts = decided(lambda session, n, skip: False, n_candidates)
    singles = [skip for n, skip in cuts if n == 1]
    assert singles == list(range(min(n_candidates, 64)))
    assert len(path) == 1


def test_a_run_ends_only_when_every_candidate_failed_on_its_last_network(decided):
    """A success at the second weakest makes a new network, whose weakest has to be tried anew."""
    path, cuts = decided(lambda session, n, skip: skip == 1 and len(session.path) == 1, 4)
    assert len(path) == 2
    assert path.stop_reason.startswith("no cut survives")
    tried_on_the_last = cuts[cuts.index((1, 1)) + 1 :]
    assert tried_on_the_last == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_skipping_takes_the_next_weakest(decided):
    path, _ = decided(lambda session, n, skip: skip == 2, 3)
    order = np.argsort(np.concatenate(sn.saliency(path.network(0))), kind="stable")
    gone = set(range(64)) - set(path.steps[1].living)
    assert gone == {order[2]}


@pytest.mark.parametrize("budget", [0, 3])
def test_divergence_is_a_failed_cut(budget, trained3, bits):
    net, X, y = trained3()
    stages = []
    path = sn.prune(
        net, X, y, validation=(X, y), max_drop=0.0, strategy=sn.Iterative(search_budget=budget),
        training=sn.Training(optimizer=sn.SGD(1e30)), callback=lambda p: stages.append(p.stage),
    )  # fmt: skip
    assert "rejected" in stages
    assert "retrain" not in stages  # no epoch ended with a finite loss
    assert path.epochs == 0
    assert path.stop_reason.startswith("no cut survives")
    assert bits(path.network(0)) == bits(net)
    for i, step in enumerate(path):
        assert path.network(i).score(X, y) == step.score >= path.steps[0].score


def test_retraining_stops_as_soon_as_the_score_is_back(trained3):
    net, X, y = trained3()
    told = []
    path = sn.prune(
        net, X, y, validation=(X, y), max_drop=0.02, strategy=iterative(30, n_candidates=2),
        training=SGD, callback=told.append,
    )  # fmt: skip
    least = path.steps[0].score - 0.02 - 1e-9
    assert any(step.epochs > 0 for step in path)
    for before, now in itertools.pairwise(told):
        if before.stage == "retrain" and before.score >= least:
            assert now.stage == "accepted"
        if now.stage == "accepted" and before.stage == "retrain":
            assert before.score == now.score


def test_patience_ends_a_hopeless_retraining(trained3):
    """With a learning rate of next to nothing nothing improves: it stops after `patience`."""
    net, X, y = trained3()
    told = []
    sn.prune(
        net, X, y, validation=(X, y), max_drop=0.0,
        strategy=iterative(50, patience=3, n_candidates=1),
        training=sn.Training(batch_size=16, optimizer=sn.SGD(1e-12)),
        callback=lambda p: told.append(p.stage),
    )  # fmt: skip
    in_row = [len(part.split()) for part in " ".join(told).replace("accepted", "rejected").split(
        "rejected")]  # fmt: skip
    assert max(in_row) == 4  # the first epoch has no loss before it to be compared with


def test_iterative_needs_a_trained_network(data):
    # This used to "keep" the accuracy of chance.
    with pytest.raises(ValueError, match="never fitted"):
        sn.prune(sn.SparseMLP((4, 6, 1)), *data, validation=data)


# --- of one's own -------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneShot(sn.Strategy):
    """All that a new strategy takes: one cut to the count, then training."""

    retrain_epochs: int = 20

    def check(self, goal, training):
        if goal.n_synapses is None:
            raise ValueError(f"strategy OneShot goes with n_synapses, got {goal}")
        training.refuse("epochs", by="strategy OneShot, which has retrain_epochs")

    def run(self, session):
        full = session.judge()
        session.accept(full, epochs=0, score_after_cut=full.score)
        session.cut(session.net.n_synapses - session.goal.n_synapses)
        after_cut = session.judge()
        for _ in session.train(self.retrain_epochs, session.training.lr_schedule):
            session.notify("retrain", session.judge())
        judgement = session.judge()
        session.accept(judgement, epochs=self.retrain_epochs, score_after_cut=after_cut.score)
        return "one cut is made"


def test_a_strategy_of_ones_own_is_one_class(trained3, bits):
    net, X, y = trained3()
    told = []
    options = {"validation": (X, y), "n_synapses": 20, "training": SGD, "strategy": OneShot(6)}
    path = sn.prune(net, X, y, **options, callback=told.append)
    assert path.stop_reason == "one cut is made"
    assert [step.epochs for step in path] == [0, 6]
    assert path.smallest.n_synapses <= 20
    assert path.steps[1].score == path.smallest.score(X, y)
    assert [p.stage for p in told] == ["accepted", *["retrain"] * 6, "accepted"]
    lowest = set(np.argsort(np.concatenate(sn.saliency(net)), kind="stable")[:44])
    assert lowest <= set(range(64)) - set(path.steps[1].living)
    again = sn.prune(net, X, y, **options, threads=3)
    assert bits(again.smallest) == bits(path.smallest)
    stopped = sn.prune(
        net, X, y, **options, callback=lambda p: sn.STOP if p.stage == "retrain" else None
    )
    assert (len(stopped), stopped.stop_reason) == (1, "ended by the callback")


def test_a_strategy_of_ones_own_refuses_what_does_not_fit(trained3):
    net, X, y = trained3()
    with pytest.raises(ValueError, match=r"^strategy OneShot goes with n_synapses, got max_drop=0"):
        sn.prune(net, X, y, validation=(X, y), strategy=OneShot())
    with pytest.raises(ValueError, match=r"^training.epochs=3 does not apply to strateg"):
        sn.prune(
            net, X, y, validation=(X, y), n_synapses=9, strategy=OneShot(), training=sn.Training(3)
        )
    with pytest.raises(TypeError, match="abstract"):
        type("Nothing", (sn.Strategy,), {})()


# --- inputs -------------------------------------------------------------------------------------


def test_gradual_reaches_both_counts(trained3):
    net, X, y = trained3()
    path = sn.prune(
        net, X, y, validation=(X, y), n_synapses=20, n_inputs=3, training=sn.Training(10)
    )
    assert path.smallest.n_synapses <= 20
    assert path.smallest.n_used_inputs <= 3
    assert path.stop_reason.endswith("inputs (target 3)")
    counts = [step.n_inputs for step in path]
    assert counts == sorted(counts, reverse=True)


def test_inputs_alone_leave_the_synapses_of_the_others(trained3):
    net, X, y = trained3()
    path = sn.prune(net, X, y, validation=(X, y), n_inputs=2, training=sn.Training(4))
    assert path.smallest.structure == "2-8-3"
    assert path.smallest.n_synapses == 2 * 8 + 8 * 3


def test_the_input_that_goes_has_the_lowest_sum_of_scores(trained3):
    net, X, y = trained3()
    sums = np.zeros(5)
    np.add.at(sums, net.weights[0].indices, sn.saliency(net, "magnitude")[0])
    path = sn.prune(
        net, X, y, validation=(X, y), n_inputs=4, criterion="magnitude",
        training=sn.Training(2, optimizer=sn.SGD(1e-9)),
    )  # fmt: skip
    assert set(range(5)) - set(path.smallest.used_inputs.tolist()) == {int(sums.argmin())}


@pytest.mark.parametrize("budget", [0, 2])
def test_inputs_may_stand_beside_a_contract(trained3, budget):
    """This used to be refused."""
    net, X, y = trained3()
    least = net.score(X, y) - 0.2
    path = sn.prune(
        net, X, y, validation=(X, y), n_inputs=3, max_drop=0.2,
        strategy=sn.Iterative(50, search_budget=budget),
    )  # fmt: skip
    assert path.smallest.n_used_inputs <= 3
    assert all(step.score >= least - 1e-9 for step in path)
    assert budget or path.steps[1].n_inputs == 3  # inputs first


def test_inputs_that_the_contract_does_not_allow_to_go_are_said(trained3):
    net, X, y = trained3()
    net = net.copy().fit(X, y, training=sn.Training(100))
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
    sparse, plain = sn.SGD(0.1, l1=0.01), sn.SGD(0.1)

    def pruned(optimizer, final=None):
        return sn.prune(
            net, X, y, validation=(X, y), n_synapses=20, criterion="magnitude",
            training=sn.Training(10, optimizer=optimizer),
            strategy=sn.Gradual(final_optimizer=final),
        )  # fmt: skip

    both, alone, never = pruned(sparse, plain), pruned(sparse), pruned(plain)
    last_cut = len(alone) - 2  # accepted right before it
    assert bits(both.network(last_cut)) == bits(alone.network(last_cut))
    assert bits(both.smallest) != bits(alone.smallest)
    assert bits(both.network(last_cut)) != bits(never.network(last_cut))
    assert bits(pruned(sparse, sparse).smallest) == bits(alone.smallest)


# --- fields -------------------------------------------------------------------------------------

WRONG = [
    *[(sn.Iterative, {name: 0}, ValueError, rf"^{name} must be from 1 to .*, got 0$")
      for name in ("retrain_epochs", "patience", "n_candidates")],
    *[(sn.Iterative, {name: "1"}, TypeError, rf"^{name} must be an int, got str$")
      for name in ("retrain_epochs", "patience", "n_candidates")],
    *[(kind, {name: value}, error, rf"^{name} must be")
      for kind, name in ((sn.Iterative, "search_budget"), (sn.Gradual, "regrow_budget"))
      for value, error in ((-1, ValueError), (math.inf, ValueError), ("much", TypeError))],
    (sn.Gradual, {"power": 0.9}, ValueError, "^power must be finite and in .1.0, 10.0., got 0.9"),
    (sn.Gradual, {"first_cut": 0.8}, ValueError, r"^first_cut must be below last_cut=0\.7, got 0"),
    (sn.Gradual, {"last_cut": 0.0}, ValueError, r"^last_cut must be finite and in \(0\.0, 1\.0\]"),
    (sn.Gradual, {"final_optimizer": 0.1}, TypeError,
     r"^final_optimizer must be an optimizer, .*, got 0.1"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "error", "message"), WRONG)
def test_a_field_out_of_range_raises_when_the_strategy_is_made(kind, fields, error, message):
    with pytest.raises(error, match=message):
        kind(**fields)


# --- sweep ---------------------------------------------------------------------------------------


def test_sweep_goes_through_all_sizes(trained3, bits):
    net, X, y = trained3()
    strategy = sn.Sweep(keep_share=0.5, retrain_epochs=3)
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=5, strategy=strategy, training=SGD)
    counts = [step.n_synapses for step in path]
    assert counts[0] == 64
    assert counts[-1] <= 5
    assert (np.diff(counts) < 0).all()
    nominal = list(sizes(64, 5, 0.5))
    assert nominal == [64, 32, 16, 8, 5]
    for step, n in zip(path, nominal, strict=False):
        assert step.n_synapses <= n  # dead neurons may take some along
    assert bits(path.network(0)) == bits(net)
    assert [step.epochs for step in path] == [0] + [3] * (len(path) - 1)
    assert path.stop_reason == f"reached {counts[-1]} synapses (target 5)"


@pytest.mark.parametrize(
    ("goal", "text"),
    [({"max_drop": 0.1}, "Sweep goes with n_synapses"), ({"n_inputs": 2}, "Sweep goes with"),
     ({"n_synapses": 9, "n_inputs": 2}, "Sweep goes with")],
)  # fmt: skip
def test_sweep_goes_with_a_count_of_synapses(goal, text, trained3):
    net, X, y = trained3()
    with pytest.raises(ValueError, match=text):
        sn.prune(net, X, y, validation=(X, y), strategy=sn.Sweep(), **goal)


@pytest.mark.parametrize("fields", [{"keep_share": 0}, {"keep_share": 1.0}, {"retrain_epochs": 0}])
def test_sweep_checks_its_fields(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        sn.Sweep(**fields)


# --- exact counts, on networks whose synapses die alone ------------------------------------------


@pytest.fixture(scope="module")
def linear():
    """Make (network, X, y) of 30 inputs and one output, the synapses of which hardly move."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 30)).astype(np.float32)
    y = X @ rng.normal(size=30) > 0
    net = sn.SparseMLP((30, 1), seed=0).fit(X, y, training=sn.Training(5))
    return lambda: (net.copy(), X, y)


STILL = sn.Training(10, optimizer=sn.SGD(1e-9))


def falls(start, target, cuts, power=1.0):
    left = [1 - (k / cuts) for k in range(1, cuts + 1)]
    return [math.floor(target * (start / target) ** (share**power) + 1e-9) for share in left]


@pytest.mark.parametrize("power", [None, 1.0, 3.0])
def test_power_says_how_much_faster_counts_fall_at_first(power, linear):
    net, X, y = linear()
    seen = []
    strategy = sn.Gradual() if power is None else sn.Gradual(power=power)
    sn.prune(
        net, X, y, validation=(X, y), criterion="magnitude", training=STILL, n_synapses=3,
        strategy=strategy, callback=seen.append,
    )  # fmt: skip
    counts = [p.n_synapses for p in seen if p.stage == "train"]
    assert counts == [*falls(30, 3, 7, power or 1.0), 3, 3, 3]
    of_many = [30] * 50 + falls(30, 3, 650, power or 1.0) + [3] * 300  # rounded down
    assert strategy.mean_synapses(30, 3) == pytest.approx(np.mean(of_many), abs=0.6)


@pytest.mark.parametrize(
    ("fields", "goal", "first", "counts", "told"),
    [
        ({}, {"n_synapses": 3}, 1, falls(30, 3, 7), "3 synapses (target 3)"),
        ({}, {"n_inputs": 4}, 1, falls(30, 4, 7), "4 inputs (target 4)"),
        ({}, {"n_synapses": 12, "n_inputs": 4}, 1, falls(30, 4, 7),
         "4 synapses (target 12) and 4 inputs (target 4)"),
        ({}, {"n_synapses": 3, "n_inputs": 5}, 1, falls(30, 3, 7),
         "3 synapses (target 3) and 3 inputs (target 5)"),
        ({"first_cut": 0.3, "last_cut": 0.5}, {"n_synapses": 5}, 4, [12, 5],
         "5 synapses (target 5)"),
        ({"first_cut": 0.0, "last_cut": 1.0}, {"n_synapses": 10}, 1, falls(30, 10, 10),
         "10 synapses (target 10)"),
        ({"first_cut": 0.42, "last_cut": 0.45}, {"n_synapses": 10}, 4, [10],
         "10 synapses (target 10)"),
        ({"first_cut": 0.0, "last_cut": 0.01}, {"n_synapses": 10}, 1, [10],
         "10 synapses (target 10)"),
        ({}, {"n_inputs": sn.InputBudget(cost=10, costs=[2.0] * 30)}, 1,
         [n // 2 for n in falls(60, 10, 7)], "a cost of 10 (target 10)"),
    ],
)  # fmt: skip
def test_gradual_counts_fall_exponentially(fields, goal, first, counts, told, linear):
    net, X, y = linear()
    seen = []
    path = sn.prune(
        net, X, y, validation=(X, y), criterion="magnitude", training=STILL,
        strategy=sn.Gradual(**{"power": 1.0, **fields}), callback=seen.append, **goal,
    )  # fmt: skip
    epochs = [p for p in seen if p.stage == "train"]
    expected = [30] * (first - 1) + counts
    expected += [counts[-1]] * (10 - len(expected))
    assert [p.n_synapses for p in epochs] == expected
    assert [p.epoch for p in epochs] == list(range(1, 11))
    assert {p.epochs for p in epochs} == {10}
    assert [step.n_synapses for step in path] == [30, *counts]
    last = first + len(counts) - 1
    assert [step.epochs for step in path] == [first, *[1] * (len(counts) - 1), 10 - last]
    after_cut = {p.n_synapses: p.score for p in reversed(epochs)}
    for step in path.steps[1:]:
        assert step.score_after_cut == after_cut[step.n_synapses]
    assert path.steps[0].score_after_cut == path.steps[0].score
    assert path.stop_reason == f"reached {told}"
    scores = np.abs(net.weights[0].values)
    strong = set(np.argsort(scores)[30 - counts[-1] :].tolist())
    assert set(path.smallest.used_inputs.tolist()) == strong


@pytest.mark.parametrize(("last_cut", "turn"), [(0.7, 0.7), (0.55, 0.5), (1.0, 1.0)])
def test_the_rate_falls_after_the_last_cut_unless_the_recipe_says_how(last_cut, turn, linear, bits):
    net, X, y = linear()

    def pruned(schedule):
        training = sn.Training(10, optimizer=sn.SGD(0.1), lr_schedule=schedule)
        return sn.prune(
            net, X, y, validation=(X, y), n_synapses=9, training=training,
            strategy=sn.Gradual(last_cut=last_cut),
        )  # fmt: skip

    constant = pruned(lambda done: 1.0)
    same = constant if turn == 1.0 else pruned(sn.ConstantThenCosine(turn=turn))
    assert bits(pruned(None).smallest) == bits(same.smallest)
    assert turn == 1.0 or bits(pruned(None).smallest) != bits(constant.smallest)


@pytest.mark.parametrize("epochs", [None, 7])
def test_gradual_averages_weights_and_has_sixty_epochs_if_none_are_given(epochs, linear, bits):
    net, X, y = linear()
    recipe = sn.Training(epochs, optimizer=sn.SGD(0.1), swa_epochs=3)
    told = []
    path = sn.prune(
        net, X, y, validation=(X, y), n_synapses=30, training=recipe, callback=told.append
    )
    epochs = epochs or 60
    turn = math.floor(0.7 * epochs) / epochs
    schedule = sn.ConstantThenCosine(turn=turn)
    other = net.copy().fit(X, y, training=replace(recipe, epochs=epochs, lr_schedule=schedule))
    assert bits(path.smallest) == bits(other)
    assert [p.stage for p in told] == ["train"] * epochs + ["accepted"]
    assert told[-1].score == told[-2].score == path.smallest.score(X, y)


@pytest.mark.parametrize("most", [0, 1, 3, 7, 9])
def test_gradual_keeps_what_it_has_when_a_limit_ends_it(most, linear):
    net, X, y = linear()
    path = sn.prune(
        net, X, y, validation=(X, y), n_synapses=3, training=STILL, criterion="magnitude",
        max_epochs=most, strategy=sn.Gradual(power=1.0),
    )  # fmt: skip
    assert path.stop_reason == "the limit of epochs was reached"
    assert [step.n_synapses for step in path] == [30, *falls(30, 3, 7)[:most]]
    assert sum(step.epochs for step in path) == path.epochs == most
    assert path.steps[-1].epochs == max(0, most - 7)


def test_iterative_cuts_exact_shares_of_what_is_left(linear, watched):
    net, X, y = linear()
    spy = watched(iterative(2, n_candidates=2), lambda session, n, skip: n in (22, 6, 1))
    path = sn.prune(net, X, y, validation=(X, y), metric=spy.metric, strategy=spy)
    # 75 % of 30 survive once and of 8 too; what is left goes one by one.
    assert [step.n_synapses for step in path] == [30, 8, 2, 1, 0]
    assert spy.cuts == [(22, 0), (6, 0), (1, 0), (1, 0)]
    assert [step.epochs for step in path] == [0, 2, 2, 2, 2]
    assert [step.score_after_cut for step in path] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert path.stop_reason == "no synapse is left"


@pytest.mark.parametrize("n_inputs", [10, 29])
def test_iterative_halves_the_inputs_that_go_after_a_failure(n_inputs, linear):
    net, X, y = linear()
    tried, most = [], 7

    class Watching(sn.Iterative):
        def run(self, session):
            cut_inputs = session.cut_inputs

            def recording(units):
                tried.append(len(units))
                cut_inputs(units)

            session.cut_inputs = recording
            return super().run(session)

    def metric(truth, predicted):
        return float(not tried or tried[-1] <= most)

    path = sn.prune(
        net, X, y, validation=(X, y), metric=metric, max_drop=0.0, n_inputs=n_inputs,
        strategy=Watching(2, n_candidates=1, search_budget=0),
    )  # fmt: skip
    expected, left, n = [], 30 - n_inputs, 30 - n_inputs
    while left:
        n = min(n, left)
        expected.append(n)
        if n <= most:
            left -= n
        else:
            n //= 2
    assert tried == expected
    counts = [step.n_inputs for step in path]
    assert n_inputs in counts


def test_a_search_goes_back_to_near_steps_first_and_cuts_weak_neurons_first(trained3, watched):
    net, X, y = trained3()
    kept = []

    def decide(session, n, skip):
        """Only small cuts survive, five in all."""
        if n > 6 or len(kept) == 5:
            return False
        kept.append(n)
        return True

    spy = watched(sn.Iterative(2, n_candidates=2, search_budget=1e9), decide)
    begun, neurons = [], []

    class Going(sn.Strategy):
        def run(self, session):
            restore, cut_neuron = session.restore, session.cut_neuron
            session.restore = lambda net: (begun.append(net.n_synapses), restore(net))
            session.cut_neuron = lambda skip=0: (
                neurons.append((skip, begun[-1], len(session.path))), cut_neuron(skip)
            )  # fmt: skip
            return spy.run(session)

    path = sn.prune(net, X, y, validation=(X, y), metric=spy.metric, strategy=Going())
    counts = [step.n_synapses for step in path]
    assert len(counts) == 6
    assert path.stop_reason.startswith("no cut survives")
    assert path.smallest.n_synapses == counts[-1]
    # Steps 4, 3, 1 and 0 are 1, 2, 4 and all steps back; regrowth comes before each as it was.
    near = [4, 3, 1, 0]
    as_they_were = [at for at in neurons if at[1] == counts[at[2] - 1]]
    assert as_they_were == [(skip, counts[k], k + 1) for skip in (0, 1) for k in near]
    order = [(0, 0), *((0, k) for k in near[:3]), *((0, k) for k in near)]
    left = iter(order + [(1, k) for k in near] * 2)
    assert all((skip, length - 1) in left for skip, _, length in neurons)  # some regrow nothing


@pytest.mark.parametrize(
    ("n", "best", "least"),
    [(100, 50, 48), (50, 100, 48), (40, 100, 38), (39, 39, 38), (5, 9, 4), (1, 1, 0)],
)
def test_a_detours_cut_goes_little_below_the_best(n, best, least):
    assert _least(n, best) == least


def test_sweep_counts_and_epochs_are_exact(linear):
    net, X, y = linear()
    told = []
    path = sn.prune(
        net, X, y, validation=(X, y), n_synapses=4, criterion="magnitude", callback=told.append,
        strategy=sn.Sweep(0.5, 2), training=replace(STILL, epochs=None),
    )  # fmt: skip
    assert [step.n_synapses for step in path] == [30, 15, 7, 4]
    assert [step.epochs for step in path] == [0, 2, 2, 2]
    assert [p.stage for p in told] == ["accepted", *["retrain", "retrain", "accepted"] * 3]
    assert [p.epoch for p in told] == [0, 1, 2, 2, 3, 4, 4, 5, 6, 6]
    assert {p.epochs for p in told} == {6}
    assert all((p.score is None) == (p.stage == "retrain") for p in told)
    for i, step in enumerate(path):
        assert step.score == path.network(i).score(X, y)
        assert step.score_after_cut == step.score  # nothing moved
    assert path.stop_reason == "reached 4 synapses (target 4)"
    whole = sn.prune(
        net, X, y, validation=(X, y), n_synapses=30, strategy=sn.Sweep(),
        training=replace(STILL, epochs=None),
    )  # fmt: skip
    assert [(s.n_synapses, s.epochs) for s in whole] == [(30, 0)]


@pytest.mark.parametrize(
    ("start", "target", "keep", "expected"),
    [
        (10, 3, 0.75, [10, 7, 5, 3]), (10, 1, 0.1, [10, 1]), (5, 3, 0.99, [5, 4, 3]),
        (3, 3, 0.5, [3]), (2, 5, 0.5, [5]), (8, 2, 0.5, [8, 4, 2]),
    ],
)  # fmt: skip
def test_sizes_fall_by_a_share_and_by_one_at_least(start, target, keep, expected):
    assert list(sizes(start, target, keep)) == expected


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        (
            {"keep_share": 0.0},
            ValueError,
            r"^keep_share must be finite and in \(0\.0, 1\.0\], got 0",
        ),
        ({"keep_share": 1.0}, ValueError, r"^keep_share must be below 1, got 1\.0$"),
        (
            {"keep_share": 1.1},
            ValueError,
            r"^keep_share must be finite and in \(0\.0, 1\.0\], got 1",
        ),
        ({"keep_share": "1"}, TypeError, r"^keep_share must be a number"),
        ({"retrain_epochs": 0}, ValueError, r"^retrain_epochs must be from 1 to"),
        ({"retrain_epochs": 1.0}, TypeError, r"^retrain_epochs must be an int"),
    ],
)
def test_what_a_sweep_cannot_be_is_named(fields, error, message):
    with pytest.raises(error, match=message):
        sn.Sweep(**fields)
    sn.Sweep(keep_share=0.999, retrain_epochs=1)


@pytest.mark.parametrize(
    ("recipe", "goal", "message"),
    [
        (sn.Training(), Goal(max_drop=0.1),
         r"^strategy Sweep goes with n_synapses alone, got max_drop=0\.1$"),
        (sn.Training(), Goal(n_inputs=2), r"^strategy Sweep goes .* alone, got n_inputs=2$"),
        (sn.Training(), Goal(n_synapses=3, n_inputs=2), r"got n_synapses=3 and n_inputs=2$"),
        *[(sn.Training(**{name: value}), Goal(n_synapses=3),
           rf"^training\.{name}=.* does not apply to strategy Sweep, which retrains for "
           r"retrain_epochs=7")
          for name, value in (("epochs", 3), ("lr_schedule", math.cos), ("swa_epochs", 2))],
    ],
)  # fmt: skip
def test_what_a_sweep_does_not_go_with_is_named(recipe, goal, message):
    with pytest.raises(ValueError, match=message):
        sn.Sweep(retrain_epochs=7).check(goal, recipe)
    sn.Sweep().check(Goal(n_synapses=3), sn.Training(batch_size=4))
