"""SELECTs say what the network says in DuckDB and SQLite; no name or label breaks out of them."""

import dataclasses
import sqlite3

import duckdb
import numpy as np
import pandas as pd
import pytest
import synaprune as sn
from export.networks import given, random_network, tolerance
from export.texts import (
    HOSTILE,
    hostile_network,
    odd_table,
    table_network,
    table_of_amounts,
    table_of_dates,
    thousand_rows,
)
from synaprune.export.sql import identifier
from synaprune.program import Program


def has_math():
    try:
        sqlite3.connect(":memory:").execute("SELECT exp(1.0), tanh(1.0)")
    except sqlite3.OperationalError:
        return False
    return True


DIALECTS = [
    "duckdb",
    pytest.param("sqlite", marks=pytest.mark.skipif(not has_math(), reason="SQLite without exp")),
]


def database(dialect):
    return duckdb.connect() if dialect == "duckdb" else sqlite3.connect(":memory:")


def create(db, name, names, rows, kind):
    """Make a table with the key "row number"."""
    columns = ", ".join(f"{identifier(column)} {kind}" for column in names)
    db.execute(f'CREATE TABLE {identifier(name)} ("row number" INTEGER, {columns})')
    marks = ", ".join("?" * (len(names) + 1))
    db.executemany(
        f"INSERT INTO {identifier(name)} VALUES ({marks})",
        [[i, *row] for i, row in enumerate(rows)],
    )


def ask(db, text):
    """The columns of the result without the key, by name, in the order of the rows."""
    found = db.execute(text)
    names = [column[0] for column in found.description]
    assert names[0] == "row number"
    rows = sorted(found.fetchall(), key=lambda row: row[0])
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def outputs(result):
    return np.array([v for k, v in result.items() if k[0] in "py"], np.float64).T


@pytest.mark.parametrize("dialect", DIALECTS)
def test_random_networks(dialect):
    seen = set()
    for seed in range(24):
        net, X = random_network(seed)
        program = Program.of(net)
        db = database(dialect)
        create(db, "data", [f"x{i}" for i in range(X.shape[1])], X.tolist(), "DOUBLE")
        result = ask(db, net.to_sql(table="data", dialect=dialect, keep=["row number"]))
        assert (np.abs(outputs(result) - given(net, X)) <= tolerance(program, X)).all(), seed
        if not net.is_regression:
            clear = np.diff(np.sort(given(net, X), axis=1)[:, -2:], axis=1)[:, 0] > 1e-5
            assert np.array(result["class"])[clear].tolist() == net.predict(X)[clear].tolist()
        seen |= {program.output, program.activation, len(program.layers)}
    assert {"softmax", "sigmoid", "sigmoid_shares", "numbers", *sn.ACTIVATIONS, 1, 2, 3} <= seen


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_thousand_rows(dialect):
    for net, X in thousand_rows():
        db = database(dialect)
        names = [f"x{i}" for i in range(X.shape[1])]
        if dialect == "duckdb":  # whose executemany takes seconds
            frame = pd.DataFrame(X, columns=names)
            frame.insert(0, "row number", np.arange(len(X)))
            db.register("data", frame)
        else:
            create(db, "data", names, X.tolist(), "DOUBLE")
        result = ask(db, net.to_sql(table="data", dialect=dialect, keep=["row number"]))
        np.testing.assert_allclose(outputs(result), given(net, X), rtol=1e-6, atol=1e-6)


def test_titanic_read_by_duckdb(tables_dir):
    path = tables_dir / "titanic.csv.gz"
    net, columns = table_network(sn.read_table(path), "target")
    db = duckdb.connect()
    db.execute(
        'CREATE TABLE t AS SELECT row_number() OVER () - 1 AS "row number", * '
        f"FROM read_csv('{path}', parallel=false)"
    )
    result = ask(db, net.to_sql(table=["main", "t"], keep=["row number"]))
    np.testing.assert_allclose(outputs(result), net.predict_proba(columns), rtol=0, atol=1e-6)
    assert result["class"] == net.predict(columns).tolist()


