"""Going back along the path, and what it may cost."""

import itertools

import numpy as np
import pytest
import synaprune as sn
from synaprune.pruning.topology import (
    between_living_neurons,
    positions,
    regrown,
    without_neuron,
)

XOR = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0]))
# One hidden neuron with both inputs, two with one each: XOR with 7 synapses, none of which can go.
TRAP = [
    sn.SparseLayer(2, [0, 2, 3, 4], [0, 1, 0, 1], [9.0, 9.0, 9.0, 9.0], [0.1, 0.2, -0.1, 0.3],
               [-13.0, -4.5, -4.5]),
    sn.SparseLayer(3, [0, 3], [0, 1, 2], [-20.0, 9.0, 9.0], [0.1, -0.2, 0.2], [-4.5]),
]  # fmt: skip
OPTIONS = {"validation": XOR, "training": sn.Training(batch_size=4, optimizer=sn.SGD(2.0))}
SGD = sn.Training(optimizer=sn.SGD(0.1))


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


@pytest.mark.parametrize(("budget", "synapses"), [(0, 7), (20, 6)])
def test_the_trap_is_left_only_by_going_back(budget, synapses):
    strategy = sn.Iterative(1500, patience=500, n_candidates=7, search_budget=budget)
    path = sn.prune(trap(), *XOR, **OPTIONS, strategy=strategy)
    assert path.smallest.n_synapses == synapses
    assert path.smallest.score(*XOR) == 1.0
    counts = [step.n_synapses for step in path]
    assert counts == sorted(counts, reverse=True)
    if budget:
        assert path.smallest.structure == "2-2-1"
        for i, step in enumerate(path):  # the new branch is a path like any other
            assert path.network(i).score(*XOR) == step.score == 1.0
            assert step.step == i
            assert i == 0 or step.n_removed == counts[i - 1] - counts[i]


def test_no_budget_is_the_first_descent(trained3, bits):
    net, X, y = trained3()

    def pruned(budget):
        strategy = sn.Iterative(4, n_candidates=3, search_budget=budget)
        return sn.prune(net, X, y, validation=(X, y), max_drop=0.02, strategy=strategy)

    one_way, searched = pruned(0), pruned(2)
    assert searched.smallest.n_synapses <= one_way.smallest.n_synapses
    assert searched.epochs > one_way.epochs
    assert one_way.stop_reason.startswith("no cut survives")
    again = pruned(2)
    assert bits(again.smallest) == bits(searched.smallest)
    assert again.to_json() == searched.to_json()


def test_threads_do_not_matter_to_a_search(trained3, bits):
    net, X, y = trained3()
    options = {"validation": (X, y), "strategy": sn.Iterative(3, n_candidates=2)}
    one, other = (sn.prune(net, X, y, **options, threads=threads) for threads in (1, 7))
    assert bits(one.smallest) == bits(other.smallest)


@pytest.mark.parametrize("budget", [0.25, 1, 3])
def test_the_budget_is_kept(budget, trained3, watched):
    net, X, y = trained3()
    work, paths = [], []
    for search_budget in (0, budget):
        spy = watched(sn.Iterative(6, n_candidates=3, search_budget=search_budget))
        paths.append(sn.prune(net, X, y, validation=(X, y), strategy=spy))
        work.append(spy.session.work)
    one_way, searched = work
    largest = net.n_synapses + 5 + 8 + 3
    assert one_way < searched <= (1 + budget) * one_way + largest
    if paths[1].stop_reason == (
        f"no smaller network that keeps the score was found within search_budget={budget:g}"
    ):
        assert searched >= (1 + budget) * one_way
    else:
        assert paths[1].stop_reason.startswith("no cut survives")


def test_what_was_found_is_kept_when_the_callback_ends_the_search(trained3, bits):
    net, X, y = trained3()

    def pruned(budget, callback=None):
        strategy = sn.Iterative(4, n_candidates=3, search_budget=budget)
        return sn.prune(net, X, y, validation=(X, y), strategy=strategy, callback=callback)

    one_way = pruned(0)
    told = []
    whole = pruned(5, told.append)
    most = (len(told) * 3) // 4
    seen = []

    def late(progress):
        seen.append(progress.epoch)
        return sn.STOP if len(seen) > most else None

    path = pruned(5, late)
    assert path.stop_reason == "ended by the callback"
    least = whole.smallest.n_synapses
    assert least <= path.smallest.n_synapses <= one_way.smallest.n_synapses
    for i, step in enumerate(path):
        assert path.network(i).score(X, y) == step.score


