"""The content of a report, as JSON values."""

from __future__ import annotations

import datetime
import json
import platform
from typing import Any

import numpy as np

from synaprune import _core
from synaprune.checks import check_image_shape
from synaprune.data import CheckedData
from synaprune.explain.graph_layout import output_name
from synaprune.metrics import metric_title
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.report._formula import formula_facts
from synaprune.report._network import network_facts, regression_unit_facts, unit_facts
from synaprune.report._responses import response_facts
from synaprune.report._samples import rule_facts, sample_facts


def collect(
    subject: PruningPath | SparseMLP,
    *,
    validation: Any,
    test: Any,
    image_shape: tuple[int, int] | None,
    max_synapses: int,
    threads: int,
) -> dict[str, Any]:
    """Collect all facts; the arguments and errors are those of `write_report`.

    Returns
    -------
    dict
        JSON values: "summary", "classes" or "numbers" (names of what is predicted; the other is
        None), "image_shape", "network", "units" (None without samples), "curve" (None without a
        path), "rules" (None of numbers), "samples" (None without samples, or of numbers),
        "formula" (None of large networks), "responses" (None of classes) and "origin".
    """
    if not isinstance(subject, PruningPath | SparseMLP):
        raise TypeError(
            f"subject must be a PruningPath or a SparseMLP, got {type(subject).__name__}"
        )
    path = subject if isinstance(subject, PruningPath) else None
    if path is not None and not path.steps:
        raise ValueError("the path must have a step to report, got an empty one")
    net = subject.smallest if isinstance(subject, PruningPath) else subject
    net.check_fitted()
    names = [output_name(net, k) for k in range(net.layers[-1])]
    classes = None if net.is_regression else [str(label) for label in net.classes.tolist()]
    if image_shape is not None:
        image_shape = check_image_shape(image_shape, net.n_features)
    splits = {
        name: net.check_validation(pair, name)
        for name, pair in (("validation", validation), ("test", test))
        if pair is not None
    }
    if len(splits) == 2 and np.array_equal(splits["validation"].X, splits["test"].X):
        del splits["test"]  # labels cannot be replicated on the same samples
    network, drawn = network_facts(net, max_synapses)
    samples = next(iter(splits.values()), None)
    X = None if samples is None else samples.X
    return {
        "summary": _summary(net, path, splits, threads),
        "classes": classes,
        "numbers": names if net.is_regression else None,
        "image_shape": image_shape,
        "network": network,
        "units": (
            regression_unit_facts(net, splits, drawn, threads)
            if net.is_regression
            else unit_facts(net, splits, drawn, threads)
        ),
        "curve": None if path is None else _curve(path),
        "rules": None if net.is_regression else rule_facts(net, X, threads),
        "samples": (
            None
            if net.is_regression
            else sample_facts(net, samples, image_shape is not None, threads)
        ),
        "formula": formula_facts(net, X),
        "responses": response_facts(net, X, threads) if net.is_regression else None,
        "origin": _origin(net, path),
    }


def _summary(
    net: SparseMLP, path: PruningPath | None, splits: dict[str, CheckedData], threads: int
) -> dict[str, Any]:
    full = None if path is None else path.network(0)
    options = {} if path is None else path.options
    budget = options.get("n_inputs")
    asked = {**options, **_asked_of_inputs(budget)} if isinstance(budget, dict) else options
    goals = (
        "n_synapses",
        "n_inputs",
        "n_groups",
        "input_cost",
        "min_score",
        "max_drop",
        "confidence",
        "metric",
    )
    return {
        "dataset": options.get("dataset"),
        "structure": net.structure,
        "synapses": net.n_synapses,
        "inputs": net.n_used_inputs,
        "bytes": net.n_bytes,
        "full": None
        if full is None
        else {
            "structure": full.structure,
            "synapses": full.n_synapses,
            "inputs": full.n_used_inputs,
        },
        "stop_reason": "" if path is None else path.stop_reason,
        "metric": None if path is None else metric_title(path.metric),
        "contract": {g: asked[g] for g in goals if asked.get(g) is not None},
        "accuracy": {
            name: {
                "n": len(split),
                "final": net.score(split, threads=threads),
                "full": None if full is None else full.score(split, threads=threads),
            }
            for name, split in splits.items()
        },
    }


def _asked_of_inputs(budget: dict[str, Any]) -> dict[str, Any]:
    """Return the limits of the record of an `InputBudget`."""
    groups = budget["groups"] is not None
    return {
        "n_inputs": None if groups else budget["n"],
        "n_groups": budget["n"] if groups else None,
        "input_cost": budget["cost"],
    }


def _curve(path: PruningPath) -> list[dict[str, Any]]:
    return [
        {
            "synapses": step.n_synapses,
            "accuracy": float(step.score),
            "structure": step.structure,
            "removed": step.n_removed,
            "epochs": step.epochs,
        }
        for step in path
    ]


def _origin(net: SparseMLP, path: PruningPath | None) -> dict[str, str]:
    info = _core.build_info()
    origin = {
        "synaprune": _core.__version__,
        "seed": str(net.seed),
        "layers": " × ".join(map(str, net.layers)) + f", {net.activation}, loss {net.loss}",
        "data (SHA-256)": (path.data_sha256 if path is not None else None) or "unknown",
        "epochs in total": "unknown" if path is None else str(path.epochs),
        "page made on": f"{platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, ISA {info['isa']}",
        "page made at": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
    }
    for name, value in sorted((path.options if path is not None else {}).items()):
        origin[f"option {name}"] = value if isinstance(value, str) else json.dumps(value)
    return origin
