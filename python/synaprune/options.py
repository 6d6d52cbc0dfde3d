"""Options as fields of frozen dataclasses: what each means, and what it is called elsewhere.

The console's flags, the presets and the JSON record of a run are read off these fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Option:
    """What the console and the JSON record have to know about a field.

    Attributes
    ----------
    field : str
        The field's name.
    key : str
        Its name in the JSON record, where fields of several dataclasses meet.
    help : str
        One line for ``--help``.
    metavar : str
        What stands for its value in the help; "" for a switch.
    choices : tuple of str
        The names that it takes, empty if it takes any value.
    """

    field: str
    key: str
    help: str
    metavar: str
    choices: tuple[str, ...]

    @property
    def name(self) -> str:
        """What users call it: "n_synapses" is ``synapses``."""
        return self.key.removeprefix("n_")

    @property
    def flag(self) -> str:
        """Its flag in the console: "n_synapses" is ``--synapses``."""
        return "--" + self.name.replace("_", "-")


def option(
    default: Any, help: str, *, metavar: str = "", choices: Sequence[str] = (), key: str = ""
) -> Any:
    """Return a dataclass field that is an option of the console and of the JSON record.

    Parameters
    ----------
    default : object
        Immutable.
    help, metavar, choices, key
        As in `Option`; the key is the field's name if left out.

    Returns
    -------
    dataclasses.Field
    """
    told = {"help": help, "metavar": metavar, "choices": tuple(choices), "key": key}
    return dataclasses.field(default=default, metadata={"option": told})


def options_of(kind: Any) -> Iterator[Option]:
    """Generate the options of a dataclass (or of an instance), in the order of its fields."""
    for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        if "option" in field.metadata:
            told = dict(field.metadata["option"])
            yield Option(field.name, told.pop("key") or field.name, **told)


def record(instance: Any) -> dict[str, Any]:
    """Return an instance's options as JSON values; a callable is told by its name.

    Parameters
    ----------
    instance : dataclass instance

    Returns
    -------
    dict
        By `Option.key`.
    """
    return {option.key: _json(getattr(instance, option.field)) for option in options_of(instance)}


def _json(value: Any) -> Any:
    if callable(value):
        return name_of(value)
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "record"):
        return value.record()
    if isinstance(value, Mapping):
        return {str(key): _json(v) for key, v in value.items()}
    return value


def name_of(named: Any) -> str:
    """Return the name of a callable or of an option's value that is a name itself."""
    if isinstance(named, str):
        return named
    return str(getattr(named, "__name__", type(named).__name__))


def set_fields(instance: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass, in its ``__post_init__``, to what a check returned."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)
