"""`smallest_network(n_synapses=N)`: the best network of a count, chosen in rounds."""

from dataclasses import replace

import numpy as np
import pytest
import synaprune as sn
from synaprune.search import _recipe, _task
from synaprune.search._candidates import starts

FEW = (sn.search.Candidate((), 0.0), sn.search.Candidate((6,), 1e-3))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(_recipe, "_EPOCHS", 40)
    monkeypatch.setattr(_recipe, "_LEAST", 20)
    monkeypatch.setattr(_task, "_REPEATS", 1)


def data(n=200, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 6))
    return X, np.where(X[:, 1] > X[:, 4], "more", "less")


def test_it_has_no_more_synapses_than_asked_for_and_knows_what_to_expect(quick):
    result = sn.smallest_network(*data(400), n_synapses=3)
    net = result.network
    assert net.n_synapses <= 3
    assert {1, 4} <= set(net.used_inputs.tolist())
    assert result.expected.low <= net.score(*data(4000, 1)) + 0.02
    assert (result.full, result.expected_full, result.max_drop) == (None, None, None)
    assert result.path.smallest.n_synapses == net.n_synapses
    assert result.path.expected["value"] == result.expected.value
    assert result.path.expected_full is None
    assert "full network" not in str(result)
    assert {point.n_synapses for point in result.curve} == {3}
    assert result.chosen in result.curve
    record = result.record()
    assert (record["expected_full"], record["max_drop"], record["remark"]) == (None, None, "")


def test_threads_change_no_bit_and_the_callback_counts(quick, bits):
    X, y = data()
    told = []
    results = [
        sn.smallest_network(
            X, y, n_synapses=4, threads=threads, seed=3, callback=lambda *at: told.append(at)
        )
        for threads in (1, 2)
    ]
    assert bits(results[0].network) == bits(results[1].network)
    done, totals = zip(*told, strict=True)
    n = len(told) // 2
    assert done == (*range(1, n + 1),) * 2
    assert set(totals) == {n}


def test_the_best_third_of_a_round_enters_the_next(quick, monkeypatch):
    """And trains three times as long there."""
    seen = []
    run = _task.Task.run_towards

    def watched(task, candidate, n_synapses, work, *args, **options):
        seen.append((candidate, work))
        return run(task, candidate, n_synapses, work, *args, **options)

    monkeypatch.setattr(_task.Task, "run_towards", watched)
    X, y = data(1000)  # five folds, once
    told = []
    result = sn.smallest_network(
        X, y, n_synapses=4, effort=2.0, threads=1, callback=lambda *at: told.append(at)
    )
    works = [2.0 * share for share in _task.ROUNDS] + [2.0]
    rounds = [{c for c, work in seen if work == share} for share in works]
    retrained = {c for c in rounds[2] if c.retrain}
    assert [c.hidden for c in retrained] == [(), ()]
    assert [len(of) for of in rounds] == [12, 4, 2 + 2, 1]
    assert rounds[0] > rounds[1] > rounds[2] - retrained
    assert rounds[3] == {result.chosen.candidate} <= rounds[2]
    assert len(seen) == 5 * (12 + 4 + 2 + 2) + 2
    assert told[-1] == (len(seen), len(seen))


@pytest.mark.parametrize("learnable", [True, False])
def test_what_a_longer_training_makes_worse_is_not_trained_longer_on_all_rows(
    learnable, monkeypatch
):
    """Labels that are noise are learned by heart: on rows left out, the loss grows."""
    seen = []
    run = _task.Task.run_towards

    def watched(task, candidate, n_synapses, work, stream, stop, rows=None):
        if rows is None:
            seen.append(work)
        return run(task, candidate, n_synapses, work, stream, stop, rows)

    monkeypatch.setattr(_task.Task, "run_towards", watched)
    monkeypatch.setattr(_task, "_REPEATS", 1)
    monkeypatch.setattr(_recipe, "_LEAST", 1)
    X, y = data(200)
    if learnable:
        candidate, n_synapses = sn.search.Candidate((), 0.0), 6
    else:
        candidate, n_synapses = sn.search.Candidate((30,), 0.0), 200
        rng = np.random.default_rng(1)
        y = np.where(rng.random(len(y)) < 0.5, rng.permutation(y), y)
    sn.smallest_network(X, y, n_synapses=n_synapses, candidates=[candidate], effort=0.5, threads=1)
    assert seen == [0.5 if learnable else 0.5 * _task.ROUNDS[-1]] * 2


@pytest.mark.parametrize("asked", [{"n_synapses": 12, "effort": 0.1}, {"max_updates": 200}])
def test_the_activation_of_a_candidate_is_that_of_the_network(asked):
    X, y = data(200)
    candidate = sn.search.Candidate((6,), 0.0, activation="silu")
    result = sn.smallest_network(X, y, candidates=[candidate], threads=1, **asked)
    assert result.network.activation == result.chosen.candidate.activation == "silu"


