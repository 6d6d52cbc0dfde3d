"""What a path gives back is what it was given, to the bit, hidden state included."""

import numpy as np
import pytest
import synaprune as sn
from hypothesis import given
from hypothesis import strategies as st
from synaprune.io import read_model, write_model
from synaprune.layers import position_dtype

OPTIMIZERS = {
    "plain": sn.SGD(0.1),
    "momentum": sn.SGD(0.05, momentum=0.9),
    "adam": sn.Adam(0.01),
}
ROWS = {"plain": 0, "momentum": 1, "adam": 2}
optimizers = pytest.mark.parametrize("name", OPTIMIZERS)


def prune(trained3, name, epochs=None):
    net, X, y = trained3()
    recipe = sn.Training(epochs, batch_size=16, optimizer=OPTIMIZERS[name])
    if epochs is None:
        goal = {"max_drop": 0.02, "strategy": sn.Iterative(3, n_candidates=2, search_budget=0)}
    else:
        goal = {"n_synapses": 9}
    path = sn.prune(net, X, y, validation=(X, y), criterion="magnitude", training=recipe, **goal)
    return path, X, y


STEPS = st.tuples(st.just("step"), st.integers(0, 25), st.integers(0, 2), st.integers(0, 9))
UNDO = st.tuples(st.just("undo"), st.integers(1, 4))
RELOAD = st.just(("reload",))


@given(
    name=st.sampled_from(sorted(OPTIMIZERS)),
    criterion=st.sampled_from(sorted(sn.CRITERIA)),
    actions=st.lists(st.one_of(STEPS, STEPS, UNDO, RELOAD), max_size=9),
    n_trained=st.integers(0, 2),
)
def test_network_undo_select_and_files_give_every_bit(
    name, criterion, actions, n_trained, trained3, tmp_path_factory, whole, goes_on_alike
):
    net, X, y = trained3()
    optimizer = OPTIMIZERS[name]
    if n_trained:
        net.fit(X, y, training=sn.Training(n_trained, batch_size=16, optimizer=optimizer))
    path, kept = sn.PruningPath(net), []
    file = tmp_path_factory.mktemp("path") / "path.npz"

    def accept(accuracy):
        kept.append((net.copy(), accuracy))
        path.add(net, criterion=criterion, epochs=0, score_after_cut=0.0, score=accuracy,
                 p_value=1.0)  # fmt: skip

    accept(0.5)
    for action in actions:
        if action[0] == "step":
            _, n_cut, epochs, tenths = action
            flat = np.concatenate(sn.saliency(net, criterion, X, y))
            net._core.cut(flat, min(n_cut, net.n_synapses))
            if epochs:
                net.fit(X, y, training=sn.Training(epochs, batch_size=16, optimizer=optimizer))
            accept(tenths / 10)
        elif action[0] == "undo" and action[1] < len(kept):
            del kept[-action[1] :]
            net = path.undo(action[1])
            assert whole(net) == whole(kept[-1][0])
        elif action[0] == "undo":
            with pytest.raises(ValueError, match=rf"than the {len(kept)} of .*got {action[1]}$"):
                path.undo(action[1])
        else:
            path.save(file)
            path = sn.PruningPath.load(file)
    assert [whole(path.network(i)) for i in range(len(path))] == [whole(n) for n, _ in kept]
    assert whole(path.smallest) == whole(kept[-1][0])
    for was, accuracy in kept:
        limits = {
            "n_synapses": was.n_synapses,
            "min_accuracy": accuracy,
            "n_inputs": was.n_used_inputs,
        }
        fits = [
            (n, a)
            for n, a in kept
            if n.n_synapses <= was.n_synapses
            and a >= accuracy
            and n.n_used_inputs <= was.n_used_inputs
        ]
        best, _ = min(fits, key=lambda pair: (pair[0].n_synapses, -pair[1]))
        assert whole(path.select(**limits)) == whole(best)
    assert goes_on_alike(path.smallest, kept[-1][0], X, y, optimizer)


@optimizers
@pytest.mark.parametrize("epochs", [None, 8])
def test_training_goes_on_from_any_step_as_it_would_have(
    name, epochs, trained3, tmp_path, monkeypatch, whole, goes_on_alike
):
    # This used to forget momentum and Adam's moments.
    accepted = []
    add = sn.PruningPath.add

    def recording(self, net, **record):
        accepted.append(net.copy())
        return add(self, net, **record)

    monkeypatch.setattr(sn.PruningPath, "add", recording)
    path, X, y = prune(trained3, name, epochs)
    path.save(tmp_path / "path.npz")
    loaded = sn.PruningPath.load(tmp_path / "path.npz")
    assert len(path) == len(accepted) > 3
    for i, was in enumerate(accepted):
        for p in (path, loaded):
            assert whole(p.network(i)) == whole(was)
    assert goes_on_alike(loaded.network(1), accepted[1], X, y, OPTIMIZERS[name])


@optimizers
def test_bytes_of_a_step(name, trained3, tmp_path):
    path, _, _ = prune(trained3, name, 8)
    for step in path:
        n, biases = step.n_synapses, 8 + 3
        rows = ROWS[name]
        assert step.n_bytes == 8 * n + 4 * biases + 4 * rows * (n + biases)
        assert (step.optimizer_state is None) == (rows == 0)
    path.save(tmp_path / "path.npz")
    header, arrays = read_model(tmp_path / "path.npz")
    assert ("path/moments" in arrays) == (rows > 0)
    assert all(("optimizer" in record) == (rows > 0) for record in header["path"])
    on_file = [a for member, a in arrays.items() if member.startswith("path/")]
    assert sum(a.nbytes for a in on_file) == sum(step.n_bytes for step in path)


