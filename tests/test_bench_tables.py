"""What the bench on public tables computes, on made-up records and on one small table."""

import json
import math
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import synaprune  # noqa: F401 - loads the search

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
pytest.importorskip("sklearn", exc_type=ImportError)
from bench.tables import __main__ as bench
from bench.tables import figure, peers, runs, summary

SEARCH = sys.modules["synaprune.search"]


def record(table="small", shuffle=1000, *, rows=500, **changed):
    """Return a run by accuracy; `scores` are accuracies, or balanced ones by that metric."""
    accuracy = {"full": 0.90, "pruned": 0.89, "lr": 0.85, "mlp": 0.91} | changed.pop("scores", {})
    weights = {"full": 1000, "pruned": 50, "start": 500, "mlp": 1000, "lr": 10}
    balanced = changed.pop("balanced", dict.fromkeys(accuracy, 0.5))
    made = runs.Record(
        commit="abc", table=table, shuffle=shuffle, threads=1, peers=["lr", "mlp"], absent={},
        rows=rows, columns=8, inputs=10, classes=2, metric="accuracy", accuracy=accuracy,
        balanced_accuracy=balanced, seconds={"ours": 2.0, "lr": 0.1, "mlp": 1.0},
        weights=weights | changed.pop("weights", {}), structure="5-4-1", used_inputs=5,
        used_columns=4, expected=0.89, low=0.88, high=0.90, drop=0.001, standard_error=0.002,
        telling_error=0.002, test_error=0.0, one_class=False, remark="",
    )  # fmt: skip
    return replace(made, **changed)


def scored(pruned, full=0.9, **more):
    return record(scores={"pruned": pruned, "full": full}, **more)


# ---- the summary


def test_a_table_counts_once_however_often_it_was_shuffled():
    some = [scored(0.88), scored(0.90, shuffle=1001), scored(0.85, table="large", rows=1000)]
    assert summary.lost(some) == {"small": pytest.approx(-1.0), "large": pytest.approx(-5.0)}
    shown = dict(summary.lines(some))
    assert shown["pruned - full, mean over tables"] == "-3.00 points"
    assert shown["worst table of 1000 rows or more"] == "-5.00 points (large)"
    assert shown["worst table of fewer than 1000 rows"] == "-1.00 points (small)"
    assert shown["runs on 1000 rows or more that lose over 2 points"] == "100.0% of 1"


def test_runs_that_lose_much_are_counted_one_by_one():
    some = [scored(p, shuffle=i) for i, p in enumerate((0.87, 0.881, 0.9, 0.95))]
    assert summary.share_losing(some) == 0.25


def test_scores_are_those_of_the_metric_that_ours_used():
    balanced = {"full": 0.7, "pruned": 0.6, "lr": 0.65, "mlp": 0.5}
    made = record(metric="balanced_accuracy", balanced=balanced)
    assert summary.points(made, "pruned", "lr") == pytest.approx(-5.0)
    assert summary.lost([made]) == {"small": pytest.approx(-10.0)}
    assert "small (balanced)" in summary.table_rows([made])[1][0]


@pytest.mark.parametrize(
    ("score", "low", "error", "inside"),
    [
        (0.885, 0.88, 0.0, True),
        (0.875, 0.88, 0.0, False),
        (0.875, 0.86, 0.0, True),
        (0.905, 0.86, 0.0, False),  # the interval need not be even
        (0.875, 0.88, 0.01, True),  # 0.89 - hypot(0.01, 0.01645) is 0.8707
        (0.870, 0.88, 0.01, False),
        (0.905, 0.86, 0.01, True),
    ],
)
def test_the_interval_is_widened_by_the_error_of_the_test(score, low, error, inside):
    assert summary.is_covered(scored(score, low=low, test_error=error)) == inside


def test_the_better_of_two_peers_is_that_of_a_tables_means():
    """The better of each shuffle would be lucky: here it would be 0.9."""
    some = [
        record(scores={"pruned": 0.8, "lr": lr, "mlp": mlp}, shuffle=i)
        for i, (lr, mlp) in enumerate(((0.9, 0.7), (0.7, 0.9)))
    ]
    assert summary.against_better(some, ("lr", "mlp")) == {"small": pytest.approx(0.0)}
    some.append(record("other", scores={"pruned": 0.8, "lr": 0.7, "mlp": 0.82}))
    shown = dict(summary.lines(some))
    assert shown["tables more than 1.5 points below that"] == "1: other"
    assert shown["pruned - better of LR and MLP(100), mean over tables"] == "-1.00 points"
    assert shown["full - MLP(100), mean over tables"] == "+9.00 points"


