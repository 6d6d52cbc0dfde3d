"""How sure an accuracy or its drop on a validation split is: a test and two bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """McNemar's exact two-sided test (McNemar, 1947) on paired right-or-wrong outcomes.

    Parameters
    ----------
    a, b : ndarray of bool, shape (n,)
        Which samples each classifier gets right.

    Returns
    -------
    float
        Twice the binomial tail of the disagreements at probability 1/2, at most 1.

    Examples
    --------
    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    n, fewer = only_a + only_b, min(only_a, only_b)
    tail, ways = 0, 1  # whole numbers: the sum of the binomial coefficients is exact
    for k in range(fewer + 1):
        tail += ways
        ways = ways * (n - k) // (k + 1)
    return float(min(1.0, 2 * tail / 2**n))


def sign_test(lost: int, won: int) -> float:
    """One-sided exact test on pairs, of which so many only the first, or the second, gets right.

    Parameters
    ----------
    lost, won : int

    Returns
    -------
    float
        Probability of at least `lost` among ``lost + won`` fair coins.

    Examples
    --------
    >>> round(sign_test(3, 0), 6), sign_test(0, 0)
    (0.125, 1.0)
    """
    return _at_least(lost, lost + won, 0.5) if lost else 1.0


def drop_upper_bound(lost: int, won: int, n: int, confidence: float) -> float:
    """One-sided upper bound of a drop in accuracy, judged on the same samples.

    The score interval for a difference of paired proportions: T. Tango, "Equivalence test and
    confidence interval for the difference in proportions for the paired-sample design", Statistics
    in Medicine 17 (1998), 891-908. The bound is the drop d at which

        (n·d - (lost - won)) / √(n·(2q + d·(1 - d))) = z,

    z being the normal quantile of the confidence and q the most likely probability of a sample won
    if the drop is d: the larger root of 2n·q² + (-lost - won + (2n - lost + won)·d)·q
    - won·d·(1 - d) = 0.

    Parameters
    ----------
    lost, won : int
        Samples that only the first, or only the second, classifier gets right.
    n : int
        All samples, at least 1.
    confidence : float
        In (0, 1), such as 0.95.

    Returns
    -------
    float
        In [-1, 1]. With no disagreement it is z² / (n + z²), not 0.

    Examples
    --------
    >>> round(drop_upper_bound(12, 5, 1000, 0.95), 4)
    0.0147
    >>> round(drop_upper_bound(0, 0, 1000, 0.95), 4)
    0.0027
    """
    z = NormalDist().inv_cdf(confidence)

    def above(d: float) -> bool:
        """Whether d lies above the bound: the score grows with d."""
        b = -lost - won + (2 * n - lost + won) * d
        c = won * d * (1.0 - d)
        root = math.sqrt(max(0.0, b * b + 8.0 * n * c))
        q = 2.0 * c / (root + b) if b > 0.0 else (root - b) / (4.0 * n)
        distance = n * d - (lost - won)
        deviation = math.sqrt(n * max(0.0, 2.0 * q + d * (1.0 - d)))
        if distance == deviation == 0.0:
            return z < 0.0
        return distance > z * deviation

    return _bisect(above, -1.0, 1.0)


def accuracy_lower_bound(right: int, n: int, confidence: float) -> float:
    """One-sided exact lower bound of an accuracy.

    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26 (1934), 404-413: the accuracy p at which as many right
    answers, or more, have the probability 1 - confidence.

    Parameters
    ----------
    right, n : int
        Samples that are right, of all, at least 1.
    confidence : float
        In (0, 1), such as 0.95.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> round(accuracy_lower_bound(970, 1000, 0.95), 4)
    0.9595
    """
    if right == 0:
        return 0.0
    return _bisect(lambda p: _at_least(right, n, p) > 1.0 - confidence, 0.0, 1.0)


def _at_least(k: int, n: int, p: float) -> float:
    """Probability of k successes or more in n trials, for 1 <= k <= n and p in (0, 1)."""
    upward = k > n * p  # sum the tail whose terms fall from the first one on
    first = k if upward else k - 1
    term = math.exp(
        math.lgamma(n + 1) - math.lgamma(first + 1) - math.lgamma(n - first + 1)
        + first * math.log(p) + (n - first) * math.log1p(-p)
    )  # fmt: skip
    total, i, odds = 0.0, first, p / (1.0 - p)
    while term > total * 1e-17 and 0 <= i <= n:
        total += term
        term *= (n - i) / (i + 1) * odds if upward else i / ((n - i + 1) * odds)
        i += 1 if upward else -1
    return total if upward else 1.0 - total


def _bisect(above: Callable[[float], bool], low: float, high: float) -> float:
    """Return the point in [low, high] from which on `above` is true, from above."""
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (low, middle) if above(middle) else (middle, high)
    return high