@pytest.mark.long
def test_a_few_synapses_are_found_by_cutting_step_by_step():
    """Three for iris: networks that are cut while they train have 89.6 %."""
    X, y = pytest.importorskip("sklearn.datasets").load_iris(return_X_y=True)
    linear = [c for c in starts(3, None) if not c.hidden]  # the others take four times as long
    result = sn.smallest_network(X, y, n_synapses=3, candidates=linear)
    assert result.network.n_synapses == 3
    assert result.expected.value > 0.94
    assert result.chosen.candidate.retrain
    assert not any(c.retrain for c in starts(101, None))


def test_candidates_that_are_retrained_need_no_others(quick):
    X, y = data()
    result = sn.smallest_network(X, y, n_synapses=2, candidates=[replace(FEW[0], retrain=True)])
    assert sorted(result.network.used_inputs.tolist()) == [1, 4]
    assert result.chosen.candidate.retrain


def test_images_may_be_moved():
    shapes = {candidate.hidden for candidate in starts(1259, None)}
    assert shapes == {(), (104,), (104, 42), (208, 104)}
    assert {c.hidden for c in starts(10, None)} == {(), (20,), (20, 8), (40, 20)}
    assert all(c.augment is None for c in starts(1259, None))
    both = starts(1259, (28, 28))
    assert {c.augment for c in both} == {None, sn.ShiftImages(28, 28)}
    assert len(both) == 2 * len(starts(1259, None))


@pytest.mark.parametrize(
    ("dtype", "n_features", "images"),
    [(np.uint8, 64, True), (np.uint8, 63, False), (np.uint8, 49, False), (np.float32, 64, False)],
)
def test_only_bytes_that_may_be_square_images_are_moved(dtype, n_features, images, monkeypatch):
    seen = []

    def judge(task, *args, **options):
        seen.extend(task.candidates)
        raise KeyError

    monkeypatch.setattr(_task.Task, "judge_towards", judge)
    X = np.random.default_rng(0).integers(0, 256, (20, n_features)).astype(dtype)
    with pytest.raises(KeyError):
        sn.smallest_network(X, np.arange(20) % 2, n_synapses=5)
    assert any(c.augment is not None for c in seen) == images


def test_numbers_are_predicted_too(quick):
    X, _ = data(300)
    result = sn.smallest_network(X, X[:, 0] - 2.0 * X[:, 3], n_synapses=2)
    assert result.network.used_inputs.tolist() == [0, 3]
    assert result.metric == "r2"
    assert result.expected.value > 0.95


def test_candidates_of_ones_own(quick):
    X, y = data()
    result = sn.smallest_network(X, y, n_synapses=100, candidates=FEW[:1])
    assert result.network.n_synapses == 6  # all that there are: nothing to cut
    assert result.chosen.candidate == FEW[0]
    result = sn.smallest_network(X, y, n_synapses=4, candidates=FEW, validation=data(50, 2))
    assert result.expected.method.startswith("50 rows held out")


def test_a_search_goes_on_where_it_was_cut_off(quick, tmp_path, bits):
    X, y = data()
    options = {"n_synapses": 3, "candidates": FEW, "checkpoint": tmp_path / "c", "threads": 1}
    whole = sn.smallest_network(X, y, **{**options, "checkpoint": None})
    calls = []

    def interrupt(done, total):
        calls.append(done)
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sn.smallest_network(X, y, callback=interrupt, **options)
    with pytest.raises(sn.CheckpointError, match="n_synapses"):
        sn.smallest_network(X, y, **{**options, "n_synapses": 4}, resume=True)
    calls.clear()
    again = sn.smallest_network(X, y, callback=lambda *at: calls.append(at), resume=True, **options)
    assert bits(again.network) == bits(whole.network)
    assert again.expected == whole.expected


def test_a_round_that_time_leaves_unfinished_does_not_decide(quick, tmp_path):
    X, y = data()
    options = {"n_synapses": 3, "candidates": FEW, "threads": 1}
    with pytest.raises(TimeoutError, match="allow more"):
        sn.smallest_network(X, y, time_limit=0.0, **options)
    file = {"checkpoint": tmp_path / "c"}
    first_round = 2 * 5  # candidates and folds

    def interrupt(done, total):
        if done == first_round + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sn.smallest_network(X, y, callback=interrupt, **file, **options)
    result = sn.smallest_network(X, y, time_limit=0.0, resume=True, **file, **options)
    assert result.remark.startswith("The time limit was reached in round 2 of 3.")
    assert len(result.curve) == 2
    assert result.network.n_synapses <= 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_synapses": 0}, "n_synapses must be from 1 to .*, got 0"),
        ({"n_synapses": 2.5}, "n_synapses must be an int"),
        ({"n_synapses": 2, "max_drop": 0.01}, "max_drop does not go with n_synapses"),
        ({"n_synapses": 2, "max_synapses": 3}, "max_synapses does not go with n_synapses"),
        ({"n_synapses": 2, "max_updates": 3}, "max_updates does not go with n_synapses"),
        ({"n_synapses": 2, "effort": 0.0}, "effort must be"),
        ({"effort": 2.0}, "effort goes with n_synapses"),
    ],
)
def test_faults_are_told_before_any_training(options, text, monkeypatch):
    monkeypatch.setattr(_task.Workers, "run", None)
    with pytest.raises((TypeError, ValueError), match=text):
        sn.smallest_network(*data(), **options)
