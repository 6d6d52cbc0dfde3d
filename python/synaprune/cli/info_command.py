"""``synaprune info``: what a saved model is, expects and needs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from synaprune import io
from synaprune.checks import shown_structure
from synaprune.cli.inputs import load_model
from synaprune.explain import equation
from synaprune.export.overview import Exported, overview
from synaprune.metrics import metric_title
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.search import Estimate

_MOST = 20  # names, columns or options that are listed; --json has all
_STYLES = {"plain": "", "point": " such as 1,234.5", "comma": " such as 1.234,5"}


def add_parser(commands: Any) -> None:
    """Add the command to the console's parser."""
    p = commands.add_parser(
        "info",
        help="describe a saved model",
        description="Say what a model predicts, from which columns and how well, how it was "
        "trained, and what it needs in each language that export writes.",
    )
    p.set_defaults(run=run)
    p.add_argument("model", metavar="MODEL.npz")
    p.add_argument("--json", metavar="FILE", help="write all of it; to stdout if -")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if args.json not in (None, "-"):
        out = io.check_target(args.json)
        if out.exists() and Path(args.model).exists() and out.samefile(args.model):
            raise ValueError(f"--json would overwrite {args.model}")
    record = describe(args.model)
    text = json.dumps(record, indent=1) + "\n"
    if args.json == "-":
        sys.stdout.write(text)
        return 0
    if args.json is not None:
        io.write_atomically(args.json, text.encode())
    print("\n".join(map(_plain, _lines(record))))
    return 0


def describe(file: str) -> dict[str, Any]:
    """Return what is known of a model file, as JSON values.

    Parameters
    ----------
    file : str

    Returns
    -------
    dict
        "model", "version" and "bytes" of the file, "network", "columns", "n_columns" and
        "left_out" (None without an encoder), "expected" and "expected_full" (None if the file has
        no estimates), "training" (None if it has no path) and "exports". The keys are a promise to
        users.
    """
    subject = load_model(file)
    path = subject if isinstance(subject, PruningPath) else None
    net = subject.smallest if isinstance(subject, PruningPath) else subject
    header, _ = io.read_model(file)
    encoder = net.encoder
    return {
        "model": file,
        "version": header.get("version"),
        "bytes": Path(file).stat().st_size,
        "network": _network(net),
        "columns": None if encoder is None else _columns(net),
        "n_columns": None if encoder is None else len(encoder.order),
        "left_out": None if encoder is None else dict(encoder.left_out),
        "expected": None if path is None else path.expected,
        "expected_full": None if path is None else path.expected_full,
        "training": None if path is None else _training(path),
        "exports": [dataclasses.asdict(export) for export in (*overview(net), _formula(net))],
    }


def _network(net: SparseMLP) -> dict[str, Any]:
    fitted = net._targets is not None
    is_regression = net.is_regression
    return {
        "structure": net.structure,
        "layers": list(net.layers),
        "activation": net.activation,
        "loss": net.loss,
        "predicts": "numbers" if is_regression else "classes",
        "fitted": fitted,
        "classes": net.classes.tolist() if fitted and not is_regression else None,
        "n_synapses": net.n_synapses,
        "n_parameters": net.n_synapses + sum(map(int, net.structure.split("-")[1:])),
        "n_features": net.n_features,
        "n_inputs": net.n_used_inputs,
        "inputs": [net.input_name(i) for i in net.used_inputs.tolist()],
        "n_bytes": net.n_bytes,
        "seed": net.seed,
    }


def _columns(net: SparseMLP) -> list[dict[str, Any]]:
    """Return the columns that the network uses, how they are encoded, and the inputs it uses."""
    assert net.encoder is not None
    used = set(net.used_columns)
    inputs = {net.input_name(i) for i in net.used_inputs.tolist()}
    names = iter(net.encoder.input_names)
    found = []
    for column in net.encoder.columns:
        own = [next(names) for _ in column.inputs]
        if column.name in used:
            encoding = {"kind": column.kind, **dataclasses.asdict(column)}
            found.append({**encoding, "inputs": [name for name in own if name in inputs]})
    return found


def _formula(net: SparseMLP) -> Exported:
    """Return how long the formula is that export writes."""
    try:
        return Exported(format="formula", n_bytes=len(f"{equation(net)!r}\n".encode()))
    except ValueError as error:
        return Exported(format="formula", refused=str(error))


def _training(path: PruningPath) -> dict[str, Any]:
    first, last = path.steps[0], path.steps[-1]
    return {
        "metric": path.metric,
        "score": last.score,
        "start": {
            "structure": first.structure,
            "n_synapses": first.n_synapses,
            "n_inputs": first.n_inputs,
            "score": first.score,
        },
        "steps": len(path),
        "epochs": path.epochs,
        "stop_reason": path.stop_reason,
        "options": path.options,
        "data_sha256": path.data_sha256,
    }


# ---- as text


