"""`equation`: the formula of a small network, as text, LaTeX, SymPy and Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs, as_inputs
from synaprune.checks import check_int, shown
from synaprune.explain._expression import SLOPE_BELOW_ZERO, Expression, Floats, Sum, groups, product
from synaprune.explain._notation import (
    Notation,
    condition,
    identifiers,
    label,
    latex,
    latex_name,
    plain,
    python,
    quoted,
    written_inside,
)
from synaprune.explain.graph_layout import output_name
from synaprune.extras import require
from synaprune.network import SparseMLP
from synaprune.program import PROBABILITIES, Program
from synaprune.python_text import ACTIVATIONS as PYTHON_ACTIVATIONS
from synaprune.python_text import PROBABILITIES as PYTHON_PROBABILITIES
from synaprune.selection import find_input

_MOST_NODES = 10_000  # of expressions of SymPy with all neurons written out
_FIRST = 8  # groups, states and meanings that a text lists

Interval = tuple[float, float]


@dataclass(frozen=True)
class EquationInput:
    """An input that a formula depends on.

    Attributes
    ----------
    feature : int
        Its column in X.
    name : str
    identifier : str
        What it is called in Python and SymPy.
    meaning : str or None
        What a table's encoder makes its value of; None for a network of arrays.
    """

    feature: int
    name: str
    identifier: str
    meaning: str | None


@dataclass(frozen=True)
class NeuronState:
    """Where a neuron of relu or leaky_relu is on: where its sum is above 0.

    Attributes
    ----------
    name : str
        Such as "h2"; neurons are numbered from h1, layer by layer, without dead and constant ones.
    condition : str or None
        Where it is on, such as "x0 > 0.3"; None if its sum depends on other neurons.
    state : {"on", "off", "switches", "unknown"}
        Within the bounds, or over the rows; "unknown" without both.
    share_on : float or None
        In which share of the rows it is on; None without rows.
    on, off : mapping of str to (float, float)
        Intervals of an input within which it stays on, or off, wherever the other inputs are within
        the bounds, or on the rows. Inputs without such an interval are left out.
    of_one_input : bool
        Whether its sum depends on one input alone: then the condition says the same.
    """

    name: str
    condition: str | None
    state: str
    share_on: float | None
    on: Mapping[str, Interval]
    off: Mapping[str, Interval]
    of_one_input: bool

    def __str__(self) -> str:
        text = f"{self.name} is on" + (f" where {self.condition}" if self.condition else "")
        if self.state in ("on", "off"):
            return f"{text}: always {self.state}"
        if self.share_on is not None:
            text += f", in {self.share_on:.1%} of the rows"
        for state, found in (("on", self.on), ("off", self.off)):
            if found and not self.of_one_input:
                told = (f"for {quoted(i)} from {a:.4g} to {b:.4g}" for i, (a, b) in found.items())
                text += f"; surely {state} {' or '.join(told)}"
        return text


@dataclass(frozen=True, eq=False, repr=False)
class Equation:
    """The formula of a network; ``print`` shows it, and notebooks show it in LaTeX.

    Attributes
    ----------
    inputs : tuple of EquationInput
        Those that the formula depends on, in the order of X.
    outputs : tuple of str
        What each sum of the last layer is for: the class (of one output the second of two), or
        "y", "y0", "y1", …
    output : {"softmax", "sigmoid", "sigmoid_shares", "numbers"}
        What becomes of these sums: probabilities by softmax, by sigmoid, by sigmoids that are
        divided by their total, or numbers in the units of y.
    states : tuple of NeuronState
        Of the neurons of relu and leaky_relu, those among them that are not in the formula since
        they are always on, or off.
    groups : tuple of tuple of str
        Names of inputs. Each output is a sum of functions of one group each, on the scale of
        logits, since inputs of different groups share no neuron.
    assumes : {"anything", "bounds", "rows"}
        Where the formula holds: for all inputs, within the bounds, or on the rows, since neurons
        that are always on there are replaced by their sums.
    digits : int or None
        To which numbers are rounded; None if they are not.
    n_rows : int or None
        Rows that were given.
    difference : float or None
        The largest difference between the formula's probabilities, or numbers, and those of the
        network on the rows.
    n_changed : int or None
        Rows whose class differs; None without rows or classes.
    """

    inputs: tuple[EquationInput, ...]
    outputs: tuple[str, ...]
    output: str
    states: tuple[NeuronState, ...]
    groups: tuple[tuple[str, ...], ...]
    assumes: str
    digits: int | None
    n_rows: int | None
    difference: float | None
    n_changed: int | None
    _formula: Expression
    _program: Program

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "\n".join([self.text, *self.notes])

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex}$"

    # ---- as text

    @property
    def text(self) -> str:
        """A line for each output, after lines for neurons that stand in several places."""
        defined, sums = self._written(plain(self._names))
        names = [label(name) for name in self.outputs]
        form = {"sigmoid": "P({}) = sigmoid({})", "numbers": "{} = {}"}
        lines = [f"{name} = {z}" for name, z in defined]
        lines += [
            form.get(self.output, "logit({}) = {}").format(*line)
            for line in zip(names, sums, strict=True)
        ]
        return "\n".join(lines + _LAST_IN_TEXT[self.output])

    @property
    def latex(self) -> str:
        """The same in LaTeX's math mode, as an "aligned" environment."""
        defined, sums = self._written(latex(self._names))
        names = [latex_name(name) for name in self.outputs]
        form = r"\operatorname{{logit}}\left({}\right) &= {}"
        if self.output == "sigmoid":
            form = r"P\left({}\right) &= \operatorname{{sigmoid}}\left({}\right)"
        elif self.output == "numbers":
            names = [name if name == "y" else f"y_{{{name[1:]}}}" for name in self.outputs]
            form = "{} &= {}"
        lines = [f"{name} &= {z}" for name, z in defined]
        lines += [form.format(*line) for line in zip(names, sums, strict=True)]
        text = " \\\\\n".join(lines + _LAST_IN_LATEX[self.output])
        return f"\\begin{{aligned}}\n{text}\n\\end{{aligned}}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the formula should know, in sentences."""
        found = [f"{quoted(i.name)}: {i.meaning}" for i in self.inputs if i.meaning is not None]
        where = "within the bounds" if self.assumes == "bounds" else f"on the {self.n_rows} rows"
        if self.assumes != "anything":
            n_on, n_off = (sum(s.state == state for s in self.states) for state in ("on", "off"))
            found.append(
                f"It holds {where}, where {n_on} of {len(self.states)} neurons are always on, and "
                f"{n_off} always off."
            )
        rounded = "" if self.digits is None else f"Numbers are rounded to {self.digits} digits. "
        if self.difference is not None:
            what = "numbers" if self.output == "numbers" else "probabilities"
            changed = f"; {self.n_changed} classes differ" if self.n_changed else ""
            found.append(
                f"{rounded}On the {self.n_rows} rows, {what} differ from the network's by at most "
                f"{self.difference:.2g}{changed}."
            )
        elif rounded:
            found.append(f"{rounded}Without rows, the difference that this makes is not known.")
        found += _some([f"{s}." for s in self.states if s.state == "switches"], "states")
        if len(self.groups) > 1:
            told = [
                quoted(g[0]) if len(g) == 1 else f"{{{', '.join(map(quoted, g))}}}"
                for g in self.groups
            ]
            scale = "It" if self.output == "numbers" else "The logit"
            found.append(f"{scale} is a sum of functions of {', '.join(_some(told, 'groups'))}.")
        return tuple(found)

    # ---- for computers

    def python(self, name: str = "network") -> str:
        """Return the text of a Python module with one function, which imports only math.

        Parameters
        ----------
        name : str
            Of the function. Its parameters are the identifiers of `inputs`; it returns the
            probability of each class, or the number, or a list of several.

        Returns
        -------
        str

        Raises
        ------
        TypeError, ValueError
            If the name is no identifier in ASCII, or one that the text uses itself.
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, got {shown(name)}")
        if identifiers({0: name})[0] != name:
            raise ValueError(
                "name must be an identifier of Python in ASCII which the text does not use itself, "
                f"got {shown(name)}"
            )
        notation = python({i.feature: i.identifier for i in self.inputs})
        defined, sums = self._written(notation, inside=frozenset())
        needed = {self._formula.activation} if defined else set()
        if "silu" in needed or self.output.startswith("sigmoid"):
            needed.add("sigmoid")
        parameters = ", ".join(i.identifier for i in self.inputs)
        what = "the probability of each class" if self.output != "numbers" else "the number"
        if self.output == "numbers" and len(sums) > 1:
            what = "the numbers"
        head = ["# Inputs:"]
        head += [
            f"#   {i.identifier}: {i.name!a}" + (f", {i.meaning!a}" if i.meaning else "")
            for i in self.inputs
        ]
        if self._program.classes is not None:
            head.append(f"# Classes: {', '.join(map(ascii, self._program.classes.tolist()))}")
        body = [f"def {name}({parameters}):", f'    """Return {what}."""']
        body += [f"    {neuron} = {z}" for neuron, z in defined]
        if self.output != "numbers":
            body += [f"    z = [{', '.join(sums)}]", PYTHON_PROBABILITIES[self.output]]
        else:
            body.append(f"    return {sums[0] if len(sums) == 1 else '[' + ', '.join(sums) + ']'}")
        functions = [text for known, text in PYTHON_ACTIVATIONS.items() if known in needed]
        sections = ["\n".join([*head, "", "import math"]), *functions, "\n".join(body)]
        return "\n\n\n".join(sections) + "\n"

    def sympy(self, *, probabilities: bool = False) -> dict[str, Any]:
        """Return an expression of SymPy for each output, all neurons written out.

        Needs SymPy: ``pip install "synaprune[sympy]"``.

        Parameters
        ----------
        probabilities : bool
            Whether to return the probability of each class in place of the last layer's sums.

        Returns
        -------
        dict of str to sympy.Expr
            By output, or by class. Symbols are real, and called as `inputs` say.

        Raises
        ------
        ImportError
            If SymPy is missing.
        ValueError
            If the network predicts numbers, which have no probabilities, or the expressions would
            be too large.
        """
        sp = require("sympy", "sympy")
        if probabilities and self._program.classes is None:
            raise ValueError("probabilities must be False, as the network predicts numbers")
        self._check_size()
        symbols = {i.feature: sp.Symbol(i.identifier, real=True) for i in self.inputs}
        made: dict[int, Any] = {}

        def factor(v: float) -> Any:
            return sp.Integer(int(v)) if v in (-1.0, 0.0, 1.0) else sp.Float(v)

        def of_sum(z: Sum) -> Any:
            terms = [factor(v) * symbols[i] for i, v in z.inputs.items()]
            terms += [factor(v) * made[k] for k, v in z.neurons.items()]
            return sp.Add(*terms, factor(z.constant))

        def sigmoid(z: Any) -> Any:
            return 1 / (1 + sp.exp(-z))

        functions = {
            "relu": lambda z: sp.Max(z, 0),
            "leaky_relu": lambda z: sp.Max(z, sp.Float(SLOPE_BELOW_ZERO["leaky_relu"]) * z),
            "sigmoid": sigmoid,
            "tanh": sp.tanh,
            "silu": lambda z: z * sigmoid(z),
        }
        for k, z in self._formula.neurons.items():
            made[k] = functions[self._formula.activation](of_sum(z))
        sums = [of_sum(z) for z in self._formula.outputs]
        if not probabilities:
            return dict(zip(self.outputs, sums, strict=True))
        assert self._program.classes is not None
        if self.output == "sigmoid":
            shares = [sigmoid(-sums[0]), sigmoid(sums[0])]
        else:
            parts = [sp.exp(z) if self.output == "softmax" else sigmoid(z) for z in sums]
            shares = [part / sp.Add(*parts) for part in parts]
        return dict(zip(map(str, self._program.classes.tolist()), shares, strict=True))

    def evaluate(self, X: Any) -> Floats:
        """Return what the formula says of samples, in float64.

        Parameters
        ----------
        X : array_like, shape (n, n_features)
            Of a network of a table, ``net.as_inputs(table)``.

        Returns
        -------
        ndarray of float64, shape (n, n_classes) or (n, n_outputs)
            Probabilities, or numbers in the units of y.

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        X = as_inputs(X, self._program.n_features)
        return _finished(self._program, self._formula.evaluate(X.astype(np.float64))[0])

    # ---- inside

    @property
    def _names(self) -> dict[int, str]:
        return {i.feature: i.name for i in self.inputs}

    def _written(
        self, notation: Notation, inside: frozenset[int] | None = None
    ) -> tuple[list[tuple[str, str]], list[str]]:
        """Return neurons that get lines of their own, with their names, and the outputs' sums."""
        formula = self._formula
        inside = written_inside(formula) if inside is None else inside
        defined = [
            (
                notation.neuron(k),
                notation.call(formula.activation, notation.write(z, formula, inside)),
            )
            for k, z in formula.neurons.items()
            if k not in inside
        ]
        return defined, [notation.write(z, formula, inside) for z in formula.outputs]

    def _check_size(self) -> None:
        size: dict[int, int] = {}
        for k, z in self._formula.neurons.items():
            size[k] = 1 + z.n_terms + sum(size[j] for j in z.neurons)
        total = sum(z.n_terms + sum(size[k] for k in z.neurons) for z in self._formula.outputs)
        if total > _MOST_NODES:
            raise ValueError(
                f"the expressions would have {total} terms, more than {_MOST_NODES}: prune the "
                "network further, or take the text of `python`, where each neuron is written once"
            )


