"""`prune`: when to cut and how many, under a target count or an accuracy contract."""

from synaprune.pruning._contract import check_samples
from synaprune.pruning._ladder import PERCENTAGES
from synaprune.pruning._metric import METRICS
from synaprune.pruning._prune import prune
from synaprune.pruning._run import PruningInterrupted
from synaprune.pruning._targets import STRATEGIES, check_target

__all__ = [
    "METRICS",
    "PERCENTAGES",
    "STRATEGIES",
    "PruningInterrupted",
    "check_samples",
    "check_target",
    "prune",
]
