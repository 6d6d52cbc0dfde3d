"""Which targets `prune` can take for a network."""

from __future__ import annotations

import math

import numpy as np

from synaprune.checks import check_float, check_int
from synaprune.network import SparseMLP
from synaprune.pruning._metric import Metric, check_metric, name_of

STRATEGIES = ("auto", "ladder", "gradual")


def check_target(
    net: SparseMLP,
    *,
    n_synapses: int | None = None,
    n_inputs: int | None = None,
    min_accuracy: float | None = None,
    max_drop: float | None = None,
    strategy: str = "auto",
    confidence: float | None = None,
    metric: Metric = "accuracy",
) -> None:
    """Raise a TypeError or ValueError unless `prune` can take these targets for this network."""
    check_metric(metric)
    contract = _given(min_accuracy=min_accuracy, max_drop=max_drop)
    counts = _given(n_synapses=n_synapses, n_inputs=n_inputs)
    if len(contract) + (n_synapses is not None) > 1:
        raise ValueError(
            "at most one of n_synapses, min_accuracy and max_drop may be given, beside n_inputs, "
            f"got {' and '.join([*counts, *contract])}"
        )
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {strategy!r}")
    if strategy != "auto" and (strategy == "gradual") != (bool(counts) and not contract):
        got = " and ".join([*counts, *contract]) or "no target"
        raise ValueError(
            "strategy 'gradual' goes with n_synapses or n_inputs alone, 'ladder' with min_accuracy "
            f"or max_drop; got {strategy!r} with {got}"
        )
    if n_synapses is not None:
        check_int("n_synapses", n_synapses, len(net.layers) - 1, net.n_synapses)
    if n_inputs is not None:
        check_int("n_inputs", n_inputs, 1, net.n_used_inputs)
    frozen = net.frozen_synapses
    held = {
        "n_synapses": (n_synapses, sum(int(part.sum()) for part in frozen)),
        "n_inputs": (n_inputs, len(np.unique(net.weights[0].indices[frozen[0]]))),
    }
    for name, (target, n) in held.items():
        if target is not None and target < n:
            raise ValueError(
                f"{name} must be at least {n}, what is frozen, got {target}; "
                "see with_nothing_frozen"
            )
    low, high = (-math.inf, math.inf) if callable(metric) else (0.0, 1.0)
    if min_accuracy is not None:
        check_float("min_accuracy", min_accuracy, low, high)
    if max_drop is not None:
        check_float("max_drop", max_drop, 0.0, high)
    if confidence is None:
        return
    if check_float("confidence", confidence, 0.0, 1.0, open_low=True) == 1.0:
        raise ValueError("confidence must be below 1, got 1.0")
    if metric != "accuracy":
        raise ValueError(f"confidence goes with metric 'accuracy' alone, got {name_of(metric)!r}")
    if counts and not contract:
        got = " and ".join(counts)
        raise ValueError(f"confidence goes with min_accuracy or max_drop, got {got}")


def _given(**targets: float | None) -> dict[str, float]:
    return {name: value for name, value in targets.items() if value is not None}
