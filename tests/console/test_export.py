"""``synaprune export``: a saved network in another language."""

import numpy as np
import pytest
import synaprune as sn
from console.process import QUICK, assert_error, flowers, run, succeed


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a table and the model of its flowers."""
    folder = tmp_path_factory.mktemp("export")
    table = flowers(folder)
    succeed("prune", table, "--target", "kind", *QUICK, "--out", folder / "m.npz", "--quiet")
    return folder


def test_the_header_is_that_of_to_c(model):
    out = model / "flowers.h"
    args = ("export", model / "m.npz", "--format", "c", "--out", out)
    assert succeed(*args) == f"wrote {out}\n"
    net = sn.SparseMLP.load(model / "m.npz")
    assert out.read_text() == net.to_c()


def test_options_reach_it(model):
    out, table = model / "small.h", model / "flowers.csv"
    args = ("export", model / "m.npz", "--format", "c", "--out", out, "--name", "iris")
    args += ("--dtype", "int8", "--calibration", table, "--self-test", table)
    succeed(*args, "--layout", "csr", "--inputs", "used")
    net = sn.SparseMLP.load(model / "m.npz")
    X = net.as_inputs(sn.read_table(table))
    options = {"dtype": "int8", "layout": "csr", "inputs": "used"}
    expected = net.to_c(name="iris", calibration=X, self_test=X[:16], **options)
    assert out.read_text() == expected


def test_raw_cells_and_their_test_reach_it(model):
    out, table = model / "raw.h", model / "flowers.csv"
    succeed("export", model / "m.npz", "--format", "c", "--out", out, "--inputs", "raw",
            "--self-test", table)  # fmt: skip
    net = sn.SparseMLP.load(model / "m.npz")
    rows = sn.read_table(table).without(["kind"]).take(np.arange(16))
    assert out.read_text() == net.to_c(inputs="raw", self_test=rows)


def test_a_named_dataset_calibrates(tmp_path):
    data = sn.datasets.digits()
    sn.SparseMLP((64, 4, 10)).fit(*data.train).save(tmp_path / "d.npz")
    args = ("export", tmp_path / "d.npz", "--format", "c", "--out", tmp_path / "d.h")
    succeed(*args, "--dtype", "int16", "--calibration", "digits")
    assert "int16 weights" in (tmp_path / "d.h").read_text()


def test_modules_are_those_of_the_methods(model):
    net = sn.SparseMLP.load(model / "m.npz")
    for kind, expected in (("python", net.to_python(name="iris")), ("js", net.to_js(name="iris"))):
        out = model / f"flowers.{kind}"
        succeed("export", model / "m.npz", "--format", kind, "--out", out, "--name", "iris")
        assert out.read_text() == expected


def test_formulas_are_those_of_explain(model):
    net = sn.SparseMLP.load(model / "m.npz")
    args = ("export", model / "m.npz", "--out", model / "f.txt", "--format")
    succeed(*args, "formula")
    assert (model / "f.txt").read_text() == f"{sn.explain.equation(net)!r}\n"
    succeed(*args, "latex", "--digits", "3")
    expected = sn.explain.equation(net, digits=3).latex
    assert (model / "f.txt").read_text() == f"{expected}\n"


def test_sql_is_that_of_to_sql(model):
    net = sn.SparseMLP.load(model / "m.npz")
    args = ("export", model / "m.npz", "--format", "sql", "--out", model / "f.sql", "--table", "t")
    succeed(*args)
    assert (model / "f.sql").read_text() == net.to_sql(table="t")
    succeed(*args, "--dialect", "sqlite", "--keep", "id", "--keep", "day", "--no-probabilities")
    options = {"dialect": "sqlite", "keep": ["id", "day"], "probabilities": False}
    assert (model / "f.sql").read_text() == net.to_sql(table="t", **options)


def test_json_is_that_of_to_json(model):
    succeed("export", model / "m.npz", "--format", "json", "--out", model / "f.json")
    net = sn.SparseMLP.load(model / "m.npz")
    assert (model / "f.json").read_text() == net.to_json()


def test_onnx_is_that_of_to_onnx(model):
    onnx = pytest.importorskip("onnx")
    args = ("export", model / "m.npz", "--format", "onnx", "--out", model / "f.onnx")
    net = sn.SparseMLP.load(model / "m.npz")
    for options, inputs in (((), "all"), (("--inputs", "used"), "used")):
        succeed(*args, *options)
        assert onnx.load(model / "f.onnx") == net.to_onnx(inputs=inputs)


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ("", ["MODEL.npz", "--format", "--out"]),
        ("m.npz --format rust --out a.h", ["'rust'", "'c'"]),
        ("m.npz --format c --out a.h --dtype int4", ["--dtype", "'int4'", "'int8'"]),
        ("m.npz --format c --out a.h --dtype int8", ["--dtype int8 needs --calibration"]),
        (
            "m.npz --format c --out a.h --calibration flowers.csv",
            ["--calibration does not apply to --dtype float32"],
        ),
        ("m.npz --format c --out m.npz", ["--out would overwrite m.npz"]),
        ("m.npz --format c --out no/a.h", ["no/a.h does not exist"]),
        ("no.npz --format c --out a.h", ["no.npz", "no such file"]),
        ("flowers.csv --format c --out a.h", ["not a synaprune model file"]),
        ("m.npz --format c --out a.h --name 9", ["name must begin identifiers", "'9'"]),
        ("m.npz --format c --out a.h --self-test no.csv", ["no.csv"]),
        ("m.npz --format sql --out a.h", ["--format sql needs --table"]),
        ("m.npz --format sql --out a.h --table t --name n", ["--name does not apply", "sql"]),
        ("m.npz --format js --out a.h --table t", ["--table does not apply to --format js"]),
        ("m.npz --format python --out a.h --dtype int8", ["--dtype does not apply", "python"]),
        ("m.npz --format c --out a.h --no-probabilities", ["--no-probabilities does not apply"]),
        ("m.npz --format json --out a.h --name n", ["--name does not apply to --format json"]),
        ("m.npz --format c --out a.h --keep a", ["--keep does not apply to --format c"]),
    ],
)
def test_faults_are_told_in_one_line(model, args, parts):
    done = run("export", *args.split(), cwd=model)
    assert_error(done, *parts)
    assert not (model / "a.h").exists()
