"""`round_weights`: weights that are small whole numbers, under a contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs
from synaprune.checks import check_int
from synaprune.layers import SparseLayer, carried
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.quantization._contract import RoundingLoss, Task
from synaprune.quantization._score_card import Sums, score_card
from synaprune.quantization._straight_through import Array, Grid
from synaprune.training import Training

# Units that are tried, as parts of that with which the heaviest weight is the largest number.
_PARTS = 0.5 ** (np.arange(33) / 8.0)


@dataclass(frozen=True, eq=False)
class RoundedNetwork:
    """What `round_weights` returns.

    The sum of a neuron is its start plus, for each synapse, points times the input. Inputs count 0
    or 1 where they have two values, whichever these are, and as they are scaled otherwise; outputs
    of relu count in the unit of their sums. A unit times a sum is what the network computes.

    Attributes
    ----------
    network : SparseMLP
        Its weights are these numbers times a unit. Those that became 0 are no synapses any more.
    points : tuple of ndarray of int64, shape (n_synapses,)
        Of each layer, in the order of `network.weights`.
    starts : tuple of ndarray of float64, shape (n_out,)
        Whole, except in the last layer of one output or of a regression, where units and starts
        make probabilities or numbers of sums anyway.
    units : tuple of float
        What a point of each layer's sums is worth.
    max_weight : int
    loss : RoundingLoss
        What that costs on the validation split, and whether the contract holds.
    """

    network: SparseMLP
    points: tuple[NDArray[np.int64], ...]
    starts: tuple[Array, ...]
    units: tuple[float, ...]
    max_weight: int
    loss: RoundingLoss
    _inputs: _Inputs
    _sums: tuple[NDArray[np.int64], NDArray[np.int64]]

    def __repr__(self) -> str:
        of_each = f"points from {-self.max_weight} to {self.max_weight}"
        return f"{type(self).__name__}({self.network.structure}, {of_each}, {self.loss})"

    def score_card(self) -> str:
        """Return a linear network as points that a person can add up.

        Of two classes the card ends with the probability of the second one for each sum, of more
        classes with how differences of sums become probabilities, of a regression with a formula.

        Returns
        -------
        str

        Raises
        ------
        ValueError
            If the network has hidden layers, or uses inputs with more than two values.

        Examples
        --------
        >>> import numpy as np
        >>> import synaprune as sn
        >>> X = np.random.default_rng(0).integers(0, 2, (400, 6))
        >>> y = 2 * X[:, 1] + X[:, 3] - X[:, 4] > 0
        >>> net = sn.SparseMLP((6, 1), seed=0).fit(X, y, training=sn.Training(100))
        >>> card = sn.round_weights(net, X, y, validation=(X, y), max_weight=3, max_drop=0.05)
        >>> print(card.score_card())  # doctest: +ELLIPSIS
        Points for True
        x1               +3
        ...
        """
        inputs = self._inputs
        values = (inputs.lower, inputs.lower + inputs.gap)
        sums = Sums(self.points[0], self.starts[0], self.units[0], *self._sums)
        return score_card(self.network, sums, inputs.two_valued, *values)


class _Inputs(NamedTuple):
    """How inputs count.

    Attributes
    ----------
    two_valued : ndarray of bool, shape (n_features,)
        False of those that are not used.
    lower, gap : ndarray of float64, shape (n_features,)
        The lower of two values in X, and how far the other one is.
    origin : ndarray of float64, shape (n_features,)
        What of the scaled inputs counts 0.
    span : ndarray of float64, shape (n_features,)
        And what counts 1 more.
    variance : ndarray of float64, shape (n_features,)
        Of what counts.
    """

    two_valued: NDArray[np.bool_]
    lower: Array
    gap: Array
    origin: Array
    span: Array
    variance: Array

    @classmethod
    def of(cls, net: SparseMLP, X: Inputs) -> _Inputs:
        used = net.used_inputs
        shift, scale = (a.astype(np.float64)[used] for a in net.input_transform)
        x = X[:, used]
        lower, upper = (end(x, axis=0).astype(np.float64) for end in (np.min, np.max))
        gap = upper - lower
        two_valued = ((x == lower) | (x == upper)).all(axis=0) & (gap * scale > 0.0)
        origin = np.where(two_valued, (lower - shift) * scale, 0.0)
        span = np.where(two_valued, gap * scale, 1.0)
        variance = np.square(scale / span) * x.var(axis=0, dtype=np.float64)
        known = np.zeros(net.n_features, bool)
        known[used] = two_valued
        lower, gap, origin, variance = (
            _placed(a, used, net.n_features) for a in (lower, gap, origin, variance)
        )
        span = 1.0 + _placed(span - 1.0, used, net.n_features)
        return cls(known, lower, gap, origin, span, variance)


def _placed(values: Array, at: NDArray[np.int32], n: int) -> Array:
    """Return n numbers: these at their places, 0 elsewhere."""
    placed = np.zeros(n)
    placed[at] = values
    return placed


class _Units(NamedTuple):
    """What the numbers of a layer are worth: weights, sums, and biases, or 0 if these are free."""

    weight: float
    sum: float
    bias: float


def round_weights(
    net: SparseMLP,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    validation: Any,
    max_weight: int = 5,
    max_drop: float | None = None,
    min_score: float | None = None,
    confidence: float | None = None,
    metric: Metric | None = None,
    training: Training | None = None,
) -> RoundedNetwork:
    """Make weights small whole numbers times one unit a layer; where that costs too much, retrain.

    A linear network of inputs with two values becomes a risk score, points that a person can add
    up: see `RoundedNetwork.score_card`. SLIM and RiskSLIM (Ustun & Rudin, 2016 and 2019, arXiv
    1502.04269 and 1610.00168) and FasterRisk (Liu et al., 2022, arXiv 2210.05846) search for the
    best such points; here a network that was pruned before is retrained as in `quantize`, with
    weights rounded before each update.

    Parameters
    ----------
    net : SparseMLP
        Fitted, best with few synapses; never changed.
    X, y, sample_weight
        Training data, as in `SparseMLP.fit`. Inputs with two values there count 0 or 1.
    validation : (X, y) or CheckedData
        Tells what rounding costs. Keep the test split out of it.
    max_weight : int
        Weights become whole numbers from -max_weight to max_weight.
    max_drop, min_score, confidence, metric
        The contract, as in `prune`: ``max_drop=0.005`` if left out.
    training : Training, optional
        The recipe of the retraining, as in `quantize`.

    Returns
    -------
    RoundedNetwork

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit; or if the network as given does not itself meet the contract.

    Examples
    --------
    >>> import numpy as np
    >>> import synaprune as sn
    >>> X = np.random.default_rng(0).integers(0, 2, (400, 6))
    >>> y = 2 * X[:, 1] + X[:, 3] - X[:, 4] > 0
    >>> net = sn.SparseMLP((6, 1), seed=0).fit(X, y, training=sn.Training(100))
    >>> rounded = sn.round_weights(net, X, y, validation=(X, y), max_weight=3, max_drop=0.05)
    >>> rounded.loss.holds, int(abs(rounded.points[0]).max())
    (True, 3)
    """
    check_int("max_weight", max_weight, 1, 2**15 - 1)
    task = Task(
        net, X, y, sample_weight, validation=validation, max_drop=max_drop, min_score=min_score,
        confidence=confidence, metric=metric, training=training,
    )  # fmt: skip
    inputs = _Inputs.of(task.net, task.data.X)
    units = _units(task.net, inputs, max_weight)

    def grids(net: SparseMLP) -> list[Grid]:
        return _grids(units, net.weights, inputs, max_weight)

    def rounded(net: SparseMLP) -> SparseMLP:
        return _rounded(net, grids)

    made, loss = task.rounded(rounded, lambda net: net, grids(task.net))
    weights = made.weights
    told = zip(units, weights, grids(made), strict=True)
    points, starts = [], []
    for unit, layer, grid in told:
        points.append(np.rint(layer.values / grid.steps).astype(np.int64))
        starts.append((layer.bias + grid.at_origin(layer)) / unit.sum)
        if unit.bias:
            starts[-1] = np.rint(starts[-1])
    return RoundedNetwork(
        made,
        tuple(points),
        tuple(starts),
        tuple(unit.sum for unit in units),
        max_weight,
        loss,
        inputs,
        _ends(weights[0], points[0], task.data.X, inputs),
    )


def _rounded(net: SparseMLP, grids_of: Callable[[SparseMLP], list[Grid]]) -> SparseMLP:
    """Return a network with rounded weights, without those of 0."""

    def on_grid(net: SparseMLP) -> list[SparseLayer]:
        pairs = zip(grids_of(net), net.weights, strict=True)
        return [grid.rounded(layer) for grid, layer in pairs]

    twin = net.with_nothing_frozen()
    twin.set_weights(on_grid(twin))
    left = np.concatenate([layer.values != 0.0 for layer in twin.weights])
    twin._core.remove(left.astype(np.uint8))
    twin.set_weights(on_grid(twin))  # neurons that are constants now are part of the next biases
    if (frozen := net._core.frozen) is not None:
        twin._core.frozen = carried(frozen, net.weights, twin.weights)
    return twin


def _units(net: SparseMLP, inputs: _Inputs, max_weight: int) -> list[_Units]:
    """Return the unit of each layer that changes its sums least."""
    units: list[_Units] = []
    weights = net.weights
    of_inputs = 1.0
    for layer in weights:
        counted = layer.values.astype(np.float64)
        importance = np.ones_like(counted)
        if not units:
            counted *= inputs.span[layer.indices]
            importance = inputs.variance[layer.indices]
        if not len(counted):  # biases are all that is left
            counted, importance = layer.bias.astype(np.float64), np.ones_like(layer.bias)
        unit = _best_unit(counted, importance, max_weight)
        of_sum = unit * of_inputs
        free = len(units) + 1 == len(weights) and (net.is_regression or net.layers[-1] == 1)
        units.append(_Units(unit, of_sum, 0.0 if free else of_sum))
        of_inputs = of_sum if net.activation == "relu" else 1.0
    return units


def _best_unit(counted: Array, importance: Array, max_weight: int) -> float:
    """Return the unit of the least squared error of sums, inputs being taken for independent."""
    heaviest = float(np.abs(counted).max(initial=0.0))
    if heaviest == 0.0:
        return 1.0
    units = heaviest / max_weight * _PARTS
    multiples = np.clip(np.rint(counted / units[:, None]), -max_weight, max_weight)
    errors = np.square(counted - multiples * units[:, None]) @ importance
    return float(units[errors.argmin()])


def _grids(
    units: Sequence[_Units], weights: Sequence[SparseLayer], inputs: _Inputs, max_weight: int
) -> list[Grid]:
    """Return what units mean for layers."""
    grids = []
    for at, (unit, layer) in enumerate(zip(units, weights, strict=True)):
        span = inputs.span if at == 0 else np.ones(layer.n_in)
        origin = inputs.origin if at == 0 else np.zeros(layer.n_in)
        grids.append(Grid(unit.weight / span[layer.indices], max_weight, unit.bias, origin))
    return grids


def _ends(
    layer: SparseLayer, points: NDArray[np.int64], X: Inputs, inputs: _Inputs
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the least and the largest sum of points of each neuron on rows of X."""
    dense = np.zeros(layer.shape, np.int64)
    dense[layer.rows, layer.indices] = points
    used = np.flatnonzero(inputs.two_valued & (dense != 0).any(axis=0))
    sums = (X[:, used] != inputs.lower[used]).astype(np.int64) @ dense[:, used].T
    return sums.min(axis=0), sums.max(axis=0)
