"""Modules of plain Python say what the network says; nothing that a label holds breaks out."""

import ast
import csv
import gzip
from datetime import datetime

import numpy as np
import pytest
import synaprune as sn
from export.networks import given, random_network, tolerance
from export.texts import (
    HOSTILE,
    hostile_network,
    odd_table,
    rows_of,
    table_network,
    table_of_amounts,
    table_of_dates,
    thousand_rows,
)
from synaprune.program import Program


def module(text, *imports):
    assert text.isascii()
    tree = ast.parse(text)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in found] == ["import math", *imports]
    names = {}
    exec(compile(tree, "module", "exec"), names)
    return names


def outputs(names, rows):
    function = names["predict_proba"] if "predict_proba" in names else names["predict"]
    return np.array([function(row) for row in rows]).reshape(len(rows), -1)


def test_random_networks():
    seen = set()
    for seed in range(80):
        net, X = random_network(seed)
        names, program = module(net.to_python()), Program.of(net)
        assert (np.abs(outputs(names, X.tolist()) - given(net, X)) <= tolerance(program, X)).all()
        if not net.is_regression:
            assert names["CLASSES"] == net.classes.tolist()
            p = given(net, X)
            clear = np.diff(np.sort(p, axis=1)[:, -2:], axis=1)[:, 0] > 1e-5
            told = [names["predict"](row) for row in X[clear].tolist()]
            assert told == net.predict(X)[clear].tolist()
        seen |= {program.output, program.activation, len(program.layers)}
    assert {"softmax", "sigmoid", "sigmoid_shares", "numbers", *sn.ACTIVATIONS, 1, 2, 3} <= seen


def test_a_thousand_rows():
    for net, X in thousand_rows():
        found = outputs(module(net.to_python()), X.tolist())
        np.testing.assert_allclose(found, given(net, X), rtol=1e-6, atol=1e-6)


def test_titanic_takes_raw_cells(tables_dir):
    table = sn.read_table(tables_dir / "titanic.csv.gz")
    net, columns = table_network(table, "target")
    with gzip.open(tables_dir / "titanic.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = module(net.to_python())
    np.testing.assert_allclose(outputs(names, rows), net.predict_proba(columns), rtol=0, atol=1e-6)
    assert [names["predict"](row) for row in rows] == net.predict(columns).tolist()
    rows[0] |= {"Age": 22, "Pclass": 3.0, "Fare": 7.25}
    rows[5] |= {"Age": None}
    np.testing.assert_allclose(outputs(names, rows), net.predict_proba(columns), rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_odd_cells_and_columns():
    net, table = odd_table()
    names = module(net.to_python())
    found = outputs(names, rows_of(table))
    np.testing.assert_allclose(found, net.predict_proba(table), rtol=0, atol=1e-6)


def test_hostile_labels_stay_text():
    net, X = hostile_network([*HOSTILE, "\ud800"])
    names = module(net.to_python())
    assert names["CLASSES"] == net.classes.tolist()
    assert [names["predict"](row) for row in X.tolist()] == net.predict(X).tolist()


@pytest.mark.parametrize("labels", [[-5, 0, 2**53 + 1], [False, True]])
def test_labels_keep_their_type(labels):
    X = np.eye(len(labels), dtype=np.float32)
    net = sn.SparseMLP((len(labels), len(labels)))
    net.prepare(X, np.array(labels))
    assert module(net.to_python())["CLASSES"] == labels


def test_what_is_no_row_is_refused():
    names = module(hostile_network()[0].to_python())
    with pytest.raises(ValueError, match="row must hold 18 numbers, got 1"):
        names["predict"]([1.0])
    with pytest.raises(ValueError, match="finite numbers"):
        names["predict"]([float("nan")] * 18)


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_dates_of_every_form():
    net, table = table_of_dates()
    names = module(net.to_python(), "from datetime import datetime, time, timezone")
    found = outputs(names, rows_of(table))
    limit = tolerance(Program.of(net), net.as_inputs(table))
    assert (np.abs(found - net.predict(table)) <= limit).all()
    assert limit.max() < 1e-3
    moment = datetime(2021, 3, 4, 5, 6)
    row = rows_of(table)[0]
    assert names["predict"](row | {"iso": moment}) == names["predict"](
        row | {"iso": moment.isoformat()}
    )


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_numbers_with_units():
    net, table = table_of_amounts()
    names = module(net.to_python(), "import re")
    found = outputs(names, rows_of(table))
    np.testing.assert_allclose(found, net.predict_proba(table), rtol=0, atol=1e-6)
    row = rows_of(table)[0]
    for name, text in (("point", "$1,200.5"), ("comma", "1.200,5 \u20ac")):
        told = names["predict_proba"](row | {name: 1200.5})
        assert told == names["predict_proba"](row | {name: text})


def test_arguments(tmp_path):
    net, _ = hostile_network()
    path = tmp_path / "net.py"
    assert net.to_python(path, name="mine") == path.read_text()
    assert path.read_text().startswith("# mine, made by synaprune ")
    with pytest.raises(ValueError, match="name must begin identifiers"):
        net.to_python(name="a b")
    with pytest.raises(FileNotFoundError):
        net.to_python(tmp_path / "no" / "net.py")
    with pytest.raises(ValueError, match="never fitted"):
        sn.SparseMLP((2, 1)).to_python()
