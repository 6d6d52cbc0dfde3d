"""``synaprune export``: a saved network in another language."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from synaprune import datasets
from synaprune.cli.inputs import inputs_for
from synaprune.explain import equation
from synaprune.export.c import DTYPES, INPUT_DTYPES, INPUTS, LAYOUTS
from synaprune.export.sql import DIALECTS
from synaprune.io import check_target, write_atomically
from synaprune.network import SparseMLP
from synaprune.presets import PRESETS
from synaprune.tables import Table

# The options that apply to each format; of others every one that is given raises.
_C = ("name", "dtype", "calibration", "layout", "inputs", "input_dtype", "self_test", "data_dir")
_OPTIONS = {
    "c": _C,
    "formula": ("digits",),
    "latex": ("digits",),
    "python": ("name",),
    "js": ("name",),
    "sql": ("table", "dialect", "keep", "no_probabilities"),
    "onnx": ("inputs",),
    "json": (),
}
FORMATS = tuple(_OPTIONS)
_SELF_TEST_ROWS = 16


def add_parser(commands: Any) -> None:
    """Add the command to the console's parser."""
    p = commands.add_parser(
        "export",
        help="write a saved network in another language",
        description="Write the network of a model as one C99 header, which needs no library and "
        "allocates nothing, as a Python or JavaScript module, a SELECT of SQL, an ONNX model, or "
        "JSON.",
    )
    p.set_defaults(run=run)
    p.add_argument("model", metavar="MODEL.npz")
    p.add_argument("--format", choices=FORMATS, required=True)
    p.add_argument("--out", metavar="FILE", required=True)
    p.add_argument(
        "--name", help="c: what all names in FILE begin with; python, js: what FILE is called"
    )
    p.add_argument(
        "--digits", type=int, metavar="N",
        help="formula, latex: to how many significant digits numbers are rounded",
    )  # fmt: skip
    c = p.add_argument_group("C")
    c.add_argument("--dtype", choices=DTYPES, help="what C computes in; float32 by default")
    c.add_argument(
        "--calibration", metavar="DATA",
        help="rows such as the network will see, which integers need: xor, digits, mnist, or a "
        "file",
    )  # fmt: skip
    c.add_argument("--layout", choices=LAYOUTS, help="tables, or code alone")
    c.add_argument(
        "--inputs",
        choices=INPUTS,
        help="what C, or an ONNX model, is given of a row; raw are the cells of a table",
    )
    c.add_argument("--input-dtype", choices=INPUT_DTYPES, help="type of these inputs")
    c.add_argument(
        "--self-test", metavar="DATA",
        help=f"add a main that predicts the first {_SELF_TEST_ROWS} rows of DATA and compares",
    )  # fmt: skip
    c.add_argument("--data-dir", metavar="DIR", help="folder that holds MNIST's files")
    sql = p.add_argument_group("SQL")
    sql.add_argument("--table", metavar="NAME", help="the table whose rows are predicted")
    sql.add_argument("--dialect", choices=DIALECTS, help="of SQL; duckdb by default")
    sql.add_argument(
        "--keep", metavar="COLUMN", action="append",
        help="a column that the result keeps, such as a key; may be repeated",
    )  # fmt: skip
    sql.add_argument(
        "--no-probabilities", action="store_true", default=None,
        help="the class alone, which SQLite computes without exp",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    given = {
        option: getattr(args, option)
        for options in _OPTIONS.values()
        for option in options
        if getattr(args, option) is not None
    }
    for option in given:
        if option not in _OPTIONS[args.format]:
            flag = f"--{option.replace('_', '-')}"
            raise ValueError(f"{flag} does not apply to --format {args.format}")
    if args.format == "c":
        _check_integers(args)
    if args.format == "sql" and args.table is None:
        raise ValueError("--format sql needs --table")
    out = check_target(args.out)
    for file in filter(None, (args.model, args.calibration, args.self_test)):
        if out.exists() and Path(file).exists() and out.samefile(file):
            raise ValueError(f"--out would overwrite {file}")
    net = SparseMLP.load(args.model)
    if args.format == "c":
        folder = given.pop("data_dir", None)
        for option in given.keys() & {"calibration", "self_test"}:
            raw = option == "self_test" and args.inputs == "raw"
            given[option] = _rows(net, given[option], folder, raw)
        if "self_test" in given:
            rows = given["self_test"]
            first = np.arange(min(len(rows), _SELF_TEST_ROWS))
            given["self_test"] = rows.take(first) if isinstance(rows, Table) else rows[first]
        net.to_c(out, **given)
    elif args.format in ("formula", "latex"):
        found = equation(net, **given)
        text = repr(found) if args.format == "formula" else found.latex
        write_atomically(out, f"{text}\n".encode())
    elif args.format == "python":
        net.to_python(out, **given)
    elif args.format == "js":
        net.to_js(out, **given)
    elif args.format == "onnx":
        net.to_onnx(out, **given)
    elif args.format == "json":
        net.to_json(out)
    else:
        probabilities = not given.pop("no_probabilities", False)
        net.to_sql(out, **given, probabilities=probabilities)
    print(f"wrote {args.out}")
    return 0


def _check_integers(args: argparse.Namespace) -> None:
    """Raise unless rows that calibrate are given for integers, and for nothing else."""
    is_float = args.dtype in (None, "float32")
    if is_float and args.calibration is not None:
        raise ValueError("--calibration does not apply to --dtype float32")
    if not is_float and args.calibration is None:
        raise ValueError(f"--dtype {args.dtype} needs --calibration")


def _rows(net: SparseMLP, data: str, folder: str | None, raw: bool) -> Any:
    """Return rows as inputs, or as a table of raw cells."""
    if raw and net.encoder is not None and data not in PRESETS:
        return datasets.load_columns(data, net.encoder.order)
    if data in PRESETS:
        return datasets.load(data, data_dir=folder).train.X
    return inputs_for(net, data)
