"""Minimisation of Boolean functions: W. V. Quine (1952) and E. J. McCluskey (1956)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# (care, value): the bits that a term tests, and the values they must have. Bit i is input i.
Term = tuple[int, int]


def minimal_terms(table: NDArray[np.bool_]) -> list[Term]:
    """Return few terms, each as short as possible, whose disjunction is the truth table.

    Parameters
    ----------
    table : ndarray of bool, shape (2**n,)
        Entry k is the value where input i is bit i of k.

    Returns
    -------
    list of (int, int)
        All essential prime implicants, then greedily those that cover most of the other entries.

    Examples
    --------
    >>> minimal_terms(np.array([False, True, True, False]))  # exclusive or
    [(3, 1), (3, 2)]
    >>> minimal_terms(np.array([False, True, False, True]))  # the first input
    [(1, 1)]
    """
    n = len(table).bit_length() - 1
    ones = [int(k) for k in np.flatnonzero(table)]
    primes = sorted(_primes({((1 << n) - 1, k) for k in ones}))
    covers = {p: {k for k in ones if k & p[0] == p[1]} for p in primes}
    chosen: list[Term] = []
    left = set(ones)
    for k in ones:
        alone = [p for p in primes if k in covers[p]]
        if len(alone) == 1 and alone[0] not in chosen:
            chosen.append(alone[0])
            left -= covers[alone[0]]
    while left:
        best = max(primes, key=lambda p: (len(covers[p] & left), -p[0].bit_count()))
        chosen.append(best)
        left -= covers[best]
    return chosen


def _primes(terms: set[Term]) -> set[Term]:
    """Merge terms that differ in one bit until none do; return those that never merged."""
    primes: set[Term] = set()
    while terms:
        merged: set[Term] = set()
        used: set[Term] = set()
        for care, value in terms:
            bit = 1
            while bit <= care:
                if care & bit and (care, value ^ bit) in terms:
                    merged.add((care ^ bit, value & ~bit))
                    used.add((care, value))
                bit <<= 1
        primes |= terms - used
        terms = merged
    return primes


def formula(table: NDArray[np.bool_], names: Sequence[str]) -> str:
    """Write a truth table as a formula of the inputs' names.

    If the table is the exclusive or of all relevant inputs, or its negation, it is written so.

    Examples
    --------
    >>> formula(np.array([False, True, True, False]), ["a", "b"])
    'a xor b'
    >>> formula(np.array([False, True, True, True]), ["a", "b"])
    'a or b'
    >>> formula(np.array([True, False, False, False]), ["a", "b"])
    'not a and not b'
    """
    if table.all():
        return "always"
    if not table.any():
        return "never"
    relevant = _relevant_inputs(table)
    if len(relevant) > 1:
        k = np.arange(len(table))
        parity = np.zeros(len(table), bool)
        for i in relevant:
            parity ^= (k >> i & 1).astype(bool)
        for wanted, text in ((table, "{}"), (~table, "not ({})")):
            if (parity == wanted).all():
                return text.format(" xor ".join(names[i] for i in relevant))
    terms = sorted(minimal_terms(table), key=lambda term: (term[0].bit_count(), term))
    texts = []
    for care, value in terms:
        bits = [i for i in range(len(names)) if care >> i & 1]
        texts.append(" and ".join(("" if value >> i & 1 else "not ") + names[i] for i in bits))
    several = len(texts) > 1
    return " or ".join(f"({t})" if several and " and " in t else t for t in texts)


def _relevant_inputs(table: NDArray[np.bool_]) -> list[int]:
    """Return the inputs on which the table depends."""
    n = len(table).bit_length() - 1
    k = np.arange(len(table))
    return [i for i in range(n) if (table != table[k ^ (1 << i)]).any()]
