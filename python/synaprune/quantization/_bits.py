"""`count_bits`: what the numbers and the structure of a network take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import shown
from synaprune.export import IntegerNetwork
from synaprune.network import SparseMLP
from synaprune.program import Program
from synaprune.quantization._quantize import QuantizedNetwork
from synaprune.quantization._round_weights import RoundedNetwork
from synaprune.quantization._share_weights import SharedNetwork

_NUMBER = 32  # bits of a float32, or of a size

Model: TypeAlias = SparseMLP | IntegerNetwork | QuantizedNetwork | RoundedNetwork | SharedNetwork


@dataclass(frozen=True, kw_only=True)
class ModelBits:
    """What `count_bits` returns.

    Attributes
    ----------
    weights : int
        Of all synapses, with codebooks and units.
    biases : int
    structure : int
        Which inputs and synapses there are, and the sizes of layers.
    scaling : int
        Of inputs and of the numbers that a regression predicts; and what neurons of integers need
        besides.
    """

    weights: int
    biases: int
    structure: int
    scaling: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.biases + self.structure + self.scaling


def count_bits(model: Model) -> ModelBits:
    """Count the bits of a model, its structure included.

    Inputs and neurons that no output needs are left out. The places of a layer's synapses are
    counted as column numbers of ceil(log2(n_in)) bits with the number of synapses of each neuron,
    or as a bitmap, whichever is smaller, and the used inputs likewise. Weights and biases of a
    network as it is are float32; shifts and scales of its inputs can be part of them, and count
    nothing. Names, labels and encoders of tables are not counted.

    Parameters
    ----------
    model : SparseMLP, IntegerNetwork, QuantizedNetwork, RoundedNetwork or SharedNetwork
        A fitted network, or what `quantize`, `round_weights` or `share_weights` returned.

    Returns
    -------
    ModelBits

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or was never fitted.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
    >>> bits = sn.count_bits(net)
    >>> bits.weights, bits.biases
    (288, 128)
    """
    if isinstance(model, QuantizedNetwork):
        model = model.integers
    if isinstance(model, IntegerNetwork):
        return _of_integers(model)
    if isinstance(model, SparseMLP):
        program = Program.of(model)
        return _of_floats(program, _NUMBER * program.n_synapses, 0)
    if not isinstance(model, RoundedNetwork | SharedNetwork):
        raise TypeError(f"model must be a network, or what quantize returned, got {shown(model)}")
    program = Program.of(model.network)
    factors = model.network.input_transform.scale.astype(np.float64)
    if isinstance(model, RoundedNetwork):
        factors = factors / model._inputs.span
        width = _width(2 * max(int(np.abs(p).max(initial=0)) for p in model.points) + 1)
        weights = width * program.n_synapses + _NUMBER * len(program.layers)
    else:
        books = [np.unique(layer.values) for layer in program.layers]
        weights = sum(
            _width(len(book)) * len(layer.values) + _NUMBER * len(book)
            for book, layer in zip(books, program.layers, strict=True)
        )
    # One factor for all inputs is part of the unit, or of the codebook.
    factors = factors[program.inputs]
    return _of_floats(program, weights, 0 if _one(factors) else _NUMBER * len(factors))


def _of_floats(program: Program, weights: int, scaling: int) -> ModelBits:
    """Return the bits of a program whose biases are float32."""
    return ModelBits(
        weights=weights,
        biases=_NUMBER * sum(layer.n_out for layer in program.layers),
        structure=_structure(program),
        scaling=scaling + _of_targets(program),
    )


def _of_integers(model: IntegerNetwork) -> ModelBits:
    program, layers = model._program, model._layers
    scaling = _NUMBER + _of_targets(program)  # what a step of the sums is worth
    if (entry := model._entry) is not None:
        for numbers in (entry.offset, entry.factor):
            scaling += _NUMBER * (1 if _one(numbers) else len(numbers))
    for layer in layers:
        if layer.shift is not None:
            scaling += len(layer.shift) * _width(int(layer.shift.max(initial=0)) + 1)
        if layer.table is not None:
            scaling += 8 * layer.table.nbytes
    return ModelBits(
        weights=sum(8 * layer.weights.nbytes for layer in layers),
        biases=sum(
            len(layer.bias) * _width(2 * int(np.abs(layer.bias).max(initial=0)) + 1)
            for layer in layers
        ),
        structure=_structure(program),
        scaling=scaling,
    )


def _structure(program: Program) -> int:
    """Return the bits of the inputs in use, of the synapses' places and of all sizes."""
    n_inputs = len(program.inputs)
    bits = _NUMBER * (2 + len(program.layers))
    if n_inputs < program.n_features:
        bits += min(program.n_features, n_inputs * _width(program.n_features))
    for layer in program.layers:
        n, bitmap = len(layer.values), layer.n_in * layer.n_out
        if n < bitmap:
            csr = n * _width(layer.n_in) + layer.n_out * _width(layer.n_in + 1)
            bits += min(csr, bitmap)
    return bits


def _of_targets(program: Program) -> int:
    """Return the bits of the mean and the scale of each number that a regression predicts."""
    return 0 if program.targets is None else 2 * _NUMBER * program.n_outputs


def _width(n: int) -> int:
    """Return the bits that tell n things apart: ceil(log2(n))."""
    return max(n - 1, 0).bit_length()


def _one(numbers: NDArray[Any]) -> bool:
    """Whether all numbers are the same."""
    return bool((numbers == numbers[:1]).all())
