"""Feature energy: the strength of all paths from an input, through a neuron, to an output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune import _core
from synaprune.checks import check_bool, check_float, check_int, check_type
from synaprune.explain._activations import Floats, hidden_activations
from synaprune.network import SparseMLP
from synaprune.threads import Threads, check_threads

_CHUNK = 8192  # samples whose activations are in memory at a time


@dataclass(frozen=True, eq=False)
class _LayerPaths:
    """The paths through the synapses of a layer.

    Attributes
    ----------
    through : ndarray of float64, shape (nnz,)
        Summed strength of all paths from any input through a synapse, which it ends.
    rows : ndarray of int, shape (nnz,)
        To which neuron it leads.
    above : ndarray of float64, shape (n, n_outputs), or None
        Summed strength of all paths from each of these to each output; None of outputs.
    """

    through: Floats
    rows: NDArray[np.integer[Any]]
    above: Floats | None


@dataclass(frozen=True, eq=False)
class PathEnergy:
    """Share of each unit in the strength of all paths to each output.

    A path is a chain of synapses from an input to an output; its strength is the product of their
    |w|. With data each factor is |w|·E|a|, where a is the activation of the neuron (or the scaled
    input) from which the synapse comes. The shares of all inputs sum to 1 for each output, and so
    do those of all neurons and of all synapses of a layer; they are 0 for an output without paths.

    Attributes
    ----------
    total : ndarray of float64, shape (n_outputs,)
        Summed strength of all paths to each output.
    inputs : ndarray of float64, shape (n_features, n_outputs)
        Shares by input.
    neurons : list of ndarray of float64, shape (n, n_outputs)
        Shares by neuron of each hidden layer.
    """

    total: Floats
    inputs: Floats
    neurons: list[Floats]
    _paths: list[_LayerPaths] = field(repr=False)

    @property
    def synapses(self) -> list[Floats]:
        """Shares by synapse of each layer, shape (nnz, n_outputs), made anew at each access.

        In the order of ``net.weights[layer].values``. `of_synapses` gives those of some synapses or
        one output, which takes far less memory where there are many.
        """
        return [self.of_synapses(layer) for layer in range(len(self._paths))]

    def of_synapses(
        self,
        layer: int,
        synapses: NDArray[np.integer[Any]] | slice = slice(None),
        outputs: NDArray[np.integer[Any]] | slice = slice(None),
    ) -> Floats:
        """Return shares of some synapses of a layer in some outputs.

        Parameters
        ----------
        layer : int
        synapses : ndarray of int or slice
            Positions in ``net.weights[layer].values``.
        outputs : ndarray of int or slice

        Returns
        -------
        ndarray of float64, shape (number of synapses, number of outputs)
        """
        paths = self._paths[layer]
        rows = paths.rows[synapses]
        above = (
            rows[:, None] == np.arange(len(self.total))[outputs]  # an output leads to itself
            if paths.above is None
            else paths.above[rows][:, outputs]
        )
        total = self.total[outputs]
        scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        shares: Floats = paths.through[synapses][:, None] * above * scale
        return shares

    def subnetwork(self, output: int, share: float = 0.9) -> list[NDArray[np.bool_]]:
        """Return in each layer the fewest synapses that carry a share of an output's energy.

        Parameters
        ----------
        output : int
            Number of the output; a network with one output has only 0.
        share : float
            In (0, 1], of the energy of all paths to the output.

        Returns
        -------
        list of ndarray of bool, shape (nnz,)
            One array per layer, in the order of ``net.weights[layer].values``.

        Raises
        ------
        TypeError, ValueError
            If there is no such output, or the share is out of range.
        """
        check_float("share", share, 0.0, 1.0, open_low=True)
        check_int("output", output, 0, len(self.total) - 1)
        return [
            _fewest(self.of_synapses(layer, outputs=slice(output, output + 1))[:, 0], share)
            for layer in range(len(self._paths))
        ]


def path_energy(net: SparseMLP, X: Any = None, *, threads: Threads = None) -> PathEnergy:
    """Sum the strengths of all paths through each input, neuron and synapse.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features), optional
        Samples. With them each |w| is weighted by the mean absolute value of the activation, or of
        the scaled input (`SparseMLP.input_transform`), that it multiplies.
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
    check_type("net", net, SparseMLP)
    net = net.copy()  # another thread may prune it meanwhile
    factors = _mean_activations(net, X, check_threads(threads))
    below = _core.energy_below(net._core, factors)
    total, weights = below[-1], net.weights
    strengths = [
        abs(w.values.astype(np.float64)) * factor[w.indices]
        for w, factor in zip(weights, factors, strict=True)
    ]
    last = weights[-1]
    above = [np.zeros((last.n_in, len(total)))]
    above[0][last.indices, last.rows] = strengths[-1]
    if len(weights) > 1:
        above = _core.energy_above(net._core, factors[:-1], above[0]) + above
    paths = [
        _LayerPaths(b[w.indices] * strength, w.rows, a)
        for w, strength, b, a in zip(weights, strengths, below, [*above[1:], None], strict=False)
    ]
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    inputs, *neurons = (b[:, None] * a * scale for b, a in zip(below, above, strict=False))
    return PathEnergy(total, inputs, neurons, paths)


