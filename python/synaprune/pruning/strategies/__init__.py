"""Strategies of `prune`, one file each."""

from synaprune.pruning.goal import Goal
from synaprune.pruning.strategies._strategy import Strategy
from synaprune.pruning.strategies.gradual import Gradual
from synaprune.pruning.strategies.iterative import PERCENTAGES, Iterative
from synaprune.pruning.strategies.sweep import Sweep, sizes

STRATEGIES: dict[str, type[Strategy]] = {
    "gradual": Gradual,
    "iterative": Iterative,
    "sweep": Sweep,
}


def default_strategy(goal: Goal) -> type[Strategy]:
    """Return the kind of strategy that goes with a goal."""
    return Gradual if goal.counted else Iterative


__all__ = [
    "PERCENTAGES", "STRATEGIES", "Gradual", "Iterative", "Strategy", "Sweep", "default_strategy",
    "sizes",
]  # fmt: skip