def test_regrowth_gives_back_synapses_between_living_neurons_at_their_initial_weights(trained3):
    net, X, y = trained3()
    path = sn.prune(net, X, y, validation=(X, y), n_synapses=14, training=sn.Training(10))
    small, full = path.smallest, path.network(0).weights
    pairs = zip(small.weights, full, strict=True)
    again = regrown(small, full, [between_living_neurons(*pair) for pair in pairs])
    assert again.structure.split("-")[1:] == small.structure.split("-")[1:]
    for now, then, full in zip(small.weights, again.weights, path.network(0).weights, strict=True):
        dense, grown, initial = (np.zeros(w.shape) for w in (now, then, full))
        dense[now.rows, now.indices] = now.values
        grown[then.rows, then.indices] = then.values
        initial[full.rows, full.indices] = full.initial
        lives = np.zeros(now.shape, bool)
        lives[now.rows, now.indices] = True
        assert (grown[lives] == dense[lives]).all()
        back = np.zeros(now.shape, bool)
        back[then.rows, then.indices] = True
        back &= ~lives
        assert (grown[back] == initial[back]).all()
        assert (now.bias == then.bias).all()
    assert again.n_synapses > small.n_synapses


def test_a_neuron_goes_as_a_whole(trained3):
    net, *_ = trained3()
    scores = np.concatenate(sn.saliency(net, "magnitude"))
    first, second = (np.abs(w.to_dense()) for w in net.weights)
    order = np.argsort(first.sum(1) + second.sum(0))
    for skip in (0, 3):
        keep = without_neuron(net, scores, skip)
        gone = net.weights[0].rows[keep[:40] == 0]
        assert set(gone) == {order[skip]}
        assert len(gone) == 5
        assert keep[40:].all()  # its synapses out go with it when dead neurons are cleaned up
    assert without_neuron(net, scores, 8).all()


def test_several_hidden_layers_are_searched(trained3):
    _, X, y = trained3()
    net = sn.SparseMLP((5, 7, 6, 3), init_scale=1.0, seed=2)
    net.fit(X, y, training=sn.Training(60, batch_size=8))

    def pruned(budget):
        strategy = sn.Iterative(5, n_candidates=3, search_budget=budget)
        return sn.prune(net, X, y, validation=(X, y), strategy=strategy, training=SGD)

    one_way, searched = pruned(0), pruned(3)
    assert searched.smallest.n_synapses <= one_way.smallest.n_synapses
    assert all(a.n_synapses > b.n_synapses for a, b in itertools.pairwise(searched.steps))


# ---- which synapses there are, on networks made by hand


def layer(dense):
    dense = np.asarray(dense, np.float32)
    rows, columns = np.nonzero(dense)
    counts = np.bincount(rows, minlength=len(dense))
    values = dense[rows, columns]
    return sn.SparseLayer(
        dense.shape[1], np.concatenate([[0], np.cumsum(counts)]), columns.astype(np.int32), values,
        10 * values, np.arange(len(dense), dtype=np.float32),
    )  # fmt: skip


NOW = layer([[1, 0, 0], [0, 0, 0], [0, 0, 2]])
THEN = layer([[1, 5, 6], [7, 8, 9], [3, 4, 2]])


def test_what_lies_between_living_neurons():
    # Row 1 and column 1 are empty now.
    chosen = between_living_neurons(NOW, THEN)
    assert chosen.reshape(3, 3).tolist() == [[True, False, True], [False] * 3, [True, False, True]]
    assert positions(NOW, THEN).tolist() == [0, 8]


@pytest.mark.parametrize("at_zero", [False, True])
def test_what_grows_again_weighs_as_at_first_or_nothing(at_zero):
    net = sn.SparseMLP((3, 3)).set_weights([NOW])
    more = np.zeros(9, bool)
    more[[1, 4]] = True
    again = regrown(net, [THEN], [more], at_zero=at_zero).weights[0]
    grown = [0, 0] if at_zero else [50, 80]
    assert again.to_dense().tolist() == [[1, grown[0], 0], [0, grown[1], 0], [0, 0, 2]]
    assert again.indices.tolist() == [0, 1, 1, 2]
    assert again.initial.tolist() == [10, 50, 80, 20]
    assert again.bias.tolist() == NOW.bias.tolist()
    assert net.n_synapses == 2
    assert more.sum() == 2


def test_the_weakest_hidden_neuron_that_may_go_is_found():
    net = sn.SparseMLP((2, 3, 2, 1)).set_weights(
        [layer([[1, 1], [1, 1], [1, 0]]), layer([[1, 1, 0], [0, 1, 1]]), layer([[1, 1]])]
    )
    #         first layer      second      third
    scores = [9, 1, 2, 0.5, 4, 3, 2, 1, 1, 5, 6]
    scores = np.array(scores, np.float32)
    # In and out: 9+1+3, 2+0.5+2+1, 4+1 below; 3+2+5, 1+1+6 above.
    order = [(4, 5), (2, 4), (7, 9), (5, 7), (0, 2)]
    for skip, (first, last) in enumerate(order):
        keep = without_neuron(net, scores, skip)
        assert np.flatnonzero(keep == 0).tolist() == list(range(first, last))
    assert without_neuron(net, scores, 5).all()
    assert without_neuron(net, scores, 0).dtype == np.uint8
    # Neither what a frozen synapse leads to nor what it leads from may go.
    held = net.with_frozen(inputs=[1])  # rows 0 and 1 of the first layer
    gone = [np.flatnonzero(without_neuron(held, scores, skip) == 0).tolist() for skip in range(4)]
    assert gone == [[4], [7, 8], [5, 6], []]
