"""The worked examples run, and say what they find."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import synaprune as sn

FOLDER = Path(__file__).resolve().parents[1] / "examples"


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
