"""Labels of parts: which classes a part serves, given only where ablation proves it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from synaprune.checks import check_float, check_int
from synaprune.explain._ablation import Ablation, Part
from synaprune.stats import sign_test


@dataclass(frozen=True)
class PartLabel:
    """What a part serves.

    Attributes
    ----------
    part : Part
    verdict : {"label", "shared", "unclear"}
        "label": the classes lose more than every other one without it. "shared": classes lose, but
        no few of them stand out. "unclear": no class demonstrably loses.
    classes : tuple
        Labels of the classes that it serves, the one that loses most first; empty unless the
        verdict is "label".
    strength : float
        Accuracy that these classes lose on average without the part.
    p_value : float
        The largest of the p values that the label rests on, 1.0 without a label.
    """

    part: Part
    verdict: str
    classes: tuple[Any, ...]
    strength: float
    p_value: float


@dataclass(frozen=True)
class Confirmation:
    """How labels fare on fresh samples.

    Attributes
    ----------
    n_parts, n_labelled, n_confirmed : int
        Parts; those with a label; those whose label ablation proves again.
    random : float
        Share of labels that would be confirmed if each were dealt at random among all sets of as
        many classes, in [0, 1].
    """

    n_parts: int
    n_labelled: int
    n_confirmed: int
    random: float

    @property
    def labelled(self) -> float:
        """Share of the parts that carry a label."""
        return self.n_labelled / max(1, self.n_parts)

    @property
    def confirmed(self) -> float:
        """Share of the labels that are confirmed."""
        return self.n_confirmed / max(1, self.n_labelled)

    def __str__(self) -> str:
        if not self.n_labelled:
            return f"none of {self.n_parts} parts is labelled"
        return (
            f"{self.n_labelled} of {self.n_parts} parts are labelled ({self.labelled:.0%}), "
            f"{self.n_confirmed} of these confirmed on fresh samples ({self.confirmed:.0%}); "
            f"labels dealt at random: {self.random:.0%}"
        )


def label_parts(ablation: Ablation, *, alpha: float = 0.01, most: int = 3) -> list[PartLabel]:
    """Label parts by the classes that they serve, where ablation proves it.

    A part serves a set of classes if each of them loses accuracy without it (exact one-sided
    McNemar test, 1947) and each loses more than each class outside of the set (paired differences
    of two independent groups, each with half a sample added to the four cells, as Agresti & Min,
    2005). All these p values have to be below `alpha`. The smallest set is taken. As it is chosen
    on the same samples, a tie of two classes is taken for a difference up to twice as often as
    `alpha` says, and among hundreds of parts some are labelled by luck: `confirm` tells how many.
    Classes without samples have no say.

    Parameters
    ----------
    ablation : Ablation
        On samples that the network was not trained on.
    alpha : float
        In (0, 0.5].
    most : int
        Largest number of classes in a label. At most half the classes ever share one.

    Returns
    -------
    list of PartLabel
        In the order of ``ablation.parts``.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 8, 10), seed=0).fit(*data.train, epochs=20)
    >>> labels = sn.explain.label_parts(sn.explain.ablate(net, *data.validation).only("neuron"))
    >>> len(labels)
    8
    """
    check_float("alpha", alpha, 0.0, 0.5, open_low=True)
    most = min(check_int("most", most, 1), max(1, len(ablation.classes) // 2))
    labels = []
    for row, part in enumerate(ablation.parts):
        p = _Proof(ablation, row)
        for size in range(1, most + 1):
            chosen = p.order[:size]
            if (worst := p.of(chosen.tolist())) < alpha:
                names = tuple(ablation.classes[chosen].tolist())
                labels.append(PartLabel(part, "label", names, float(p.loss[chosen].mean()), worst))
                break
        else:
            some = bool(p.loses.min(initial=1.0) * len(p.loses) < alpha)  # Bonferroni
            labels.append(PartLabel(part, "shared" if some else "unclear", (), 0.0, 1.0))
    return labels


def confirm(labels: Sequence[PartLabel], fresh: Ablation, *, alpha: float = 0.01) -> Confirmation:
    """Prove labels again on samples that had no part in giving them.

    Parameters
    ----------
    labels : sequence of PartLabel
    fresh : Ablation
        Of the same network, on other samples.
    alpha : float
        As in `label_parts`.

    Returns
    -------
    Confirmation

    Raises
    ------
    ValueError
        If a labelled part is not among the fresh ones.
    """
    rows = {part: row for row, part in enumerate(fresh.parts)}
    codes = {label: code for code, label in enumerate(fresh.classes.tolist())}
    given = [label for label in labels if label.classes]
    confirmed, by_chance = 0, 0.0
    for label in given:
        if label.part not in rows:
            raise ValueError(f"{label.part} is not part of the network that fresh is about")
        proof = _Proof(fresh, rows[label.part])
        size = len(label.classes)
        confirmed += proof.of([codes[c] for c in label.classes]) < alpha
        # Of all sets of a size only the one that loses most can pass: each of its classes has to
        # lose more than each outside.
        by_chance += (proof.of(proof.order[:size].tolist()) < alpha) / math.comb(len(codes), size)
    return Confirmation(len(labels), len(given), confirmed, by_chance / max(1, len(given)))


class _Proof:
    """P values of what one part's removal does to each class."""

    def __init__(self, ablation: Ablation, row: int) -> None:
        lost, won = ablation.lost[row], ablation.won[row]
        self.loss = ablation.loss[row]
        self.loses = np.array(
            [sign_test(*counts) for counts in zip(lost.tolist(), won.tolist(), strict=True)]
        )
        a, b, n = lost + 0.5, won + 0.5, ablation.n + 2.0
        self._mean = (a - b) / n
        self._present = np.flatnonzero(ablation.n)
        self.order = np.argsort(np.where(ablation.n > 0, -self._mean, np.inf), kind="stable")
        self._variance = ((a + b) - (a - b) ** 2 / n) / n**2

    def of(self, classes: list[int]) -> float:
        """Return the largest p value that a label of these classes rests on."""
        others = np.setdiff1d(self._present, classes)
        if not len(others):
            return 1.0
        apart = self._mean[classes][:, None] - self._mean[others]
        error = np.sqrt(self._variance[classes][:, None] + self._variance[others])
        smallest = float((apart / error).min())
        return max(float(self.loses[classes].max()), 1.0 - NormalDist().cdf(smallest))
