"""ES modules say what the network says in node; nothing that a label holds breaks out of them."""

import json
import shutil
import subprocess

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

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no node")

ASK = """
import { readFileSync } from "node:fs";
const told = [];
for (const [file, rows] of JSON.parse(readFileSync("rows.json", "utf8"))) {
  const net = await import(file);
  const names = Object.keys(net).sort();
  const classes = names.includes("classes") ? net.classes.map(String) : null;
  const y = rows.map((row) => (classes ? net.predictProba(row) : [net.predict(row)].flat()));
  const labels = classes ? rows.map((row) => String(net.predict(row))) : null;
  told.push({ names, classes, y, labels });
}
console.log(JSON.stringify(told));
"""


def ask(folder, modules):
    """What modules say of rows: exported names, classes, outputs and labels."""
    (folder / "ask.mjs").write_text(ASK)
    asked = []
    for i, (text, rows) in enumerate(modules):
        (folder / f"n{i}.mjs").write_bytes(text.encode("ascii"))
        asked.append([f"./n{i}.mjs", rows])
    (folder / "rows.json").write_text(json.dumps(asked))
    done = subprocess.run(
        ["node", "ask.mjs"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_random_networks(tmp_path):
    networks = [random_network(seed) for seed in range(100)]
    told = ask(tmp_path, [(net.to_js(), X.tolist()) for net, X in networks])
    for (net, X), found in zip(networks, told, strict=True):
        limit = tolerance(Program.of(net), X)
        assert (np.abs(np.array(found["y"]) - given(net, X)) <= limit).all()
        if net.is_regression:
            assert found["names"] == ["predict"]
            continue
        assert found["names"] == ["classes", "predict", "predictProba"]
        clear = np.diff(np.sort(given(net, X), axis=1)[:, -2:], axis=1)[:, 0] > 1e-5
        said = np.array(found["labels"])[clear].tolist()
        assert said == list(map(str, net.predict(X)[clear].tolist()))


def test_a_thousand_rows(tmp_path):
    cases = thousand_rows()
    told = ask(tmp_path, [(net.to_js(), X.tolist()) for net, X in cases])
    for (net, X), found in zip(cases, told, strict=True):
        np.testing.assert_allclose(found["y"], given(net, X), rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_tables_with_raw_cells(tables_dir, tmp_path):
    table = sn.read_table(tables_dir / "titanic.csv.gz")
    cases = [table_network(table, "target"), odd_table(), table_of_amounts()]
    told = ask(tmp_path, [(net.to_js(), rows_of(columns)) for net, columns in cases])
    for (net, columns), found in zip(cases, told, strict=True):
        np.testing.assert_allclose(found["y"], net.predict_proba(columns), rtol=0, atol=1e-6)
        assert found["labels"] == net.predict(columns).tolist()


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_dates_of_every_form(tmp_path):
    net, table = table_of_dates()
    (found,) = ask(tmp_path, [(net.to_js(), rows_of(table))])
    limit = tolerance(Program.of(net), net.as_inputs(table))
    assert (np.abs(found["y"] - net.predict(table)) <= limit).all()


def test_cells_of_other_types(tables_dir, tmp_path):
    table = sn.read_table(tables_dir / "titanic.csv.gz")
    net, columns = table_network(table, "target")
    rows = rows_of(columns)[:6]
    for row in rows:
        row |= {name: float(row[name] or "nan") for name in ("Age", "Pclass", "Fare")}
        row["Age"] = None if np.isnan(row["Age"]) else row["Age"]
    (found,) = ask(tmp_path, [(net.to_js(), rows)])
    expected = net.predict_proba(columns.take(np.arange(6)))
    np.testing.assert_allclose(found["y"], expected, rtol=0, atol=1e-6)


def test_hostile_labels_stay_text(tmp_path):
    net, X = hostile_network()
    text = net.to_js()
    assert "</script" not in text
    assert "<!--" not in text
    (found,) = ask(tmp_path, [(text, X.tolist())])
    assert found["classes"] == net.classes.tolist()
    assert found["labels"] == net.predict(X).tolist()
    assert r'"\ud800"' in hostile_network(["a", "\ud800"])[0].to_js()


@pytest.mark.parametrize(
    ("labels", "kind"),
    [([-5, 0, 3], "number"), ([False, True], "boolean"), ([1, 2**53 + 1], "number|bigint")],
)
def test_labels_keep_their_type(labels, kind, tmp_path):
    X = np.eye(len(labels), dtype=np.float32)
    net = sn.SparseMLP((len(labels), len(labels)))
    net.prepare(X, np.array(labels))
    text = net.to_js()
    assert f"@type {{ReadonlyArray<{kind}>}}" in text
    (found,) = ask(tmp_path, [(text, X.tolist())])
    assert [str(label).lower() for label in labels] == found["classes"]


def test_what_is_no_row_is_refused(tmp_path):
    net, _ = hostile_network()
    for row in ([1.0], [None] * len(HOSTILE), ["1"] * len(HOSTILE)):
        with pytest.raises(AssertionError, match="RangeError: row must hold"):
            ask(tmp_path, [(net.to_js(), [row])])


def test_arguments(tmp_path):
    net, _ = hostile_network()
    path = tmp_path / "net.mjs"
    assert net.to_js(path, name="mine") == path.read_text()
    assert path.read_text().startswith("// mine, made by synaprune ")
    with pytest.raises(ValueError, match="name must begin identifiers"):
        net.to_js(name="a b")
    with pytest.raises(ValueError, match="never fitted"):
        sn.SparseMLP((2, 1)).to_js()