def test_positions_take_four_bytes_where_that_is_enough():
    assert position_dtype(2**31 - 1) is np.int32
    assert position_dtype(2**31) is np.int64


# --- undo and removed ---------------------------------------------------------------------------


def test_undo_drops_the_last_steps(trained3, tmp_path, whole):
    path, _, _ = prune(trained3, "momentum")
    n, verdict, epochs = len(path), path.stop_reason, path.epochs
    third_last = whole(path.network(-3))
    assert whole(path.undo(2)) == third_last == whole(path.smallest)
    assert (len(path), path.steps[-1].step) == (n - 2, n - 3)
    path.undo()
    assert (len(path), path.stop_reason, path.epochs) == (n - 3, verdict, epochs)
    path.save(tmp_path / "path.npz")
    assert len(sn.PruningPath.load(tmp_path / "path.npz")) == n - 3
    for steps, error in ((n - 3, ValueError), (0, ValueError), (-1, ValueError), (1.0, TypeError),
                         ("1", TypeError), (True, TypeError)):  # fmt: skip
        with pytest.raises(error, match=r"^steps must "):
            path.undo(steps)
    assert len(path) == n - 3
    with pytest.raises(ValueError, match=r"^steps must be less than the 0 of the path, got 1$"):
        sn.PruningPath(path.network(0)).undo()


def places(net):
    """The living synapses as (layer, neuron, neuron below)."""
    return {
        (i, int(row), int(column))
        for i, w in enumerate(net.weights)
        for row, column in zip(
            np.repeat(np.arange(len(w.bias)), np.diff(w.indptr)), w.indices, strict=True
        )
    }


def test_removed_names_the_synapses_that_went(trained3):
    net, X, y = trained3()
    first = sn.prune(net, X, y, validation=(X, y), n_synapses=40, training=sn.Training(6)).smallest
    path = sn.prune(
        first, X, y, validation=(X, y), n_synapses=9, training=sn.Training(9)
    )  # the start has gaps
    assert len(path) > 3
    for i, step in enumerate(path):
        removed = path.removed(i)
        assert [(a.dtype, a.shape[1]) for a in removed] == [(np.int32, 2)] * 2
        gone = [(layer, *pair) for layer, a in enumerate(removed) for pair in a.tolist()]
        assert gone == sorted(gone)
        assert len(gone) == step.n_removed
        before = places(path.network(max(i - 1, 0)))
        assert set(gone) == before - places(path.network(i))
        for mine, counted in zip(path.removed(i - len(path)), removed, strict=True):
            assert mine.tolist() == counted.tolist()
    for step in (len(path), -len(path) - 1):
        with pytest.raises(IndexError):
            path.removed(step)


# --- files --------------------------------------------------------------------------------------


def test_files_without_optimiser_states_still_load(trained3, tmp_path, bits):
    """As the first version wrote them: positions in int64, no optimiser, whatever was used."""
    path, _, _ = prune(trained3, "momentum", 8)
    file = tmp_path / "path.npz"
    path.save(file)
    header, arrays = read_model(file)
    for record in header["path"]:
        record.pop("optimizer", None)
    del arrays["path/moments"]
    arrays["path/living"] = arrays["path/living"].astype(np.int64)
    write_model(file, header, arrays)
    old = sn.PruningPath.load(file)
    assert old.to_json() == path.to_json()
    for i, step in enumerate(old):
        assert step.optimizer_state is None
        assert step.living.dtype == np.int32
        assert bits(old.network(i)) == bits(path.network(i))


@pytest.mark.parametrize(
    "bend",
    [
        lambda records, arrays: records[1].update(optimizer=["sgd", 3, 2]),
        lambda records, arrays: records[1].update(optimizer=["adam", 3, 1]),
        lambda records, arrays: records[1].update(optimizer=["sgd", -3, 1]),
        lambda records, arrays: records[1].update(optimizer=["sgd", 2**70, 1]),
        lambda records, arrays: records[1].update(optimizer=["sgd", 3]),
        lambda records, arrays: records[1].update(optimizer=5),
        lambda records, arrays: records[1].pop("optimizer"),
        lambda records, arrays: arrays.pop("path/moments"),
        lambda records, arrays: arrays.update({"path/moments": arrays["path/moments"][1:]}),
        lambda records, arrays: arrays.update({"path/moments": arrays["path/moments"] * np.nan}),
        lambda records, arrays: arrays.update({"path/living": arrays["path/living"] * 1.0}),
    ],
)
def test_a_whole_file_with_a_wrong_optimiser_state_is_refused(bend, trained3, tmp_path):
    path, _, _ = prune(trained3, "momentum", 8)
    file = tmp_path / "bent.npz"
    path.save(file)
    header, arrays = read_model(file)
    bend(header["path"], arrays)
    write_model(file, header, arrays)
    with pytest.raises(sn.ModelFileError, match=r"bent\.npz does not describe a path"):
        sn.PruningPath.load(file)