_LAST_IN_TEXT = {
    "softmax": ["P = softmax(logit)"],
    "sigmoid_shares": ["P = sigmoid(logit) / (sum of sigmoid(logit) over all classes)"],
    "sigmoid": [],
    "numbers": [],
}
_LAST_IN_LATEX = {
    "softmax": [r"P &= \operatorname{softmax}\left(\operatorname{logit}\right)"],
    "sigmoid_shares": [
        r"P &= \operatorname{sigmoid}\left(\operatorname{logit}\right) / "
        r"\sum \operatorname{sigmoid}\left(\operatorname{logit}\right)"
    ],
    "sigmoid": [],
    "numbers": [],
}


def equation(
    net: SparseMLP, X: Any = None, *, bounds: Any = None, digits: int | None = None
) -> Equation:
    """Return the formula of a network, simplified.

    Dead neurons are left out and constants are added up; the scaling of inputs and the units of y
    are part of the coefficients. A neuron of relu or leaky_relu of one input is written as relu(x -
    t), which shows the threshold t. Without `X` and `bounds` the formula holds for all inputs. With
    them, such neurons that are always on are replaced by their sums, and those of relu that are
    always off are left out; the formula then holds within the bounds, or on the rows.

    Parameters
    ----------
    net : SparseMLP
        A trained network; it is not changed.
    X : array_like, shape (n, n_features), DataFrame or Table, optional
        Rows where the formula has to hold, and on which it is compared with the network.
    bounds : mapping of str or int to (low, high), or pair (low, high), optional
        Between which values inputs lie, by name or position, others anywhere; or for all of them, a
        number or an array of shape (n_features,) each. Neurons that are always on or off are found
        by interval arithmetic: there may be more, but those found are sure. Rows of `X` must be
        within.
    digits : int, optional
        Significant digits to round all numbers to, from 1 to 17. With `X`, the result says how much
        difference that makes.

    Returns
    -------
    Equation

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, the network was never fitted, or bounds are given to a network
        without neurons that switch.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> net = sn.SparseMLP((2, 2, 1), loss="squared_error", input_scaling="none")
    >>> _ = net.fit(X, [0.0, 1.0, 1.0, 0.0], training=sn.Training(1))
    >>> layer = sn.SparseLayer.from_dense
    >>> first, second = layer([[2, -2], [-2, 2]], [0, 0]), layer([[1, 1]], [-1])
    >>> net = net.set_weights([first, second])
    >>> sn.explain.equation(net)
    y = relu(x0 - x1) + relu(-x0 + x1)
    >>> sn.explain.equation(net, bounds={"x0": (2, 3), "x1": (0, 1)}).text
    'y = x0 - x1'
    """
    net = net.copy() if isinstance(net, SparseMLP) else net  # another thread may prune it meanwhile
    program = Program.of(net)
    digits = None if digits is None else check_int("digits", digits, 1, 17)
    whole = Expression.of(program)
    limits = None if bounds is None else _limits(net, program, bounds)
    inputs = None if X is None else net.as_inputs(X)
    rows = None if inputs is None else inputs.astype(np.float64)
    if rows is not None and limits is not None:
        _check_within(net, rows, limits)
    with np.errstate(over="ignore", invalid="ignore"):
        known = _known_states(whole, rows, limits)
        formula = whole.simplified(known).normalised()
    if not formula.is_finite:
        raise ValueError("the formula would hold numbers beyond float64")
    names = {i: net.input_name(i) for i in range(net.n_features)}
    states = _states(whole, formula, known, rows, limits, names, digits)
    if digits is not None:
        formula = formula.rounded(digits)
    meanings = None if net.encoder is None else net.encoder.meanings
    called = identifiers({i: names[i] for i in formula.inputs})
    sets = formula.dependencies().values()
    assumes = "anything" if not known else "rows" if limits is None else "bounds"
    difference, n_changed = (
        (None, None) if inputs is None else _compared(net, program, formula, inputs)
    )
    return Equation(
        tuple(
            EquationInput(i, names[i], called[i], None if meanings is None else meanings[i])
            for i in formula.inputs
        ),
        tuple(output_name(net, k) for k in range(program.n_outputs)),
        program.output,
        states,
        tuple(tuple(names[i] for i in group) for group in groups(formula.inputs, sets)),
        assumes,
        digits,
        None if rows is None else len(rows),
        difference,
        n_changed,
        formula,
        program,
    )


