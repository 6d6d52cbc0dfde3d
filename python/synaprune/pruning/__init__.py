"""`prune`: when to cut and how many, towards counts or under a contract."""

from synaprune.pruning._bounds import accuracy_lower_bound, drop_upper_bound, mcnemar, sign_test
from synaprune.pruning._prune import check_strategy, prune
from synaprune.pruning.contract import Contract, Judgement
from synaprune.pruning.goal import Goal
from synaprune.pruning.session import PruningInterrupted, Session
from synaprune.pruning.strategies import (
    PERCENTAGES,
    STRATEGIES,
    Gradual,
    Iterative,
    Strategy,
    default_strategy,
)

__all__ = [
    "Contract",
    "Goal",
    "Gradual",
    "Iterative",
    "Judgement",
    "PERCENTAGES",
    "PruningInterrupted",
    "STRATEGIES",
    "Session",
    "Strategy",
    "accuracy_lower_bound",
    "check_strategy",
    "default_strategy",
    "drop_upper_bound",
    "mcnemar",
    "prune",
    "sign_test",
]
