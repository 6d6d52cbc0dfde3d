"""A program as dense matrices, for libraries that multiply those."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaprune.network import SparseMLP
from synaprune.program import Array, Program, ProgramLayer
from synaprune.scaling import InputTransform

# Inputs whose shift is at most so many times what the scale makes 1 lose no more precision than
# float32 has, if the shift becomes part of the biases.
_NEAR = 4.0


class DenseLayer(NamedTuple):
    """One layer.

    Attributes
    ----------
    weights : ndarray of float32, shape (n_out, n_in)
    synapses : ndarray of bool, shape (n_out, n_in)
        Where there are any; weights are 0 elsewhere.
    bias : ndarray of float32, shape (n_out,)
    activation : str
        As in `ProgramLayer`.
    """

    weights: NDArray[np.float32]
    synapses: NDArray[np.bool_]
    bias: NDArray[np.float32]
    activation: str


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """What to do with rows of X.

    Attributes
    ----------
    transform : InputTransform or None
        (x - shift)·scale comes first, unless it is part of the first layer.
    layers : tuple of DenseLayer
        The last one gives the numbers of a regression in the units of y.
    """

    transform: InputTransform | None
    layers: tuple[DenseLayer, ...]


def whole_program(net: SparseMLP) -> Program:
    """Return the program of all inputs and neurons, whether outputs depend on them or not."""
    shift, scale = net.input_transform
    weights = net.weights
    layers = [
        ProgramLayer(w.n_in, w.indptr, w.indices, w.values, w.bias, net.activation) for w in weights
    ]
    layers[-1] = replace(layers[-1], activation="identity")
    return replace(
        Program.of(net),
        inputs=np.arange(net.n_features),
        input_names=net.input_names,
        shift=shift,
        scale=scale,
        layers=tuple(layers),
    )


def dense(program: Program, columns: NDArray[np.int64]) -> DenseNetwork:
    """Return the matrices of a program.

    Parameters
    ----------
    program : Program
    columns : ndarray of int64
        Ascending columns of X that the first layer is given, the program's inputs among them.

    Raises
    ------
    ValueError
        If a number is beyond float32.
    """
    parts = [_parts(layer) for layer in program.layers]
    weights, synapses, bias = parts[0]
    places = np.searchsorted(columns, program.inputs)
    shape = (len(bias), len(columns))
    wide, wide_synapses = np.zeros(shape), np.zeros(shape, bool)
    wide[:, places], wide_synapses[:, places] = weights, synapses
    shift, scale = np.zeros(len(columns), np.float32), np.ones(len(columns), np.float32)
    shift[places], scale[places] = program.shift, program.scale
    transform = None
    if (np.abs(shift.astype(np.float64) * scale) > _NEAR).any():
        transform = InputTransform(shift, scale)
    else:
        bias = bias - wide @ (shift.astype(np.float64) * scale)
        wide = wide * scale
    parts[0] = (wide, wide_synapses, bias)
    if program.targets is not None:
        weights, synapses, bias = parts[-1]
        of_row = program.targets.scale
        parts[-1] = (weights * of_row[:, None], synapses, bias * of_row + program.targets.mean)
    layers = [
        DenseLayer(_float32(weights), synapses, _float32(bias), layer.activation)
        for (weights, synapses, bias), layer in zip(parts, program.layers, strict=True)
    ]
    return DenseNetwork(transform, tuple(layers))


def _parts(layer: ProgramLayer) -> tuple[Array, NDArray[np.bool_], Array]:
    rows = np.repeat(np.arange(layer.n_out), np.diff(layer.indptr))
    weights = np.zeros((layer.n_out, layer.n_in))
    synapses = np.zeros(weights.shape, bool)
    weights[rows, layer.indices] = layer.values
    synapses[rows, layer.indices] = True
    return weights, synapses, layer.bias.astype(np.float64)


def _float32(values: Array) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise ValueError("input scaling or the numbers that are predicted are beyond float32")
    return rounded
