"""Statistical tests of paired outcomes, and confidence bounds of accuracies."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Test whether two classifiers have equal accuracy (McNemar, 1947; exact and two-sided).

    Parameters
    ----------
    a, b : ndarray of bool, shape (n,)
        Which samples each classifier predicts correctly.

    Returns
    -------
    float
        The p value: twice the tail of the binomial distribution of the discordant samples with
        probability 1/2, at most 1.

    Examples
    --------
    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    return two_sided_sign_test(int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a)))


def two_sided_sign_test(lost: int, won: int) -> float:
    """Test whether a change loses and wins different numbers of samples (exact and two-sided).

    Parameters
    ----------
    lost, won : int
        Samples that are correct only before, or only after, the change.

    Returns
    -------
    float
        The p value, at most 1.

    Examples
    --------
    >>> two_sided_sign_test(6, 0), two_sided_sign_test(2, 2)
    (0.03125, 1.0)
    """
    n = lost + won
    return min(1.0, 2 * _tosses(min(lost, won), n) / (1 << n))


def sign_test(lost: int, won: int) -> float:
    """Test whether a change loses more samples than it wins (exact and one-sided).

    Parameters
    ----------
    lost, won : int
        Samples that are correct only before, or only after, the change.

    Returns
    -------
    float
        The p value: the probability of at least `lost` heads in ``lost + won`` fair coin tosses.

    Examples
    --------
    >>> sign_test(3, 0), sign_test(0, 0)
    (0.125, 1.0)
    """
    n = lost + won
    return _tosses(won, n) / (1 << n)


def paired_mean_test(differences: NDArray[np.float64]) -> float:
    """Test whether the mean of paired differences is 0 (two-sided, by the normal distribution).

    Parameters
    ----------
    differences : ndarray of float64, shape (n,)
        One a sample.

    Returns
    -------
    float
        The p value of mean·√n / standard deviation; 1 where nothing differs.

    Examples
    --------
    >>> round(paired_mean_test(np.array([1.0, 2.0, 3.0, -1.0])), 3)
    0.143
    """
    n = len(differences)
    if n < 2 or not differences.any():
        return 1.0
    spread = float(differences.std(ddof=1))
    if spread == 0.0:
        return 0.0
    z = float(differences.mean()) * math.sqrt(n) / spread
    return 2.0 * NormalDist().cdf(-abs(z))


def r2_score(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Return the coefficient of determination, its mean over several outputs.

    1 - Σ(y - p)² / Σ(y - mean)²; as in scikit-learn, of constant y 1 if all is right, else 0.

    Parameters
    ----------
    y, predicted : ndarray of float64, shape (n, n_outputs)

    Returns
    -------
    float
        At most 1.

    Examples
    --------
    >>> y = np.array([[1.0], [2.0], [3.0]])
    >>> r2_score(y, y), r2_score(y, np.full((3, 1), 2.0))
    (1.0, 0.0)
    """
    error = np.square(y - predicted).sum(axis=0)
    return r2_score_of_sums(error, np.square(y - y.mean(axis=0)).sum(axis=0))


def r2_score_of_sums(error: NDArray[np.float64], total: NDArray[np.float64]) -> float:
    """Return what `r2_score` does, from its two sums.

    Parameters
    ----------
    error, total : ndarray of float64, shape (n_outputs,)
        Σ(y - p)² and Σ(y - mean)².

    Returns
    -------
    float

    Examples
    --------
    >>> r2_score_of_sums(np.array([1.0]), np.array([4.0]))
    0.75
    """
    varies = total > 0.0
    of_each = np.where(error == 0.0, 1.0, 0.0)
    of_each[varies] = 1.0 - error[varies] / total[varies]
    return float(of_each.mean())


def drop_upper_bound(lost: int, won: int, n: int, confidence: float) -> float:
    """Bound the drop in accuracy between two classifiers on the same samples from above.

    The one-sided score interval for a difference of paired proportions: T. Tango, "Equivalence test
    and confidence interval for the difference in proportions for the paired-sample design",
    Statistics in Medicine 17 (1998), 891-908. The bound is the drop d at which

        (n·d - (lost - won)) / √(n·(2q + d·(1 - d))) = z,

    where z is the normal quantile of the confidence and q the maximum-likelihood estimate of the
    probability that a sample is won, given the drop d: the larger root of
    2n·q² + (-lost - won + (2n - lost + won)·d)·q - won·d·(1 - d) = 0.

    Parameters
    ----------
    lost, won : int
        Samples that only the first, or only the second, classifier predicts correctly.
    n : int
        Number of samples, at least 1.
    confidence : float
        In (0, 1), such as 0.95.

    Returns
    -------
    float
        In [-1, 1]. Without discordant samples it is z² / (n + z²), not 0.

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


def accuracy_lower_bound(correct: int, n: int, confidence: float) -> float:
    """Bound an accuracy from below (exact and one-sided).

    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26 (1934), 404-413. The bound is the accuracy p at which the
    probability of at least `correct` correct predictions is 1 - confidence.

    Parameters
    ----------
    correct : int
        Samples that are predicted correctly.
    n : int
        Number of samples, at least 1.
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
    if correct == 0:
        return 0.0
    return _bisect(lambda p: _upper_tail(correct, n, p) > 1.0 - confidence, 0.0, 1.0)


def _tosses(k: int, n: int) -> int:
    """Count the outcomes of n coin tosses with at most k heads, of 2**n: exact at any n."""
    total, ways = 0, 1
    for i in range(min(k, n - k - 1) + 1):  # the shorter tail
        total += ways
        ways = ways * (n - i) // (i + 1)
    return total if 2 * k < n else (1 << n) - total


def _upper_tail(k: int, n: int, p: float) -> float:
    """Return the probability of at least k successes in n trials, 1 <= k <= n and 0 < p < 1."""
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
    """Return the smallest point in [low, high] from which on `above` is true, rounded up."""
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (low, middle) if above(middle) else (middle, high)
    return high
