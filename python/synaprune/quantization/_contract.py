"""Rounding under a contract: measure, retrain if that is needed, measure again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from synaprune.checks import shown
from synaprune.data import CheckedData
from synaprune.export import IntegerNetwork
from synaprune.layers import carried
from synaprune.metrics import Metric, needs_probabilities
from synaprune.network import SparseMLP
from synaprune.options import name_of
from synaprune.pruning import Contract, Goal, Judgement
from synaprune.quantization._straight_through import Rounding, retrained
from synaprune.streams import in_memory
from synaprune.training import (
    SGD,
    ConstantThenCosine,
    Training,
    TrainingDiverged,
    check_training,
    lr_factors,
)

T = TypeVar("T")
_EPOCHS, _UPDATES = 20, 2000  # at least so many of both where nobody says


@dataclass(frozen=True, kw_only=True)
class RoundingLoss:
    """What rounding costs on the validation split.

    Attributes
    ----------
    metric : str
        Name of what the scores are.
    given : float
        Score of the network as given.
    rounded : float
        Of its numbers rounded, without any training.
    retrained : float or None
        After retraining; None if the contract held before, or if retraining diverged.
    score : float
        Of the network that is returned: of both the one that keeps the contract, or else scores
        better.
    least : float
        The score that the contract asks for.
    holds : bool
        Whether the contract holds, with its confidence if it has one.
    p_value : float
        As in `PathStep`: how likely a difference as large would be by chance if the network that is
        returned and the one as given were equally accurate.
    """

    metric: str
    given: float
    rounded: float
    retrained: float | None
    score: float
    least: float
    holds: bool
    p_value: float

    def __str__(self) -> str:
        """Return the figures in one line."""
        figures = [f"{self.given:.4f} as given", f"{self.rounded:.4f} rounded"]
        if self.retrained is not None:
            figures.append(f"{self.retrained:.4f} retrained")
        verdict = "holds" if self.holds else "does not hold"
        name = self.metric.replace("_", " ")
        return f"{name} {', '.join(figures)}; the contract ({self.least:.4f}) {verdict}"


class Task:
    """The checked arguments of a rounding.

    Parameters
    ----------
    net, X, y, sample_weight, validation, training
        As in `quantize`.
    max_drop, min_score, confidence, metric
        As in `prune`.

    Raises
    ------
    TypeError, ValueError
        If they do not fit, or the network as given does not meet the contract.
    """

    def __init__(
        self,
        net: SparseMLP,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        validation: Any,
        max_drop: float | None,
        min_score: float | None,
        confidence: float | None,
        metric: Metric | None,
        training: Training | None,
    ) -> None:
        if not isinstance(net, SparseMLP):
            raise TypeError(f"net must be a SparseMLP, got {shown(net)}")
        goal = Goal(None, None, max_drop, min_score, confidence, metric)
        check_training(training).refuse(
            "swa_epochs", by="rounded weights, whose mean is not rounded"
        )
        check_training(training).refuse("rewire", by="rounded weights, which stay where they are")
        net.check_fitted()
        self.goal = goal.for_network(net)
        recipe = training or _recipe(self.goal.metric)
        X = in_memory(X, "X")
        self.data = net.prepare(X, y, sample_weight=sample_weight, training=recipe).at_hand
        self.validation: CheckedData = net.check_validation(validation)
        self.goal.check_for(net, len(self.validation))
        self.net = _living(net)
        steps = math.ceil(len(self.data.X) / recipe.batch_size)
        n_epochs = recipe.epochs or max(_EPOCHS, math.ceil(_UPDATES / steps))
        self.recipe = recipe.with_epochs(n_epochs)
        lr_factors(recipe.lr_schedule, n_epochs)  # raises before any work
        self.given = self.judge(net, None)
        self.contract = Contract(self.goal, self.given)

    def judge(self, net: SparseMLP | IntegerNetwork, reference: Judgement | None) -> Judgement:
        """Return what a network tells of the validation split."""
        data, metric = self.validation, self.goal.metric
        assert metric is not None
        one = {"threads": 1} if isinstance(net, SparseMLP) else {}
        told = net.predict(data.X, **one)
        if data.classes is None:
            return Judgement.of_numbers(self.goal, data, told, reference)
        predicted = np.searchsorted(data.classes, told).astype(np.int32)
        proba = net.predict_proba(data.X, **one) if needs_probabilities(metric) else None
        return Judgement.of_classes(self.goal, data, predicted, proba, reference)

    def rounded(
        self,
        made: Callable[[SparseMLP], T],
        judged: Callable[[T], SparseMLP | IntegerNetwork],
        roundings: Sequence[Rounding],
    ) -> tuple[T, RoundingLoss]:
        """Return the network rounded, retrained if the contract asks for that, and what it costs.

        Parameters
        ----------
        made : callable
            Rounds a network.
        judged : callable
            Returns what of this predicts.
        roundings : sequence of Rounding
            Of the layers of `net`.
        """
        chosen = made(self.net)
        first = judgement = self.judge(judged(chosen), self.given)
        second = None
        if not self.contract.holds(first):
            try:
                other = made(retrained(self.net, self.data, self.recipe, roundings))
            except TrainingDiverged:
                pass
            else:
                second = self.judge(judged(other), self.given)
                if self._rank(second) > self._rank(first):
                    chosen, judgement = other, second
        return chosen, RoundingLoss(
            metric=name_of(self.goal.metric),
            given=self.given.score,
            rounded=first.score,
            retrained=None if second is None else second.score,
            score=judgement.score,
            least=self.contract.least,
            holds=self.contract.holds(judgement),
            p_value=judgement.p_value,
        )

    def _rank(self, judgement: Judgement) -> tuple[bool, float]:
        return self.contract.holds(judgement), judgement.score


def _living(net: SparseMLP) -> SparseMLP:
    """Return a copy without what changes no output, frozen or not; what is frozen stays so."""
    twin, frozen = net.with_nothing_frozen().without(), net._core.frozen
    if frozen is not None:
        twin._core.frozen = carried(frozen, net.weights, twin.weights)
    return twin


def _recipe(metric: Metric | None) -> Training:
    """Return a recipe of small steps that get smaller."""
    return Training(
        batch_size=32,
        optimizer=SGD(0.02, momentum=0.9),
        lr_schedule=ConstantThenCosine(0.5),
        class_weight="balanced" if metric == "balanced_accuracy" else None,
    )
