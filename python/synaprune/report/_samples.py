"""Samples and rules of a report."""

from __future__ import annotations

from typing import Any

import numpy as np

from synaprune.explain import (
    class_rules,
    contributions,
    examples,
    groups,
    strongest_paths,
    truth_tables,
)
from synaprune.network import SparseMLP
from synaprune.report._parts import short, shorts

_MOST_IN_TABLE = 10  # inputs of a truth table
_MOST_CLASSES = 30  # that samples are shown of
_MOST_SHOWN = 1500  # inputs whose contributions are told


def sample_facts(net: SparseMLP, samples: Any, images: bool, threads: int) -> dict[str, Any] | None:
    """Return typical and untypical samples and why each was decided as it was.

    Parameters
    ----------
    net : SparseMLP
    samples : (X, y) or None
    images : bool
        Whether a sample can be drawn: then its pixels are told, in [0, 255].
    threads : int

    Returns
    -------
    dict or None
        None without samples.
    """
    if samples is None:
        return None
    X, y = samples
    found = examples(net, X, y, most=2, threads=threads)[:_MOST_CLASSES]
    picked = [
        (row, kind, str(e.label))
        for e in found
        for kind, rows in (("typical", e.prototypes), ("untypical", e.outliers))
        for row in rows
        if kind == "typical" or row not in e.prototypes  # of a class of a few samples
    ]
    rows = [row for row, _, _ in picked]
    parts = contributions(net, X[rows], threads=threads)
    strength = abs(parts.values).sum(axis=0)
    told = np.sort(np.argsort(-strength, kind="stable")[:_MOST_SHOWN])
    told = told[strength[told] > 0]
    ways = groups(net, X, threads=threads)
    return {
        "inputs": told.tolist(),
        "groups": {
            "n": len(ways),
            "samples": len(y),
            "largest": [
                {
                    "samples": len(g.samples),
                    "active": len(g.active),
                    "classes": _most_common(y[g.samples]),
                }
                for g in ways[:8]
            ],
        },
        "picked": [
            {
                "row": row,
                "kind": kind,
                "label": label,
                "predicted": str(parts.labels[k]),
                "logit": short(float(parts.logits[k])),
                "bias": short(float(parts.bias[k])),
                "values": shorts(parts.values[k, told]),
                "seen": shorts(X[row, told].astype(np.float64)),
                "pixels": _pixels(X, row) if images else None,
                "paths": [
                    {"neurons": list(p.neurons), "value": short(p.value)}
                    for p in strongest_paths(net, X[row], most=5, threads=threads)
                ],
            }
            for k, (row, kind, label) in enumerate(picked)
        ],
    }


def rule_facts(net: SparseMLP, samples: Any, threads: int) -> dict[str, Any]:
    """Return exact formulas or short rules, or why there are none.

    Parameters
    ----------
    net : SparseMLP
    samples : (X, y) or None
    threads : int

    Returns
    -------
    dict
        "text": what the section says; "lines": list of str.
    """
    if samples is None:
        return {"text": "Rules need samples: give the report data.", "lines": []}
    X, _ = samples
    used = net.used_inputs
    values = np.unique(X[:, used]) if len(used) else np.zeros(0)
    if 0 < len(used) <= _MOST_IN_TABLE and len(values) == 2:
        low, high = map(float, values)
        tables = truth_tables(net, low=low, high=high, threads=threads)
        text = (
            f"Exact: every combination of the {len(used)} inputs, no being {low:g}, yes {high:g}."
        )
        return {"text": text, "lines": [str(t) for t in tables]}
    try:
        rules = class_rules(net, X, most=max(8, 2 * len(net.classes)), threads=threads)
    except (ImportError, ValueError) as error:
        return {"text": f"No rules: {error}.", "lines": []}
    agree = f"rules and network agree on {rules.fidelity:.1%} of samples held out"
    if not rules.short:
        return {
            "text": f"No short rule says what this network does: at best, {agree}.",
            "lines": [],
        }
    lines = [f"{label}: {' or '.join(parts)}" for label, parts in rules.rules.items()]
    return {"text": f"Approximate: {agree}.", "lines": lines}


def _most_common(y: Any) -> list[list[Any]]:
    """Return [label, count] of the three classes that are most common."""
    labels, counts = np.unique(y, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:3]
    return [[str(labels[i]), int(counts[i])] for i in order]


def _pixels(X: Any, row: int) -> list[int]:
    """Return a sample's values between 0 and 255."""
    x = X[row].astype(np.float64)
    low, high = (0.0, 255.0) if X.dtype == np.uint8 else (float(X[row].min()), float(X[row].max()))
    scaled = (x - low) * (255.0 / max(high - low, 1e-12))
    whole: list[int] = np.rint(np.clip(scaled, 0.0, 255.0)).astype(int).tolist()
    return whole