def feature_energy(
    net: SparseMLP, X: Any = None, *, normalize: bool = True, threads: Threads = None
) -> Floats:
    """Return the strength of all paths from each input to each output.

    The energy of input i for output c is the sum over all paths from i to c of the product of |w|
    along the path: the "feature energy" of Bulín & Šmídl (2017), computed in closed form as a
    product of the layers' |W|.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features), optional
        Samples, by which `path_energy` weights each |w|.
    normalize : bool
        Whether each output's energies are divided by their sum.
    threads : int or "auto", optional

    Returns
    -------
    ndarray of float64, shape (n_features, n_outputs)
        0 for unused inputs. A network of two classes with one output has one column, which applies
        to both.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> net = sn.SparseMLP((2, 1), seed=0).with_weight(0, 0, 0, -3.0).with_weight(0, 0, 1, 1.0)
    >>> sn.explain.feature_energy(net).tolist()
    [[0.75], [0.25]]
    """
    check_type("net", net, SparseMLP)
    check_bool("normalize", normalize)
    energy = path_energy(net, X, threads=threads)
    return energy.inputs if normalize else energy.inputs * energy.total


def mean_feature_energy(net: SparseMLP, X: Any = None, *, threads: Threads = None) -> Floats:
    """Return the mean over all outputs of what `feature_energy` returns, normalised.

    Its memory and time grow with the synapses alone, not with the outputs too.

    Parameters
    ----------
    net : SparseMLP
    X : array_like, shape (n, n_features), optional
        Samples, by which `path_energy` weights each |w|.
    threads : int or "auto", optional

    Returns
    -------
    ndarray of float64, shape (n_features,)
        0 for unused inputs; the sum is 1 if paths lead to every output.

    Raises
    ------
    TypeError, ValueError
        If X does not fit.

    Examples
    --------
    >>> import synaprune as sn
    >>> net = sn.SparseMLP((2, 1), seed=0).with_weight(0, 0, 0, -3.0).with_weight(0, 0, 1, 1.0)
    >>> sn.explain.mean_feature_energy(net).tolist()
    [0.75, 0.25]
    """
    check_type("net", net, SparseMLP)
    net = net.copy()  # another thread may prune it meanwhile
    factors = _mean_activations(net, X, check_threads(threads))
    total = _core.energy_below(net._core, factors)[-1]
    ends = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0) / len(total)
    mean: Floats = _core.energy_above(net._core, factors, ends[:, None])[0][:, 0]
    return mean


def _mean_activations(net: SparseMLP, X: Any, n_threads: int) -> list[NDArray[np.float32]]:
    """Return E|a| of the neurons (or inputs) below each layer, or ones without data."""
    sizes = net.layers[:-1]
    if X is None:
        return [np.ones(n, np.float32) for n in sizes]
    inputs = net.as_inputs(X)
    sums = [np.zeros(n) for n in sizes]
    for begin in range(0, len(inputs), _CHUNK):
        some = inputs[begin : begin + _CHUNK]
        sums[0] += abs(net.input_transform.apply(some)).sum(axis=0)
        for total, a in zip(sums[1:], hidden_activations(net, some, n_threads), strict=True):
            total += abs(a).sum(axis=0, dtype=np.float64)
    return [(total / len(inputs)).astype(np.float32) for total in sums]


def _fewest(shares: Floats, share: float) -> NDArray[np.bool_]:
    """Mark the fewest entries that carry the share of their sum."""
    chosen = np.zeros(len(shares), bool)
    order = np.argsort(-shares, kind="stable")
    order = order[shares[order] > 0]
    if len(order):
        carried = np.cumsum(shares[order])
        needed = np.searchsorted(carried, share * carried[-1] - 1e-12) + 1
        chosen[order[:needed]] = True
    return chosen
