"""`prune`: when to cut and how many, towards counts or under a contract."""

from synaprune.pruning._prune import check_strategy, prune
from synaprune.pruning.budget import InputBudget
from synaprune.pruning.contract import Contract, Judgement
from synaprune.pruning.goal import Goal
from synaprune.pruning.limits import LimitReached, Limits
from synaprune.pruning.session import PruningInterrupted, Session
from synaprune.pruning.strategies import (
    PERCENTAGES,
    STRATEGIES,
    Gradual,
    Iterative,
    Strategy,
    Sweep,
    default_strategy,
    sizes,
)

__all__ = [
    "Contract",
    "Goal",
    "Gradual",
    "InputBudget",
    "Iterative",
    "Judgement",
    "LimitReached",
    "Limits",
    "PERCENTAGES",
    "PruningInterrupted",
    "STRATEGIES",
    "Session",
    "Strategy",
    "Sweep",
    "check_strategy",
    "default_strategy",
    "prune",
    "sizes",
]
