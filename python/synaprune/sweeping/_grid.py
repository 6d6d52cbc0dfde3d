"""The combinations of a grid, and the job of each."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np

from synaprune.checks import check_int, shown
from synaprune.datasets import Dataset
from synaprune.job import Job
from synaprune.job_options import KINDS, all_options, job_for

Grid: TypeAlias = Mapping[str, Iterable[Any]]


def check_grid(grid: Grid | Sequence[Grid]) -> list[dict[str, list[Any]]]:
    """Return the values by option of each grid.

    Raises
    ------
    TypeError, ValueError
        If it is no grid, or names no option.
    """
    grids = [grid] if isinstance(grid, Mapping) else grid
    if isinstance(grids, str) or not isinstance(grids, Iterable):
        raise TypeError(f"grid must be a mapping of options to values, got {shown(grid)}")
    checked = [_checked(one) for one in grids]
    if not checked:
        raise ValueError("grid must hold a mapping of options to values, got none")
    return checked


def _checked(grid: Any) -> dict[str, list[Any]]:
    if not isinstance(grid, Mapping):
        raise TypeError(f"grid must be a mapping of options to values, got {shown(grid)}")
    known = _keys()
    lists = {}
    for name, values in grid.items():
        if name not in known:
            close = difflib.get_close_matches(str(name).removeprefix("n_"), known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"grid: {shown(name)} is no option of synaprune prune{hint}")
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            raise TypeError(f"grid[{name!r}] must be a sequence of values, got {shown(values)}")
        lists[name] = [v.item() if isinstance(v, np.generic) else v for v in values]
        if not lists[name]:
            raise ValueError(f"grid[{name!r}] must hold a value, got none")
    return lists


def jobs_of(
    grids: Sequence[Mapping[str, Sequence[Any]]], data: Dataset
) -> list[tuple[dict[str, Any], Job]]:
    """Return each combination and its job; the last option of a grid changes fastest.

    Raises
    ------
    TypeError, ValueError
        If one does not fit the data; the message tells the combination.
    """
    keys = _keys()
    found = []
    for options in (
        dict(zip(grid, values, strict=True))
        for grid in grids
        for values in itertools.product(*grid.values())
    ):
        try:
            given = {keys[name]: value for name, value in options.items()}
            job = job_for(data, given, attrgetter("name"))
            job.check(data)
        except (TypeError, ValueError) as error:
            told = ", ".join(f"{name}={value!r}" for name, value in options.items())
            raise type(error)(f"{error}, in the run of {told or 'no options'}") from None
        found.append((options, job))
    metrics = list(dict.fromkeys(job.goal.metric for _, job in found))
    if len(metrics) > 1:
        raise ValueError(f"grid must have one metric, by which runs compare, got {metrics}")
    return found


def check_seeds(seeds: int | Iterable[int]) -> list[int]:
    """Return the seeds; a number N stands for 0 to N - 1."""
    if not isinstance(seeds, Iterable):
        return list(range(check_int("seeds", seeds, 1)))
    listed = [check_int("each of seeds", seed, 0, 2**64 - 1) for seed in seeds]
    if not listed or len(set(listed)) < len(listed):
        raise ValueError(f"seeds must be one or more different ints, got {shown(listed)}")
    return listed


def _keys() -> dict[str, str]:
    """Return the key of each option by the name that users know."""
    return {option.name: key for key, option in all_options().items()} | {k: k for k in KINDS}