def test_peers_that_are_missing_in_a_run_are_not_compared():
    some = [record(), record(shuffle=1001, accuracy={"full": 0.9, "pruned": 0.9, "lr": 0.8})]
    shown = dict(summary.lines(some))
    assert not any("MLP(100), mean" in what for what in shown)
    assert shown["pruned - LR, mean over tables"] == "+7.00 points"
    absent = [record(absent={"lassonet": "it is not installed"}), record("b")]
    assert summary.absences(absent) == ["LassoNet is skipped on 1 table: it is not installed."]


def test_sizes_and_what_is_removed():
    some = [
        record("a", weights={"pruned": 10}),
        record("b", weights={"pruned": 100}),
        record("c", weights={"pruned": 300}, telling_error=0.006),
    ]
    shown = dict(summary.lines(some))
    assert shown["weights, pruned / MLP(100), median table"] == "10.00%"
    assert summary.removed_where_told(some) == {"a": pytest.approx(0.98), "b": pytest.approx(0.8)}
    told = "removed from its start, median of the tables whose rows can tell"
    assert shown[told] == "89.0% (2 of 3 tables)"


def test_empty_networks_and_those_of_one_class_are_counted():
    some = [record("a", one_class=True), record("b", weights={"pruned": 0}), record("c")]
    assert dict(summary.lines(some))["runs that end empty or say one class"] == "2: a 1000, b 1000"


def test_times_are_told_of_tables_of_up_to_10000_rows():
    some = [
        record(str(rows), rows=rows, seconds={"ours": s})
        for rows, s in ((100, 1.0), (5000, 2.0), (10000, 9.0), (10001, 99.0))
    ]
    shown = dict(summary.lines(some))
    assert shown["seconds up to 10000 rows on 1 thread, median and most"] == "2.0, 9.0"


def test_the_table_of_tables_has_a_line_for_each():
    some = [record(), record(shuffle=1001, weights={"pruned": 70}), record("large", rows=2000)]
    header, rows = summary.table_rows(some)
    assert [row[0] for row in rows] == ["large", "small"]
    assert all(len(row) == len(header) for row in rows)
    assert rows[1][header.index("synapses")] == "1000 → 60"
    assert rows[1][header.index("columns")] == "4 of 8"
    assert "tree" not in header


@pytest.mark.parametrize("peer", ["mlp", "lr"])
def test_the_picture_is_drawn(tmp_path, peer):
    pytest.importorskip("matplotlib")
    scores = {"full": 0.9, "pruned": 0.89, peer: 0.9}
    some = [record(name, accuracy=scores) for name in "abc"]  # labels in one place
    some.append(record("d", accuracy=scores, weights={"pruned": 0}))  # on a log axis
    figure.draw(some, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


# ---- the runs


def test_a_fifth_is_tested_on_and_every_class_is_trained_on():
    labels = np.repeat([0, 1, 2, 3], [61, 30, 8, 1])
    for shuffle in range(1000, 1010):
        train, test = runs.split(labels, shuffle)
        assert sorted([*train, *test]) == list(range(100))
        assert 19 <= len(test) <= 20
        counts = np.bincount(labels[test], minlength=4)
        assert (abs(counts - [12.2, 6, 1.6, 0]) < 1).all()
    again, other = runs.split(labels, 1000)[1], runs.split(labels, 1001)[1]
    assert (runs.split(labels, 1000)[1] == again).all()
    assert not np.array_equal(again, other)


def test_shuffles_are_announced_or_start_at_1000():
    assert runs.shuffles(999, final=True) == range(11, 21)
    assert runs.shuffles(1000, final=True) == range(11, 14)
    assert runs.shuffles(999, final=False) == range(1000, 1010)
    assert runs.shuffles(1000, final=False, given=1) == range(1000, 1001)


def test_scores_and_their_error():
    truth, said = np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1])
    assert runs.scores(truth, said) == {"accuracy": 0.75, "balanced_accuracy": pytest.approx(5 / 6)}
    p = 4 / 6
    assert runs.sampling_error("accuracy", truth, said) == pytest.approx(math.sqrt(p * (1 - p) / 4))
    parts = (3 / 5 * 2 / 5 / 3, 2 / 3 * 1 / 3 / 1)
    expected = math.sqrt(sum(parts)) / 2
    assert runs.sampling_error("balanced_accuracy", truth, said) == pytest.approx(expected)
    assert runs.sampling_error("accuracy", truth, truth) > 0.0


@pytest.mark.parametrize("classes", [2, 3])
def test_weights_are_counted_as_scikit_learn_has_them(classes):
    X = np.random.default_rng(0).normal(size=(30, 5))
    y = np.arange(30) % classes
    lr = peers.PEERS["lr"](X, y, "accuracy", 0)
    assert runs.n_weights(5, classes) == lr.coef_.size
    network = pytest.importorskip("sklearn.neural_network").MLPClassifier((7,), max_iter=10000)
    assert runs.n_weights(5, 7, classes) == sum(w.size for w in network.fit(X, y).coefs_)


