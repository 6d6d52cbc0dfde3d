"""Prune and regrow, at a count that is reached."""

from dataclasses import replace

import numpy as np
import pytest
import synaprune as sn
from synaprune.pruning.topology import regrown

TRAINING = sn.Training(10, batch_size=16, optimizer=sn.SGD(0.1))


def loss(net, X, y):
    checked = net.check_data(X, y)
    return net._core.evaluate(checked.X, checked.y, 1)[0]


@pytest.fixture
def samples(trained3):
    net, X, y = trained3()

    def pruned(budget=0, y=y, **options):
        options = {"n_synapses": 14, "training": TRAINING, **options}
        strategy = options.pop("strategy", sn.Gradual(regrow_budget=budget))
        return sn.prune(net, X, y, validation=(X, labels), strategy=strategy, **options)

    labels = y
    return net, X, y, pruned


@pytest.mark.parametrize("n_inputs", [None, 3])
@pytest.mark.parametrize("budget", [1, 10])
def test_regrowth_keeps_the_counts_and_lowers_the_loss(budget, n_inputs, samples):
    _, X, y, pruned = samples
    one_way, again = pruned(n_inputs=n_inputs), pruned(budget, n_inputs=n_inputs)
    small = again.smallest
    assert small.n_synapses <= 14
    assert n_inputs is None or small.n_used_inputs <= n_inputs
    assert loss(small, X, y) <= loss(one_way.smallest, X, y)
    assert len(again) == len(one_way)
    assert again.epochs > one_way.epochs
    counts = [step.n_synapses for step in again]
    assert counts == sorted(counts, reverse=True)
    assert again.steps[-1].score == small.score(X, y)
    records = [s.record() for s in one_way.steps[:-1]]
    assert [s.record() for s in again.steps[:-1]] == records


def test_a_better_choice_of_synapses_is_found(samples, bits):
    """From a cut at random, regrowth finds synapses that say more."""
    _, X, y, pruned = samples
    one_way, regrown = pruned(criterion="random"), pruned(30, criterion="random")
    assert loss(regrown.smallest, X, y) < 0.8 * loss(one_way.smallest, X, y)
    again = pruned(30, criterion="random", threads=3)
    assert bits(again.smallest) == bits(regrown.smallest)


def test_what_is_no_better_is_undone(samples, bits):
    """At a learning rate of next to nothing no swap can lower the loss below that of before."""
    *_, pruned = samples
    still = sn.Gradual(final_optimizer=sn.SGD(1e-30))
    options = {"criterion": "magnitude", "training": replace(TRAINING, epochs=200)}
    one_way = pruned(strategy=still, **options)
    again = pruned(strategy=replace(still, regrow_budget=2), **options)
    assert again.epochs > one_way.epochs
    assert bits(again.smallest) == bits(one_way.smallest)
    assert again.to_json() == one_way.to_json()


def test_the_budget_is_kept(samples, watched):
    net, *_, pruned = samples
    work = []
    for budget in (0, 3):
        spy = watched(sn.Gradual(regrow_budget=budget))
        pruned(strategy=spy)
        work.append(spy.session.work)
    one_way, regrown = work
    full = net.n_synapses + 5 + 8 + 3
    last_training = 2 * (14 + 5 + 8 + 3)  # a fifth of the epochs
    assert 4 * one_way <= regrown <= 4 * one_way + full + last_training


def test_soft_targets_too(samples):
    *_, y, pruned = samples
    soft = np.full((len(y), 3), 0.05) + 0.85 * np.eye(3)[np.unique(y, return_inverse=True)[1]]
    assert pruned(2, y=soft).smallest.n_synapses <= 14


class Diverging(sn.Strategy):
    """`Gradual` with regrowth, in which some trainings diverge."""

    starts_trained = False

    def __init__(self, diverging):
        self.diverging, self.trainings = diverging, 0

    def run(self, session):
        train = session.train

        def sometimes(*args, **options):
            self.trainings += 1
            if self.trainings in self.diverging:
                raise sn.TrainingDiverged(1, 0.1)
            return train(*args, **options)

        session.train = sometimes
        return sn.Gradual(regrow_budget=10).run(session)


def test_a_proposal_that_diverges_is_rejected(samples):
    _, X, y, pruned = samples
    stages = []
    strategy = Diverging((4, 8))  # 1 is the schedule, 2 settles, 3 is the first proposal's start
    path = pruned(strategy=strategy, callback=lambda p: stages.append(p.stage))
    assert "rejected" in stages
    assert strategy.trainings > 12
    assert path.smallest.n_synapses <= 14
    assert path.smallest.score(X, y) == path.steps[-1].score


def test_new_synapses_can_weigh_nothing(samples):
    net, X, _, pruned = samples
    path = pruned()
    small, start = path.smallest, path.network(0).weights
    whole = regrown(small, start, [np.ones(len(w.values), bool) for w in start], at_zero=True)
    assert whole.n_synapses == net.n_synapses
    np.testing.assert_allclose(whole.predict_proba(X), small.predict_proba(X), rtol=1e-5)
    assert sum((w.values != 0).sum() for w in whole.weights) == small.n_synapses


class Recorded(sn.Strategy):
    """`Gradual` with regrowth, what it trains and cuts, and how large networks are in between."""

    starts_trained = False

    def __init__(self):
        self.trained, self.cuts, self.restored = [], [], []

    def run(self, session):
        train, cut, restore = session.train, session.cut, session.restore

        def training(epochs, schedule=None, **options):
            done = [i / epochs for i in range(epochs)]
            self.trained.append((epochs, schedule and [schedule(share) for share in done]))
            return train(epochs, schedule, **options)

        def cutting(n, skip=0):
            self.cuts.append((session.net.n_synapses, n))
            cut(n, skip)

        def restoring(net):
            self.restored.append(net.n_synapses)
            restore(net)

        session.train, session.cut, session.restore = training, cutting, restoring
        return sn.Gradual(regrow_budget=6).run(session)


def test_proposals_grow_some_train_and_cut_as_many_in_two_steps(samples):
    *_, pruned = samples
    strategy, rejected = Recorded(), []
    path = pruned(strategy=strategy, callback=lambda p: rejected.append(p.stage == "rejected"))
    (epochs, _), settled, *proposals, last = strategy.trained
    assert (epochs, settled) == (10, (5, [1.0] * 4 + [0.2]))
    pattern = [(2, None), (2, None), (3, [1.0, 1.0, 0.2])]
    assert proposals == (pattern * len(proposals))[: len(proposals)]
    assert len(proposals) > 6
    # At the end a fifth of the epochs, along a half cosine to a hundredth of the rate.
    assert last[0] == 2
    assert last[1] == [sn.ConstantThenCosine(turn=0.0)(share) for share in (0.0, 0.5)]
    # One to eight grow, besides those that dead neurons took along; no more than the target stay.
    target = 14
    assert all(size - n >= target for size, n in strategy.cuts)
    assert all(target < size <= target + 8 for size in strategy.restored if size > target)
    assert any(size > target for size in strategy.restored)
    assert any(rejected)
    assert path.smallest.n_synapses <= target
