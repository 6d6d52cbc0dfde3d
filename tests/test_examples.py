"""The worked examples run, and say what they find."""

import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import synaprune as sn
from synaprune.cli import main

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples"
TABLES = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
COMMANDS = re.findall(
    r"^synaprune (prune (\w+)\.csv\.gz .*)\nsynaprune (predict .*)$", TABLES, re.M
)


@pytest.fixture(scope="module")
def confused_pair():
    spec = importlib.util.spec_from_file_location("confused_pair", FOLDER / "confused_pair.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_confused_pair_is_found_changed_and_compared(confused_pair, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["confused_pair.py"])
    confused_pair.main()
    out = capsys.readouterr().out
    pair = re.search(r"^Most confused: (\d) and (\d), (\d+) times\.$", out, re.MULTILINE)
    a, b, n = map(int, pair.groups())
    assert a != b
    assert n > 0
    assert re.search(r"^The change: .+\. On the test split", out, re.MULTILINE)
    assert len(re.findall(r"^ +(\d|all) +\d+ +[\d.]+%", out, re.MULTILINE)) == 11
    assert re.search(rf"^{a} and {b} are confused \d+ times, \d+ before\.$", out, re.MULTILINE)


def test_a_change_lessens_confusion_where_it_was_chosen(confused_pair):
    data = sn.datasets.digits()
    net = confused_pair.small_network(data, 38, 0)
    a, b, n = confused_pair.most_confused(net, data.validation)
    assert n == confused_pair.confusions(net, data.validation, a, b)
    _, changed = confused_pair.targeted_change(net, data.train, a, b)
    before, after = (confused_pair.confusions(x, data.train, a, b) for x in (net, changed))
    assert after < before
    assert changed.score(*data.train) >= net.score(*data.train) - confused_pair.MAY_COST
    assert (net.weights[0].values == changed.weights[0].values).all()


@pytest.mark.parametrize(("prune", "name", "predict"), COMMANDS)
def test_a_raw_table_is_pruned_and_predicted(
    tables_dir, prune, name, predict, tmp_path, monkeypatch, capsys
):
    shutil.copy(tables_dir / f"{name}.csv.gz", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("synaprune.search._recipe._UPDATES", (1000, 1000))  # in place of minutes
    assert main([*shlex.split(prune), "--json", "record.json"]) == 0
    assert "Columns used" in capsys.readouterr().out
    assert main(shlex.split(predict)) == 0
    lines = capsys.readouterr().out.splitlines()
    table = sn.read_table(f"{name}.csv.gz")
    predicted = [line.split(",")[0] for line in lines]
    if "--proba" in predict:
        assert predicted.pop(0) == "label"
    truth = table.columns["target"].tolist()
    assert len(predicted) == len(truth)
    right = sum(a == b for a, b in zip(predicted, truth, strict=True)) / len(truth)
    assert right > 0.8


def test_all_worked_tables_are_run():
    assert [name for _, name, _ in COMMANDS] == ["penguins", "titanic", "bank", "mushroom", "car"]