def test_a_tree_is_pruned_by_folds():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (X[:, 1] + rng.normal(size=200) > 0).astype(int)
    chosen = peers.PEERS["tree"](X, y, "accuracy", 0)
    assert chosen.best_params_["ccp_alpha"] > 0.0
    assert chosen.best_estimator_.get_n_leaves() < 20


def test_a_peer_that_takes_too_long_is_stopped():
    with pytest.raises(TimeoutError, match="more than 1 s"), peers._limit(1):
        time.sleep(60)


def test_rows_that_tell_are_judged_by_the_chosen_size_or_the_next():
    linear, hidden = SEARCH.CANDIDATES[0], SEARCH.CANDIDATES[2]
    curve = [
        SEARCH.CurvePoint(candidate, n, 0.9, 0.0, error)
        for candidate, n, error in (
            (linear, 4, 0.0), (linear, 3, 0.02), (hidden, 9, 0.03), (hidden, 7, 0.0)
        )
    ]  # fmt: skip

    class Found:
        pass

    found = Found()
    found.curve = curve
    for at, error in enumerate((0.02, 0.02, 0.03, 0.0)):
        found.chosen = curve[at]
        assert runs.told_by(found) == error


@pytest.fixture
def small(monkeypatch, tables_dir):
    """Make searches short, and return the options that all of these runs have."""
    monkeypatch.setattr(SEARCH._recipe, "_UPDATES", (300, 300))
    monkeypatch.setattr(SEARCH._task, "_REPEATS", 1)
    monkeypatch.setattr(bench, "commit", lambda: "abc")
    data_dir = tables_dir if (tables_dir / "tables").is_dir() else tables_dir.parent
    return ["--data-dir", str(data_dir), "--jobs", "1", "--peers", "lr"]


def test_a_small_table_from_end_to_end(small, tmp_path, capsys, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("only --final is logged")

    monkeypatch.setattr(bench, "write_results", forbidden)
    file = tmp_path / "records.jsonl"
    options = [*small, "--tables", "fruit", "--shuffles", "1", "--json", str(file)]
    bench.main(options)
    said = capsys.readouterr().out
    assert "fruit" in said
    assert "pruned - LR" in said
    (found,) = runs.read(file)
    assert (found.table, found.shuffle, found.metric, found.rows) == ("fruit", 1000, "accuracy", 59)
    assert found.accuracy.keys() == {"full", "pruned", "lr"}
    assert found.weights["pruned"] <= found.weights["start"]
    assert json.loads(file.read_text()) == asdict(found)

    monkeypatch.setattr(runs, "run", forbidden)  # all is there
    bench.main(options)
    bench.main([*small, "--json", str(file), "--no-runs"])
    assert "| fruit | 59 |" in capsys.readouterr().out
    monkeypatch.setattr(bench, "commit", lambda: "def")
    with pytest.raises(SystemExit, match="AssertionError"):  # it would run again
        bench.main(options)


def test_final_runs_are_logged_and_write_results_if_told(small, tmp_path, monkeypatch):
    made = [record(shuffle=11), record(shuffle=1000)]
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(asdict(r)) + "\n" for r in made))
    written, drawn = [], []
    monkeypatch.setattr(bench, "write_results", lambda *a: written.append(a))
    monkeypatch.setattr(bench.figure, "draw", lambda records, file: drawn.append((records, file)))
    options = [*small, "--json", str(file), "--no-runs"]
    bench.main([*options, "--final"])
    bench.main([*options, "--final", "--write"])
    assert [a[:2] for a in written] == [("tables", ""), ("tables", bench.TITLE)]
    assert "--no-runs" in written[0][2]
    assert str(tmp_path) not in "".join(map(str, written))
    assert drawn == [(made[:1], bench.RESULTS / "tables.png")]
    for wrong in (["--write"], ["--final", "--write", "--tables", "fruit"], ["--peers", "svm"]):
        with pytest.raises(SystemExit):
            bench.main([*options, *wrong])


def test_nothing_is_taken_from_records_of_changes_without_a_commit(small, tmp_path, monkeypatch):
    job = runs.Job(tmp_path, "small", 1000, ("lr",), 1, "abc")
    assert record().answers(job)
    for changed in ({"shuffle": 1001}, {"commit": "d"}, {"threads": 2}, {"peers": ("lr", "hgb")}):
        assert not record().answers(replace(job, **changed))
    file = tmp_path / "records.jsonl"
    file.write_text(json.dumps(asdict(record(commit="abc-dirty"))) + "\n")
    monkeypatch.setattr(runs, "run", lambda job: record(commit=job.commit))
    for state, length in (("abc-dirty", 2), ("abc", 3), ("abc", 3)):
        found, failed = runs.completed([replace(job, commit=state)], file, 1)
        assert [r.commit for r in found] == [state]
        assert not failed
        assert len(runs.read(file)) == length
