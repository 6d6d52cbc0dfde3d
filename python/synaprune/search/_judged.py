"""Which size is chosen, and what to expect of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synaprune import metrics
from synaprune.metrics import Metric
from synaprune.options import name_of
from synaprune.resampling import Scores
from synaprune.search._candidates import Candidate
from synaprune.search._result import CurvePoint, Estimate, in_percent

_CAUTION = 0.5  # standard errors of the drop that are added to it


@dataclass(frozen=True, eq=False)
class Judged:
    """Each size of each candidate, on rows that it was not trained on.

    Attributes
    ----------
    metric : str or callable
    candidates : list of Candidate
    counts : list of int
        Synapses; those of a candidate stand together, falling from its full network.
    scores : RowMeans or Resampled
        Of each size.
    loss : ndarray of float64, shape (n_sizes,)
        Mean log loss.
    varies : ndarray of bool, shape (n_sizes,)
        Whether some fold's network ever says two different things.
    method : str
    max_synapses : int or None
        The most that may be chosen.
    """

    metric: Metric
    candidates: list[Candidate]
    counts: list[int]
    scores: Scores
    loss: NDArray[np.float64]
    varies: NDArray[np.bool_]
    method: str
    max_synapses: int | None = None

    def learned(self, size: int) -> bool:
        """Return whether a size says more than one thing, and is better for it."""
        return bool(self.varies[size]) and self.scores.score(size) > self.scores.of_one_class

    @cached_property
    def _full(self) -> NDArray[np.bool_]:
        """Which sizes are full networks."""
        before = [None, *self.candidates[:-1]]
        return np.array([a is not b for a, b in zip(before, self.candidates, strict=True)])

    def choose(self, max_drop: float, draw: int | None = None) -> tuple[int, int]:
        """Return the best full network, and the fewest synapses that keep its score, on a draw.

        The next larger size of the candidate has to keep it too: of many sizes, one alone may be
        lucky. If that leaves too many synapses, it is the best of the sizes that are small enough.
        """
        scores = self.scores.all(draw)
        best = max(np.flatnonzero(self._full).tolist(), key=lambda i: (scores[i], -self.loss[i]))
        drop, error = self.scores.drops(best, draw)
        allowed = metrics.allowed_drop(self.metric, float(scores[best]), max_drop)
        fits = drop + _CAUTION * error <= allowed
        fits[1:] &= fits[:-1] | self._full[1:]
        if self.learned(best):
            fits &= self.varies
        fits[best] = True
        fewest = min(np.flatnonzero(fits).tolist(), key=lambda i: (self.counts[i], self.loss[i]))
        if self.max_synapses is None or self.counts[fewest] <= self.max_synapses:
            return best, fewest
        small = np.flatnonzero(np.array(self.counts) <= self.max_synapses)
        return best, max(small.tolist(), key=lambda i: (scores[i], -self.loss[i]))

    def ranking(self) -> list[int]:
        """Return all sizes, those of the best score first, of equal ones those of least loss."""
        scores = self.scores.all()
        return sorted(range(len(scores)), key=lambda i: (-scores[i], self.loss[i]))

    def curve(self, best: int) -> list[CurvePoint]:
        """Return what is known of each size."""
        drop, error = self.scores.drops(best)
        scores = self.scores.all()
        return [
            CurvePoint(*told)
            for told in zip(
                self.candidates, self.counts, scores.tolist(), drop.tolist(), error.tolist(),
                strict=True,
            )
        ]  # fmt: skip

    def estimates(self, max_drop: float) -> tuple[Estimate, Estimate]:
        """Return the score to expect of the chosen and of the full network.

        The choice is repeated on bootstrap samples of the rows and judged on the rows that each of
        them lacks (Tsamardinos et al., 2018): these chose nothing.
        """
        inside, outside = [], []
        for draw in range(self.scores.n_draws):
            both = self.choose(max_drop, draw)
            inside.append([self.scores.score(i, draw) for i in both])
            outside.append([self.scores.outside(i, draw) for i in both])
        known = [pair for pair in outside if not any(map(math.isnan, pair))]
        values, spread = np.mean(known or inside, axis=0), np.std(inside, axis=0)
        error = 1.645 * np.maximum(spread, self.scores.least_error(values))
        lowest, highest = self.scores.limits
        network, full = (
            Estimate(
                float(v),
                max(lowest, float(v - e)),
                min(highest, float(v + e)),
                self.method,
                in_percent(self.metric),
                name_of(self.metric),
            )
            for v, e in zip(values[::-1], error[::-1], strict=True)
        )
        return network, full
