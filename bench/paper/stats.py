"""Intervals, rank correlations, precision and recall."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the mean and its t interval (Student, 1908)."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, -math.inf, math.inf
    error = statistics.stdev(values) / math.sqrt(len(values))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) * error
    return mean, mean - half, mean + half


def precision_recall(found: Collection[int], true: Collection[int]) -> tuple[float, float]:
    """Return the share of what was found that is true, and of what is true that was found."""
    both = len(set(found) & set(true))
    return both / max(1, len(found)), both / len(true)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation."""
    return float(stats.spearmanr(np.asarray(a), np.asarray(b)).statistic)


def verdict(claim: str, holds: bool) -> str:
    """Say whether a claim holds."""
    return f"{claim}: {'holds' if holds else 'does not hold'}."


def compared(a: str, b: str, differences: Sequence[float]) -> str:
    """Say which of two is ahead, by the t interval of the paired differences a - b."""
    mean, low, high = mean_interval(differences)
    which = f"{a} is ahead" if low > 0 else f"{b} is ahead" if high < 0 else "neither is ahead"
    return f"{which} ({a} - {b}: {mean:+.4f}, t interval {low:+.4f} to {high:+.4f})"
