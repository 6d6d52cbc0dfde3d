"""`Fold` and `Run`: what one training of a search gives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.path import PruningPath


class Fold(NamedTuple):
    """What the rows that a fold left out tell of each size of a candidate.

    Attributes
    ----------
    told : ndarray, shape (n_sizes, n_rows) or with one more axis
    loss : ndarray of float64, shape (n_sizes, n_rows)
    varies : ndarray of bool, shape (n_sizes,)
        Each as in `Verdict`.
    """

    told: NDArray[Any]
    loss: NDArray[np.float64]
    varies: NDArray[np.bool_]


class Run(NamedTuple):
    """A training and all cuts, and the mean training loss after each epoch of both."""

    path: PruningPath
    losses: list[float]
