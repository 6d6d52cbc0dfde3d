"""Going back along the path, and what it may cost."""

import itertools

import numpy as np
import pytest
import synaprune as sn
from synaprune.pruning._search import _regrown

XOR = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0]))
# One hidden neuron with both inputs, two with one each: XOR with 7 synapses, none of which can go.
TRAP = [
    sn.SparseLayer(2, [0, 2, 3, 4], [0, 1, 0, 1], [9.0, 9.0, 9.0, 9.0], [0.1, 0.2, -0.1, 0.3],
               [-13.0, -4.5, -4.5]),
    sn.SparseLayer(3, [0, 3], [0, 1, 2], [-20.0, 9.0, 9.0], [0.1, -0.2, 0.2], [-4.5]),
]  # fmt: skip
OPTIONS = {
    "validation": XOR, "optimizer": sn.SGD(2.0), "batch_size": 4, "retrain_epochs": 1500,
    "patience": 500, "attempts": 7,
}  # fmt: skip


def trap():
    net = sn.SparseMLP((2, 3, 1), activation="sigmoid", init_scale=1.0, seed=0)
    net.prepare(*XOR)
    net.set_weights([sn.SparseLayer(*map(np.array, vars(w).values())) for w in FULL])
    return net


def _full():
    """The trap inside the full 2-3-1: its two missing synapses weigh next to nothing."""
    first = sn.SparseLayer(
        2, np.array([0, 2, 4, 6]), np.array([0, 1] * 3),
        np.array([9.0, 9.0, 9.0, 0.01, 0.01, 9.0]), np.array([0.1, 0.2, -0.1, 0.0, 0.0, 0.3]),
        TRAP[0].bias,
    )  # fmt: skip
    return [first, TRAP[1]]


FULL = _full()


@pytest.mark.parametrize(("effort", "synapses"), [(0, 7), (20, 6)])
def test_the_trap_is_left_only_by_going_back(effort, synapses):
    path = sn.prune(trap(), *XOR, **OPTIONS, effort=effort)
    assert path.smallest.n_synapses == synapses
    assert path.smallest.score(*XOR) == 1.0
    counts = [step.n_synapses for step in path]
    assert counts == sorted(counts, reverse=True)
    if effort:
        assert path.smallest.structure == "2-2-1"
        for i, step in enumerate(path):  # the new branch is a path like any other
            assert path.network(i).score(*XOR) == step.score == 1.0
            assert step.step == i
            assert i == 0 or step.n_removed == counts[i - 1] - counts[i]


def test_no_effort_is_the_way_of_before(trained3, bits):
    net, X, y = trained3()
    options = {"validation": (X, y), "max_drop": 0.02, "retrain_epochs": 4, "attempts": 3}
    one_way = sn.prune(net, X, y, **options, effort=0)
    searched = sn.prune(net, X, y, **options, effort=2)
    assert searched.smallest.n_synapses <= one_way.smallest.n_synapses
    assert searched.epochs > one_way.epochs
    assert one_way.stop_reason.startswith("no cut survives")
    again = sn.prune(net, X, y, **options, effort=2)
    assert bits(again.smallest) == bits(searched.smallest)
    assert again.to_json() == searched.to_json()


def test_threads_do_not_matter_to_a_search(trained3, bits):
    net, X, y = trained3()
    options = {"validation": (X, y), "retrain_epochs": 3, "attempts": 2, "effort": 1}
    one, other = (sn.prune(net, X, y, **options, threads=threads) for threads in (1, 7))
    assert bits(one.smallest) == bits(other.smallest)