def _lines(record: dict[str, Any]) -> list[str]:
    """Return what a person reads: what the network does and how well, then the rest."""
    lines = [*_summary(record), ""]
    if record["columns"] is not None:
        lines += _told_columns(record)
    net, training = record["network"], record["training"]
    facts = {
        "network": f"{shown_structure(net['structure'])}: {net['n_synapses']} synapses, "
        f"{net['n_parameters']} parameters with biases, {net['n_bytes']} bytes in memory; "
        + (f"{net['activation']}, " if len(net["layers"]) > 2 else "")
        + f"loss {net['loss']}",
        "file": f"{record['bytes']} bytes, written by synaprune {record['version']}",
    }
    if training is not None:
        start = training["start"]
        facts["trained"] = (
            f"{training['epochs']} epochs, {training['steps']} networks from "
            f"{shown_structure(start['structure'])} ({start['n_synapses']} synapses) on; "
            f"seed {net['seed']}"
        )
        if training["stop_reason"]:
            facts["ended"] = f"because {training['stop_reason']}"
        options = {k: v for k, v in training["options"].items() if v is not None}
        told = [f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in options.items()]
        facts["options"] = _some(told, ", ")
        facts["data"] = training["data_sha256"] and f"SHA-256 {training['data_sha256']}"
    lines += [f"{name:<10} {text}" for name, text in facts.items() if text]
    return [*lines, "", *_told_exports(record["exports"])]


def _summary(record: dict[str, Any]) -> Iterable[str]:
    net, training = record["network"], record["training"]
    target = None if training is None else training["options"].get("target")
    if not net["fitted"]:
        yield f"{record['model']}: a network that was never fitted"
        return
    what = "numbers" if net["classes"] is None else _some(list(map(str, net["classes"])), " or ")
    if target is not None:
        what = f"{target!r}, {what}"
    if record["columns"] is None:
        source = f"{net['n_inputs']} of {net['n_features']} inputs"
    else:
        source = f"{len(record['columns'])} of {record['n_columns']} columns"
    yield f"{record['model']} predicts {what}, from {source}, with {net['n_synapses']} synapses."
    if record["expected"] is not None:
        expected, full = Estimate(**record["expected"]), record["expected_full"]
        than = "" if full is None else f"; full network {Estimate(**full)}"
        yield f"Expected {metric_title(expected.metric)} on fresh data: {expected}{than}."
        yield f"Estimated by {expected.method}."
    elif training is not None:
        in_percent = training["metric"] in ("accuracy", "balanced_accuracy")
        score = f"{training['score']:{'.2%' if in_percent else '.4f'}}"
        yield (
            f"Its {metric_title(training['metric'])} was {score} on the rows that judged it, which "
            "tends to be too high for fresh data."
        )
    else:
        yield "The file does not say how well."
    if record["columns"] is None:
        yield f"Inputs used: {_some(net['inputs'], ', ')}"


def _told_columns(record: dict[str, Any]) -> list[str]:
    lines = ["columns used"]
    width = min(30, max((len(c["name"]) for c in record["columns"]), default=0))
    for column in record["columns"][:_MOST]:
        name = column["name"] if len(column["name"]) <= width else column["name"][:29] + "…"
        lines.append(f"  {name:<{width}}  {_encoding(column)}")
    if len(record["columns"]) > _MOST:
        lines.append(f"  and {len(record['columns']) - _MOST} more")
    left_out = [f"{name!r} ({why})" for name, why in record["left_out"].items()]
    return [*lines, *([f"left out: {_some(left_out, ', ')}"] if left_out else []), ""]


def _encoding(column: dict[str, Any]) -> str:
    """Return how a column becomes inputs."""
    if column["kind"] == "numbers":
        told = f"number{_STYLES[column['style']]}, cut off at {column['low']:.6g} and "
        told += f"{column['high']:.6g}; a missing one becomes {column['fill']:.6g}"
        return told + (", and an input says so" if column["missing"] else "")
    if column["kind"] == "categories":
        values = [*column["values"], *(["others"] if column["other"] else [])]
        return f"category, an input for {'each of ' * (len(values) > 1)}{_some(values, ', ')}"
    return f"date ({column['form']}): {', '.join(column['parts'])}"


def _told_exports(exports: Sequence[dict[str, Any]]) -> list[str]:
    """Return a table of what holds the network, and the reasons of what does not."""
    reasons: dict[str, list[str]] = {}
    for e in exports:
        if e["refused"]:
            reasons.setdefault(e["refused"], []).append(e["format"])
    if [len(names) for names in reasons.values()] == [len(exports)]:
        return [f"No export: {next(iter(reasons))}"]
    heads = ("export", "flash", "RAM", "multiplies", "bytes")
    rows = [heads] + [
        (
            e["format"],
            *("" if e[k] is None else str(e[k]) for k in ("n_flash", "n_ram", "n_multiplies")),
            "no, see below" if e["refused"] else "" if e["n_bytes"] is None else str(e["n_bytes"]),
        )
        for e in exports
    ]  # fmt: skip
    lines = [
        f"{name:<16} {flash:>8} {ram:>8} {multiplies:>11} {n:>10}".rstrip()
        for name, flash, ram, multiplies, n in rows
    ]
    lines.append("Flash and RAM: bytes on a Cortex-M0, estimated. Bytes: of the text or matrices.")
    return [*lines, *(f"{', '.join(names)}: {why}" for why, names in reasons.items())]


def _some(texts: Sequence[str], between: str) -> str:
    more = f"{between}… ({len(texts)} in all)" if len(texts) > _MOST else ""
    return between.join(f"{text:.60}" for text in texts[:_MOST]) + more


def _plain(text: str) -> str:
    """Return text without what would steer a terminal: a file may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
