"""`Goal`: how far a network is to be pruned."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

from synaprune.checks import check_float, check_int
from synaprune.metrics import METRICS, REGRESSION_METRICS, Metric, check_metric, check_task, limits
from synaprune.network import SparseMLP
from synaprune.options import name_of, option, record, set_fields
from synaprune.pruning.budget import InputBudget
from synaprune.pruning.units import InputUnits, check_not_frozen
from synaprune.stats import drop_upper_bound

DEFAULT_DROP = 0.005  # what no goal means


@dataclass(frozen=True)
class Goal:
    """Counts to reach, or what the pruned network has to keep on the validation split.

    Parameters
    ----------
    n_synapses, n_inputs, max_drop, min_score, confidence, metric
        As in `prune`. At most one of `n_synapses`, `max_drop` and `min_score`; with nothing at all
        ``max_drop`` is 0.005.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range, or two do not go together.

    Examples
    --------
    >>> print(Goal(n_synapses=100, n_inputs=5))
    n_synapses=100 and n_inputs=5
    >>> print(Goal())
    max_drop=0.005 (the default goal)
    """

    n_synapses: int | None = option(None, "prune to N synapses", metavar="N")
    n_inputs: int | InputBudget | None = option(None, "prune to N inputs", metavar="N")
    max_drop: float | None = option(
        None, f"validation score that may be lost, as a fraction (default: {DEFAULT_DROP})",
        metavar="D",
    )  # fmt: skip
    min_score: float | None = option(None, "validation score to keep", metavar="S")
    confidence: float | None = option(
        None, "one-sided confidence with which the score must be kept, such as 0.95", metavar="C"
    )
    metric: Metric | None = option(
        None, "what the validation score is (default: accuracy, of numbers r2)",
        choices=(*METRICS, *REGRESSION_METRICS),
    )  # fmt: skip

    def __post_init__(self) -> None:
        metric = "accuracy" if self.metric is None else check_metric(self.metric)
        one_of = ("n_synapses", "max_drop", "min_score")
        given = [name for name in one_of if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(
                "at most one of n_synapses, max_drop and min_score may be given, beside n_inputs, "
                f"got {' and '.join(given)}"
            )
        if self.n_synapses is not None:
            set_fields(self, n_synapses=check_int("n_synapses", self.n_synapses, 1))
        if not (self.n_inputs is None or isinstance(self.n_inputs, InputBudget)):
            set_fields(self, n_inputs=check_int("n_inputs", self.n_inputs, 1))
        low, high = limits(metric)
        if not given and self.n_inputs is None:
            set_fields(self, max_drop=DEFAULT_DROP)
        if self.min_score is not None:
            set_fields(self, min_score=check_float("min_score", self.min_score, low, high))
        if self.max_drop is not None:
            set_fields(self, max_drop=check_float("max_drop", self.max_drop, 0.0, high - low))
        if self.confidence is not None:
            self._check_confidence()

    def _check_confidence(self) -> None:
        confidence = check_float("confidence", self.confidence, 0.0, 1.0, open_low=True)
        if confidence == 1.0:
            raise ValueError("confidence must be below 1, got 1.0")
        if self.metric not in (None, "accuracy"):
            raise ValueError(
                f"confidence goes with metric 'accuracy' alone, got {name_of(self.metric)!r}"
            )
        if self.counted:
            raise ValueError(f"confidence goes with max_drop or min_score, got {self}")
        set_fields(self, confidence=confidence)

    @property
    def counted(self) -> bool:
        """Whether it is counts alone, without anything that the network has to keep."""
        return self.max_drop is None and self.min_score is None

    def input_units(self, net: SparseMLP) -> InputUnits | None:
        """Return what `n_inputs` counts of a network's inputs, None if it is left out.

        Raises
        ------
        ValueError
            If the network has another number of inputs.
        """
        if self.n_inputs is None:
            return None
        n = self.n_inputs
        return InputUnits(n if isinstance(n, InputBudget) else InputBudget(n), net.n_features)

    def for_network(self, net: SparseMLP) -> Goal:
        """Return the goal with the metric that it has for a network.

        Raises
        ------
        ValueError
            If the metric is not one of what the network predicts.
        """
        metric = self.metric or ("r2" if net.is_regression else "accuracy")
        check_task(metric, None if net.is_regression else max(2, net.layers[-1]))
        return replace(self, metric=metric)

    def check_for(self, net: SparseMLP, n_validation: int) -> None:
        """Raise unless a network can be pruned to it, judged on so many samples."""
        if self.n_synapses is not None:
            check_int("n_synapses", self.n_synapses, len(net.layers) - 1, net.n_synapses)
            frozen = sum(int(part.sum()) for part in net.frozen_synapses)
            check_not_frozen("n_synapses", self.n_synapses, frozen)
        units = self.input_units(net)
        if units is not None:
            units.check_for(net)
        if self.confidence is not None and self.max_drop is not None:
            _check_samples(self.max_drop, self.confidence, n_validation)

    def record(self) -> dict[str, Any]:
        """Return what is given as JSON values."""
        always = ("confidence", "metric")
        return {k: v for k, v in record(self).items() if v is not None or k in always}

    def __str__(self) -> str:
        """Return what is given of counts and contract, as one would write it."""
        names = ("n_synapses", "n_inputs", "max_drop", "min_score")
        given = {name: getattr(self, name) for name in names}
        text = " and ".join(f"{k}={v!r}" for k, v in given.items() if v is not None)
        return f"{text} (the default goal)" if text == f"max_drop={DEFAULT_DROP}" else text


def _check_samples(max_drop: float, confidence: float, n: int) -> None:
    """Raise a ValueError if n validation samples are too few to show that nothing drops.

    The bound where no answer changes is z² / (n + z²), z being the confidence's normal quantile.
    """
    bound = drop_upper_bound(0, 0, n, confidence)
    if bound <= max_drop:
        return
    z = NormalDist().inv_cdf(confidence)
    enough = f", at least {math.ceil(z * z * (1.0 / max_drop - 1.0))}" if max_drop else ""
    raise ValueError(
        f"max_drop={max_drop:g} with confidence={confidence:g} needs more validation samples"
        f"{enough}: with {n}, the upper bound of the drop is {bound:.4f} even where no answer "
        "changes"
    )
