"""A linear network as points that a person can add up."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import listing
from synaprune.network import SparseMLP
from synaprune.quantization._straight_through import Array
from synaprune.scaling import TargetScaler

_SURE = 0.005  # probabilities nearer to 0 or 1 are one line
_LINES = 25


class Sums(NamedTuple):
    """How sums of points come about.

    Attributes
    ----------
    points : ndarray of int64, shape (n_synapses,)
    starts : ndarray of float64, shape (n_out,)
    unit : float
    least, largest : ndarray of int64, shape (n_out,)
        Of sums without starts, on the training rows.
    """

    points: NDArray[np.int64]
    starts: Array
    unit: float
    least: NDArray[np.int64]
    largest: NDArray[np.int64]


def score_card(
    net: SparseMLP, sums: Sums, two_valued: NDArray[np.bool_], lower: Array, upper: Array
) -> str:
    """Return the card of a linear network.

    Parameters
    ----------
    net : SparseMLP
    sums : Sums
    two_valued : ndarray of bool, shape (n_features,)
        Which inputs have two values.
    lower, upper : ndarray of float64, shape (n_features,)
        These values.

    Raises
    ------
    ValueError
        If there is no card of the network.
    """
    if n_hidden := len(net.layers) - 2:
        raise ValueError(
            "a score card needs a linear network, such as SparseMLP((n_inputs, 1)), got one with "
            f"{n_hidden} hidden layer{'s' * (n_hidden > 1)}"
        )
    (layer,) = net.weights
    used = np.unique(layer.indices)
    odd = used[~two_valued[used]]
    for of_kind, said in (
        (lower[odd] < upper[odd], "more: {}; make classes of them, such as age < 40, 40-60, > 60"),
        (lower[odd] == upper[odd], "one on the training rows: {}; train without them"),
    ):
        if of_kind.any():
            told = said.format(listing(net.input_name(i) for i in odd[of_kind].tolist()))
            raise ValueError(f"a score card needs inputs with two values, but these have {told}")
    names = [_condition(net.input_name(i), lower[i], upper[i]) for i in used.tolist()]
    dense = np.zeros(layer.shape, np.int64)
    dense[layer.rows, layer.indices] = sums.points
    if len(layer.bias) > 1:
        return _several(net, names, dense[:, used], sums)
    order = sorted(range(len(used)), key=lambda i: (-dense[0, used[i]], i))
    rows = [(names[i], _signed(dense[0, used[i]])) for i in order]
    if net.is_regression:
        return "\n".join([*_aligned("Points", rows), "", *_formulas(net, sums)])
    label = _shown(net.classes[1])
    table = _probabilities(sums)
    threshold = int(np.floor(-sums.starts[0])) + 1  # the least whole sum above 0
    lines = _aligned(f"Points for {label}", rows)
    lines += ["", f"Predict {label} if the sum is at least {threshold}.", ""]
    return "\n".join([*lines, *_aligned("Sum", table, f"probability of {label}")])


def _condition(name: str, lower: float, upper: float) -> str:
    shown = _shown(name)
    return shown if (lower, upper) == (0.0, 1.0) else f"{shown} = {upper:g}, not {lower:g}"


def _shown(text: object) -> str:
    """Return a name on one line, whatever it holds."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def _signed(n: int) -> str:
    return f"{n:+d}" if n else "0"


def _aligned(first: str, rows: list[tuple[str, str]], second: str = "") -> list[str]:
    wide = max([len(first), *(len(a) for a, _ in rows)])
    narrow = max([len(second), *(len(b) for _, b in rows)])
    return [f"{a:<{wide}}  {b:>{narrow}}".rstrip() for a, b in [(first, second), *rows]]


def _probabilities(sums: Sums) -> list[tuple[str, str]]:
    """Return the probability of the second class for each sum that happens on training rows."""
    least, largest = int(sums.least[0]), int(sums.largest[0])
    start, reach = float(sums.starts[0]), math.log(1.0 / _SURE - 1.0) / sums.unit
    first = max(least, math.ceil(-reach - start))
    last = min(largest, math.floor(reach - start))
    between = range(first, last + 1)
    table = [
        (_signed(s), f"{100.0 / (1.0 + math.exp(-sums.unit * (s + start))):.1f} %")
        for s in between[:: 1 + len(between) // _LINES]
    ]
    if least < first:
        below = min(largest, first - 1)
        table.insert(0, (f"up to {_signed(below)}", f"below {100 * _SURE:.1f} %"))
    if largest > last:
        above = max(least, last + 1)
        table.append((f"from {_signed(above)}", f"above {100 * (1 - _SURE):.1f} %"))
    return table


def _several(net: SparseMLP, names: list[str], dense: NDArray[np.int64], sums: Sums) -> str:
    """Return the card of several outputs: a column for each."""
    if net.is_regression:
        titles = [f"y{k}" for k in range(len(dense))]
        rows = [("Points", titles)]
    else:
        titles = [_shown(label) for label in net.classes]
        rows = [("Points for", titles), ("start", [_signed(int(s)) for s in sums.starts])]
    for i, name in enumerate(names):
        rows.append((name, [_signed(n) if n else "" for n in dense[:, i].tolist()]))
    wide = max(len(name) for name, _ in rows)
    widths = [max(len(cells[k]) for _, cells in rows) for k in range(len(titles))]
    lines = [
        "  ".join([f"{name:<{wide}}", *(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))])
        for name, cells in rows
    ]
    lines = [line.rstrip() for line in lines]
    if net.is_regression:
        return "\n".join([*lines, "", *_formulas(net, sums)])
    lines += ["", "Predict the class of the largest sum, of equal sums the first."]
    if net.loss == "softmax":
        ratio = np.exp(min(sums.unit, 700.0))
        lines.append(f"Each point more makes a class {ratio:.3g} times as likely against others.")
    return "\n".join(lines)


def _formulas(net: SparseMLP, sums: Sums) -> list[str]:
    """Return how sums become the numbers of a regression."""
    targets = net._fitted
    assert isinstance(targets, TargetScaler)
    factors = sums.unit * targets.scale
    at_zero = targets.mean + factors * sums.starts
    names = ["y"] if len(factors) == 1 else [f"y{k}" for k in range(len(factors))]
    told = zip(names, at_zero, factors, strict=True)
    return [f"{name} = {start:.6g} + {factor:.6g} * sum" for name, start, factor in told]
