"""Which inputs of a network interact, and how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_float, check_int, shown
from synaprune.explain._expression import SLOPE_BELOW_ZERO, Expression, Floats, groups
from synaprune.explain._notation import quoted
from synaprune.explain.graph_layout import output_name
from synaprune.network import SparseMLP
from synaprune.program import Program
from synaprune.selection import find_input

_MOST_PAIRS = 5000
_LINES = 12  # pairs that a text lists


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """How much each pair of inputs interacts; ``print`` shows it.

    Attributes
    ----------
    features : tuple of int
        Columns of X.
    names : tuple of str
    outputs : tuple of str
        What each output is for: a class (of one output the second of two), or "y", "y0", "y1", …
    scale : {"numbers", "logits"}
        Numbers in the units of y; or logits, of a softmax less their mean over the classes.
    n_rows : int
        Rows of X.
    n_left_out : int
        Inputs that the network uses, but which were not to be measured.
    variance : ndarray of float64, shape (n_outputs,)
        Of each output over the rows.
    index : ndarray of float64, shape (n_outputs, n_inputs, n_inputs)
        The total interaction index of each pair, in squared units of the output; symmetric, with
        zeros in the diagonal.
    shares_neuron : ndarray of bool, shape (n_outputs, n_inputs, n_inputs)
        Whether a neuron that leads to the output depends on both. If not, the index is 0.
    """

    features: tuple[int, ...]
    names: tuple[str, ...]
    outputs: tuple[str, ...]
    scale: str
    n_rows: int
    n_left_out: int
    variance: Floats
    index: Floats
    shares_neuron: NDArray[np.bool_]

    @property
    def share(self) -> Floats:
        """`index` divided by `variance`, 0 where both are 0; shape of `index`."""
        variance = np.broadcast_to(self.variance[:, None, None], self.index.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            share: Floats = np.where(self.index > 0.0, self.index / variance, 0.0)
        return share

    def pairs(self, min_share: float = 0.0) -> list[tuple[str, str, float]]:
        """Return the pairs that interact, and their share; of several outputs the largest share.

        Parameters
        ----------
        min_share : float
            Pairs whose share is not above it are left out.

        Returns
        -------
        list of (str, str, float)
            In descending order of their share.

        Raises
        ------
        TypeError, ValueError
            If `min_share` is no number of at least 0.
        """
        min_share = check_float("min_share", min_share, 0.0)
        largest = self.share.max(axis=0)
        found = [
            (self.names[i], self.names[j], float(largest[i, j]))
            for i, j in combinations(range(len(self.names)), 2)
            if largest[i, j] > min_share
        ]
        return sorted(found, key=lambda pair: -pair[2])

    def groups(self, min_share: float = 0.0) -> list[tuple[str, ...]]:
        """Return groups of inputs such that pairs interact only within a group.

        With ``min_share=0``, and if all inputs that the network uses were measured, each output is
        a sum of functions of one group each, on the rows and wherever their values are exchanged
        between two of them.

        Parameters
        ----------
        min_share : float
            Pairs whose share is not above it count as if they did not interact.

        Returns
        -------
        list of tuple of str

        Raises
        ------
        TypeError, ValueError
            If `min_share` is no number of at least 0.
        """
        min_share = check_float("min_share", min_share, 0.0)
        pairs = np.argwhere((self.share > min_share).any(axis=0)).tolist()
        members = groups(range(len(self.names)), pairs)
        return [tuple(self.names[i] for i in group) for group in members]

    def __repr__(self) -> str:
        of = "the output" if self.scale == "numbers" else "the logit"
        found = self.pairs()
        if not found:
            told = f"No inputs interact on the {self.n_rows} rows"
            if self.n_left_out:
                return f"{told}, apart from {self.n_left_out} that were not measured."
            return f"{told}: {of} is a sum of functions of one input each."
        lines = [f"Interactions on {self.n_rows} rows, as shares of the variance of {of}:"]
        for a, b, share in found[:_LINES]:
            told = f"{share:.2%}" if share >= 1e-4 else "under 0.01%"
            lines.append(f"  {quoted(a)} and {quoted(b)}: {told}")
        if len(found) > _LINES:
            lines.append(f"  … and {len(found) - _LINES} more pairs")
        n = len(self.names) * (len(self.names) - 1) // 2 - len(found)
        if n:
            lines.append(f"  {n} other pair{'s do' if n > 1 else ' does'} not interact: exactly 0")
        return "\n".join(lines)


def interactions(
    net: SparseMLP,
    X: Any,
    *,
    inputs: Iterable[int | str] | None = None,
    n_samples: int = 10_000,
    seed: int = 0,
) -> Interactions:
    """Measure how much each pair of inputs interacts.

    Take two rows. Give the first row the second one's value of input i, of input j, and of both.
    Without an interaction of i and j both changes add up; what is left is the mixed second
    difference d = f - f(i changed) - f(j changed) + f(both changed). The index is the mean of d² /
    4 over pairs of rows: the total interaction index, which of independent inputs is the variance
    of all parts of the output that depend on i and j together, with or without others (Liu & Owen,
    2006, "Estimating mean dimensionality of analysis of variance decompositions", JASA 101; Fruth,
    Roustant & Kuhnt, 2014, "Total interaction index", JSPI 147). It is exactly 0 if no neuron
    depends on both inputs, or, of relu and leaky_relu, if none that does changes between on and off
    among the four.

    Probabilities are no sums, even of a linear network: f is a logit there. Where inputs depend on
    each other, rows with exchanged values may be unlike any real one, and shares may sum to more
    than 1.

    Parameters
    ----------
    net : SparseMLP
        A trained network; it is not changed.
    X : array_like, shape (n, n_features), DataFrame or Table
        At least 2 rows.
    inputs : iterable of int or str, optional
        Which inputs, by position or name; all that the network uses if left out.
    n_samples : int
        Pairs of different rows to draw; all of them if there are no more.
    seed : int
        Of the draw.

    Returns
    -------
    Interactions

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, the network was never fitted, or more than 5000 pairs of inputs
        share neurons.

    Examples
    --------
    >>> import numpy as np, synaprune as sn
    >>> X = np.random.default_rng(0).uniform(-1, 1, (400, 3))
    >>> net = sn.SparseMLP((3, 20, 1), loss="squared_error", seed=0)
    >>> recipe = sn.Training(200, optimizer=sn.SGD(lr=0.1))
    >>> net = net.fit(X, X[:, 0] * X[:, 1] + X[:, 2], training=recipe)
    >>> sn.explain.interactions(net, X).groups(min_share=0.05)
    [('x0', 'x1'), ('x2',)]
    """
    net = net.copy() if isinstance(net, SparseMLP) else net  # another thread may prune it meanwhile
    program = Program.of(net)
    n_samples, seed = check_int("n_samples", n_samples, 1), check_int("seed", seed, 0, 2**64 - 1)
    expression = Expression.of(program)
    if program.output == "softmax":
        expression = expression.centred()
    features = _features(net, inputs, expression.inputs)
    rows = net.as_inputs(X).astype(np.float64)
    if len(rows) < 2:
        raise ValueError(f"X must hold at least 2 rows to exchange values between, got {len(rows)}")
    shared = _sharing(expression, features)
    n_outputs, n = len(expression.outputs), len(features)
    index = np.zeros((n_outputs, n, n))
    shares_neuron = np.zeros((n_outputs, n, n), bool)
    leading = [expression.leading_to(o) for o in range(n_outputs)]
    first, second = _row_pairs(len(rows), n_samples, seed)
    start, donor = rows[first], rows[second]
    is_piecewise = expression.activation in SLOPE_BELOW_ZERO

    def said(*changed: int) -> tuple[Floats, dict[int, Floats]]:
        columns = list(changed)
        kept = start[:, columns]
        start[:, columns] = donor[:, columns]
        found = expression.evaluate(start)
        start[:, columns] = kept
        return found

    at_start = said()
    alone = {a: said(features[a]) for a in sorted({a for pair in shared for a in pair})}
    for (a, b), neurons in shared.items():
        corners = (at_start, alone[a], alone[b], said(features[a], features[b]))
        d = corners[0][0] - corners[1][0] - corners[2][0] + corners[3][0]
        if is_piecewise:
            switches = np.zeros(len(d), bool)
            for k in neurons:
                on = [sums[k] > 0.0 for _, sums in corners]
                switches |= np.any([on[0] != other for other in on[1:]], axis=0)
            d[~switches] = 0.0  # but for rounding
        for o in range(n_outputs):
            shares_neuron[o, a, b] = shares_neuron[o, b, a] = not leading[o].isdisjoint(neurons)
        index[:, a, b] = index[:, b, a] = np.where(
            shares_neuron[:, a, b], np.square(d).mean(axis=0) / 4.0, 0.0
        )
    return Interactions(
        tuple(features),
        tuple(net.input_name(i) for i in features),
        tuple(output_name(net, k) for k in range(n_outputs)),
        "numbers" if program.output == "numbers" else "logits",
        len(rows),
        len(set(expression.inputs).difference(features)),
        expression.evaluate(rows)[0].var(axis=0),
        index,
        shares_neuron,
    )


def _features(net: SparseMLP, given: Iterable[int | str] | None, used: list[int]) -> list[int]:
    """Return the columns to measure: those named, or those that the network uses."""
    if given is None:
        return used
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"inputs must be an iterable of names or positions, got {shown(given)}")
    names = net.input_names or [net.input_name(i) for i in range(net.n_features)]
    found = [find_input(i, net.n_features, names) for i in given]
    if len(set(found)) < len(found):
        raise ValueError(f"inputs must name each input once, got {shown(list(given))}")
    return found


def _sharing(expression: Expression, features: list[int]) -> dict[tuple[int, int], list[int]]:
    """Return the neurons that depend on both of a pair of inputs, for each pair with some."""
    shared: dict[tuple[int, int], list[int]] = {}
    for k, depends in expression.dependencies().items():
        here = [a for a, feature in enumerate(features) if feature in depends]
        if len(here) * (len(here) - 1) // 2 <= _MOST_PAIRS:
            for pair in combinations(here, 2):
                shared.setdefault(pair, []).append(k)
            if len(shared) <= _MOST_PAIRS:
                continue
        raise ValueError(
            f"inputs must name some of the {len(features)} inputs: more than {_MOST_PAIRS} pairs "
            "share neurons, which is too many to measure"
        )
    return dict(sorted(shared.items()))


def _row_pairs(n: int, n_samples: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all pairs of two rows, or as many as asked, drawn with replacement."""
    if n * (n - 1) <= n_samples:
        pairs = np.arange(n * (n - 1))
    else:
        pairs = np.random.default_rng(seed).integers(0, n * (n - 1), n_samples)
    first, step = np.divmod(pairs, n - 1)
    return first, (first + 1 + step) % n
