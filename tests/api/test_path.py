"""`PruningPath`: every accepted network comes back; select, figures, files."""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from synaprune.io import read_model, write_model

KEYS = {
    "step", "n_synapses", "n_inputs", "n_removed", "structure", "criterion", "epochs",
    "accuracy_before", "accuracy", "p_value", "bound",
}  # fmt: skip


@pytest.fixture
def accepted(monkeypatch):
    """Copies of the networks as they were accepted, in turn."""
    copies = []
    add = sn.PruningPath.add

    def recording(self, net, **record):
        copies.append(net.copy())
        return add(self, net, **record)

    monkeypatch.setattr(sn.PruningPath, "add", recording)
    return copies


@pytest.fixture(scope="module")
def runs(trained3):
    """Make (path, X, y) of a run, by name; kept, since paths are not changed by use."""
    net, X, y = trained3()
    recipe = sn.Training(batch_size=16, optimizer=sn.SGD(0.1))
    paths = {
        "iterative": sn.prune(
            net, X, y, validation=(X, y), max_drop=0.02, training=recipe,
            strategy=sn.Iterative(4, n_candidates=3, search_budget=0),
        ),
        "gradual": sn.prune(
            net, X, y, validation=(X, y), n_synapses=9, training=replace(recipe, epochs=12)
        ),
    }  # fmt: skip
    assert all(len(path) > 5 for path in paths.values())
    return lambda name: (paths[name], X, y)


HEAVY = sn.Training(optimizer=sn.SGD(0.1, momentum=0.5))
both = pytest.mark.parametrize("run", ["iterative", "gradual"])


@pytest.mark.parametrize("criterion", sn.CRITERIA)
@pytest.mark.parametrize(
    "target",
    [
        {"max_drop": 0.02, "strategy": sn.Iterative(3, search_budget=0), "training": HEAVY},
        {"n_synapses": 9, "training": replace(HEAVY, epochs=10)},
    ],
)
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_every_step_comes_back_as_it_was_accepted(
    criterion, target, activation, accepted, trained3, tmp_path, bits
):
    _, X, y = trained3()
    net = sn.SparseMLP((5, 6, 4, 3), activation=activation, init_scale=1.0, seed=2)
    net.input_names = tuple("abcde")
    net.fit(X, y, training=sn.Training(30, batch_size=8, optimizer=sn.SGD(0.3)))
    path = sn.prune(net, X, y, validation=(X, y), criterion=criterion, **target)
    assert len(path) == len(accepted) > 2
    path.save(tmp_path / "path.npz")
    loaded = sn.PruningPath.load(tmp_path / "path.npz")
    for i, was in enumerate(accepted):
        for p in (path, loaded):
            assert bits(p.network(i)) == bits(was)
            assert bits(p.network(i - len(path))) == bits(was)
    assert bits(path.smallest) == bits(loaded.smallest) == bits(accepted[-1])
    assert bits(path.network(0)) != bits(path.smallest)


@both
def test_networks_of_a_path_are_copies(run, runs, bits):
    path, X, y = runs(run)
    before = [bits(path.network(i)) for i in range(len(path))]
    for i in range(len(path)):
        path.network(i).fit(X, y, training=sn.Training(1)).reset(3)
    assert [bits(path.network(i)) for i in range(len(path))] == before


@both
def test_figures_are_those_of_the_networks(run, runs):
    path, X, y = runs(run)
    first = path.network(0).predict(X) == y
    for i, step in enumerate(path):
        net = path.network(i)
        right = net.predict(X) == y
        assert step.step == i
        assert step.score == net.score(X, y) == right.mean()
        assert (step.n_synapses, step.n_inputs) == (net.n_synapses, net.n_used_inputs)
        assert step.structure == net.structure
        assert step.criterion == "wsf"
        a, b = int((first & ~right).sum()), int((right & ~first).sum())
        tail = sum(math.comb(a + b, k) for k in range(min(a, b) + 1)) / 2 ** (a + b)
        assert step.p_value == pytest.approx(min(1.0, 2 * tail), rel=1e-12)
        assert step.score_after_cut == step.score or step.epochs > 0
    assert path.steps[0].p_value == 1.0
    assert len(list(path)) == len(path) == len(path.steps)


