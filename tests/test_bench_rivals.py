"""What the bench of rivals computes, on made-up rows and records."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
pytest.importorskip("sklearn", exc_type=ImportError)
from bench.rivals import __main__ as bench
from bench.rivals import figure, peers, runs


@pytest.fixture(scope="module")
def rows():
    """Three classes that two of six inputs tell apart."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 6)).astype(np.float32)
    y = (X[:, 0] > 0) + 1 * (X[:, 0] * X[:, 1] > 0)
    return peers.Rows((X[:300], y[:300]), (X[300:400], y[300:400]), (X[400:], y[400:]))


def test_a_condition_is_found_where_it_begins():
    for n in range(1, 9):
        for first in range(n):
            assert peers.bisect(n, lambda at, first=first: at >= first) == first


@pytest.mark.parametrize("most", [1, 3, 5, 40])
def test_trees_are_as_small_as_they_are_asked_for(rows, most):
    from sklearn.tree import DecisionTreeClassifier

    found = peers.tree(rows, most, 0)
    assert found.size <= 2 * most - 1
    if most == 1:
        assert found.size == 1
    # The naive way: every tree of both paths.
    errors = []
    for criterion in peers.CRITERIA:
        grown = DecisionTreeClassifier(criterion=criterion, random_state=0)
        for alpha in grown.cost_complexity_pruning_path(*rows.train).ccp_alphas:
            made = grown.set_params(ccp_alpha=max(alpha, 0.0)).fit(*rows.train)
            if made.get_n_leaves() <= most:
                errors.append(np.mean(made.predict(rows.validation[0]) != rows.validation[1]))
    assert min(errors) <= found.validation <= min(errors) + 0.02  # some alphas stand for all


@pytest.mark.parametrize("classes", [2, 3])
def test_masked_networks_end_with_their_count(rows, classes):
    pytest.importorskip("torch").set_num_threads(1)
    pairs = [(X, np.minimum(y, classes - 1)) for X, y in (rows.train, rows.validation, rows.test)]
    net = peers.MaskedMLP((6, 25, 1 if classes == 2 else 3), 1e-2, 1e-4, 0)
    net.fit(*pairs[0], 40, 0.2)
    assert net.n_synapses == 40
    assert sum(int((W != 0).sum()) for W in net.weights) <= 40
    said = net.predict(pairs[2][0])
    assert set(said) <= set(range(classes))
    found = peers.magnitude_pruning(peers.Rows(*pairs), 10, 0.3, 0)
    assert found.size <= 10


def test_a_path_of_lassonet_is_cut_short_or_gives_small_networks(rows):
    pytest.importorskip("torch")
    pytest.importorskip("lassonet")
    assert peers.lassonet(rows, [30, 60], 0.01, 0) == ({}, f"its path did not end within "
        f"{peers.PATIENCE} times our longest search")  # fmt: skip


def test_rows_are_the_same_for_all_and_never_overlap(monkeypatch):
    monkeypatch.setattr(runs, "MOST_ROWS", (500, 100))
    one, again, other = (runs.rows_of(Path(), "digits", s) for s in (1000, 1000, 1001))
    assert [len(y) for _, y in (one.train, one.validation, one.test)] == [500, 100, 359]
    assert one.n_classes == 10
    assert np.array_equal(one.train[0], again.train[0])
    assert not np.array_equal(one.train[0], other.train[0])
    seen = {row.tobytes() for row in np.concatenate([one.train[0], one.validation[0]])}
    assert not seen & {row.tobytes() for row in one.test[0]}


def record(table="digits", shuffle=1000, ours=0.10, **errors):
    """A run with the same error at each size; `None` is no network."""
    errors = {"ours": ours, "torch": 0.12, "lassonet": None, "tree": 0.10, "splits": 0.09} | errors
    counts = runs.TABLES[table]
    found = {
        name: {str(n): asdict(peers.Found(n, 0.1, e, "2-1")) for n in counts if e is not None}
        for name, e in errors.items()
    }
    seconds = {str(n): 2.0 for n in counts}
    return runs.Record("abc", table, shuffle, [3, 2, 1], 64, 10, found, seconds, "it is slow")


def test_the_verdict_says_who_wins_where():
    told = bench.verdict([record(), record(shuffle=1001, ours=0.11, torch=0.13), record("letter",
        ours=0.2)])  # fmt: skip
    assert told[0] == (
        "Against torch: of 8 sizes of tables ours has at least 1 point less error in 4 and at "
        "least 1 more in 4; the mean difference is +3.00 points. Ours is better at digits 30 "
        "(-2.0), 100 (-2.0), 300 (-2.0), 1000 (-2.0); worse at letter 100 (+8.0), 300 (+8.0), 1000 "
        "(+8.0), 3000 (+8.0)."
    )
    assert told[1] == "LassoNet: no figures."
    assert told[-1].startswith("LassoNet on digits, letter: it is slow")


def test_a_mean_needs_all_shuffles():
    some = [record(lassonet=0.3), record(shuffle=1001, lassonet=0.1)]
    assert figure.mean_error(some, "lassonet", 30) == pytest.approx(0.2)
    assert figure.mean_error([*some, record()], "lassonet", 30) is None


def test_only_final_runs_of_all_tables_write_results(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    made, written, drawn = [], [], []
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(bench, "write_results", lambda *a: written.append(a))
    monkeypatch.setattr(
        bench, "run", lambda folder, table, s, state: made.append((table, s)) or record(table, s)
    )
    draw = figure.draw
    monkeypatch.setattr(figure, "draw", lambda r, file: drawn.append(file) or draw(r, file))
    kept = ["--json", str(tmp_path / "records.jsonl")]
    bench.main(["--tables", "digits", *kept])
    assert made == [("digits", 1000), ("digits", 1001)]
    assert not written
    assert not drawn
    assert "| digits | 3/2/1, 64, 10 | 30 | **10.0%** | 12.0% | – | **10.0%** | 9.0% | 2.0 |" in (
        capsys.readouterr().out
    )
    bench.main(["--tables", "digits", *kept])  # all is there
    assert len(made) == 2
    assert len([json.loads(line) for line in (tmp_path / "records.jsonl").open()]) == 2
    bench.main(["--final", "--tables", "digits"])
    bench.main(["--final"])
    assert [(name, title) for name, title, *_ in written] == [
        ("rivals", ""), ("rivals", "Small classifiers at equal sizes"),
    ]  # fmt: skip
    assert {s for _, s in made[2:]} == {11, 12}
    assert drawn == [tmp_path / "rivals.png"]
    assert drawn[0].stat().st_size > 5000
