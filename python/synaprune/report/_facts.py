"""What a report tells, as JSON values."""

from __future__ import annotations

import datetime
import json
import platform
from typing import Any

import numpy as np

from synaprune import _core
from synaprune.checks import check_image_shape
from synaprune.network import SparseMLP
from synaprune.path import PruningPath
from synaprune.report._parts import network_facts, proof_facts
from synaprune.report._samples import rule_facts, sample_facts


def collect(
    subject: PruningPath | SparseMLP,
    *,
    validation: Any,
    test: Any,
    image_shape: tuple[int, int] | None,
    most: int,
    threads: int,
) -> dict[str, Any]:
    """Return all facts; arguments as in `write_report`, which names the errors.

    Returns
    -------
    dict
        JSON values: "summary", "classes", "image_shape", "network", "proof" (None without samples),
        "curve" (None without a path), "rules", "samples" (None without samples) and "made".
    """
    if not isinstance(subject, PruningPath | SparseMLP):
        raise TypeError(
            f"a report is about a PruningPath or a SparseMLP, got {type(subject).__name__}"
        )
    path = subject if isinstance(subject, PruningPath) else None
    if path is not None and not path.steps:
        raise ValueError("the path has no step to report")
    net = subject.smallest if isinstance(subject, PruningPath) else subject
    classes = [str(label) for label in net.classes.tolist()]
    if image_shape is not None:
        image_shape = check_image_shape(image_shape, net.layers[0])
    splits = {
        name: net.check_validation(pair, name)
        for name, pair in (("validation", validation), ("test", test))
        if pair is not None
    }
    known = {name: (split.X, net.classes[split.y]) for name, split in splits.items()}
    if len(known) == 2 and np.array_equal(known["validation"][0], known["test"][0]):
        del known["test"]  # the same samples again prove nothing
    network, shown = network_facts(net, most)
    proof = proof_facts(net, known, shown, threads)
    samples = known.get("validation", known.get("test"))
    return {
        "summary": _summary(net, path, known, threads),
        "classes": classes,
        "image_shape": image_shape,
        "network": network,
        "proof": proof,
        "curve": None if path is None else _curve(path),
        "rules": rule_facts(net, samples, threads),
        "samples": sample_facts(net, samples, image_shape is not None, threads),
        "made": _made(net, path),
    }


def _summary(
    net: SparseMLP, path: PruningPath | None, known: dict[str, Any], threads: int
) -> dict[str, Any]:
    full = None if path is None else path.network(0)
    options = {} if path is None else path.options
    goals = ("n_synapses", "n_inputs", "min_accuracy", "max_drop", "confidence", "metric")
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
        "verdict": "" if path is None else path.stop_reason,
        "contract": {g: options[g] for g in goals if options.get(g) is not None},
        "accuracy": {
            name: {
                "n": len(y),
                "final": net.score(X, y, threads=threads),
                "full": None if full is None else full.score(X, y, threads=threads),
            }
            for name, (X, y) in known.items()
        },
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


def _made(net: SparseMLP, path: PruningPath | None) -> dict[str, str]:
    info = _core.build_info()
    made = {
        "synaprune": _core.__version__,
        "seed": str(net.seed),
        "layers": " × ".join(map(str, net.layers)) + f", {net.activation}, loss {net.loss}",
        "data (SHA-256)": (path.data_sha256 if path is not None else None) or "not known",
        "epochs in all": "not known" if path is None else str(path.epochs),
        "page made on": f"{platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, ISA {info['isa']}",
        "page made at": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
    }
    for name, value in sorted((path.options if path is not None else {}).items()):
        made[f"option {name}"] = value if isinstance(value, str) else json.dumps(value)
    return made
