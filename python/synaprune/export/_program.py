"""`Program`: what a network computes, without anything that its outputs do not need.

Every exporter renders this one description:

- An input or neuron stays if a path of synapses leads from it to an output.
- A neuron that no input reaches is a constant. It is folded into the biases of the next layer, in
  float64 and rounded once to float32, as the core does when a cut leaves such a neuron. A network
  whose outputs are all constants keeps one layer without inputs.
- Numbers are float32, as in the core: inputs become (x - shift)·scale; a neuron adds its products
  in the order of its synapses, beginning at zero, and then adds that sum to its bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Labels
from synaprune.checks import shown
from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.scaling import TargetScaler

Array = NDArray[np.float64]
LEAST_SIGMOID = 87.0  # no sigmoid of the core is less than e^-87: shares of them are no 0/0


def _sigmoid(z: Array) -> Array:
    y: Array = 1.0 / (1.0 + np.exp(np.minimum(-z, LEAST_SIGMOID)))
    return y


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,  # of the last layer
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky_relu": lambda z: np.where(z > 0.0, z, 0.01 * z),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "silu": lambda z: z * _sigmoid(z),
}
# What makes probabilities, or numbers, of the last layer's sums z.
_OUTPUTS = {
    "softmax": "softmax",  # e^z divided by their sum
    "sigmoid": "sigmoid",  # of one output, the probability of the second class
    "squared": "sigmoid_shares",  # sigmoids divided by their sum; with one output "sigmoid"
}


@dataclass(frozen=True, eq=False)
class ProgramLayer:
    """One layer of a program in CSR form: a row per neuron, a column per neuron or input below.

    Attributes
    ----------
    n_in : int
    indptr : ndarray of int64, shape (n_out + 1,)
    indices : ndarray of int32, shape (n_synapses,)
    values : ndarray of float32, shape (n_synapses,)
    bias : ndarray of float32, shape (n_out,)
    activation : str
        A name in `ACTIVATIONS`; "identity" of the last layer alone.
    """

    n_in: int
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return len(self.bias)

    def sums(self, x: Array) -> Array:
        """Return bias + W x in float64 for each row of x."""
        rows = np.repeat(np.arange(self.n_out), np.diff(self.indptr))
        dense = np.zeros((self.n_out, self.n_in))
        dense[rows, self.indices] = self.values
        z: Array = x @ dense.T + self.bias
        return z


@dataclass(frozen=True, eq=False)
class Program:
    """What a network computes.

    Attributes
    ----------
    n_features : int
        Columns of X, of which `inputs` are read.
    inputs : ndarray of int64, shape (n_inputs,)
        Positions of the inputs, ascending.
    input_names : tuple of str or None
        Their names.
    encoded : bool
        Whether the inputs are what an encoder made of a table's columns.
    shift, scale : ndarray of float32, shape (n_inputs,)
    layers : tuple of ProgramLayer
        At least one.
    output : {"softmax", "sigmoid", "sigmoid_shares", "numbers"}
        What the sums of the last layer become; see `_OUTPUTS`. Numbers are z·scale + mean.
    classes : ndarray or None
        The labels, None of a regression.
    targets : TargetScaler or None
        Mean and scale of a regression's numbers.
    """

    n_features: int
    inputs: NDArray[np.int64]
    input_names: tuple[str, ...] | None
    encoded: bool
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    layers: tuple[ProgramLayer, ...]
    output: str
    classes: Labels | None
    targets: TargetScaler | None

    @classmethod
    def of(cls, net: SparseMLP) -> Program:
        """Return the program of a network.

        Parameters
        ----------
        net : SparseMLP

        Raises
        ------
        TypeError, ValueError
            If it is no network, was never fitted, or holds constants that float32 cannot.
        """
        if not isinstance(net, SparseMLP):
            raise TypeError(f"net must be a SparseMLP, got {shown(net)}")
        net.check_fitted()
        targets = net._targets
        layers, inputs = _living(_without_constants(net.weights, net.activation))
        shift, scale = net.input_transform
        output = "numbers" if net.is_regression else _OUTPUTS[net.loss]
        if output == "sigmoid_shares" and net.layers[-1] == 1:
            output = "sigmoid"
        names = net.input_names
        return cls(
            n_features=net.n_features,
            inputs=inputs,
            input_names=None if names is None else tuple(names[i] for i in inputs.tolist()),
            encoded=net.encoder is not None,
            shift=shift[inputs],
            scale=scale[inputs],
            layers=layers,
            output=output,
            classes=None if net.is_regression else net.classes,
            targets=targets if isinstance(targets, TargetScaler) else None,
        )

    @property
    def n_outputs(self) -> int:
        """Neurons of the last layer."""
        return self.layers[-1].n_out

    @property
    def structure(self) -> str:
        """Inputs, neurons of each layer: "465-20-10"."""
        return "-".join(map(str, [len(self.inputs), *(layer.n_out for layer in self.layers)]))

    @property
    def activation(self) -> str | None:
        """What the hidden neurons do; None if there are none."""
        return self.layers[0].activation if len(self.layers) > 1 else None

    @property
    def n_synapses(self) -> int:
        """Number of weights, without biases."""
        return sum(len(layer.values) for layer in self.layers)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self.n_synapses + sum(layer.n_out for layer in self.layers)

    @property
    def n_multiplies(self) -> int:
        """Multiplications from a row of X to the sums of the last layer."""
        return self.n_synapses + int(np.count_nonzero(self.scale != 1.0))

    def scaled(self, X: NDArray[Any]) -> Array:
        """Return the inputs of the first layer, in float64, from rows of X."""
        x = X[:, self.inputs].astype(np.float32)
        scaled: Array = ((x - self.shift) * self.scale).astype(np.float64)
        return scaled

    def forward(self, X: NDArray[Any]) -> list[tuple[Array, Array]]:
        """Return (sums, outputs) of each layer in float64: the reference of all exports.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)

        Returns
        -------
        list of (ndarray, ndarray)
            Each of shape (n, n_out).
        """
        x, found = self.scaled(X), []
        for layer in self.layers:
            z = layer.sums(x)
            x = ACTIVATIONS[layer.activation](z)
            found.append((z, x))
        return found


def _without_constants(weights: list[SparseLayer], activation: str) -> list[ProgramLayer]:
    """Return all neurons, those that no input reaches without synapses out."""
    layers = []
    constant = np.zeros(weights[0].n_in, bool)
    value = np.zeros(weights[0].n_in)
    for layer in weights:
        rows, column = layer.rows, layer.indices
        folded = constant[column]
        bias = layer.bias.astype(np.float64)
        np.add.at(bias, rows[folded], layer.values[folded] * value[column[folded]])
        kept = ~folded
        counts = np.bincount(rows[kept], minlength=len(bias))
        with np.errstate(over="ignore"):
            rounded = bias.astype(np.float32)
        if not np.isfinite(rounded).all():
            raise ValueError("the network holds constants that are too large for float32")
        is_last = layer is weights[-1]
        of_layer = "identity" if is_last else activation
        layers.append(
            ProgramLayer(
                layer.n_in,
                np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
                column[kept],
                layer.values[kept],
                rounded,
                of_layer,
            )
        )
        constant, value = counts == 0, ACTIVATIONS[of_layer](bias)
    return layers


def _living(layers: list[ProgramLayer]) -> tuple[tuple[ProgramLayer, ...], NDArray[np.int64]]:
    """Return layers of the neurons that lead to an output, and the inputs that do."""
    needed = np.arange(layers[-1].n_out)
    kept: list[ProgramLayer] = []
    for layer in reversed(layers):
        if not len(needed):  # all above are constants
            break
        begins, ends = layer.indptr[needed], layer.indptr[needed + 1]
        picked = np.concatenate([np.arange(b, e) for b, e in zip(begins, ends, strict=True)])
        picked = picked.astype(np.int64)
        below = np.unique(layer.indices[picked])
        kept.append(
            ProgramLayer(
                len(below),
                np.concatenate([[0], np.cumsum(ends - begins)]).astype(np.int64),
                np.searchsorted(below, layer.indices[picked]).astype(np.int32),
                layer.values[picked],
                layer.bias[needed],
                layer.activation,
            )
        )
        needed = below
    return tuple(reversed(kept)), needed.astype(np.int64)
