"""SELECTs for PostgreSQL say what the network says, on a server of their own."""

import csv
import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import synaprune as sn
from export.networks import given, random_network, tolerance
from export.texts import HOSTILE, hostile_network, odd_table, table_network
from synaprune.export.sql import identifier, string
from synaprune.program import Program

TOOLS = ("initdb", "pg_ctl", "psql", *(["runuser"] if os.geteuid() == 0 else []))
OTHERS = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}  # a sanitizer is for us alone
pytestmark = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="no PostgreSQL")


@pytest.fixture(scope="module")
def server():
    """The folder of a running server's socket. PostgreSQL refuses to run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        user = []
        if os.geteuid() == 0:
            try:
                shutil.chown(folder, "postgres")
            except LookupError:
                pytest.skip("no user postgres")
            user = ["runuser", "-u", "postgres", "--"]

        def call(*command):
            subprocess.run(
                [*user, *command],
                check=True, timeout=60, cwd="/", stdout=subprocess.DEVNULL, env=OTHERS,
            )  # fmt: skip

        data = str(folder / "data")
        call("initdb", "-D", data, "-A", "trust", "-U", "test", "-E", "UTF8", "--locale=C", "-N")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        call("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        yield folder
        call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def ask(server, net, names, rows, kind, table="t"):
    """The classes and the outputs that a network's SELECT gives for rows."""

    def cell(value):
        return "NULL" if value is None else string(str(value), escapes=True)

    columns = ", ".join(f"{identifier(name)} {kind}" for name in names)
    values = ",\n".join(f"({i}, {', '.join(map(cell, row))})" for i, row in enumerate(rows))
    text = (
        f'CREATE TEMP TABLE {identifier(table)} ("row number" integer, {columns});\n'
        f"INSERT INTO {identifier(table)} VALUES {values};\n"
        + net.to_sql(table=table, dialect="postgresql", keep=["row number"])
    )
    options = ("-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-f", "-")
    done = subprocess.run(
        ["psql", "-h", server, "-U", "test", "-d", "postgres", *options],
        input=text.encode(), capture_output=True, timeout=60, check=False,
        env=OTHERS | {"PGCLIENTENCODING": "UTF8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    found = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    found.sort(key=lambda row: int(row["row number"]))
    y = [[float(v or "nan") for k, v in row.items() if k[0] in "py"] for row in found]
    return [row.get("class") for row in found], np.array(y)


def test_random_networks(server):
    for seed in range(10):
        net, X = random_network(seed)
        names = [f"x{i}" for i in range(X.shape[1])]
        _, y = ask(server, net, names, X.tolist(), "double precision")
        assert (np.abs(y - given(net, X)) <= tolerance(Program.of(net), X)).all(), seed


@pytest.mark.filterwarnings("ignore:table. cells of")
def test_tables_with_raw_cells(server, tables_dir):
    table = sn.read_table(tables_dir / "titanic.csv.gz")
    for net, columns in (table_network(table, "target"), odd_table(plain=True)):
        rows = zip(*(column.tolist() for column in columns.columns.values()), strict=True)
        classes, y = ask(server, net, columns.names, rows, "text")
        np.testing.assert_allclose(y, net.predict_proba(columns), rtol=0, atol=1e-6)
        assert classes == net.predict(columns).tolist()


@pytest.mark.parametrize("kind", ["double precision", "numeric"])
def test_columns_of_numbers(server, kind, tables_dir):
    table = sn.read_table(tables_dir / "titanic.csv.gz").without(["Sex", "Embarked"])
    net, columns = table_network(table, "target")
    rows = zip(*(column.tolist() for column in columns.columns.values()), strict=True)
    rows = [[cell or None for cell in row] for row in rows]
    _, y = ask(server, net, columns.names, rows, kind)
    np.testing.assert_allclose(y, net.predict_proba(columns), rtol=0, atol=1e-6)


def test_hostile_names_and_labels_stay_text(server):
    names = [name for name in HOSTILE if len(name.encode()) <= 63]
    net, X = hostile_network(names)
    classes, _ = ask(server, net, names, X.tolist(), "double precision", table=names[1])
    assert classes == net.predict(X).tolist()


@pytest.mark.parametrize("activation", ["sigmoid", "silu"])
@pytest.mark.parametrize(("loss", "n"), [("softmax", 2), ("sigmoid", 1), ("squared", 2)])
def test_exponentials_neither_overflow_nor_underflow(server, activation, loss, n):
    net = sn.SparseMLP((1, 1, n), activation=activation, loss=loss, input_scaling="none")
    net.prepare(np.zeros((2, 1), np.float32), np.arange(2))
    X = np.array([[-1e5], [1e5], [-800.0], [800.0], [1e-44]], np.float32)
    _, y = ask(server, net, ["x0"], X.tolist(), "double precision")
    np.testing.assert_allclose(y, net.predict_proba(X), rtol=0, atol=1e-6)


def test_no_number_gives_no_class(server):
    net = sn.SparseMLP((2, 3, 3), seed=0)
    net.prepare(np.zeros((9, 2), np.float32), np.arange(9) % 3)
    rows = [[None, "1"], ["1", "nan"], ["inf", "0"], ["x", "2"], ["1e39", "0"], ["1", "-2e0"]]
    classes, y = ask(server, net, ["x0", "x1"], rows, "text")
    assert classes == [""] * 5 + [str(net.predict([[1.0, -2.0]])[0])]
    assert np.isnan(y[:5]).all()