@both
def test_removals_add_up(run, runs):
    path, _, _ = runs(run)
    removed = [step.n_removed for step in path]
    counts = [step.n_synapses for step in path]
    assert removed[0] == 0
    assert (-np.diff(counts) == removed[1:]).all()
    assert min(removed[1:]) >= 1
    assert counts[0] - sum(removed) == counts[-1]


@both
def test_survivors_keep_their_place_and_their_initial_weight(run, runs):
    path, _, _ = runs(run)
    full = path.network(0).weights
    below = [set(range(len(w.values))) for w in full]
    for i in range(len(path)):
        for j, (w, whole) in enumerate(zip(path.network(i).weights, full, strict=True)):
            rows = np.repeat(np.arange(len(w.bias)), np.diff(w.indptr))
            places = rows * w.n_in + w.indices  # the full network is fully connected
            assert set(places) <= below[j]
            below[j] = set(places)
            assert (w.initial == whole.initial[places]).all()


@both
def test_table_has_a_line_a_step(run, runs):
    path, _, _ = runs(run)
    head, *lines = path.table().splitlines()
    assert head.split() == [
        "step", "synapses", "inputs", "structure", "epochs", "after", "cut", "score", "p"
    ]  # fmt: skip
    assert len({len(line) for line in (head, *lines)}) == 1
    for line, s in zip(lines, path, strict=True):
        cells = line.split()
        assert cells[:5] == list(
            map(str, (s.step, s.n_synapses, s.n_inputs, s.structure, s.epochs))
        )
        assert cells[5:] == [f"{s.score_after_cut:.4f}", f"{s.score:.4f}", f"{s.p_value:.3f}"]


@both
def test_json_has_the_promised_keys(run, runs):
    path, _, _ = runs(run)
    records = json.loads(path.to_json())
    assert len(records) == len(path)
    for record, step in zip(records, path, strict=True):
        assert set(record) == KEYS
        named = {"accuracy": "score", "accuracy_before": "score_after_cut"}
        expected = {key: getattr(step, named.get(key, key)) for key in KEYS}
        assert record == step.record() == expected
        counts = (record[n] for n in ("step", "n_synapses", "n_inputs", "n_removed", "epochs"))
        assert all(type(count) is int for count in counts)


def test_repr_says_from_where_to_where(runs, trained):
    path, _, _ = runs("gradual")
    last = path.steps[-1]
    assert repr(path).startswith(f"PruningPath({len(path)} steps, 5-8-3 → {last.structure}, 64 → ")
    assert repr(sn.PruningPath(trained())) == "PruningPath(empty)"
    assert "living" not in repr(last)


# --- select -------------------------------------------------------------------------------------


@both
def test_select_gives_the_smallest_that_meets_all(run, runs, bits):
    path, _, _ = runs(run)
    counts = [None, *sorted({s.n_synapses + d for s in path for d in (0, 1)})]
    inputs = [None, *sorted({s.n_inputs for s in path})]
    accuracies = [None, *sorted({s.score + d for s in path for d in (0, -1e-6)})]
    refused = 0
    for n, i, a in itertools.product(counts, inputs, accuracies):
        given = {"n_synapses": n, "n_inputs": i, "min_accuracy": a}
        given = {name: value for name, value in given.items() if value is not None}
        fits = [
            s for s in path
            if (n is None or s.n_synapses <= n)
            and (i is None or s.n_inputs <= i)
            and (a is None or s.score >= a)
        ]  # fmt: skip
        if not fits:
            refused += 1
            with pytest.raises(ValueError, match=r"no network of the path meets .*nearest is step"):
                path.select(**given)
            continue
        got = path.select(**given)
        best = min(fits, key=lambda s: (s.n_synapses, -s.score))
        assert bits(got) == bits(path.network(best.step))
    assert refused > 0


