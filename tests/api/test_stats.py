"""Tests and bounds of `synaprune.stats`, against their definitions and scipy."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synaprune.stats import accuracy_lower_bound, drop_upper_bound, mcnemar, sign_test

CONFIDENCES = st.sampled_from([0.001, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.9999])


@st.composite
def tables(draw):
    """(lost, won, n) of a paired experiment."""
    n = draw(st.integers(1, 400))
    lost = draw(st.integers(0, n))
    return lost, draw(st.integers(0, n - lost)), n


def quantile(confidence):
    """The normal quantile, by bisection of its definition."""
    low, high = -9.0, 9.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        below = 0.5 * math.erfc(-middle / math.sqrt(2)) < confidence
        low, high = (middle, high) if below else (low, middle)
    return low


def score(drop, lost, won, n):
    """Tango's statistic, the nuisance parameter found by maximising the likelihood itself."""

    def slope(q):
        """Of the log likelihood of (lost, won, the rest), which falls with q."""
        p = (q + drop, q, 1.0 - 2.0 * q - drop)
        counts, signs = (lost, won, n - lost - won), (1.0, 1.0, -2.0)
        return sum(k * s / max(x, 1e-300) for k, s, x in zip(counts, signs, p, strict=True))

    low, high = max(0.0, -drop), (1.0 - drop) / 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    variance = n * (2.0 * low + drop - drop * drop)
    return (n * drop - (lost - won)) / math.sqrt(variance)


@given(tables(), CONFIDENCES)
def test_the_drops_bound_is_where_the_score_is_the_quantile(table, confidence):
    lost, won, n = table
    bound = drop_upper_bound(lost, won, n, confidence)
    assert -1.0 <= bound <= 1.0
    if -0.999 < bound < 0.999:
        assert score(bound, lost, won, n) == pytest.approx(quantile(confidence), abs=1e-6)
    if confidence >= 0.5:
        assert bound >= (lost - won) / n - 1e-12


@given(tables())
def test_the_drops_bound_grows_with_confidence_and_with_what_is_lost(table):
    lost, won, n = table
    bounds = [drop_upper_bound(lost, won, n, c) for c in (0.1, 0.5, 0.9, 0.99)]
    assert bounds == sorted(bounds)
    if lost + won < n:
        assert drop_upper_bound(lost + 1, won, n, 0.9) >= bounds[2]
    # the lower bound of the drop is the upper bound of the gain
    assert -drop_upper_bound(won, lost, n, 0.9) <= (lost - won) / n + 1e-12 <= bounds[2] + 2e-12


@pytest.mark.parametrize("n", [1, 30, 360, 5000, 10**6])
@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.999])
def test_without_disagreement_the_bound_has_a_closed_form(n, confidence):
    z = quantile(confidence)
    assert drop_upper_bound(0, 0, n, confidence) == pytest.approx(z * z / (n + z * z), rel=1e-9)


@pytest.mark.parametrize(
    ("lost", "won", "n", "confidence", "low", "high", "digits"),
    [
        # Bentur et al. 2009 in Fagerland, Lydersen & Laake, Stat Med 33 (2014), 2850: Tango's
        # two-sided 95 % interval
        (1, 7, 21, 0.975, -0.517, -0.026, 3),
        # R's PropCIs::scoreci.mp(25, 28, 618, 0.90), whose difference is the second less the first
        (28, 25, 618, 0.95, -0.0148, 0.0247, 4),
    ],
)
def test_published_intervals_of_the_drop(lost, won, n, confidence, low, high, digits):
    assert round(drop_upper_bound(lost, won, n, confidence), digits) == high
    assert round(-drop_upper_bound(won, lost, n, confidence), digits) == low


@pytest.mark.parametrize("drop", [0.0, 0.02, 0.05])
def test_the_drops_bound_covers_about_as_often_as_it_says(drop):
    rng = np.random.default_rng(5)
    n, won = 600, 0.03
    counts = rng.multinomial(n, [won + drop, won, 1.0 - 2 * won - drop], size=2000)
    bounds = [drop_upper_bound(int(a), int(b), n, 0.9) for a, b, _ in counts]
    # three standard errors of 2000 draws, and 0.005 as the interval is of asymptotic origin
    assert np.mean(np.array(bounds) >= drop) == pytest.approx(0.9, abs=3 * 0.0067 + 0.005)


# --- the accuracy's bound -----------------------------------------------------------------------


@given(st.integers(1, 120).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCES)
def test_the_accuracys_bound_is_where_the_tail_is_what_is_left(counts, confidence):
    right, n = counts
    bound = accuracy_lower_bound(right, n, confidence)
    if right == 0:
        assert bound == 0.0
        return
    p = Fraction(bound)
    tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(right, n + 1))
    assert float(tail) == pytest.approx(1.0 - confidence, rel=1e-9)
    if right == n:
        assert bound == pytest.approx((1.0 - confidence) ** (1.0 / n), rel=1e-9)


@pytest.mark.parametrize("n", [1, 7, 360, 5000, 100_000])
@pytest.mark.parametrize("confidence", [1e-6, 0.05, 0.5, 0.95, 0.999999])
def test_the_accuracys_bound_is_scipys(n, confidence):
    beta = pytest.importorskip("scipy.stats").beta
    for right in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        expected = beta.ppf(1.0 - confidence, right, n - right + 1) if right else 0.0
        assert accuracy_lower_bound(right, n, confidence) == pytest.approx(expected, rel=1e-9)


# --- paired tests -------------------------------------------------------------------------------

COUNTS = st.integers(0, 60)


@given(COUNTS, COUNTS)
def test_p_values_are_binomial_tails_to_the_last_bit(lost, won):
    """The sign test used to sum rounded terms, McNemar's test whole numbers."""
    n = lost + won
    tail = sum(math.comb(n, k) for k in range(lost, n + 1))
    assert sign_test(lost, won) == float(Fraction(tail, 2**n))
    fewer = sum(math.comb(n, k) for k in range(min(lost, won) + 1))
    a = np.repeat([True, False, True], [lost, won, 5])
    b = np.repeat([False, True, True], [lost, won, 5])
    assert mcnemar(a, b) == float(min(Fraction(1), Fraction(2 * fewer, 2**n)))


@pytest.mark.parametrize("counts", [(0, 5000), (5000, 0), (2600, 2400), (400, 4000)])
def test_p_values_of_many_samples_are_scipys(counts):
    binomtest = pytest.importorskip("scipy.stats").binomtest
    expected = binomtest(counts[0], sum(counts), alternative="greater").pvalue
    assert sign_test(*counts) == pytest.approx(expected, rel=1e-9, abs=1e-300)
