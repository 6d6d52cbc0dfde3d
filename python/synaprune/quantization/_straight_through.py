"""Training of weights that are rounded before each update.

The straight-through estimator (Bengio et al., 2013, arXiv 1308.3432; BinaryConnect, Courbariaux et
al., 2015, arXiv 1511.00363): the gradient is that of the rounded weights, and what an update
changes is added to the weights as they were before they were rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.state import build_core
from synaprune.training import Training, TrainingDiverged, TrainingSet, lr_factors

Array = NDArray[np.float64]


class Rounding(Protocol):
    """What rounds the numbers of one layer: `Grid`, or a codebook of shared weights."""

    def rounded(self, layer: SparseLayer) -> SparseLayer:
        """Return the layer with rounded numbers."""
        ...


@dataclass(frozen=True, eq=False)
class Grid:
    """What the numbers of one layer are rounded to.

    Attributes
    ----------
    steps : ndarray of float64, shape (n_synapses,)
        Weights become multiples of them; where it is 0 they stay.
    most : int
        The largest multiple.
    bias_step : float
        The sums at `origin` become multiples of it, without a limit; where it is 0 they stay.
    origin : ndarray of float64, shape (n_in,)
        Inputs of the layer at which rounded weights change nothing.
    """

    steps: Array
    most: int
    bias_step: float
    origin: Array

    def rounded(self, layer: SparseLayer) -> SparseLayer:
        """Return the layer with rounded weights and biases."""
        before = layer.values.astype(np.float64)
        multiples = np.zeros_like(before)
        np.divide(before, self.steps, multiples, where=self.steps != 0.0)
        multiples = np.clip(np.rint(multiples), -self.most, self.most)
        values = np.where(self.steps == 0.0, before, multiples * self.steps).astype(np.float32)
        sums = layer.bias + self.at_origin(layer)
        if self.bias_step:
            sums = np.rint(sums / self.bias_step) * self.bias_step
        told = replace(layer, values=values)
        return replace(told, bias=(sums - self.at_origin(told)).astype(np.float32))

    def at_origin(self, layer: SparseLayer) -> Array:
        """Return the sums of weights times inputs at the origin."""
        terms = layer.values * self.origin[layer.indices]
        sums: Array = np.bincount(layer.rows, terms, len(layer.bias)).astype(np.float64)
        return sums


def retrained(
    net: SparseMLP, data: TrainingSet, recipe: Training, roundings: Sequence[Rounding]
) -> SparseMLP:
    """Return a copy whose weights were trained so that rounding them costs little.

    Parameters
    ----------
    net : SparseMLP
    data : TrainingSet
    recipe : Training
        With its number of epochs.
    roundings : sequence of Rounding
        Of the layers. They stay as they are: units that follow the weights cost more than they
        gain.

    Raises
    ------
    TrainingDiverged
        If the loss is no longer finite.
    """
    assert recipe.epochs is not None
    net, optimizer = net.copy(), recipe.optimizer
    core, shuffled = net._core, np.random.default_rng(net.seed)
    state, rng_state = None, core.rng_state
    latent = [replace(w, values=w.values.copy(), bias=w.bias.copy()) for w in net.weights]
    for epoch, factor in enumerate(lr_factors(recipe.lr_schedule, recipe.epochs), 1):
        update = optimizer.to_core(optimizer.lr * factor)
        order = shuffled.permutation(len(data.X))
        for first in range(0, len(order), recipe.batch_size):
            batch = _rows(data, order[first : first + recipe.batch_size])
            rounded = [r.rounded(layer) for r, layer in zip(roundings, latent, strict=True)]
            core = build_core(
                rounded,
                activation=net.activation,
                loss=net.loss,
                rng_state=rng_state,
                input_transform=net._core.input_transform,
                frozen=net._core.frozen,
                optimizer_state=state,
            )
            loss = batch.train_epoch(core, len(batch.X), update, 1, recipe.max_gradient_norm)
            if not math.isfinite(loss):
                raise TrainingDiverged(epoch, optimizer.lr * factor)
            state, rng_state = core.optimizer_state, core.rng_state
            for layer, start, after in zip(latent, rounded, core.layers(), strict=True):
                end = SparseLayer(*after)
                np.add(layer.values, end.values - start.values, out=layer.values)
                np.add(layer.bias, end.bias - start.bias, out=layer.bias)
    return net.set_weights(latent)


def _rows(data: TrainingSet, rows: NDArray[np.intp]) -> TrainingSet:
    """Return some of the samples."""
    weight = None if data.sample_weight is None else data.sample_weight[rows]
    return replace(data, X=data.X[rows], y=data.y[rows], sample_weight=weight)
