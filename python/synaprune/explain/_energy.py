"""Feature energy: the summed strength of all paths from an input, through a neuron, to a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.arrays import as_inputs, finite
from synaprune.checks import check_float, check_int
from synaprune.explain._seen import seen_by
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads

Floats = NDArray[np.float64]
_CHUNK = 8192  # samples whose activations are held at a time


@dataclass(frozen=True, eq=False)
class PathEnergy:
    """How much of what leads to each output passes through which part.

    A path is a chain of synapses from an input to an output, its strength the product of their |w|;
    with data each factor is |w|·E|a|, a being what the neuron (or input) says that the synapse
    leaves. Shares are of all paths to an output and sum to 1 over the parts of one level, or to 0
    for an output that nothing leads to.

    Attributes
    ----------
    total : ndarray of float64, shape (n_outputs,)
        Summed strength of all paths to each output.
    neurons : list of ndarray of float64, shape (n, n_outputs)
        Shares by neuron, the inputs first, then each hidden layer.
    synapses : list of ndarray of float64, shape (nnz, n_outputs)
        Shares by synapse, in the order of ``net.weights[l].values``.
    """

    total: Floats
    neurons: list[Floats]
    synapses: list[Floats]

    @property
    def inputs(self) -> Floats:
        """Shares by input, shape (n_features, n_outputs)."""
        return self.neurons[0]

    def subnetwork(self, output: int, share: float = 0.9) -> list[NDArray[np.bool_]]:
        """Return which synapses serve an output: in each layer the fewest that carry the share.

        Parameters
        ----------
        output : int
            Number of the output; a network with one output has 0 only.
        share : float
            In (0, 1], of the energy that leads to the output.

        Returns
        -------
        list of ndarray of bool, shape (nnz,)
            One array a layer, in the order of ``net.weights[l].values``.

        Raises
        ------
        ValueError
            If there is no such output, or the share is out of range.
        """
        check_float("share", share, 0.0, 1.0, open_low=True)
        check_int("output", output, 0, len(self.total) - 1)
        return [_fewest(shares[:, output], share) for shares in self.synapses]


def path_energy(net: SparseMLP, X: Any = None, *, threads: Threads = None) -> PathEnergy:
    """Sum the strengths of all paths through each part of a network.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features), optional
        With data, each |w| is weighted by the mean absolute value of what it passes on: of an
        input what the network sees of it (`SparseMLP.input_transform`), of a neuron its output.
    threads : int or "auto", optional

    Returns
    -------
    PathEnergy

    Raises
    ------
    TypeError, ValueError
        If X does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.xor()
    >>> net = sn.SparseMLP((2, 3, 1), seed=0).fit(*data.train)
    >>> energy = sn.explain.path_energy(net)
    >>> bool(abs(energy.inputs.sum() - 1) < 1e-9)
    True
    """
    factors = _mean_activations(net, X, check_threads(threads))
    below, above = _core.path_energy(net._core, factors)
    total = below[-1]
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    neurons = [b[:, None] * a * scale for b, a in zip(below[:-1], above[:-1], strict=True)]
    synapses = []
    for level, w in enumerate(net.weights):
        strength = abs(w.values.astype(np.float64)) * factors[level][w.indices]
        through = below[level][w.indices] * strength
        synapses.append(through[:, None] * above[level + 1][w.rows] * scale)
    return PathEnergy(total, neurons, synapses)


def feature_energy(
    net: SparseMLP, X: Any = None, *, normalize: bool = True, threads: Threads = None
) -> Floats:
    """Return how strongly each input leads to each output, over all paths.

    The energy of input i for output c is the sum over all paths from i to c of the product of |w|
    along the path; "feature energy" of Bulín & Šmídl (2017), here in closed form as a product of
    the layers' |W|.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features), optional
        Weights each |w| as `path_energy` does.
    normalize : bool
        Whether each output's energies are divided by their sum.
    threads : int or "auto", optional

    Returns
    -------
    ndarray of float64, shape (n_features, n_outputs)
        0 for inputs that the network does not use. A network with one output has one column,
        which is about both classes.

    Raises
    ------
    TypeError, ValueError
        If X does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> net = sn.SparseMLP((2, 1), seed=0)
    >>> net = net.with_weight(0, 0, 0, -3.0).with_weight(0, 0, 1, 1.0)
    >>> sn.explain.feature_energy(net).tolist()
    [[0.75], [0.25]]
    """
    energy = path_energy(net, X, threads=threads)
    return energy.inputs if normalize else energy.inputs * energy.total


def activations(
    net: SparseMLP, X: Any, layer: int = -2, *, threads: Threads = None
) -> NDArray[np.float32]:
    """Return what the neurons of a layer say of each sample.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features)
    layer : int
        0 is the first hidden layer, -1 the outputs, -2, the default, the last hidden layer.
    threads : int or "auto", optional

    Returns
    -------
    ndarray of float32, shape (n, size of the layer)
        Of hidden neurons their outputs, 0 for those that are gone; of the last layer what goes into
        the outputs (logits).

    Raises
    ------
    TypeError, ValueError
        If X does not fit, or there is no such layer.
    """
    n_layers = len(net.layers) - 1
    check_int("layer", layer, -n_layers, n_layers - 1)
    inputs = as_inputs(X, net.layers[0])
    return finite(_core.activations(net._core, inputs, layer % n_layers, check_threads(threads)))


def _mean_activations(net: SparseMLP, X: Any, threads: int) -> list[NDArray[np.float32]]:
    """Return E|a| of each neuron below each layer, or ones without data."""
    sizes = net.layers[:-1]
    if X is None:
        return [np.ones(n, np.float32) for n in sizes]
    inputs = as_inputs(X, net.layers[0])
    sums = [np.zeros(n) for n in sizes]
    for begin in range(0, len(inputs), _CHUNK):
        some = inputs[begin : begin + _CHUNK]
        sums[0] += abs(seen_by(net, some)).sum(axis=0)
        for level in range(1, len(sizes)):
            said = finite(_core.activations(net._core, some, level - 1, threads))
            sums[level] += abs(said).sum(axis=0, dtype=np.float64)
    return [(s / len(inputs)).astype(np.float32) for s in sums]


def _fewest(shares: Floats, share: float) -> NDArray[np.bool_]:
    chosen = np.zeros(len(shares), bool)
    order = np.argsort(-shares, kind="stable")
    order = order[shares[order] > 0]
    if len(order):
        carried = np.cumsum(shares[order])
        needed = np.searchsorted(carried, share * carried[-1] - 1e-12) + 1
        chosen[order[:needed]] = True
    return chosen
