"""`prune`: when to cut and how many, under a target count or an accuracy contract."""

from synaprune.pruning._ladder import PERCENTAGES
from synaprune.pruning._prune import STRATEGIES, check_target, prune
from synaprune.pruning._run import PruningInterrupted, mcnemar

__all__ = [
    "PERCENTAGES",
    "STRATEGIES",
    "PruningInterrupted",
    "check_target",
    "mcnemar",
    "prune",
]
