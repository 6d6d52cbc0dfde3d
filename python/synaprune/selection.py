"""Which synapses and neurons a user means by names and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_int, shown
from synaprune.layers import SparseLayer

# An input by position or name; a hidden neuron as (layer, neuron), or its number alone where there
# is one hidden layer; a synapse as (layer, neuron that it leads to, neuron or input it comes from).
InputParts: TypeAlias = Iterable[int | str]
NeuronParts: TypeAlias = Iterable[int | tuple[int, int]]
SynapseParts: TypeAlias = Iterable[tuple[int, int, int]]
T = TypeVar("T")
Mask: TypeAlias = list[NDArray[np.bool_]]


class Selection:
    """Inputs, neurons and synapses that a user selects.

    Parameters
    ----------
    layers : sequence of SparseLayer
        The network's layers.
    input_names : sequence of str or None
    inputs, neurons, synapses : iterable or None
        As in `SparseMLP.without`; None is nothing.

    Attributes
    ----------
    inputs : list of int
    neurons : list of (int, int)
        Hidden layer and neuron.
    synapses : list of (int, int)
        Layer, and position within it in CSR order.

    Raises
    ------
    TypeError, ValueError
        If a part does not exist.
    """

    def __init__(
        self,
        layers: Sequence[SparseLayer],
        input_names: Sequence[str] | None,
        inputs: InputParts | None,
        neurons: NeuronParts | None,
        synapses: SynapseParts | None,
    ) -> None:
        self._layers = layers
        hidden = [len(layer.bias) for layer in layers[:-1]]
        self.inputs = [find_input(part, layers[0].n_in, input_names) for part in _some(inputs)]
        self.neurons = [_neuron(part, hidden) for part in _some(neurons)]
        self.synapses = [find_synapse(layers, part) for part in _some(synapses)]

    def incoming(self) -> Mask:
        """Return masks of the synapses that are selected or lead to selected neurons.

        Of a selected input these are its synapses out.
        """
        masks = [np.zeros(len(layer.values), bool) for layer in self._layers]
        masks[0] |= np.isin(self._layers[0].indices, self.inputs)
        for layer, neuron in self.neurons:
            masks[layer] |= self._layers[layer].rows == neuron
        for layer, position in self.synapses:
            masks[layer][position] = True
        return masks

    def all_around(self) -> Mask:
        """Return the masks of `incoming`, with the synapses out of selected neurons."""
        masks = self.incoming()
        for layer, neuron in self.neurons:
            masks[layer + 1] |= self._layers[layer + 1].indices == neuron
        return masks

    def biases(self) -> Mask:
        """Return masks of the biases of selected neurons, one per layer."""
        masks = [np.zeros(len(layer.bias), bool) for layer in self._layers]
        for layer, neuron in self.neurons:
            masks[layer][neuron] = True
        return masks


def find_input(given: int | str, n: int, names: Sequence[str] | None) -> int:
    """Return the position of one of n inputs by its position or name, or raise."""
    if not isinstance(given, str):
        return check_part("input", given, n)
    if names is None or given not in names:
        raise ValueError(f"no input is called {shown(given)}")
    return names.index(given)


def find_synapse(layers: Sequence[SparseLayer], synapse: Any) -> tuple[int, int]:
    """Return the layer of a synapse and its position within the layer, or raise."""
    if not isinstance(synapse, tuple | list) or len(synapse) != 3:
        raise TypeError(f"a synapse must be (layer, neuron, source), got {shown(synapse)}")
    number = check_part("layer", synapse[0], len(layers))
    layer = layers[number]
    row = check_part("neuron", synapse[1], len(layer.bias))
    source = check_part("source", synapse[2], layer.n_in)
    begin, end = layer.indptr[row], layer.indptr[row + 1]
    at = begin + np.searchsorted(layer.indices[begin:end], source)
    if at == end or layer.indices[at] != source:
        raise ValueError(f"no synapse of layer {number} leads from {source} to {row}")
    return number, int(at)


def check_part(name: str, value: Any, n: int) -> int:
    """Return the number of one of n parts, or raise naming the kind of part."""
    if n < 1:
        raise ValueError(f"the network has no {name}")
    return check_int(name, value, 0, n - 1)


def _some(parts: Iterable[T] | None) -> Iterable[T]:
    return () if parts is None else parts


def _neuron(given: Any, hidden: Sequence[int]) -> tuple[int, int]:
    alone = isinstance(given, int | np.integer) and len(hidden) == 1
    pair: Any = (0, given) if alone else given
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"a neuron must be a pair (hidden layer, neuron), got {shown(given)}")
    layer = check_part("hidden layer", pair[0], len(hidden))
    return layer, check_part("neuron", pair[1], hidden[layer])
