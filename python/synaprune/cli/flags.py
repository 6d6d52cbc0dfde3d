"""Flags of ``synaprune prune``, read off the fields of the options they set."""

from __future__ import annotations

import argparse
import dataclasses
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from synaprune.cli.presets import preset_for
from synaprune.criteria import Criterion
from synaprune.datasets import Dataset
from synaprune.job import Architecture, Job
from synaprune.options import Option, options_of
from synaprune.pruning import STRATEGIES, Goal, default_strategy
from synaprune.training import OPTIMIZERS, ShiftImages, Training

KINDS = {"optimizer": "update rule", "strategy": "when to cut and how much"}
_GROUPS: dict[str, tuple[type, ...]] = {
    "goal": (Goal,),
    "pruning": (Criterion, *STRATEGIES.values()),
    "network": (Architecture,),
    "training": (Training, *OPTIMIZERS.values(), ShiftImages),
}
_Part = TypeVar("_Part")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each option; what is left out comes from the preset."""
    named: dict[str, tuple[str, tuple[str, ...]]] = {
        "pruning": ("strategy", tuple(STRATEGIES)),
        "training": ("optimizer", tuple(OPTIMIZERS)),
    }
    for title, kinds in _GROUPS.items():
        group = parser.add_argument_group(title)
        if title in named:
            key, choices = named[title]
            group.add_argument(f"--{key}", choices=choices, help=KINDS[key])
        seen = set()
        for kind in kinds:
            for option in options_of(kind):
                if option.key not in seen:  # optimisers share some
                    group.add_argument(option.flag, dest=option.key, **_takes(kind, option))
                seen.add(option.key)


def all_options() -> dict[str, Option]:
    """Return the options that are flags, by key."""
    kinds = (kind for group in _GROUPS.values() for kind in group)
    return {option.key: option for kind in kinds for option in options_of(kind)}


def job_from_flags(data: Dataset, flags: Sequence[str]) -> Job:
    """Return the job of a dataset's preset and of flags, as ``synaprune prune`` makes it.

    Parameters
    ----------
    data : Dataset
    flags : sequence of str
        Such as ``["--synapses", "200"]``.
    """
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_flags(parser)
    return job_for(data, vars(parser.parse_args(flags)))


def job_for(data: Dataset, parsed: Mapping[str, Any]) -> Job:
    """Return the job of a dataset's preset and of parsed flags; None is a flag left out.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range, or a flag means nothing beside the others. The message names
        the flag.
    """
    known = (*all_options(), *KINDS)
    given = {key: parsed[key] for key in known if parsed.get(key) is not None}
    preset = preset_for(data.name)
    goal = _apply(Goal, {}, given)
    kind = STRATEGIES[given.pop("strategy")] if "strategy" in given else default_strategy(goal)
    strategy = _applied(preset.strategy(kind), given)
    training = preset.training
    optimizer = training.optimizer
    if "optimizer" in given:
        other = OPTIMIZERS[given.pop("optimizer")]
        optimizer = optimizer if type(optimizer) is other else other()
    optimizer = _applied(optimizer, given)
    augment = _augment(training.augment, data, given)
    training = _applied(dataclasses.replace(training, optimizer=optimizer, augment=augment), given)
    criterion = _applied(preset.criterion, given)
    architecture = _applied(preset.architecture, given)
    for key in given:
        used = ", ".join(type(part).__name__ for part in (strategy, optimizer))
        raise ValueError(
            f"{all_options()[key].flag} does not apply to this run, which uses {used}"
            f"{'' if augment else ', and shifts no images'}"
        )
    return Job(architecture, training, goal, strategy, criterion, preset.stop_at)


def _augment(
    augment: ShiftImages | None, data: Dataset, given: dict[str, Any]
) -> ShiftImages | None:
    if given.get("shift") == 0:
        del given["shift"]
        return None
    if augment is None and "shift" in given:
        if data.image_shape is None:
            raise ValueError(f"the rows of {data.name} are no images that could be shifted")
        augment = ShiftImages(*data.image_shape)
    return None if augment is None else _applied(augment, given)


def _applied(part: _Part, given: dict[str, Any]) -> _Part:
    """Return a part with the options of it that are given, which are taken out of `given`."""
    fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}  # type: ignore[arg-type]
    return _apply(type(part), fields, given)


def _apply(kind: type[_Part], fields: dict[str, Any], given: dict[str, Any]) -> _Part:
    """Make a part of its fields and of what is given; errors name the flag, not the field."""
    ours = [option for option in options_of(kind) if option.key in given]
    values = {option.field: given.pop(option.key) for option in ours}
    try:
        return kind(**{**fields, **values})
    except (TypeError, ValueError) as error:
        text = str(error)
        for option in options_of(kind):
            text = re.sub(rf"(?<![-\w]){option.field}\b(?=[ ,=]|$)", option.flag, text)
        raise type(error)(text) from None


def _takes(kind: type, option: Option) -> dict[str, Any]:
    """Return how argparse reads the option's value."""
    if option.choices and not option.metavar:
        return {"help": option.help, "choices": option.choices}
    hint = typing.get_type_hints(kind)[option.field]
    if isinstance(hint, types.UnionType):  # X | None
        hint = next(arg for arg in typing.get_args(hint) if arg is not types.NoneType)
    if hint is bool:
        return {"help": option.help, "action": "store_const", "const": True}
    read = {int: whole_number, float: float}.get(hint, whole_numbers)
    return {"help": option.help, "type": read, "metavar": option.metavar}


def whole_number(text: str) -> int:
    """Read an int, without the signs and spaces that Python allows."""
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise argparse.ArgumentTypeError(f"must be an int, got {text}")
    return int(text)


def whole_numbers(text: str) -> tuple[int, ...]:
    """Read ints, separated by commas."""
    try:
        return tuple(whole_number(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"must be ints, got {text}") from None
