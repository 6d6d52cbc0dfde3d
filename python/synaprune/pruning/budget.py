"""`InputBudget`: how many inputs, or groups of them, may be left, and at which cost."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synaprune.checks import check_float, check_int, shown
from synaprune.options import set_fields


@dataclass(frozen=True)
class InputBudget:
    """What may be left of a network's inputs: so many, or as many as cost so much, or both.

    Stands for `n_inputs` of `prune`. With groups, the inputs of a group go together, and groups
    are counted. The lowest scores go first. An input's score is the sum of its synapses' scores; a
    group's is the root mean square of its inputs', their Euclidean norm over the square root of
    their number, as the group lasso weighs groups of different sizes (Yuan & Lin, 2006). A sum
    would keep large groups for their size. With costs, scores are divided by them, which is the
    greedy rule for the knapsack problem (Dantzig, 1957).

    Parameters
    ----------
    n : int, optional
        The most inputs, or groups.
    cost : float, optional
        The most that all of them together may cost. What costs more by itself goes first.
    groups : sequence of hashable, shape (n_features,), optional
        A label of each input; those of equal labels are a group. Each input alone if left out.
    costs : sequence of float, shape (n_features,), optional
        What each input costs, above 0; with groups what the group costs, equal for all its inputs
        and counted once.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range, or two do not go together.

    Examples
    --------
    >>> import numpy as np
    >>> import synaprune as sn
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> net = sn.SparseMLP((4, 8, 1), seed=0)
    >>> budget = sn.InputBudget(1, groups=["left", "left", "right", "right"])
    >>> path = sn.prune(net, X, X[:, 0] > X[:, 1], validation=(X, X[:, 0] > X[:, 1]),
    ...                 n_inputs=budget, training=sn.Training(20))
    >>> path.smallest.used_inputs.tolist(), path.stop_reason
    ([0, 1], 'reached 1 groups (target 1)')
    """

    n: int | None = None
    cost: float | None = None
    groups: Iterable[Hashable] | None = None
    costs: Iterable[float] | None = None

    def __post_init__(self) -> None:
        if self.n is None and self.cost is None:
            raise ValueError("InputBudget needs n or cost, got neither")
        if self.n is not None:
            set_fields(self, n=check_int("n of InputBudget", self.n, 1))
        if self.cost is not None:
            if self.costs is None:
                raise ValueError(f"cost of InputBudget needs costs, got cost={self.cost!r} alone")
            cost = check_float("cost of InputBudget", self.cost, 0.0, open_low=True)
            set_fields(self, cost=cost)
        if self.groups is not None:
            set_fields(self, groups=_numbered(self.groups))
        if self.costs is not None:
            costs = as_list("costs", self.costs)
            checked = (check_float("each of costs", c, 0.0, open_low=True) for c in costs)
            set_fields(self, costs=tuple(checked))
            if self.groups is not None:
                self._check_costs_of_groups()

    def _check_costs_of_groups(self) -> None:
        assert isinstance(self.groups, tuple)
        assert isinstance(self.costs, tuple)
        if len(self.groups) != len(self.costs):
            raise ValueError(
                "groups and costs must be equally long, one entry an input, got "
                f"{len(self.groups)} and {len(self.costs)}"
            )
        first: dict[int, int] = {}
        for i, (group, cost) in enumerate(zip(self.groups, self.costs, strict=True)):
            j = first.setdefault(group, i)
            if cost != self.costs[j]:
                raise ValueError(
                    "costs must be equal within a group, of which it is the cost, got "
                    f"{self.costs[j]:g} of input {j} and {cost:g} of input {i}"
                )

    def record(self) -> int | dict[str, Any] | None:
        """Return what is given as JSON values.

        Returns
        -------
        dict or int
            "n", "cost", "groups" (numbers, as labels first occur) and "costs"; `n` itself without
            groups and costs.
        """
        if self.groups is None and self.costs is None:
            return self.n
        given = {name: getattr(self, name) for name in ("n", "cost", "groups", "costs")}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}

    def __repr__(self) -> str:
        names = ("n", "cost", "groups", "costs")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return f"InputBudget({', '.join(f'{k}={shown(v)}' for k, v in given.items())})"


def as_list(name: str, values: Any) -> list[Any]:
    """Return the entries of an array or a sequence, or raise a TypeError."""
    none = isinstance(values, str | Mapping) or getattr(values, "ndim", 1) == 0
    if none or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a sequence, one entry an input, got {shown(values)}")
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _numbered(labels: Any) -> tuple[int, ...]:
    """Return the number of each label, counted from 0 as they first occur."""
    numbers: dict[Hashable, int] = {}
    for label in (listed := as_list("groups", labels)):
        if not isinstance(label, Hashable) or label is None or label != label:
            raise ValueError(f"groups must hold a label for each input, got {shown(label)}")
        numbers.setdefault(label, len(numbers))
    return tuple(numbers[label] for label in listed)
