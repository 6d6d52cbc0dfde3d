"""The options of a `Job` by name, and the job that a preset and some of them make."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from synaprune.checks import check_choice
from synaprune.criteria import Criterion
from synaprune.datasets import Dataset
from synaprune.job import Architecture, Job
from synaprune.options import Option, options_of
from synaprune.presets import preset_for
from synaprune.pruning import STRATEGIES, Goal, default_strategy
from synaprune.training import OPTIMIZERS, ShiftImages, Training

KINDS = {"optimizer": "update rule", "strategy": "when to cut and how much"}
GROUPS: dict[str, tuple[type, ...]] = {
    "goal": (Goal,),
    "pruning": (Criterion, *STRATEGIES.values()),
    "network": (Architecture,),
    "training": (Training, *OPTIMIZERS.values(), ShiftImages),
}
_Part = TypeVar("_Part")


def all_options() -> dict[str, Option]:
    """Return the options of the parts of a job, by key."""
    kinds = (kind for group in GROUPS.values() for kind in group)
    return {option.key: option for kind in kinds for option in options_of(kind)}


def job_for(data: Dataset, options: Mapping[str, Any], spelled: Callable[[Option], str]) -> Job:
    """Return the job of a dataset's preset and of options.

    Parameters
    ----------
    data : Dataset
    options : mapping
        Values by the keys of `all_options` and `KINDS`; None is an option left out, and other keys
        are ignored.
    spelled : callable
        What errors call an option.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range, or an option means nothing beside the others.
    """
    given = _Given(options, spelled)
    preset = preset_for(data.name)
    goal = given.make(Goal, {})
    kind = given.kind("strategy", STRATEGIES) or default_strategy(goal)
    strategy = given.applied(preset.strategy(kind))
    training = preset.training
    optimizer = training.optimizer
    other = given.kind("optimizer", OPTIMIZERS) or type(optimizer)
    optimizer = given.applied(optimizer if type(optimizer) is other else other())
    augment = _augment(training.augment, data, given)
    training = dataclasses.replace(training, optimizer=optimizer, augment=augment)
    training = given.applied(training)
    criterion = given.applied(preset.criterion)
    architecture = given.applied(preset.architecture)
    for key in given.values:
        used = ", ".join(type(part).__name__ for part in (strategy, optimizer))
        raise ValueError(
            f"{spelled(all_options()[key])} does not apply to this run, which uses {used}"
            f"{'' if augment else ', and shifts no images'}"
        )
    return Job(architecture, training, goal, strategy, criterion, preset.stop_at)


class _Given:
    """Options that are given and not yet used, and what errors call them."""

    def __init__(self, options: Mapping[str, Any], spelled: Callable[[Option], str]) -> None:
        known = (*all_options(), *KINDS)
        self.values = {key: options[key] for key in known if options.get(key) is not None}
        self._spelled = spelled

    def kind(self, key: str, kinds: Mapping[str, type[_Part]]) -> type[_Part] | None:
        """Return the kind that is asked for by its name."""
        if key not in self.values:
            return None
        return kinds[check_choice(key, self.values.pop(key), kinds)]

    def applied(self, part: _Part) -> _Part:
        """Return a part with the options of it that are given, which are used by that."""
        fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}  # type: ignore[arg-type]
        return self.make(type(part), fields)

    def make(self, kind: type[_Part], fields: dict[str, Any]) -> _Part:
        """Make a part of its fields and of what is given; errors name the option, not the field."""
        ours = [option for option in options_of(kind) if option.key in self.values]
        values = {option.field: self.values.pop(option.key) for option in ours}
        try:
            return kind(**{**fields, **values})
        except (TypeError, ValueError) as error:
            text = str(error)
            for option in options_of(kind):
                field = rf"(?<![-\w]){option.field}\b(?=[ ,=]|$)"
                text = re.sub(field, self._spelled(option), text)
            raise type(error)(text) from None


def _augment(augment: ShiftImages | None, data: Dataset, given: _Given) -> ShiftImages | None:
    if given.values.get("shift") == 0:
        del given.values["shift"]
        return None
    if augment is None and "shift" in given.values:
        if data.image_shape is None:
            raise ValueError(f"the rows of {data.name} are no images that could be shifted")
        augment = ShiftImages(*data.image_shape)
    return None if augment is None else given.applied(augment)