def _limits(net: SparseMLP, program: Program, bounds: Any) -> tuple[Floats, Floats]:
    """Return the least and the greatest value of each input."""
    if program.activation is not None and program.activation not in SLOPE_BELOW_ZERO:
        raise ValueError(
            "bounds must be left out, as they tell which neurons of relu are always on, and the "
            f"network has {program.activation}"
        )
    n = net.n_features
    if isinstance(bounds, Mapping):
        low, high = np.full(n, -np.inf), np.full(n, np.inf)
        seen: set[int] = set()
        for given, pair in bounds.items():
            i = find_input(given, n, net.input_names or [net.input_name(i) for i in range(n)])
            if i in seen:
                raise ValueError(f"bounds must name each input once, got {shown(given)} again")
            seen.add(i)
            (low[i],), (high[i],) = _pair(pair, 1)
    else:
        low, high = _pair(bounds, n)
    for values in (low, high):
        if np.isnan(values).any():
            raise ValueError("bounds must hold numbers, got NaN")
    for i in np.flatnonzero(low > high)[:1].tolist():
        raise ValueError(
            f"bounds must be pairs (low, high), got ({low[i]:g}, {high[i]:g}) for "
            f"{net.input_name(i)!r}"
        )
    with np.errstate(over="ignore"):  # inputs are float32
        return np.minimum(low, low.astype(np.float32)), np.maximum(high, high.astype(np.float32))


