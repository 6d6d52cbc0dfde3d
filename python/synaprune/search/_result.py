"""What `smallest_network` found, in figures and words."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from synaprune import metrics
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.options import name_of
from synaprune.path import PruningPath
from synaprune.search._candidates import Candidate


@dataclass(frozen=True)
class Estimate:
    """What a metric will be on fresh data.

    Attributes
    ----------
    value : float
    low, high : float
        Ends of a 90 % interval.
    method : str
        How it was estimated.
    in_percent : bool
        Whether it is shown as a percentage.
    metric : str
        Its name; "score" in files of versions that did not keep it.
    """

    value: float
    low: float
    high: float
    method: str
    in_percent: bool = True
    metric: str = "score"

    def __str__(self) -> str:
        value, low, high = (
            f"{x:.1%}" if self.in_percent else f"{x:.4g}" for x in (self.value, self.low, self.high)
        )
        return f"{value} (90 % interval {low} to {high})"


@dataclass(frozen=True)
class CurvePoint:
    """One size of one candidate, judged on rows that it was not trained on.

    Attributes
    ----------
    candidate : Candidate
    n_synapses : int
        At most so many.
    score : float
        The metric.
    drop : float
        Below the best full network.
    standard_error : float
        Of the drop, from the differences of single rows; by bootstrap for metrics that are no
        means over rows.
    """

    candidate: Candidate
    n_synapses: int
    score: float
    drop: float
    standard_error: float


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What `smallest_network` found.

    Attributes
    ----------
    network : SparseMLP
        The smallest network that keeps the score, trained on all rows.
    full : SparseMLP or None
        The best full network, trained likewise; None where `n_synapses` was asked for.
    path : PruningPath
        Of the final run, from its full network to `network`; its scores are those on the training
        rows.
    loss_curve : list of float
        Mean training loss after each epoch of the final run.
    metric : str or callable
        What "auto" stands for, or what was given.
    max_drop : float or None
        None where `n_synapses` was asked for.
    expected, expected_full : Estimate
        The metric of `network` and of `full` on fresh data; None without `full`.
    curve : list of CurvePoint
        All that was judged, by candidate and falling size.
    chosen : CurvePoint
        The one that `network` is.
    stopped : str
        What was judged if `time_limit` ended the search; "" if all was.
    """

    network: SparseMLP
    full: SparseMLP | None
    path: PruningPath
    loss_curve: list[float]
    metric: Metric
    max_drop: float | None
    expected: Estimate
    expected_full: Estimate | None
    curve: list[CurvePoint]
    chosen: CurvePoint

    def __str__(self) -> str:
        """Return what happened, in a few lines; what would surprise comes first."""
        name = name_of(self.metric).replace("_", " ")
        full, net = self.full or self.path.network(0), self.network
        than = "" if self.expected_full is None else f"; full network: {self.expected_full}"
        lines = [
            f"{full.n_synapses} -> {net.n_synapses} synapses, {full.structure} -> {net.structure}",
            f"{name} on fresh data: {self.expected}{than}",
        ]
        remark = self.remark
        return "\n".join([remark, *lines] if remark else lines)

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON values.

        Returns
        -------
        dict
            "metric", "max_drop", "remark", "expected" and "expected_full" (with the fields of
            `Estimate`), and "curve", a list of what `CurvePoint` has.
        """
        return {
            "metric": name_of(self.metric),
            "max_drop": self.max_drop,
            "remark": self.remark,
            "expected": dataclasses.asdict(self.expected),
            "expected_full": self.expected_full and dataclasses.asdict(self.expected_full),
            "curve": [dataclasses.asdict(point) for point in self.curve],
        }

    @property
    def front(self) -> list[CurvePoint]:
        """The points of the curve than which no smaller or equal one scores higher, by size.

        What fewer synapses would cost. Scores are those of the rows left out, and the best of
        several: what the ones of nearly equal sizes promise is too high by up to their standard
        error.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> import synaprune as sn
        >>> linear = [sn.search.Candidate((), 0.0)]
        >>> result = sn.smallest_network(*load_wine(return_X_y=True), candidates=linear, seed=0)
        >>> sizes = [point.n_synapses for point in result.front]
        >>> sizes == sorted(set(sizes))
        True
        """
        front: list[CurvePoint] = []
        for point in sorted(self.curve, key=lambda point: (point.n_synapses, -point.score)):
            if not front or point.score > front[-1].score:
                front.append(point)
        return front

    @property
    def remark(self) -> str:
        """What a reader has to know before the figures; "" if there is nothing."""
        return " ".join(filter(None, (self.stopped, self._doubt)))

    @property
    def _doubt(self) -> str:
        if not self._learned:
            other = (
                ", or metric='balanced_accuracy' has to ask for the rarer ones"
                if self.metric == "accuracy"
                else ""
            )
            numbers = self.network.is_regression
            fault = "predict the numbers" if numbers else "tell the classes apart"
            return (
                f"No network that was tried has a better {name_of(self.metric)} than one that "
                f"always says the same: these inputs do not {fault}{other}."
            )
        if self._best.low <= self._of_one_class:
            figure = shown_score(self._of_one_class, self.metric)
            return (
                "These rows are too few to show that any network is better than one that always "
                f"says the same, whose {name_of(self.metric)} is {figure}."
            )
        smaller = [p for p in self.front if p.n_synapses < self.network.n_synapses]
        if self.full is not None and self.full.n_synapses == self.network.n_synapses and smaller:
            best = smaller[-1]
            allowed, drop, error = (
                shown_score(x, self.metric)
                for x in (self.allowed_drop, abs(best.drop), best.standard_error)
            )
            than_full = "higher" if best.drop < 0.0 else "lower"
            return (
                f"No smaller network was shown to keep {name_of(self.metric)} within {allowed}: "
                f"the best of them, of {best.n_synapses} synapses, is {drop} {than_full} on "
                f"the rows left out, with a standard error of {error}."
            )
        if self.full is not None and self.chosen.standard_error > self.allowed_drop:
            drop, its_error = (
                shown_score(x, self.metric) for x in (self.allowed_drop, self.chosen.standard_error)
            )
            return (
                f"These rows cannot tell a drop of {drop}: its standard error is {its_error}. "
                "See the curve."
            )
        return ""

    @property
    def allowed_drop(self) -> float:
        """What `max_drop` allows in units of the metric: of an error it is a share."""
        return metrics.allowed_drop(self.metric, self._best.value, self.max_drop or 0.0)

    @property
    def _best(self) -> Estimate:
        """What the best network promises that was judged."""
        return self.expected_full or self.expected

    @property
    def _learned(self) -> bool:
        return self.network.n_synapses > 0 and self._best.value > self._of_one_class

    stopped: str = ""
    _of_one_class: float = 0.0


def in_percent(metric: Metric) -> bool:
    """Whether scores are shown as percentages: those that are shares of rows."""
    return metric in ("accuracy", "balanced_accuracy")


def shown_score(value: float, metric: Metric) -> str:
    """Return a score as it is printed."""
    return f"{value:.2%}" if in_percent(metric) else f"{round(value, 12):.3g}"
