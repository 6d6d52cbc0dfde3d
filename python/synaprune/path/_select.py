"""Which step of a path meets what is asked, and the path as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synaprune.checks import check_float, check_int
from synaprune.path._step import PathStep


def select(
    steps: Sequence[PathStep],
    n_synapses: int | None,
    n_inputs: int | None,
    min_accuracy: float | None,
) -> PathStep:
    """Return the smallest step that meets all that is not None; raises as `PruningPath.select`."""
    wanted = {"n_synapses": n_synapses, "n_inputs": n_inputs, "min_accuracy": min_accuracy}
    given = {name: value for name, value in wanted.items() if value is not None}
    for name, value in given.items():
        if name == "min_accuracy":
            check_float(name, value, -math.inf)
        else:
            check_int(name, value, 0)
    if not steps:
        raise ValueError("the path has no step to select from")

    def misses(step: PathStep) -> float:
        """By how much, relatively, a step misses what is wanted."""
        miss = 0.0
        for name, value in given.items():
            if name == "min_accuracy":
                miss += max(0.0, value - 1e-9 - step.accuracy)
            else:
                miss += max(0.0, (getattr(step, name) - value) / max(value, 1))
        return miss

    fitting = [s for s in steps if misses(s) == 0.0]
    if not fitting:
        near = min(steps, key=misses)
        asked = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ValueError(
            f"no network of the path meets {asked}; the nearest is step {near.step}: "
            f"{near.structure}, {near.n_synapses} synapses, accuracy {near.accuracy:.4f}"
        )
    return min(fitting, key=lambda s: (s.n_synapses, -s.accuracy))


def table(steps: Sequence[PathStep]) -> str:
    """Return the steps as a text table, one line a step."""
    bounded = any(s.bound is not None for s in steps)
    head = f"{'step':>4} {'synapses':>9} {'inputs':>7} {'structure':<18} {'epochs':>6}"
    head = f"{head} {'after cut':>10} {'accuracy':>9} {'p':>7}"
    lines = [f"{head} {'bound':>7}" if bounded else head]
    for s in steps:
        line = (
            f"{s.step:>4} {s.n_synapses:>9} {s.n_inputs:>7} {s.structure:<18} {s.epochs:>6} "
            f"{s.accuracy_before:>10.4f} {s.accuracy:>9.4f} {s.p_value:>7.3f}"
        )
        bound = "" if s.bound is None else f"{s.bound:.4f}"
        lines.append(f"{line} {bound:>7}" if bounded else line)
    return "\n".join(lines)
