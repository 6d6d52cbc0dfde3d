"""Sums as text of a notation, and names of inputs that cannot break out of it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from synaprune.explain._expression import Expression, Sum

_NESTED = 2  # neurons within each other in one line; deeper ones get lines of their own
_LONGEST = 40  # characters of an identifier
_WORD = re.compile(r"[^\W\d]\w*")
_NUMBERED = re.compile("([A-OQ-Za-gi-xz])([0-9]*)")  # h, y and P are neurons and outputs
_NEURON = re.compile(r"h[0-9]+")
# What formulas in text call their own parts.
_OURS = {"P", "logit", "softmax", "sigmoid", "relu", "leaky_relu", "tanh", "silu"}
# What the Python text uses, and what SymPy takes for numbers and functions.
_RESERVED = {
    "largest", "math", "max", "min", "p", "sum", "total", "value", "z",
    "E", "I", "N", "O", "Q", "S", "oo", "pi",
}  # fmt: skip
_LATEX = {
    "\\": r"{\backslash}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"{\wedge}", "~": r"{\sim}", "<": "{<}", ">": "{>}", "|": "{|}",
}  # fmt: skip


@dataclass(frozen=True)
class Notation:
    """How a language writes the parts of a formula.

    Attributes
    ----------
    inputs : mapping of int to str
        What each input is called.
    times : str
        Stands between a coefficient and what it multiplies.
    number : callable
        Writes a number above 0.
    neuron : callable
        Names a neuron by its number.
    call : callable
        Writes an activation, by its name, of a text.
    """

    inputs: Mapping[int, str]
    times: str
    number: Callable[[float], str]
    neuron: Callable[[int], str]
    call: Callable[[str, str], str]

    def write(self, z: Sum, formula: Expression, inside: frozenset[int] = frozenset()) -> str:
        """Return a sum as text.

        Parameters
        ----------
        z : Sum
        formula : Expression
            Knows the neurons of the sum.
        inside : frozenset of int
            Neurons that are written out where they stand, not by their names.
        """
        terms = [(v, self.inputs[i]) for i, v in z.inputs.items()]
        for k, v in z.neurons.items():
            name = self.neuron(k)
            if k in inside:
                inner = self.write(formula.neurons[k], formula, inside)
                name = self.call(formula.activation, inner)
            terms.append((v, name))
        parts = [
            (v, name if abs(v) == 1.0 else f"{self.number(abs(v))}{self.times}{name}")
            for v, name in terms
        ]
        if z.constant or not parts:
            parts.append((z.constant, self.number(abs(z.constant))))
        signs = ("-" if v < 0.0 else "+" for v, _ in parts)
        text = " ".join(f"{sign} {part}" for sign, (_, part) in zip(signs, parts, strict=True))
        return text.removeprefix("+ ") if text.startswith("+") else "-" + text[2:]


def condition(z: Sum, formula: Expression, notation: Notation, digits: int | None) -> str:
    """Return where a sum of inputs is above 0, such as "x0 > 0.3"."""
    below = z.first < 0.0
    if z.n_terms == 1:
        z = z.over(abs(z.first))
    if digits is not None:
        z = z.rounded(digits)
    if below:
        z = z.times(-1.0)
    limit = notation.write(Sum(-z.constant, {}, {}), formula)
    terms = notation.write(Sum(0.0, z.inputs, {}), formula)
    return f"{terms} {'<' if below else '>'} {limit}"


def written_inside(formula: Expression) -> frozenset[int]:
    """Return the neurons that a line of text holds written out.

    These are the neurons that are used once, and those of one input, which are short.
    """
    depth: dict[int, int] = {}
    for k, z in formula.neurons.items():
        nested = 1 + max((depth.get(j, 0) for j in z.neurons), default=0)
        short = z.n_terms == 1 and not z.neurons
        if nested <= _NESTED and (short or formula.uses[k] == 1):
            depth[k] = nested
    return frozenset(depth)


# ---- plain text


def plain_number(value: float) -> str:
    """Return a number with as few digits as tell it from all others."""
    return repr(value).removesuffix(".0")


def plain(inputs: Mapping[int, str]) -> Notation:
    """Return the notation of plain text, with names in quotes that are no words."""
    names = {i: quoted(name) for i, name in inputs.items()}
    return Notation(names, "·", plain_number, lambda k: f"h{k + 1}", "{}({})".format)


def quoted(name: str) -> str:
    """Return an input's name as it is if it is a word, else in quotes, odd characters escaped.

    Words that formulas use themselves are put in quotes, too.
    """
    is_ours = name in _OURS or _NEURON.fullmatch(name) or re.fullmatch("y[0-9]*", name)
    return repr(name) if is_ours or not _WORD.match(name) else label(name)


def label(name: str) -> str:
    """Return a class or an output as it is if it is a word or a whole number, else in quotes."""
    is_plain = re.fullmatch("-?[0-9]+", name) or (_WORD.fullmatch(name) and name.isprintable())
    return name if is_plain else repr(name)


# ---- LaTeX


def latex(inputs: Mapping[int, str]) -> Notation:
    """Return the notation of LaTeX's math mode, as MathJax and KaTeX read it, too."""
    names = {i: latex_name(name) for i, name in inputs.items()}
    return Notation(names, r"\,", _latex_number, lambda k: f"h_{{{k + 1}}}", _latex_call)


def latex_name(name: str) -> str:
    r"""Return a name in math mode: letters with a number become an index.

    Examples
    --------
    >>> print(latex_name("x3"), latex_name("a_b"))
    x_{3} {\text{a}\_\text{b}}
    """
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return f"{numbered[1]}_{{{numbered[2]}}}" if numbered[2] else name
    known = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in name)
    parts = re.split(r"([\\{}$&#%_^~<>|])", known)
    return "{" + "".join(_LATEX.get(p, rf"\text{{{p}}}") for p in parts if p) + "}"


def _latex_number(value: float) -> str:
    mantissa, _, exponent = plain_number(value).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def _latex_call(activation: str, inner: str) -> str:
    name = activation.replace("_", r"\_")
    return rf"\operatorname{{{name}}}\left({inner}\right)"


# ---- Python


def python(identifiers: Mapping[int, str]) -> Notation:
    """Return the notation of Python."""
    return Notation(identifiers, " * ", repr, lambda k: f"h{k + 1}", "_{}({})".format)


def identifiers(names: Mapping[int, str]) -> dict[int, str]:
    """Return a valid identifier of Python for each name, in ASCII; no two are the same.

    Examples
    --------
    >>> identifiers({0: "a b", 1: "a_b", 2: "lambda", 3: "größe", 4: "→"})
    {0: 'a_b_2', 1: 'a_b', 2: 'lambda_', 3: 'gr_e', 4: 'x4'}
    """
    made = {i: _identifier(name, i) for i, name in names.items()}
    found: dict[int, str] = {}
    for i in sorted(made, key=lambda i: made[i] != names[i]):  # those that need no change first
        name, n = made[i], 1
        while name in found.values():
            n += 1
            name = f"{made[i]}_{n}"
        found[i] = name
    return dict(sorted(found.items()))


def _identifier(name: str, i: int) -> str:
    text = re.sub("[^0-9A-Za-z]+", "_", name)[:_LONGEST].strip("_") or f"x{i}"
    if text[0].isdigit():
        text = f"x_{text}"
    taken = keyword.iskeyword(text) or text in _RESERVED or _NEURON.fullmatch(text)
    return f"{text}_" if taken else text