def _pair(pair: Any, n: int) -> tuple[Floats, Floats]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"bounds must be a mapping, or a pair (low, high), got {shown(pair)}")
    try:
        low, high = (np.broadcast_to(np.asarray(v, np.float64), (n,)).copy() for v in pair)
    except (TypeError, ValueError):
        raise ValueError(
            f"bounds must hold numbers, or {n} of them each, got {shown(pair)}"
        ) from None
    return low, high


def _check_within(net: SparseMLP, rows: Floats, limits: tuple[Floats, Floats]) -> None:
    outside = np.argwhere((rows < limits[0]) | (rows > limits[1]))
    for row, i in outside[:1].tolist():
        raise ValueError(
            f"X must be within the bounds, got {rows[row, i]:g} for {net.input_name(i)!r} in row "
            f"{row}"
        )


def _known_states(
    formula: Expression, rows: Floats | None, limits: tuple[Floats, Floats] | None
) -> dict[int, str]:
    """Return the neurons that are always on, or off, within the bounds or on the rows."""
    if formula.activation not in SLOPE_BELOW_ZERO:
        return {}
    if limits is not None:
        ranges = formula.ranges(*limits)
    elif rows is not None:
        ranges = {k: (float(z.min()), float(z.max())) for k, z in formula.evaluate(rows)[1].items()}
    else:
        return {}
    return {
        k: "off" if high <= 0.0 else "on"
        for k, (low, high) in ranges.items()
        if high <= 0.0 or low >= 0.0
    }


