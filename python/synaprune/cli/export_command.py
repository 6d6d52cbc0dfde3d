"""``synaprune export``: a saved network in another language."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from synaprune import datasets
from synaprune.cli.inputs import inputs_for
from synaprune.cli.presets import PRESETS
from synaprune.export.c import DTYPES, INPUT_DTYPES, INPUTS, LAYOUTS
from synaprune.io import check_target
from synaprune.network import SparseMLP

FORMATS = ("c",)
_SELF_TEST_ROWS = 16


def add_parser(commands: Any) -> None:
    """Add the command to the console's parser."""
    p = commands.add_parser(
        "export",
        help="write a saved network in another language",
        description="Write the network of a model as one C99 header, which needs no library and "
        "allocates nothing. Its first comment says what it needs of flash and RAM.",
    )
    p.set_defaults(run=run)
    p.add_argument("model", metavar="MODEL.npz")
    p.add_argument("--format", choices=FORMATS, required=True)
    p.add_argument("--out", metavar="FILE", required=True)
    p.add_argument("--name", default="network", help="what all names in FILE begin with")
    p.add_argument("--dtype", choices=DTYPES, default="float32", help="what C computes in")
    p.add_argument(
        "--calibration", metavar="DATA",
        help="rows such as the network will see, which integers need: xor, digits, mnist, or a "
        "file",
    )  # fmt: skip
    p.add_argument("--layout", choices=LAYOUTS, default="auto", help="tables, or code alone")
    p.add_argument(
        "--inputs", choices=INPUTS, default="all", help="whether C is given all inputs of a row"
    )
    p.add_argument(
        "--input-dtype", choices=INPUT_DTYPES, default="float32", help="type of these inputs"
    )
    p.add_argument(
        "--self-test", metavar="DATA",
        help=f"add a main that predicts the first {_SELF_TEST_ROWS} rows of DATA and compares",
    )  # fmt: skip
    p.add_argument("--data-dir", metavar="DIR", help="folder that holds MNIST's files")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if args.dtype == "float32" and args.calibration is not None:
        raise ValueError("--calibration does not apply to --dtype float32")
    if args.dtype != "float32" and args.calibration is None:
        raise ValueError(f"--dtype {args.dtype} needs --calibration")
    out = check_target(args.out)
    for given in filter(None, (args.model, args.calibration, args.self_test)):
        if out.exists() and Path(given).exists() and out.samefile(given):
            raise ValueError(f"--out would overwrite {given}")
    net = SparseMLP.load(args.model)
    test = _rows(net, args.self_test, args.data_dir)
    net.to_c(
        out,
        name=args.name,
        dtype=args.dtype,
        calibration=_rows(net, args.calibration, args.data_dir),
        layout=args.layout,
        inputs=args.inputs,
        input_dtype=args.input_dtype,
        self_test=None if test is None else test[:_SELF_TEST_ROWS],
    )
    print(f"wrote {args.out}")
    return 0


def _rows(net: SparseMLP, data: str | None, folder: str | None) -> Any:
    if data is None:
        return None
    if data in PRESETS:
        return datasets.load(data, data_dir=folder).train.X
    return inputs_for(net, data)
