"""Datasets that need no file."""

from __future__ import annotations

import numpy as np

from synaprune.extras import require

from ._splits import TABLE_SEED, stratified
from ._types import Dataset, Split


def pixel_names(rows: int, columns: int) -> tuple[str, ...]:
    """Return the names ``pixel_row_column`` of an image in row-major order."""
    return tuple(f"pixel_{r}_{c}" for r in range(rows) for c in range(columns))


def xor() -> Dataset:
    """Load exclusive or: four rows, which are the training, validation and test split at once.

    Returns
    -------
    Dataset
        `X` float32 (4, 2) of 0 and 1, `y` int64 (4,).

    Examples
    --------
    >>> from synaprune import datasets
    >>> datasets.xor().train.X.tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    rows = Split(X, np.array([0, 1, 1, 0], np.int64))
    return Dataset("xor", rows, rows, rows, ("x1", "x2"), "auto")


def digits() -> Dataset:
    """Load handwritten digits of 8 by 8 pixels: the 1797 images included in scikit-learn.

    Returns
    -------
    Dataset
        `X` float32 (n, 64), from 0 to 1; `y` int64 (n,); split 60/20/20, stratified.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.

    Examples
    --------
    >>> from synaprune import datasets
    >>> datasets.digits()
    Dataset('digits': 64 inputs, 10 classes; 1079 train, 359 validation, 359 test rows)
    """
    pixels, labels = require("sklearn.datasets", "sklearn").load_digits(return_X_y=True)
    X = pixels.astype(np.float32) / np.float32(16)
    y = labels.astype(np.int64)
    fifth = len(y) // 5
    train, validation, test = (
        Split(X[rows], y[rows]) for rows in stratified(y, (fifth, fifth), TABLE_SEED)
    )
    return Dataset("digits", train, validation, test, pixel_names(8, 8), "auto", (8, 8))
