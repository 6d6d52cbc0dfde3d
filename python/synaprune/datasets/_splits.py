"""Stratified splits that are the same in every version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLE_SEED = 20170602  # of every 60/20/20 split; a new value would change published figures


def _row_keys(n: int, seed: int) -> NDArray[np.uint64]:
    # splitmix64 (Steele, Lea & Flood, 2014) of seed and row number: unique keys to sort the rows
    # by. NumPy promises no stream of its Generator from one version to the next (NEP 19), and a
    # split that moves would move test rows into the training set of a saved model.
    z: NDArray[np.uint64] = np.arange(1, n + 1, dtype=np.uint64)
    z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return z


def _apportion(counts: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    # Largest remainders, so that the shares sum to `total`; then one row for every class.
    share, remainder = np.divmod(counts * total, counts.sum())
    most = np.argsort(-remainder, kind="stable")
    share[most[: total - share.sum()]] += 1
    return np.maximum(share, 1)


def stratified(y: NDArray[Any], sizes: Sequence[int], seed: int) -> list[NDArray[np.int64]]:
    """Split rows so that every part holds every class, in proportion.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Labels; each class has at least ``len(sizes) + 1`` rows.
    sizes : sequence of int
        Rows of the second, third, … part. A part is larger if a small class needs a row in it.
    seed : int
        Determines the split, together with the row numbers and the labels.

    Returns
    -------
    list of ndarray of int64
        Sorted row numbers: first those of all other rows, then one array per entry of `sizes`.
    """
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    by_class = np.lexsort((_row_keys(len(y), seed), codes))
    rank = np.empty(len(y), np.int64)  # of a row within its class
    rank[by_class] = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = np.zeros(len(y), np.int64)
    taken = np.zeros_like(counts)
    for number, size in enumerate(sizes, start=1):
        upto = taken + _apportion(counts, size)
        part[(taken[codes] <= rank) & (rank < upto[codes])] = number
        taken = upto
    return [np.flatnonzero(part == number) for number in range(len(sizes) + 1)]
