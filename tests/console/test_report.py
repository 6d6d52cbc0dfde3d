"""``synaprune report`` and ``prune --report``: pages from the console."""

import json
import re

import pytest
from console.process import QUICK, assert_error, flowers, run, succeed


def facts_of(file):
    text = file.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a table, its model, and the page that the same run wrote."""
    folder = tmp_path_factory.mktemp("report")
    table = flowers(folder)
    files = ("--out", folder / "m.npz", "--report", folder / "run.html", "--quiet")
    succeed("prune", table, "--target", "kind", *QUICK, *files)
    return folder


def test_a_run_writes_its_page(model):
    told = facts_of(model / "run.html")
    assert told["summary"]["dataset"] == "flowers.csv"
    assert told["classes"] == ["rose", "tulip"]
    assert told["summary"]["contract"] == {"max_drop": 0.005, "metric": "accuracy"}
    assert told["units"]["replicated_on"] == "test"
    assert told["origin"]["option strategy"] == "iterative"
    assert told["curve"]


def test_a_saved_model_gives_the_same_page(model):
    table = model / "flowers.csv"
    args = ("report", model / "m.npz", "--data", table, "--target", "kind")
    assert succeed(*args, "--out", model / "again.html") == f"wrote {model / 'again.html'}\n"
    first, second = facts_of(model / "run.html"), facts_of(model / "again.html")
    for told in (first, second):
        del told["origin"]["page made at"]
    assert first == second


def test_without_data_the_page_says_so(model):
    succeed("report", model / "m.npz", "--out", model / "bare.html")
    told = facts_of(model / "bare.html")
    assert told["units"] is None
    assert told["samples"] is None
    assert told["network"]["synapses"]


def test_other_data_are_warned_of(model, tmp_path):
    text = (model / "flowers.csv").read_text() + "1.5,1.5,rose\n"
    table = flowers(tmp_path, text)
    args = ("report", model / "m.npz", "--data", table, "--target", "kind")
    done = run(*args, "--out", tmp_path / "r.html")
    assert done.returncode == 0
    assert "is not the data that" in done.stderr


def test_what_cannot_be_reported_is_one_line(model, tmp_path):
    out = ("--out", tmp_path / "r.html")
    assert_error(run("report", tmp_path / "none.npz", *out), "none.npz")
    assert_error(run("report", model / "flowers.csv", *out), "flowers.csv")
    assert_error(run("report", model / "m.npz", "--data", "xor", *out), "does not have the inputs")
    assert_error(run("report", model / "m.npz"), "--out")
    before = (model / "m.npz").read_bytes()  # this used to become a page
    assert_error(run("report", model / "m.npz", "--out", model / "m.npz"), "would overwrite")
    assert (model / "m.npz").read_bytes() == before
    table = model / "flowers.csv"
    args = ("report", model / "m.npz", "--data", table, "--target", "kind", "--out", table)
    assert_error(run(*args), "would overwrite")
    assert not (tmp_path / "r.html").exists()


def test_a_page_goes_with_one_run_and_a_file_of_its_own(model, tmp_path):
    args = ("prune", "xor", "--report", tmp_path / "r.html")
    assert_error(run(*args, "--runs", 2), "--report goes with one run")
    assert_error(run(*args, "--json", tmp_path / "r.html"), "name the same file")
    assert_error(run("prune", "xor", "--report", tmp_path / "no" / "r.html"), "--report", "folder")
    table = flowers(tmp_path)
    assert_error(
        run("prune", table, "--target", "kind", "--report", table), "--report would overwrite"
    )
