"""`EditableNetwork`: targeted changes, each in a copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_float, check_int
from synaprune.network._prepare import PreparingNetwork
from synaprune.network._weights import Weights

# An input by position or name; a hidden neuron as (layer, neuron), or its number alone where there
# is one hidden layer; a synapse as (layer, neuron that it leads to, neuron or input it comes from).
Inputs: TypeAlias = Iterable[int | str]
Neurons: TypeAlias = Iterable[int | tuple[int, int]]
Synapses: TypeAlias = Iterable[tuple[int, int, int]]
Mask: TypeAlias = list[NDArray[np.bool_]]
_LARGEST = float(np.finfo(np.float32).max)


class EditableNetwork(PreparingNetwork):
    """A network of which parts can be removed, set and frozen.

    The public class is `SparseMLP`, which adds training and prediction.
    """

    def without(
        self, *, inputs: Inputs = (), neurons: Neurons = (), synapses: Synapses = ()
    ) -> Self:
        """Return a copy without some parts; nothing is trained anew.

        What a part said is 0 from then on: of an input, in the units that the network sees, so that
        a centred input is set to its mean. What that leaves dead goes too, and the outputs stay
        as they are then. `explain.ablate` gives the same figures for every single part.

        Parameters
        ----------
        inputs : iterable of int or str
            Positions or names.
        neurons : iterable of (int, int), or of int
            (hidden layer, neuron), layer 0 being the first; with one hidden layer the neuron alone
            will do.
        synapses : iterable of (int, int, int)
            (layer, neuron that it leads to, neuron or input that it comes from), the layer as in
            `weights`.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If a part does not exist.

        Examples
        --------
        >>> import synaprune as sn
        >>> net = sn.SparseMLP((4, 3, 2), seed=0)
        >>> net.without(inputs=[0], neurons=[2], synapses=[(1, 0, 1)]).structure
        '3-2-2'
        """
        neurons = list(neurons)
        gone = self._chosen(inputs, neurons, synapses)
        indices = [w.indices for w in self.weights]
        for layer, j in self._neurons(neurons):
            gone[layer + 1] |= indices[layer + 1] == j
        keep = np.concatenate([~part for part in gone]).astype(np.uint8)
        twin = self.copy()
        twin.core.remove(keep)
        return twin

    def set_weight(self, layer: int, neuron: int, source: int, value: float) -> Self:
        """Return a copy in which one synapse has another weight.

        Parameters
        ----------
        layer, neuron, source : int
            The synapse, as in `without`. Its initial weight stays what it was.
        value : float
            Finite.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If there is no such synapse, or the value is not finite.

        Examples
        --------
        >>> import synaprune as sn
        >>> net = sn.SparseMLP((4, 3, 2), seed=0).set_weight(1, 0, 2, -1.5)
        >>> float(net.weights[1].to_dense()[0, 2])
        -1.5
        """
        weights = self.weights
        at = self._find(weights, (layer, neuron, source))
        weights[layer].values[at] = check_float("value", value, -_LARGEST, _LARGEST)
        return self._changed(weights)

    def set_bias(self, layer: int, neuron: int, value: float) -> Self:
        """Return a copy in which one neuron has another bias.

        Parameters
        ----------
        layer, neuron : int
            The layer as in `weights`: 0 is the first hidden one, the last are the outputs.
        value : float
            Finite.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If there is no such neuron, or the value is not finite.
        """
        weights = self.weights
        _within("layer", layer, len(weights))
        _within("neuron", neuron, len(weights[layer].bias))
        weights[layer].bias[neuron] = check_float("value", value, -_LARGEST, _LARGEST)
        return self._changed(weights)

    def freeze(
        self,
        *,
        inputs: Inputs | None = None,
        neurons: Neurons | None = None,
        synapses: Synapses | None = None,
    ) -> Self:
        """Return a copy in which training leaves some parts as they are, and pruning spares them.

        Of an input its synapses out are frozen; of a neuron what it computes, its synapses in and
        its bias; without any argument everything is. What was frozen stays so, in copies, files and
        along a pruning path, until `unfreeze`: a frozen synapse lives on even where nothing that
        lives reads it any more.

        Parameters
        ----------
        inputs, neurons, synapses
            As in `without`.

        Returns
        -------
        SparseMLP

        Raises
        ------
        TypeError, ValueError
            If a part does not exist.

        Examples
        --------
        >>> import synaprune as sn
        >>> data = sn.datasets.xor()
        >>> net = sn.SparseMLP((2, 3, 1), seed=0).freeze(neurons=[1])
        >>> before = net.weights[0].to_dense()[1].tolist()
        >>> net.fit(*data.train).weights[0].to_dense()[1].tolist() == before
        True
        """
        everything = all(part is None for part in (inputs, neurons, synapses))
        neurons = [] if neurons is None else list(neurons)
        chosen = self._chosen(
            () if inputs is None else inputs, neurons, () if synapses is None else synapses
        )
        biases = [np.full(len(w.bias), everything) for w in self.weights]
        for layer, j in self._neurons(neurons):
            biases[layer][j] = True
        parts = [a for pair in zip(chosen, biases, strict=True) for a in pair]
        frozen = np.concatenate(parts).astype(np.uint8) | np.uint8(everything)
        twin = self.copy()
        before = self.core.frozen
        twin.core.frozen = frozen if before is None else frozen | before
        return twin

    def unfreeze(self) -> Self:
        """Return a copy in which training changes everything again."""
        twin = self.copy()
        twin.core.frozen = None
        return twin

    def _changed(self, weights: Sequence[Weights]) -> Self:
        """Return a copy with other values at the same places, all state kept."""
        state = self.core.optimizer_state
        twin = self.copy().set_weights(weights)
        twin.core.optimizer_state = state
        return twin

    def _chosen(self, inputs: Inputs, neurons: Neurons, synapses: Synapses) -> Mask:
        """Return which synapses are meant, layer by layer; of neurons those in."""
        weights = self.weights
        chosen = [np.zeros(len(w.values), bool) for w in weights]
        columns = [self._input(i) for i in inputs]
        chosen[0] |= np.isin(weights[0].indices, columns)
        for layer, j in self._neurons(neurons):
            chosen[layer] |= weights[layer].rows == j
        for synapse in synapses:
            at = self._find(weights, synapse)
            chosen[synapse[0]][at] = True
        return chosen

    def _input(self, given: int | str) -> int:
        if isinstance(given, str):
            if given not in (self.input_names or ()):
                raise ValueError(f"no input is called {given!r}")
            return (self.input_names or ()).index(given)
        return _within("input", given, self.layers[0])

    def _neurons(self, given: Neurons) -> list[tuple[int, int]]:
        hidden = self.layers[1:-1]
        found = []
        for one in given:
            pair: Any = (0, one) if isinstance(one, int | np.integer) and len(hidden) == 1 else one
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(f"a neuron must be a pair (hidden layer, neuron), got {one!r}")
            layer = _within("hidden layer", pair[0], len(hidden))
            found.append((layer, _within("neuron", pair[1], hidden[layer])))
        return found

    def _find(self, weights: Sequence[Weights], synapse: Any) -> int:
        """Return the position of a synapse among those of its layer."""
        if not isinstance(synapse, tuple | list) or len(synapse) != 3:
            raise TypeError(f"a synapse must be (layer, neuron, source), got {synapse!r}")
        layer = _within("layer", synapse[0], len(weights))
        w = weights[layer]
        row = _within("neuron", synapse[1], w.shape[0])
        source = _within("source", synapse[2], w.n_in)
        begin, end = w.indptr[row], w.indptr[row + 1]
        at = begin + np.searchsorted(w.indices[begin:end], source)
        if at == end or w.indices[at] != source:
            raise ValueError(f"no synapse of layer {layer} leads from {source} to {row}")
        return int(at)


def _within(name: str, value: Any, n: int) -> int:
    if n < 1:
        raise ValueError(f"the network has no {name}")
    return check_int(name, value, 0, n - 1)
