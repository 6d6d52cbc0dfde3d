"""``synaprune prune FILE`` and ``predict`` on tables as people have them."""

import functools
import gzip
import io
import itertools
import json
import re
import sys

import numpy as np
import pytest
import synaprune as sn
from console.process import read_json, run, spawn, succeed
from synaprune.cli import found

COLOURS = ("red", "blue", "green")


def fruit(n=90, separator=",", header=True):
    rows = [["id", "size", "colour", "note", "kind"]] if header else []
    for i in range(n):
        size = "" if i % 11 == 0 else f"{(i * 37 % 101) / 10:.1f}"
        rows.append([f"{7 * i % n}", size, COLOURS[i % 3], f"text {i}", "yes" if i % 3 else "no"])
    return "".join(separator.join(row) + "\n" for row in rows)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Searches that take a second: what they find is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sn.search._recipe, "_UPDATES", (500, 500))
        patch.setattr(sn.search._task, "_REPEATS", 1)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A raw file, and what a default run makes of it."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "fruit.csv").write_text(fruit())
    files = ("--out", "m.npz", "--json", "m.json", "--report", "m.html")
    out = succeed("prune", "fruit.csv", "--target", "kind", *files, cwd=folder)
    (folder / "out.txt").write_text(out)
    return folder


def test_what_a_run_says(folder):
    out = (folder / "out.txt").read_text()
    flat = " ".join(out.split())
    first = out.splitlines()[0]
    assert first.startswith("fruit.csv: 90 rows, 4 columns, target 'kind' of 2 classes (no 30, yes")
    assert "left out: 'id' (an identifier" in out
    assert "'note' (text that differs from row to row)" in flat
    assert "Asked: the accuracy may fall 0.5 points below that of the best full network." in out
    assert re.search(r"accuracy, fresh data +│ +100.00% │ +100.00%", out)
    assert "Columns used, 1 of 4: colour" in out
    assert "Next: synaprune predict m.npz NEW_ROWS.csv" in out
    assert (folder / "m.html").stat().st_size > 10_000


def test_the_record(folder):
    record = read_json(folder / "m.json")
    assert set(record) == {
        "dataset", "seed", "options", "start", "final", "metric", "max_drop", "remark", "expected",
        "expected_full", "curve", "left_out", "notes", "epochs", "seconds", "version",
        "stop_reason", "path",
    }  # fmt: skip
    assert record["options"] == {"max_drop": 0.005, "metric": "auto"}
    assert record["metric"] == "accuracy"
    assert record["final"]["columns"] == ["colour"]
    assert (
        record["final"]["inputs"] == [f"colour={c}" for c in ("red",)] or record["final"]["inputs"]
    )
    assert set(record["expected"]) >= {"value", "low", "high", "method"}
    assert record["path"][-1]["n_synapses"] == record["final"]["n_synapses"]
    assert set(record["curve"][0]) == {
        "candidate", "n_synapses", "score", "drop", "standard_error",
    }  # fmt: skip


def test_predict_takes_raw_rows_with_the_columns_that_live(folder):
    (folder / "new.csv").write_text("colour,other\ngreen,1\nred,2\nmauve,3\n")
    out = succeed("predict", "m.npz", "new.csv", cwd=folder)
    assert out.splitlines()[:2] == ["yes", "no"]
    with gzip.open(folder / "new.csv.gz", "wt") as file:
        file.write("size;colour\n1,5;blue\n")
    assert succeed("predict", "m.npz", "new.csv.gz", cwd=folder) == "yes\n"