@pytest.mark.parametrize("effort", [0.25, 1, 3])
def test_the_budget_is_kept(effort, trained3, monkeypatch):
    from synaprune.pruning import _run

    net, X, y = trained3()
    runs = []
    begin = _run.Run.__init__
    monkeypatch.setattr(
        _run.Run, "__init__", lambda run, *a, **k: (runs.append(run), begin(run, *a, **k))[1]
    )
    options = {"validation": (X, y), "retrain_epochs": 6, "attempts": 3}
    sn.prune(net, X, y, **options, effort=0)
    path = sn.prune(net, X, y, **options, effort=effort)
    one_way, searched = (run.work for run in runs)
    largest = net.n_synapses + 5 + 8 + 3
    assert one_way < searched <= (1 + effort) * one_way + largest
    if path.stop_reason == f"the budget of effort {effort:g} is spent":
        assert searched >= (1 + effort) * one_way
    else:
        assert path.stop_reason.startswith("no cut survives")


def test_what_was_found_is_kept_when_the_callback_ends_the_search(trained3, bits):
    net, X, y = trained3()
    options = {"validation": (X, y), "retrain_epochs": 4, "attempts": 3, "effort": 5}
    one_way = sn.prune(net, X, y, **options | {"effort": 0})
    seen = []

    def late(progress):
        seen.append(progress.epoch)
        return len(seen) > most

    told = []
    whole = sn.prune(net, X, y, **options, callback=lambda p: told.append(p) or None)
    most = (len(told) * 3) // 4
    path = sn.prune(net, X, y, **options, callback=late)
    assert path.stop_reason == "ended by the callback"
    least = whole.smallest.n_synapses
    assert least <= path.smallest.n_synapses <= one_way.smallest.n_synapses
    for i, step in enumerate(path):
        assert path.network(i).score(X, y) == step.score


def test_regrowth_gives_back_synapses_between_living_neurons_at_their_initial_weights(trained3):
    net, X, y = trained3()
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=14, epochs=10)
    small, again = path.smallest, _regrown(path, 0)
    assert again.structure.split("-")[1:] == small.structure.split("-")[1:]
    for now, then, full in zip(small.weights, again.weights, path.network(0).weights, strict=True):
        dense, grown, initial = (np.zeros(w.shape) for w in (now, then, full))
        dense[now.rows, now.indices] = now.values
        grown[then.rows, then.indices] = then.values
        initial[full.rows, full.indices] = full.initial
        lives = np.zeros(now.shape, bool)
        lives[now.rows, now.indices] = True
        assert (grown[lives] == dense[lives]).all()
        regrown = np.zeros(now.shape, bool)
        regrown[then.rows, then.indices] = True
        regrown &= ~lives
        assert (grown[regrown] == initial[regrown]).all()
        assert (now.bias == then.bias).all()
    assert again.n_synapses > small.n_synapses


def test_a_neuron_goes_as_a_whole(trained3):
    from synaprune.criteria import Ranking

    net, *_ = trained3()
    first, second = (np.abs(w.to_dense()) for w in net.weights)
    order = np.argsort(first.sum(1) + second.sum(0))
    for spared in (0, 3):
        twin = net.copy()
        assert Ranking("magnitude").cut_neuron(twin, spared, None, 1) == 5 + 3
        gone = [r for r in range(8) if not twin.weights[0].to_dense()[r].any()]
        assert gone == [order[spared]]


def test_several_hidden_layers_are_searched(trained3):
    _, X, y = trained3()
    net = sn.SparseMLP((5, 7, 6, 3), init_scale=1.0, seed=2).fit(X, y, epochs=60, batch_size=8)
    options = {"validation": (X, y), "retrain_epochs": 5, "attempts": 3, "optimizer": sn.SGD(0.1)}
    one_way = sn.prune(net, X, y, **options, effort=0)
    searched = sn.prune(net, X, y, **options, effort=3)
    assert searched.smallest.n_synapses <= one_way.smallest.n_synapses
    assert all(a.n_synapses > b.n_synapses for a, b in itertools.pairwise(searched.steps))


@pytest.mark.parametrize(
    ("effort", "error"), [(-1, ValueError), (np.inf, ValueError), ("much", TypeError)]
)
def test_wrong_efforts_are_named(effort, error, trained, data):
    with pytest.raises(error, match=r"^effort must be"):
        sn.prune(trained(), *data, validation=data, effort=effort)
