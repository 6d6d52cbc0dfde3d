"""``synaprune report``: a page about a saved model."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

from synaprune import datasets
from synaprune.cli.inputs import load_model
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.presets import COUNTED, PRESETS, SEARCHED
from synaprune.report import write_report


def add_parser(commands: Any) -> None:
    """Add the command to the console's parser."""
    p = commands.add_parser(
        "report",
        help="write a page about a saved model",
        description="Write one self-contained HTML page: the network to hover over, what its parts "
        "do and the proof, the inputs that it uses, rules and samples.",
    )
    p.set_defaults(run=run)
    p.add_argument("model", metavar="MODEL.npz")
    p.add_argument(
        "--data", metavar="DATA",
        help="xor, digits, mnist, or a file; without it, sections that need samples say "
        "so",
    )  # fmt: skip
    p.add_argument("--target", metavar="COLUMN", help="column of the labels (array of an NPZ)")
    p.add_argument("--data-dir", metavar="DIR", help="folder that holds MNIST's files")
    p.add_argument("--out", metavar="FILE.html", required=True)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    out = Path(args.out)
    for given in (args.model, args.data or ""):
        if out.exists() and Path(given).exists() and out.samefile(given):
            raise ValueError(f"--out would overwrite {given}")
    subject = load_model(args.model)
    data = None
    if args.data is not None:
        net = subject.smallest if isinstance(subject, PruningPath) else subject
        named = args.data in PRESETS
        searched = isinstance(subject, PruningPath) and subject.data_sha256 is None
        if searched and (args.data in COUNTED or (net.encoder is not None and not named)):
            rows = _rows(args, named, net)
            write_report(
                args.out, subject, validation=rows.test or (net.as_inputs(rows.X), rows.y),
                title=rows.name, image_shape=rows.image_shape,
            )  # fmt: skip
            return _said(args.out)
        encoder = None if named else net.encoder
        data = (
            datasets.load(args.data, target=args.target, data_dir=args.data_dir)
            if named or not Path(args.data).exists()  # then the error says what there is
            else datasets.load_table(
                args.data, args.target, encoder=encoder, as_numbers=net.is_regression
            )
        )
        if net.input_names not in (None, data.input_names):
            raise ValueError(f"{args.data} does not have the inputs that {args.model} was given")
        known = subject.data_sha256 if isinstance(subject, PruningPath) else None
        if known not in (None, data.sha256):
            warnings.warn(
                f"{args.data} is not the data that {args.model} was pruned on: what the page calls "
                "fresh samples may be what it was trained on",
                stacklevel=1,
            )
    write_data_report(args.out, subject, data)
    return _said(args.out)


def _said(out: str) -> int:
    print(f"wrote {out}")
    return 0


def _rows(args: argparse.Namespace, named: bool, net: SparseMLP) -> datasets.Rows:
    """Return the rows that a network was trained on, all of them."""
    if named:
        data = datasets.load(args.data, target=args.target, data_dir=args.data_dir)
        return datasets.Rows.of(data, keep_test=args.data not in SEARCHED)
    return datasets.load_rows(args.data, args.target, as_numbers=net.is_regression)


def write_data_report(
    file: str, subject: PruningPath | SparseMLP, data: datasets.Dataset | None
) -> None:
    """Write the page, with a dataset's splits if there is one.

    Parameters
    ----------
    file : str
    subject : PruningPath or SparseMLP
    data : Dataset or None
    """
    write_report(
        file,
        subject,
        validation=None if data is None else tuple(data.validation),
        test=None if data is None else tuple(data.test),
        image_shape=None if data is None else data.image_shape,
        title=None if data is None else Path(data.name).name,
    )