def test_select_names_what_was_asked_and_the_nearest(runs):
    path, _, _ = runs("gradual")
    last = path.steps[-1]
    best = max(path, key=lambda s: s.score)
    too_few, too_good = last.n_synapses - 1, best.score + 0.01
    nearest = rf"nearest is step {last.step}: {last.structure}, {last.n_synapses} synapses, "
    with pytest.raises(ValueError, match=rf"meets n_synapses={too_few}; the {nearest}score 0\."):
        path.select(n_synapses=too_few)
    with pytest.raises(
        ValueError, match=rf"meets min_accuracy={too_good}; .* score {best.score:.4f}"
    ):
        path.select(min_accuracy=too_good)
    with pytest.raises(ValueError, match=rf"meets n_synapses={too_few}, min_accuracy=0\.1; "):
        path.select(n_synapses=too_few, min_accuracy=0.1)


def test_select_of_equally_small_steps_gives_the_more_accurate(trained, data):
    path = sn.PruningPath(trained())
    for accuracy in (0.5, 0.75, 0.6):
        net = trained().fit(*data, training=sn.Training(len(path) + 1))
        path.add(net, criterion="wsf", epochs=1, score_after_cut=0.5, score=accuracy,
                 p_value=1.0)  # fmt: skip
    assert path.select(n_synapses=30)._core.rng_state == path.steps[1].rng_state


@pytest.mark.parametrize("name", ["n_synapses", "n_inputs", "min_accuracy"])
def test_select_refuses_what_is_no_number(name, runs):
    for value in (math.nan, "5", [5], True):
        with pytest.raises((TypeError, ValueError), match=rf"^{name} must be "):
            runs("iterative")[0].select(**{name: value})


def test_select_takes_zero_at_its_word(data, trained):
    net = trained().set_weights(
        [
            sn.SparseLayer(4, [0, 1, 1, 1, 1, 1, 1], [2], [1.0], [0.0], np.zeros(6)),
            sn.SparseLayer(6, [0, 1], [0], [1.0], [0.0], [0.0]),
        ]
    )
    path = sn.PruningPath(net)
    path.add(net, criterion="wsf", epochs=0, score_after_cut=1.0, score=1.0, p_value=1.0)
    assert path.steps[0].n_inputs == 1
    with pytest.raises(ValueError, match="no network of the path meets n_inputs=0"):
        path.select(n_inputs=0)


def test_a_step_that_is_not_there_is_an_index_error(runs):
    path, _, _ = runs("gradual")
    for step in (len(path), -len(path) - 1):
        for call in (path.network, path.removed):
            with pytest.raises(IndexError, match=rf"^step must be from .* to .*, got {step}$"):
                call(step)


def test_an_empty_path_says_so(trained, tmp_path):
    path = sn.PruningPath(trained())
    assert len(path) == 0
    assert path.to_json() == "[]"
    with pytest.raises(ValueError, match="the path has no step to save"):
        path.save(tmp_path / "x")
    with pytest.raises(IndexError):
        _ = path.smallest
    with pytest.raises(ValueError, match="path"):
        path.select()


# --- files --------------------------------------------------------------------------------------


