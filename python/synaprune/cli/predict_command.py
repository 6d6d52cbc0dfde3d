"""``synaprune predict``: labels for the rows of a table."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from typing import Any

from synaprune.cli.inputs import inputs_for
from synaprune.io import write_atomically
from synaprune.network import SparseMLP


def add_parser(commands: Any) -> None:
    """Add the command to the console's parser."""
    p = commands.add_parser(
        "predict",
        help="predict with a saved model",
        description="Write one label a row of DATA, as CSV. Columns are found by the names that "
        "the model was trained with; only those that it uses have to be there.",
    )
    p.set_defaults(run=run)
    p.add_argument("model", metavar="MODEL.npz")
    p.add_argument("data", metavar="DATA", help="a file of any format that prune reads; - is stdin")
    p.add_argument("--out", metavar="FILE", help="write to FILE, not to stdout")
    p.add_argument(
        "--proba", action="store_true", help="add a header and a column of probability per class"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    net = SparseMLP.load(args.model)
    source = sys.stdin.buffer if args.data == "-" else args.data
    X = inputs_for(net, source)
    labels = net.predict(X).tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if args.proba:
        writer.writerow(["label", *(f"p({c})" for c in net.classes.tolist())])
        for label, row in zip(labels, net.predict_proba(X).tolist(), strict=True):
            writer.writerow([label, *(f"{p:.6g}" for p in row)])
    else:
        writer.writerows([label] for label in labels)
    if args.out:
        write_atomically(args.out, text.getvalue().encode())
    else:
        sys.stdout.write(text.getvalue())
    return 0