def _states(
    whole: Expression,
    formula: Expression,
    known: Mapping[int, str],
    rows: Floats | None,
    limits: tuple[Floats, Floats] | None,
    names: Mapping[int, str],
    digits: int | None,
) -> tuple[NeuronState, ...]:
    """Return where each neuron of relu or leaky_relu is on."""
    if whole.activation not in SLOPE_BELOW_ZERO:
        return ()
    notation = plain(names)
    sums = tuple(whole.neurons.values())
    inner = replace(whole, outputs=sums).simplified(known)
    values = None if rows is None else whole.evaluate(rows)[1]
    other = "unknown" if rows is None and limits is None else "switches"
    found = []
    for k, z in zip(whole.neurons, inner.outputs, strict=True):
        shown_as = formula.neurons.get(k, z)
        of_inputs = bool(z.inputs) and not z.neurons
        state = known.get(k, other)
        on: dict[str, Interval] = {}
        off: dict[str, Interval] = {}
        if of_inputs and state == "switches":
            for i in z.inputs:
                for found_in, limit in zip((on, off), _sure(z, i, rows, limits), strict=True):
                    if limit[0] < limit[1]:
                        found_in[names[i]] = limit
        found.append(
            NeuronState(
                f"h{k + 1}",
                condition(shown_as, formula, notation, digits) if of_inputs else None,
                state,
                None if values is None else float(np.mean(values[k] > 0.0)),
                on,
                off,
                of_inputs and z.n_terms == 1,
            )
        )
    return tuple(found)


