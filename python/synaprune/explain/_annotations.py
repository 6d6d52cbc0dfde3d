"""Annotations: which classes a unit serves, where ablation shows it significantly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from synaprune.checks import check_float, check_int, check_type
from synaprune.explain._ablation import Ablation, RegressionAblation, Unit
from synaprune.stats import sign_test


@dataclass(frozen=True)
class UnitLabel:
    """The classes that a unit serves.

    Attributes
    ----------
    unit : Unit
    status : {"labelled", "shared", "unclear"}
        "labelled": without the unit its classes lose significantly more than every other class.
        "shared": classes lose significantly, but no small set of them stands out. "unclear": no
        class loses significantly.
    classes : tuple
        The labels of the classes that it serves, in descending order of their loss; empty unless
        the status is "labelled".
    strength : float
        Mean drop in accuracy of these classes without the unit.
    p_value : float
        The largest p value of the tests behind the label, 1.0 without a label.
    """

    unit: Unit
    status: str
    classes: tuple[Any, ...]
    strength: float
    p_value: float


@dataclass(frozen=True)
class Replication:
    """How many labels hold on fresh samples.

    Attributes
    ----------
    n_units, n_labelled, n_replicated : int
        Units; those with a label; those whose label is significant on the fresh samples too.
    chance : float
        Expected share of replicated labels if each were drawn at random among all sets of as many
        classes, in [0, 1].
    """

    n_units: int
    n_labelled: int
    n_replicated: int
    chance: float

    @property
    def labelled(self) -> float:
        """Share of the units that have a label."""
        return self.n_labelled / max(1, self.n_units)

    @property
    def replicated(self) -> float:
        """Share of the labels that are replicated."""
        return self.n_replicated / max(1, self.n_labelled)

    def __str__(self) -> str:
        if not self.n_labelled:
            return f"none of {self.n_units} units is labelled"
        return (
            f"{self.n_labelled} of {self.n_units} units are labelled ({self.labelled:.0%}); "
            f"{self.n_replicated} of these labels are replicated on fresh samples "
            f"({self.replicated:.0%}; {self.chance:.0%} of random labels would be)"
        )


def annotate_units(
    ablation: Ablation | RegressionAblation, *, alpha: float = 0.01, max_classes: int = 3
) -> list[UnitLabel]:
    """Label units with the classes that they serve, where ablation shows it significantly.

    A unit serves a set of classes if each of them loses accuracy without it (exact one-sided
    McNemar test, 1947) and each loses more than every class outside the set (paired differences
    of two independent groups, each with half a sample added to the four cells, as Agresti & Min,
    2005). All these p values must be below `alpha`; the smallest such set becomes the label.

    The set is chosen on the same samples. A tie of two classes therefore passes for a difference up
    to twice as often as `alpha` says, and of hundreds of units some are labelled by chance:
    `replicate` counts the labels that hold on other samples. Classes without samples are ignored.

    Parameters
    ----------
    ablation : Ablation
        On samples that the network was not trained on.
    alpha : float
        In (0, 0.5].
    max_classes : int
        Maximum number of classes of a label. A label never has more than half the classes.

    Returns
    -------
    list of UnitLabel
        In the order of ``ablation.units``.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the network predicts numbers.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> ablation = sn.explain.ablate(net, *data.validation, kinds=["neuron"])
    >>> len(sn.explain.annotate_units(ablation))
    8
    """
    check_type("ablation", ablation, Ablation, RegressionAblation)
    ablation = _of_classes(ablation)
    alpha = check_float("alpha", alpha, 0.0, 0.5, open_low=True)
    max_classes = min(check_int("max_classes", max_classes, 1), max(1, len(ablation.classes) // 2))
    labels = []
    for row, unit in enumerate(ablation.units):
        if _smallest_p_value(ablation.of_unit(row)) >= alpha:  # then no other can be smaller
            labels.append(UnitLabel(unit, "unclear", (), 0.0, 1.0))
            continue
        tests = _LossTests(ablation, row)
        for size in range(1, max_classes + 1):
            chosen = tests.order[:size]
            if (p := tests.p_value(chosen.tolist())) < alpha:
                names = tuple(ablation.classes[chosen].tolist())
                strength = float(tests.loss[chosen].mean())
                labels.append(UnitLabel(unit, "labelled", names, strength, p))
                break
        else:
            some = bool(tests.loses.min(initial=1.0) * len(tests.loses) < alpha)  # Bonferroni
            labels.append(UnitLabel(unit, "shared" if some else "unclear", (), 0.0, 1.0))
    return labels


def replicate(
    labels: Sequence[UnitLabel], fresh: Ablation | RegressionAblation, *, alpha: float = 0.01
) -> Replication:
    """Test labels again on samples that were not used to choose them.

    Parameters
    ----------
    labels : sequence of UnitLabel
    fresh : Ablation
        Of the same network, on other samples.
    alpha : float
        As in `annotate_units`.

    Returns
    -------
    Replication

    Raises
    ------
    TypeError, ValueError
        If alpha is out of range, `fresh` lacks a labelled unit, or the network predicts numbers.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, training=sn.Training(20))
    >>> known, fresh = (sn.explain.ablate(net, *split, kinds=["neuron"])
    ...                 for split in (data.validation, data.test))
    >>> sn.explain.replicate(sn.explain.annotate_units(known), fresh).n_units
    8
    """
    for label in labels:
        check_type("each of labels", label, UnitLabel)
    check_type("fresh", fresh, Ablation, RegressionAblation)
    fresh = _of_classes(fresh)
    alpha = check_float("alpha", alpha, 0.0, 0.5, open_low=True)
    rows = {unit: row for row, unit in enumerate(fresh.units)}
    codes = {label: code for code, label in enumerate(fresh.classes.tolist())}
    given = [label for label in labels if label.classes]
    n_replicated, by_chance = 0, 0.0
    for label in given:
        if label.unit not in rows:
            raise ValueError(f"fresh must hold every labelled unit, but lacks {label.unit}")
        tests = _LossTests(fresh, rows[label.unit])
        size = len(label.classes)
        n_replicated += tests.p_value([codes[c] for c in label.classes]) < alpha
        # Of all sets of a size only the one with the largest losses can pass: each of its classes
        # must lose more than every class outside.
        passes = tests.p_value(tests.order[:size].tolist()) < alpha
        by_chance += passes / math.comb(len(codes), size)
    return Replication(len(labels), len(given), n_replicated, by_chance / max(1, len(given)))


def _of_classes(ablation: Ablation | RegressionAblation) -> Ablation:
    """Return the ablation, or raise if it has no classes to serve."""
    if isinstance(ablation, RegressionAblation):
        raise ValueError("the network predicts numbers, not classes")
    return ablation


def _smallest_p_value(unit: Ablation) -> float:
    """Return the smallest p value of a loss in one class, from what changes alone."""
    return min((sign_test(*counts) for _, _, *counts in unit.changes.tolist()), default=1.0)


class _LossTests:
    """P values of the loss that one unit's removal causes in each class."""

    def __init__(self, ablation: Ablation, row: int) -> None:
        unit = ablation.of_unit(row)
        lost, won, self.loss = unit.lost[0], unit.won[0], unit.loss[0]
        self.loses = np.ones(len(lost))  # of a class that nothing changes
        for _, label, *counts in unit.changes.tolist():
            self.loses[label] = sign_test(*counts)
        a, b, n = lost + 0.5, won + 0.5, ablation.n + 2.0
        self._mean = (a - b) / n
        self._present = np.flatnonzero(ablation.n)
        self.order = np.argsort(np.where(ablation.n > 0, -self._mean, np.inf), kind="stable")
        self._variance = ((a + b) - (a - b) ** 2 / n) / n**2

    def p_value(self, classes: list[int]) -> float:
        """Return the largest p value of the tests behind a label of these classes."""
        others = np.setdiff1d(self._present, classes)
        if not len(others):
            return 1.0
        difference = self._mean[classes][:, None] - self._mean[others]
        error = np.sqrt(self._variance[classes][:, None] + self._variance[others])
        z = float((difference / error).min())
        return max(float(self.loses[classes].max()), 1.0 - NormalDist().cdf(z))
