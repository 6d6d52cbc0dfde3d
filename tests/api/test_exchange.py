"""Exchanges at a count that is reached."""

import numpy as np
import pytest
import synaprune as sn
from synaprune.pruning import _exchange
from synaprune.pruning._regrow import regrown

OPTIONS = {"n_synapses": 14, "epochs": 10, "optimizer": sn.SGD(0.1), "batch_size": 16}


def loss(net, X, y):
    data = net.check_data(X, y)
    return net._core.evaluate(data.X, data.y, 1)[0]


@pytest.fixture
def samples(trained3):
    net, X, y = trained3()
    return net, X, y, {"validation": (X, y), **OPTIONS}


@pytest.mark.parametrize("n_inputs", [None, 3])
@pytest.mark.parametrize("effort", [1, 10])
def test_exchanges_keep_the_counts_and_lower_the_loss(effort, n_inputs, samples):
    net, X, y, options = samples
    options = {**options, "n_inputs": n_inputs}
    one_way = sn.prune(net, X, y, **options)
    exchanged = sn.prune(net, X, y, **options, effort=effort)
    small = exchanged.smallest
    assert small.n_synapses <= 14
    assert n_inputs is None or small.n_used_inputs <= n_inputs
    assert loss(small, X, y) <= loss(one_way.smallest, X, y)
    assert len(exchanged) == len(one_way)
    assert exchanged.epochs > one_way.epochs
    counts = [step.n_synapses for step in exchanged]
    assert counts == sorted(counts, reverse=True)
    assert exchanged.steps[-1].score == small.score(X, y)
    records = [s.record() for s in one_way.steps[:-1]]
    assert [s.record() for s in exchanged.steps[:-1]] == records


def test_a_better_choice_of_synapses_is_found(samples, bits):
    """From a cut at random, exchanges find synapses that say more."""
    net, X, y, options = samples
    options = {**options, "criterion": "random"}
    one_way = sn.prune(net, X, y, **options)
    exchanged = sn.prune(net, X, y, **options, effort=30)
    assert loss(exchanged.smallest, X, y) < 0.8 * loss(one_way.smallest, X, y)
    again = sn.prune(net, X, y, **options, effort=30, threads=3)
    assert bits(again.smallest) == bits(exchanged.smallest)


def test_what_is_no_better_is_undone(samples, bits, monkeypatch):
    net, X, y, options = samples
    monkeypatch.setattr(_exchange, "_loss", lambda run: 1.0)
    one_way = sn.prune(net, X, y, **options)
    assert bits(sn.prune(net, X, y, **options, effort=2).smallest) == bits(one_way.smallest)


def test_the_budget_is_kept(samples, monkeypatch):
    from synaprune.pruning import _run

    net, X, y, options = samples
    runs = []
    begin = _run.Run.__init__
    monkeypatch.setattr(
        _run.Run, "__init__", lambda run, *a, **k: (runs.append(run), begin(run, *a, **k))[1]
    )
    sn.prune(net, X, y, **options)
    sn.prune(net, X, y, **options, effort=3)
    one_way, exchanged = (run.work for run in runs)
    full = net.n_synapses + 5 + 8 + 3
    last_training = 2 * (14 + 5 + 8 + 3)  # a fifth of the epochs
    assert 4 * one_way <= exchanged <= 4 * one_way + full + last_training


def test_soft_targets_are_exchanged_too(samples):
    net, X, y, options = samples
    soft = np.full((len(y), 3), 0.05) + 0.85 * np.eye(3)[np.unique(y, return_inverse=True)[1]]
    path = sn.prune(net, X, soft, **options, effort=2)
    assert path.smallest.n_synapses <= 14


def test_a_proposal_that_diverges_is_rejected(samples, monkeypatch):
    from synaprune.pruning import _run

    net, X, y, options = samples
    train, calls = _run.Run.train, []

    def diverging(run, epochs, *args, **kwargs):
        calls.append(epochs)
        if len(calls) in (4, 8):  # 1 is the schedule, 2 settles, 3 is the first proposal's start
            raise sn.TrainingDiverged(1, 0.1)
        return train(run, epochs, *args, **kwargs)

    monkeypatch.setattr(_run.Run, "train", diverging)
    stages = []
    path = sn.prune(
        net, X, y, **options, effort=10, callback=lambda p: stages.append(p.stage) and None
    )
    assert "rejected" in stages
    assert len(calls) > 12
    assert path.smallest.n_synapses <= 14
    assert path.smallest.score(X, y) == path.steps[-1].score


def test_new_synapses_can_weigh_nothing(samples):
    net, X, y, options = samples
    path = sn.prune(net, X, y, **options)
    small, start = path.smallest, path.network(0).weights
    whole = regrown(small, start, [np.ones(len(w.values), bool) for w in start], at_zero=True)
    assert whole.n_synapses == net.n_synapses
    np.testing.assert_allclose(whole.predict_proba(X), small.predict_proba(X), rtol=1e-5)
    assert sum((w.values != 0).sum() for w in whole.weights) == small.n_synapses
