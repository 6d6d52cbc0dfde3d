"""Text of any language from Python values: numbers, comments, head comments, wrapped lines."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np

from synaprune import _core
from synaprune.checks import shown
from synaprune.program import Program

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
_LONGEST_NAME = 40
# What may end a comment, a line or a script of a page, or form a trigraph.
_IN_COMMENTS = re.compile(r"[^ -~]|[*\\?<]")
WIDTH = 100
# c - (c - x), with c = x·SPLIT in float64, is x rounded to the 24 bits of float32 (Veltkamp 1968).
SPLIT = 2.0**29 + 1.0
LARGEST = float(np.finfo(np.float32).max)


def check_identifier(name: object) -> str:
    """Return a name that begins identifiers in every language, or raise."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {shown(name)}")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"name must begin identifiers: at most {_LONGEST_NAME} ASCII letters, digits and "
            f"single underscores, a letter first and no underscore last; got {shown(name)}"
        )
    return name


def comment(text: str) -> str:
    """Return text in quotes that can stand in a comment: odd characters by their numbers."""
    return '"' + _IN_COMMENTS.sub(lambda found: f"<U+{ord(found[0]):04X}>", text) + '"'


def filled(text: str, first: str = "", rest: str = "  ") -> str:
    """Return text wrapped to the width of a line."""
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def number(value: Any) -> str:
    """Return a number as Python, JavaScript and SQL read it back to the same float64."""
    if not math.isfinite(value):
        raise ValueError(f"the network holds a number that is not finite: {value}")
    return repr(float(value))


def numbers(values: Iterable[Any]) -> str:
    """Return numbers between brackets, which Python and JavaScript read: floats or ints."""
    texts = (str(v) if isinstance(v, np.integer | int) else number(v) for v in values)
    return f"[{', '.join(texts)}]"


def head(program: Program, name: str, given: str, places: Iterable[str]) -> list[str]:
    """Return the lines of a head comment, without what makes them a comment.

    Parameters
    ----------
    program : Program
    name : str
        What the text is called.
    given : str
        What it is given.
    places : iterable of str
        Where each input that the network uses comes from; names only, if they have some.
    """
    facts = {
        "network": f"{program.structure}: {program.n_synapses} synapses, "
        + (f"{program.activation}, " if program.activation else "")
        + program.output.replace("_", " "),
        "arithmetic": "float64; inputs are rounded to float32 first, as in synaprune",
        "input": given,
    }
    lines = [f"{name}, made by synaprune {_core.__version__}. Do not edit.", ""]
    lines += [f"{key:<11} {text}" for key, text in facts.items()]
    if program.classes is not None:
        lines += ["", "classes:"]
        lines += [f"  {k}: {comment(str(c))}" for k, c in enumerate(program.classes.tolist())]
    if program.input_names is not None:
        lines += ["", "inputs that the network uses:"]
        told = zip(places, program.input_names, strict=True)
        lines += [f"  {place}: {comment(known)}" for place, known in told]
    return lines