def _sure(
    z: Sum, i: int, rows: Floats | None, limits: tuple[Floats, Floats] | None
) -> tuple[Interval, Interval]:
    """Return where an input alone makes a sum of inputs positive, and where not."""
    a = z.inputs[i]
    if limits is not None:
        span = float(limits[0][i]), float(limits[1][i])
        parts = [
            product(v, (float(limits[0][j]), float(limits[1][j])))
            for j, v in z.inputs.items()
            if j != i
        ]
        least, most = (z.constant + sum(part[end] for part in parts) for end in (0, 1))
    else:
        assert rows is not None
        span = float(rows[:, i].min()), float(rows[:, i].max())
        others = replace(z, inputs={j: v for j, v in z.inputs.items() if j != i}).value(rows, {})
        least, most = float(others.min()), float(others.max())
    above, below = (max(span[0], -least / a), span[1]), (span[0], min(span[1], -most / a))
    if a < 0.0:
        above, below = (span[0], min(span[1], -least / a)), (max(span[0], -most / a), span[1])
    return above, below


def _compared(
    net: SparseMLP, program: Program, formula: Expression, inputs: Inputs
) -> tuple[float, int | None]:
    """Return the largest difference between a formula and its network, and how many classes."""
    z, _ = formula.evaluate(inputs.astype(np.float64))
    told = _finished(program, z)
    if program.classes is None:
        return float(np.abs(told - net.predict(inputs).reshape(told.shape)).max()), None
    classes: NDArray[Any] = program.classes[
        (z[:, 0] > 0.0) * 1 if z.shape[1] == 1 else z.argmax(axis=1)
    ]
    difference = float(np.abs(told - net.predict_proba(inputs)).max())
    return difference, int(np.count_nonzero(classes != net.predict(inputs)))


def _finished(program: Program, z: Floats) -> Floats:
    """Return probabilities, or the numbers themselves, which are in the units of y already."""
    return z if program.output == "numbers" else PROBABILITIES[program.output](z)


def _some(texts: Iterable[str], what: str) -> list[str]:
    """Return the first of many texts, and how many more there are."""
    texts = list(texts)
    left = len(texts) - _FIRST
    return texts if left <= 0 else [*texts[:_FIRST], f"… and {left} more {what}"]
