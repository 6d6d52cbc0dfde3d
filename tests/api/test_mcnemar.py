"""McNemar's exact test."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synaprune.pruning import mcnemar


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_is_the_binomial_sum(only_a, only_b, both, neither):
    a = np.repeat([True, False, True, False], [only_a, only_b, both, neither])
    b = np.repeat([False, True, True, False], [only_a, only_b, both, neither])
    n = only_a + only_b
    tail = Fraction(sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)), 2**n)
    expected = float(min(Fraction(1), 2 * tail))
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-12)
    assert mcnemar(b, a) == mcnemar(a, b)
    order = np.random.default_rng(n).permutation(len(a))
    assert mcnemar(a[order], b[order]) == mcnemar(a, b)


@pytest.mark.parametrize("k", [0, 1, 900, 950, 1000])
def test_mcnemar_of_many_disagreements(k):
    a = np.arange(2000) < k
    tail = Fraction(sum(math.comb(2000, i) for i in range(k + 1)), 2**2000)
    expected = float(min(Fraction(1), 2 * tail))
    assert mcnemar(a, ~a) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_agreement_is_one():
    for right in (np.ones(5, bool), np.zeros(5, bool), np.array([True, False])):
        assert mcnemar(right, right) == 1.0
    assert mcnemar(np.array([True, False]), np.array([False, True])) == 1.0
