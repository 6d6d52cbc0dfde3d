"""Flags of ``synaprune prune``, read off the fields of the options they set."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from synaprune.datasets import Dataset
from synaprune.job import Job
from synaprune.job_options import GROUPS, KINDS, job_for
from synaprune.options import Option, options_of
from synaprune.pruning import STRATEGIES
from synaprune.training import OPTIMIZERS

FLAG = attrgetter("flag")  # what the console's errors call an option


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each option; what is left out comes from the preset."""
    named: dict[str, tuple[str, tuple[str, ...]]] = {
        "pruning": ("strategy", tuple(STRATEGIES)),
        "training": ("optimizer", tuple(OPTIMIZERS)),
    }
    for title, kinds in GROUPS.items():
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
    return job_for(data, vars(parser.parse_args(flags)), FLAG)


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