def test_predict_reads_standard_input(folder, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"colour\nred\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert succeed("predict", "m.npz", "-", cwd=folder) == "no\n"


def test_a_file_without_a_header(tmp_path):
    rows = [f"{i % 7},{(i * 5 % 11) / 2},{int(i % 7 > 3)}" for i in range(80)]
    (tmp_path / "t.data").write_text("\n".join(rows) + "\n")
    out = succeed("prune", "t.data", "--target", "-1", "--out", "m.npz", cwd=tmp_path)
    assert "no header: columns are called c0 to c2" in out
    assert "Columns used, 1 of 2: c0" in out
    (tmp_path / "new.data").write_text("6,0\n1,0\n")
    assert succeed("predict", "m.npz", "new.data", cwd=tmp_path) == "1\n0\n"


def test_json_on_stdout_is_nothing_else(folder):
    out = succeed("prune", "fruit.csv", "--target", "kind", "--json", "-", "--runs", 2, cwd=folder)
    record = json.loads(out)
    assert [run["seed"] for run in record["runs"]] == [0, 1]
    assert not (folder / "-").exists()


def test_a_recipe_leads_to_the_job_with_splits(folder):
    args = ("prune", "fruit.csv", "--target", "kind", "--hidden", 3, "--epochs", 20)
    done = run(*args, "--synapses", 6, "--drop", "size", "--json", "j.json", cwd=folder)
    assert done.returncode == 0
    assert "accuracy, validation" in done.stdout
    assert read_json(folder / "j.json")["start"]["structure"].startswith("3-3-1")


def test_that_nothing_was_learned_is_said_once(folder, monkeypatch):
    quick = functools.partial(sn.smallest_network, candidates=[sn.search.Candidate((), 0.0)])
    monkeypatch.setattr(found, "smallest_network", quick)
    rows = "".join(f"{i % 7},{i % 5},{'yes' if i * i % 11 < 4 else 'no'}\n" for i in range(120))
    (folder / "chance.csv").write_text(f"a,b,kind\n{rows}")
    done = run("prune", "chance.csv", "--target", "kind", "--synapses", 2, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("No network that was tried has a better") == 1


def test_a_count_alone_is_searched_for(folder):
    args = ("prune", "fruit.csv", "--target", "kind", "--synapses", 2, "--out", "m.npz")
    out = succeed(*args, "--json", "j.json", cwd=folder)
    assert "Asked: the best accuracy with at most 2 synapses." in out
    assert "full network" not in out
    assert "The network is trained on all rows." in " ".join(out.split())
    record = read_json(folder / "j.json")
    assert record["options"] == {"metric": "auto", "n_synapses": 2}
    assert (record["max_drop"], record["expected_full"]) == (None, None)
    assert record["start"]["score"] == {}
    assert record["final"]["n_synapses"] <= 2
    assert record["expected"]["value"] > 0.5
    assert "n_synapses=2" in succeed("info", "m.npz", cwd=folder)
    done = run(*args, "--max-drop", 0.1, cwd=folder)
    assert done.returncode == 2
    assert "at most one of --synapses, --max-drop" in done.stderr


def test_what_fewer_synapses_would_cost_is_shown(tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 3))
    rows = [",".join(f"{v:.3f}" for v in x) + f",{int(x @ (3, 2, 1) > 0)}" for x in X]
    (tmp_path / "t.csv").write_text("a,b,c,y\n" + "\n".join(rows) + "\n")
    out = succeed("prune", "t.csv", "--json", "j.json", cwd=tmp_path)
    told = re.findall(r"│ +(\d+)( \*)? │ +(-?[\d.]+)% │ +[\d.]+% │", out)
    record = read_json(tmp_path / "j.json")
    drops = {(point["n_synapses"], f"{100 * point['drop']:.2f}") for point in record["curve"]}
    assert {(int(n), drop) for n, _, drop in told} <= drops
    sizes = [int(n) for n, _, _ in told]
    assert [mark for _, mark, _ in told] == [""] * (len(told) - 1) + [" *"]
    assert sizes[0] == 1
    assert all(2 * small <= large for small, large in itertools.pairwise(sizes))
    assert f"For one of the smaller: --synapses {sizes[-2]}." in out


def test_options_of_files_are_refused_for_named_datasets(tmp_path):
    for flags in (["--drop", "x1"], ["--keep", "x1"], ["--no-header"], ["--separator", ";"]):
        done = run("prune", "xor", *flags, cwd=tmp_path)
        assert done.returncode == 2
        assert "apply to files" in done.stderr


def test_a_reader_that_has_gone_loses_no_file(folder):
    script = (
        "import sys; from synaprune import search; from synaprune.cli import main; "
        "search._recipe._UPDATES = 500, 500; search._task._REPEATS = 1; sys.exit(main())"
    )
    done = spawn(
        "-c",
        script,
        "prune", "fruit.csv", "--target", "kind", "--out", "full.npz", "--json", "full.json",
        command=("sh", "-c", '"$0" "$@" >/dev/full', sys.executable),
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert (folder / "full.npz").exists()
    assert read_json(folder / "full.json")["final"]["columns"] == ["colour"]


# ---- numbers to predict


def prices(n=120):
    rows = [f"{i % 13},{'red' if i % 3 else 'blue'},{100.5 + 7.25 * (i % 13)}" for i in range(n)]
    return "\n".join(["size,colour,price", *rows]) + "\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "prices.csv").write_text(prices())
    return folder


def test_a_target_of_amounts_is_a_regression(shop):
    out = succeed(
        "prune", "prices.csv", "--target", "price", "--out", "p.npz", "--json", "p.json", cwd=shop
    )
    flat = " ".join(out.split())
    assert "target 'price' from 100.5 to 187.5" in flat
    assert "Asked: the r2 may fall 0.005 below that of the best full network." in flat
    assert "Columns used, 1 of 2: size" in flat
    record = read_json(shop / "p.json")
    assert record["metric"] == "r2"
    assert record["final"]["accuracy"] == {}
    assert record["final"]["score"]["train"] > 0.99
    (shop / "new.csv").write_text("size\n2\n12\n")
    told = [float(line) for line in succeed("predict", "p.npz", "new.csv", cwd=shop).split()]
    assert told == pytest.approx([115.0, 187.5], abs=2.0)
    done = run("predict", "p.npz", "new.csv", "--proba", cwd=shop)
    assert done.returncode == 2
    assert "predicts numbers, not classes" in done.stderr


def test_a_recipe_of_numbers(shop):
    args = ("prune", "prices.csv", "--target", "price", "--synapses", 6, "--epochs", 60)
    out = succeed(*args, "--json", "j.json", cwd=shop)
    assert "r2, test" in out
    assert "accuracy" not in out
    record = read_json(shop / "j.json")
    assert record["options"]["metric"] == "r2"
    assert record["start"]["accuracy"] == {}
    out = succeed(*args, "--loss", "huber", "--metric", "neg_mean_absolute_error", cwd=shop)
    assert "neg mean absolute error, validation" in out
    out = succeed(*args, "--runs", 2, cwd=shop)
    assert "score, test" in out


def test_a_metric_says_what_the_target_is(shop):
    np.savez(shop / "n.npz", X=np.arange(60.0)[:, None] % 7, y=np.arange(60) % 7)
    for flags in ((), ("--hidden", 4, "--epochs", 20, "--synapses", 4)):
        assert "r2" in succeed("prune", "n.npz", "--metric", "r2", *flags, cwd=shop)
    done = run("prune", "xor", "--loss", "squared_error", cwd=shop)
    assert "loss 'squared_error' is one of numbers, but xor holds classes" in done.stderr
    done = run("prune", "prices.csv", "--target", "price", "--metric", "accuracy", cwd=shop)
    assert "of 13 classes" in done.stdout
    done = run("prune", "prices.csv", "--target", "colour", "--metric", "r2", cwd=shop)
    assert done.returncode == 2
    assert "'colour' must hold numbers, got 'blue'" in done.stderr


def test_numbers_have_their_page(shop):
    args = ("prune", "prices.csv", "--target", "price", "--synapses", 6, "--epochs", 20)
    succeed(*args, "--out", "n.npz", "--report", "n.html", cwd=shop)
    again = ("report", "n.npz", "--data", "prices.csv", "--target", "price", "--out", "m.html")
    succeed(*again, cwd=shop)
    for page in ("n.html", "m.html"):
        text = (shop / page).read_text(encoding="utf-8")
        told = json.loads(re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)[1])
        assert told["numbers"] == ["y"]
        assert told["responses"]["curves"][0]["input"] == "size"
        assert told["summary"]["accuracy"]["test"]["n"] == 24