@both
def test_save_and_load(run, runs, tmp_path, bits):
    path, X, y = runs(run)
    path.save(tmp_path / "a.npz")
    loaded = sn.PruningPath.load(str(tmp_path / "a.npz"))
    for name in ("epochs", "stop_reason", "options", "data_sha256"):
        assert getattr(loaded, name) == getattr(path, name)
    assert loaded.to_json() == path.to_json()
    assert loaded.table() == path.table()
    assert repr(loaded) == repr(path)
    for mine, theirs in zip(path, loaded, strict=True):
        assert mine.rng_state == theirs.rng_state
        for name in ("living", "values", "biases"):
            a, b = getattr(mine, name), getattr(theirs, name)
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
    middle = len(path) // 2
    nets = [p.network(middle).fit(X, y, training=sn.Training(1)) for p in (path, loaded)]
    assert bits(nets[0]) == bits(nets[1])
    loaded.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_options_and_hash_are_saved_along(runs, tmp_path):
    runs("iterative")[0].save(tmp_path / "a.npz")
    path = sn.PruningPath.load(tmp_path / "a.npz")
    path.options = {"hidden": [8], "name": "größe", "lr": 0.1, "none": None}
    path.data_sha256 = "00" * 32
    path.save(tmp_path / "b.npz")
    again = sn.PruningPath.load(tmp_path / "b.npz")
    assert (again.options, again.data_sha256) == (path.options, path.data_sha256)


def test_names_and_labels_come_back_with_every_step(trained3, tmp_path):
    _, X, y = trained3()
    labels = np.array(["ä", "b", "c"])[y]
    net = sn.SparseMLP((5, 8, 3), init_scale=1.0)
    net.input_names = ("p", "q", "r", "s", "t")
    path = sn.prune(net, X, labels, validation=(X, labels), n_synapses=20, training=sn.Training(6))
    path.save(tmp_path / "a.npz")
    for p in (path, sn.PruningPath.load(tmp_path / "a.npz")):
        for i in range(len(path)):
            assert p.network(i).input_names == ("p", "q", "r", "s", "t")
            assert p.network(i).score(X, labels) == p.steps[i].score


BENT_HEADERS = {
    "no steps": lambda h: {"path": []},
    "a count too high": lambda h: {"path": [{**h["path"][0], "n_synapses": 10**6}, *h["path"][1:]]},
    "an odd key": lambda h: {"path": [{**h["path"][0], "odd": 1}, *h["path"][1:]]},
    "a step too few": lambda h: {"path": h["path"][:-1]},
    "steps a number": lambda h: {"path": 5},
    "steps null": lambda h: {"path": None},
    "no start": lambda h: {"start": None},
}
BENT_ARRAYS = {
    "living": [lambda a: a[:-1], lambda a: a + 10**6, lambda a: a - 10**6, lambda a: a[::-1]],
    "values": [lambda a: a[:-1], lambda a: a * np.float32(np.nan)],
    "biases": [lambda a: a[:-1], lambda a: a * np.float32(np.nan), lambda a: a[:0]],
}


@pytest.fixture
def refuses(runs, tmp_path):
    """Make a path file anew with parts replaced, its checksum right, and see it refused."""
    file = tmp_path / "bent.npz"
    runs("gradual")[0].save(file)
    header, arrays = read_model(file)

    def check(change_header=lambda header: {}, **change_arrays):
        changed = {f"path/{n}": change(arrays[f"path/{n}"]) for n, change in change_arrays.items()}
        write_model(file, {**header, **change_header(header)}, {**arrays, **changed})
        with pytest.raises(sn.ModelFileError, match=r"bent\.npz does not describe a path"):
            sn.PruningPath.load(file)

    return check


@pytest.mark.parametrize("fault", BENT_HEADERS)
def test_a_whole_file_with_a_wrong_header_is_refused(fault, refuses):
    refuses(BENT_HEADERS[fault])


@pytest.mark.parametrize("name", BENT_ARRAYS)
def test_a_whole_file_with_wrong_arrays_is_refused(name, refuses):
    for change in BENT_ARRAYS[name]:
        refuses(**{name: change})


def test_path_imports_neither_plots_nor_report():
    """Importing it used to need both, though only two methods use them."""
    package = Path(sn.__file__).parent
    code = f"""
import sys, types
package = types.ModuleType("synaprune")
package.__path__ = [{str(package)!r}]  # without __init__, which imports everything
sys.modules["synaprune"] = package
import synaprune.path
print([name for name in ("plots", "report", "pruning") if f"synaprune.{{name}}" in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")
