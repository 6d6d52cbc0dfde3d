"""`smallest_network`: the smallest network that keeps the score, chosen by cross-validation."""

from synaprune.search._candidates import CANDIDATES, Candidate
from synaprune.search._recipe import (
    BATCH_SIZE,
    LEARNING_RATES,
    at_a_rate_that_converges,
    recipe_of_full,
)
from synaprune.search._result import CurvePoint, Estimate, SearchResult
from synaprune.search._smallest_network import METRICS, smallest_network

__all__ = [
    "BATCH_SIZE",
    "CANDIDATES",
    "LEARNING_RATES",
    "METRICS",
    "Candidate",
    "CurvePoint",
    "Estimate",
    "SearchResult",
    "at_a_rate_that_converges",
    "recipe_of_full",
    "smallest_network",
]