@pytest.mark.filterwarnings("ignore:table. cells of")
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["VARCHAR", "REAL"])
def test_tables_with_raw_cells(dialect, kind, tables_dir):
    table = sn.read_table(tables_dir / "titanic.csv.gz")
    net, columns = table_network(table, "target")
    if kind == "VARCHAR":
        cases = [(net, columns), odd_table(plain=dialect == "sqlite")]
    else:
        cases = [table_network(table.without(["Sex", "Embarked"]), "target")]
    for net, columns in cases:
        db = database(dialect)
        cells = [column.tolist() for column in columns.columns.values()]
        if kind == "REAL":
            cells = [[float(cell) if cell else None for cell in column] for column in cells]
        create(db, "t", columns.names, zip(*cells, strict=True), kind)
        result = ask(db, net.to_sql(table="t", dialect=dialect, keep=["row number"]))
        np.testing.assert_allclose(outputs(result), net.predict_proba(columns), rtol=0, atol=1e-6)
        assert result["class"] == net.predict(columns).tolist()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_hostile_names_and_labels_stay_text(dialect):
    net, X = hostile_network()
    name = "".join(HOSTILE)
    db = database(dialect)
    create(db, name, HOSTILE, X.tolist(), "DOUBLE")
    text = net.to_sql(table=name, dialect=dialect, keep=["row number", HOSTILE[0]])
    result = ask(db, text)
    assert result["class"] == net.predict(X).tolist()
    assert result[HOSTILE[0]] == X[:, 0].tolist()


def test_backslashes_do_not_escape_in_postgresql():
    net, _ = hostile_network(["a\\", "b' \\'", "c"])
    text = net.to_sql(table="t", dialect="postgresql")
    assert r"THEN E'a\\' " in text
    assert r"THEN E'b'' \\''' " in text
    assert "THEN 'c' " in text


@pytest.mark.parametrize("labels", [[-5, 0, 2**53 + 1], [False, True]])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_labels_keep_their_type(labels, dialect):
    X = np.eye(len(labels), dtype=np.float32)
    net = sn.SparseMLP((len(labels), len(labels)))
    net.prepare(X, np.array(labels))
    db = database(dialect)
    create(db, "t", [f"x{i}" for i in range(len(labels))], X.tolist(), "DOUBLE")
    result = ask(db, net.to_sql(table="t", dialect=dialect, keep=["row number"]))
    assert result["class"] == net.predict(X).tolist()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("sizes", "labels"), [((2, 3, 1), 2), ((2, 3, 3), 3)])
def test_no_number_gives_no_class(dialect, sizes, labels):
    net = sn.SparseMLP(sizes, seed=0)
    net.prepare(np.zeros((9, 2), np.float32), np.arange(9) % labels)
    db = database(dialect)
    rows = [[None, "1"], ["1", "nan"], ["inf", "0"], ["x", "2"], ["1e39", "0"], ["1", "-2e0"]]
    create(db, "t", ["x0", "x1"], rows, "VARCHAR")
    result = ask(db, net.to_sql(table="t", dialect=dialect, keep=["row number"]))
    assert result["class"][:5] == result["p0"][:5] == [None] * 5
    assert result["class"][5] == net.predict([[1.0, -2.0]])[0]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("columns", [["x0"], ["x1"]])
