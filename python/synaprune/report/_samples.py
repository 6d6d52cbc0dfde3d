"""Prototypes, attributions and rules of a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs
from synaprune.data import CheckedData
from synaprune.explain import (
    MAX_TABLE_INPUTS,
    activation_patterns,
    attributions,
    class_rules,
    prototypes,
    strongest_paths,
    truth_tables,
)
from synaprune.network import SparseMLP
from synaprune.report._network import round4, round_all

_MAX_CLASSES = 30  # with prototypes
_MAX_ATTRIBUTIONS = 1500  # inputs with attributions


def sample_facts(
    net: SparseMLP, samples: CheckedData | None, images: bool, threads: int
) -> dict[str, Any] | None:
    """Return prototypes and outliers of each class, and the attributions of each.

    Parameters
    ----------
    net : SparseMLP
    samples : CheckedData or None
    images : bool
        Whether inputs are images: then the facts hold the pixels, in [0, 255].
    threads : int

    Returns
    -------
    dict or None
        None without samples.
    """
    if samples is None:
        return None
    X, codes = samples.X, samples.y
    picked = [
        (row, kind, str(found.label))
        for found in prototypes(net, samples, top_k=2, threads=threads)[:_MAX_CLASSES]
        for kind, rows in (("prototype", found.prototypes), ("outlier", found.outliers))
        for row in rows
        if kind == "prototype" or row not in found.prototypes  # a class may have few samples
    ]
    found = attributions(net, X[[row for row, _, _ in picked]], threads=threads)
    assert found.labels is not None
    strength = abs(found.values).sum(axis=0)
    shown = np.sort(np.argsort(-strength, kind="stable")[:_MAX_ATTRIBUTIONS])
    shown = shown[strength[shown] > 0]
    patterns = activation_patterns(net, X, threads=threads)
    return {
        "inputs": shown.tolist(),
        "patterns": {
            "n": len(patterns),
            "samples": len(codes),
            "largest": [
                {
                    "samples": len(p.samples),
                    "active": len(p.active),
                    "classes": _most_common(net, codes[p.samples]),
                }
                for p in patterns[:8]
            ],
        },
        "picked": [
            {
                "row": row,
                "kind": kind,
                "label": label,
                "predicted": str(found.labels[k]),
                "logit": round4(float(found.totals[k])),
                "bias": round4(float(found.bias[k])),
                "attributions": round_all(found.values[k, shown]),
                "values": round_all(X[row, shown].astype(np.float64)),
                "pixels": _pixels(X, row) if images else None,
                "paths": [
                    {"neurons": list(p.neurons), "value": round4(p.value)}
                    for p in strongest_paths(net, X[row], top_k=5, threads=threads)
                ],
            }
            for k, (row, kind, label) in enumerate(picked)
        ],
    }


def rule_facts(net: SparseMLP, X: Inputs | None, threads: int) -> dict[str, Any]:
    """Return exact formulas or short rules, or the reason why there are none.

    Parameters
    ----------
    net : SparseMLP
    X : ndarray of float32 or uint8, shape (n, n_features), or None
    threads : int

    Returns
    -------
    dict
        "text": the paragraph of the section; "lines": list of str.
    """
    if X is None:
        return {"text": "Rules need samples: pass validation or test data.", "lines": []}
    used = net.used_inputs
    values = np.unique(X[:, used]) if len(used) else np.zeros(0)
    if 0 < len(used) <= MAX_TABLE_INPUTS and len(values) == 2:
        low, high = map(float, values)
        tables = truth_tables(net, low=low, high=high, threads=threads)
        text = (
            f"Exact, over all combinations of the {len(used)} inputs: false is {low:g}, true is "
            f"{high:g}."
        )
        return {"text": text, "lines": [str(t) for t in tables]}
    try:
        leaves = max(8, 2 * len(net.classes))
        rules = class_rules(net, X, max_leaf_nodes=leaves, threads=threads)
    except (ImportError, ValueError) as error:
        return {"text": f"No rules: {error}.", "lines": []}
    agree = f"the rules agree with the network on {rules.fidelity:.1%} of held-out samples"
    if not rules.sufficient:
        return {"text": f"No short rules describe this network: {agree}.", "lines": []}
    lines = [f"{label}: {' or '.join(parts)}" for label, parts in rules.rules.items()]
    return {"text": f"Approximate: {agree}.", "lines": lines}


def _most_common(net: SparseMLP, codes: NDArray[np.int32]) -> list[list[Any]]:
    """Return [label, count] of the three most frequent classes."""
    counts = np.bincount(codes)
    order = np.argsort(-counts, kind="stable")[:3]
    return [[str(net.classes[c]), int(counts[c])] for c in order.tolist() if counts[c]]


def _pixels(X: Any, row: int) -> list[int]:
    """Return the values of a sample, scaled to [0, 255]."""
    x = X[row].astype(np.float64)
    low, high = (0.0, 255.0) if X.dtype == np.uint8 else (float(X[row].min()), float(X[row].max()))
    scaled = (x - low) * (255.0 / max(high - low, 1e-12))
    whole: list[int] = np.rint(np.clip(scaled, 0.0, 255.0)).astype(int).tolist()
    return whole
