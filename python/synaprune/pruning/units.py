"""`InputUnits`: a network's inputs by what is cut together, and which of them go first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_int
from synaprune.network import SparseMLP
from synaprune.pruning.budget import InputBudget

_SLACK = 1.0 + 1e-9  # sums of costs are rounded


class Amounts(NamedTuple):
    """Inputs or groups, and what they cost in all.

    Attributes
    ----------
    n, cost : float, or ndarray of float64
    """

    n: Any
    cost: Any

    def within(self, limits: Amounts) -> Any:
        """Return whether both are at most some limits."""
        return (self.n <= limits.n * _SLACK) & (self.cost <= limits.cost * _SLACK)


class InputUnits:
    """The inputs, or the groups of them, that an `InputBudget` counts; they have numbers from 0.

    Parameters
    ----------
    budget : InputBudget
    n_features : int

    Attributes
    ----------
    of : ndarray of int, shape (n_features,)
        The unit of each input.
    costs : ndarray of float64, shape (n_units,)
        Of each unit, 1 if the budget has none.
    limits : Amounts
        The most that may be left; infinite where nothing is asked.

    Raises
    ------
    ValueError
        If groups or costs have another number of entries.
    """

    def __init__(self, budget: InputBudget, n_features: int) -> None:
        for name in ("groups", "costs"):
            given = getattr(budget, name)
            if given is not None and len(given) != n_features:
                raise ValueError(
                    f"{name} must have an entry for each of the {n_features} inputs, got "
                    f"{len(given)}"
                )
        self.budget = budget
        self.of = np.arange(n_features) if budget.groups is None else np.array(budget.groups)
        costs = np.ones(n_features) if budget.costs is None else np.array(budget.costs)
        self.costs = costs[np.unique(self.of, return_index=True)[1]]
        n, cost = (np.inf if most is None else most for most in (budget.n, budget.cost))
        self.limits = Amounts(n, cost)
        self._noun = "inputs" if budget.groups is None else "groups"

    def amounts(self, net: SparseMLP) -> Amounts:
        """Return how many a network uses, and what they cost."""
        return self._amounts(net.used_inputs)

    def _amounts(self, inputs: NDArray[np.int32]) -> Amounts:
        used = np.unique(self.of[inputs])
        return Amounts(len(used), float(self.costs[used].sum()))

    def living(self, net: SparseMLP) -> NDArray[np.bool_]:
        """Return which inputs a network uses, all of a group of which it uses one."""
        alive: NDArray[np.bool_] = np.isin(self.of, self.of[net.used_inputs])
        return alive

    def check_for(self, net: SparseMLP) -> None:
        """Raise a ValueError unless a network can be pruned so far, what is frozen included."""
        budget = self.budget
        plain = budget.groups is None and budget.costs is None
        n, cost = ("n_inputs", "") if plain else ("n of n_inputs", "cost of n_inputs")
        if budget.n is not None:
            check_int(n, budget.n, 1, self.amounts(net).n)
        frozen = self._amounts(_frozen(net))
        check_not_frozen(n, budget.n, frozen.n)
        check_not_frozen(cost, budget.cost, frozen.cost)
        least = self.costs[self.of[net.used_inputs]].min(initial=np.inf)
        if not frozen.n and self.limits.cost < least:
            raise ValueError(
                f"{cost} must be at least {least:g}, what the cheapest of the {self._noun} costs, "
                f"got {budget.cost:g}"
            )

    def overrun(self, net: SparseMLP, limits: Amounts | None = None) -> float:
        """Return by which share a network exceeds limits, those of the budget if left out.

        That is 0 if it meets them; the shares of two limits add up.
        """
        amounts, limits = self.amounts(net), limits or self.limits
        if amounts.within(limits):
            return 0.0
        return sum(float(a / b) - 1.0 for a, b in zip(amounts, limits, strict=True) if a > b)

    def excess(
        self, net: SparseMLP, scores: NDArray[np.float32], limits: Amounts
    ) -> NDArray[np.intp]:
        """Return the units of the lowest scores that go until limits are met, the lowest first.

        Those with a frozen synapse stay, and what the budget could not pay for beside them goes
        first.

        Parameters
        ----------
        net : SparseMLP
        scores : ndarray of float32, shape (n_synapses,)
            Of every synapse, layers one after another.
        limits : Amounts

        Returns
        -------
        ndarray of int
        """
        first = net.weights[0].indices
        sums = np.bincount(first, scores[: len(first)].astype(np.float64), len(self.of))
        squares = np.bincount(self.of, sums * abs(sums)) / np.bincount(self.of)  # signed
        roots = np.sign(squares) * np.sqrt(abs(squares))
        # What is below 0 does harm, the more the dearer it is.
        value = np.where(roots > 0.0, roots / self.costs, roots * self.costs)
        frozen = np.unique(self.of[_frozen(net)])
        affordable = self.costs[frozen].sum() + self.costs <= self.limits.cost * _SLACK
        movable = np.setdiff1d(self.of[first], frozen)
        lowest = movable[np.lexsort((value[movable], affordable[movable]))]
        n, cost = self.amounts(net)
        gone = np.arange(1, len(lowest) + 1)
        left = Amounts(n - gone, cost - np.cumsum(self.costs[lowest]))
        return lowest[: 1 + np.count_nonzero(~left.within(limits))]

    def without(self, net: SparseMLP, units: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return which of a network's synapses stay if some units go."""
        keep = np.ones(net.n_synapses, np.uint8)
        first = net.weights[0].indices
        keep[: len(first)] = ~np.isin(self.of[first], units)
        return keep

    def told(self, net: SparseMLP) -> str:
        """Return what a network uses, such as "5 inputs (target 5)"."""
        n, cost = self.amounts(net)
        parts = [] if self.budget.n is None else [f"{n} {self._noun} (target {self.budget.n})"]
        if self.budget.cost is not None:
            parts.append(f"a cost of {cost:g} (target {self.budget.cost:g})")
        return " and ".join(parts)

    def missed(self, net: SparseMLP) -> str:
        """Return which limits a network exceeds, and what it uses."""
        (n, cost), limits, parts = self.amounts(net), self.limits, []
        if n > limits.n:
            parts.append(f"{limits.n} {self._noun} are not reached, {n} are left")
        if cost > limits.cost:
            parts.append(f"a cost of {limits.cost:g} is not reached, {cost:g} is left")
        return " and ".join(parts)


def check_not_frozen(name: str, target: float | None, held: float) -> None:
    """Raise a ValueError if a target is below what is frozen."""
    if target is not None and target * _SLACK < held:
        raise ValueError(
            f"{name} must be at least {held:g}, what is frozen, got {target:g}; "
            "see with_nothing_frozen"
        )


def _frozen(net: SparseMLP) -> NDArray[np.int32]:
    """Return the inputs of frozen synapses."""
    return net.weights[0].indices[net.frozen_synapses[0]]