def test_a_missing_column_is_an_error(dialect, columns):
    """SQLite takes "x1" for a string if there is no such column, and would predict with it."""
    db = database(dialect)
    create(db, "t", columns, [["1"]], "VARCHAR")
    text = wide(2).to_sql(table="t", dialect=dialect, keep=["row number"])
    with pytest.raises((duckdb.Error, sqlite3.Error), match=r"x[01]"):
        db.execute(text)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sums_far_from_zero_neither_overflow_nor_underflow(dialect):
    for activation in ("sigmoid", "silu"):
        for loss, n in (("softmax", 2), ("sigmoid", 1), ("squared", 2)):
            net = sn.SparseMLP((1, 1, n), activation=activation, loss=loss, input_scaling="none")
            net.prepare(np.zeros((2, 1), np.float32), np.arange(2))
            X = np.array([[-1e5], [1e5], [-800.0], [800.0]], np.float32)
            db = database(dialect)
            create(db, "t", ["x0"], X.tolist(), "DOUBLE")
            result = ask(db, net.to_sql(table="t", dialect=dialect, keep=["row number"]))
            np.testing.assert_allclose(outputs(result), net.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dialect", DIALECTS[1:])  # DuckDB has the same limit, but takes 10 s
def test_wide_layers_do_not_make_deep_expressions(dialect):
    net = sn.SparseMLP((1500, 60), seed=0, input_scaling="none")
    rng = np.random.default_rng(0)
    X = rng.normal(0.0, 1.0, (60, 1500)).astype(np.float32)
    net.prepare(X, np.arange(60))
    layer = net.weights[0]
    first = layer.rows < 2  # two neurons of 1500 synapses, and 58 constants
    n = int(first.sum())
    indptr = np.minimum(layer.indptr, n)
    values = {k: getattr(layer, k)[first] for k in ("indices", "values", "initial")}
    net.set_weights([dataclasses.replace(layer, indptr=indptr, **values)])
    db = database(dialect)
    create(db, "t", [f"x{i}" for i in range(1500)], X[:3].tolist(), "DOUBLE")
    result = ask(db, net.to_sql(table="t", dialect=dialect, keep=["row number"]))
    np.testing.assert_allclose(outputs(result), net.predict_proba(X[:3]), rtol=0, atol=1e-6)


def test_classes_of_relu_networks_need_no_exponential():
    net, X = hostile_network()
    text = net.to_sql(table="t", dialect="sqlite", probabilities=False, keep=["row number"])
    assert "exp(" not in text
    db = database("sqlite")
    create(db, "t", HOSTILE, X.tolist(), "DOUBLE")
    result = ask(db, text)
    assert list(result) == ["row number", "class"]
    assert result["class"] == net.predict(X).tolist()


def test_a_table_may_have_the_names_of_the_parts():
    net, X = hostile_network(["a", "b"])
    for name in ("synaprune_cells", "synaprune__cells"):
        db = database("sqlite")
        create(db, name, ["a", "b"], X.tolist(), "DOUBLE")
        text = net.to_sql(table=name, dialect="sqlite", probabilities=False, keep=["row number"])
        assert ask(db, text)["class"] == net.predict(X).tolist()


def regression():
    net = sn.SparseMLP((1, 1), loss="squared_error")
    net.prepare(np.zeros((2, 1), np.float32), np.array([0.5, 1.5]))
    return net


def wide(n_in, n_out=2):
    net = sn.SparseMLP((n_in, n_out))
    net.prepare(np.zeros((n_out, n_in), np.float32), np.arange(n_out))
    return net


@pytest.mark.parametrize(
    ("net", "options", "error", "message"),
    [
        (wide(2), {"dialect": "oracle"}, ValueError, "dialect must be one of duckdb, sqlite"),
        (wide(2), {"table": 3}, TypeError, "table must"),
        (wide(2), {"table": []}, ValueError, "table must have a name"),
        (wide(2), {"table": ""}, ValueError, "empty name"),
        (wide(2), {"table": "a\0b"}, ValueError, "NUL"),
        (wide(2), {"keep": "id"}, TypeError, "keep must be a sequence"),
        (wide(2), {"keep": ["Class"]}, ValueError, "'Class', 'class' apart"),
        (wide(2), {"probabilities": 1}, TypeError, "probabilities must be True or False"),
        (regression(), {"probabilities": False}, ValueError, "predicts numbers"),
        (wide(2001), {"dialect": "sqlite"}, ValueError, "takes 2000 columns .* needs 2001 .*prune"),
        (wide(1, 1000), {"dialect": "sqlite"}, ValueError, "needs 2002 "),
        (wide(1700), {"dialect": "postgresql"}, ValueError, "takes 1664 columns"),
        (wide(900, 50), {"dialect": "sqlite"}, ValueError, "bytes, and sqlite takes 1000000"),
        (hostile_network(["a", "A"])[0], {}, ValueError, "cannot tell the columns 'a', 'A' apart"),
        (hostile_network(["a", "\ud800"])[0], {}, ValueError, "surrogate"),
        (hostile_network(["a", "b" * 64])[0], {"dialect": "postgresql"}, ValueError, "63 bytes"),
        (sn.SparseMLP((2, 1)), {}, ValueError, "never fitted"),
    ],
)  # fmt: skip
def test_what_a_database_cannot_hold_is_refused(net, options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        net.to_sql(tmp_path / "net.sql", **{"table": "t", **options})
    assert not any(tmp_path.iterdir())


def test_the_file_holds_the_text(tmp_path):
    net, _ = hostile_network(["a", "naïve"])
    text = net.to_sql(tmp_path / "net.sql", table="t")
    assert (tmp_path / "net.sql").read_text(encoding="utf-8") == text
    assert hostile_network(["a", "A"])[0].to_sql(table="t", dialect="postgresql")


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_columns_of_dates_and_amounts_are_refused(tmp_path):
    for (net, _), name, holds in (
        (table_of_dates(), "iso", "dates"),
        (table_of_amounts(), "point", "numbers that are written with units or thousands"),
    ):
        with pytest.raises(ValueError, match=rf"column '{name}' holds {holds}.*; or export"):
            net.to_sql(tmp_path / "net.sql", table="t")
    assert not any(tmp_path.iterdir())
