"""`share_weights`: few different weights in each layer, under a contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaprune.checks import check_int
from synaprune.layers import SparseLayer
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.quantization._contract import RoundingLoss, Task
from synaprune.training import Training

Values = NDArray[np.float32]
_STEPS = 100  # of Lloyd's algorithm, at most


@dataclass(frozen=True, eq=False)
class SharedNetwork:
    """What `share_weights` returns.

    Attributes
    ----------
    network : SparseMLP
        Its weights are values of the codebooks.
    codebooks : tuple of ndarray of float32
        Of each layer, ascending.
    loss : RoundingLoss
        What that costs on the validation split, and whether the contract holds.
    """

    network: SparseMLP
    codebooks: tuple[Values, ...]
    loss: RoundingLoss

    def __repr__(self) -> str:
        most = max(len(book) for book in self.codebooks)
        of_each = f"{most} values a layer"
        return f"{type(self).__name__}({self.network.structure}, {of_each}, {self.loss})"


@dataclass(frozen=True, eq=False)
class Codebook:
    """The weights that a layer may have, ascending."""

    values: Values

    @classmethod
    def of(cls, weights: Values, n: int) -> Codebook:
        """Return n centres of clusters that weights are near to; all weights if there are fewer.

        Clusters are those of Lloyd's algorithm (k-means), which begins with quantiles.
        """
        if len(unique := np.unique(weights)) <= n:
            return cls(unique)
        ordered = np.sort(weights.astype(np.float64))
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        centres = np.unique(ordered[(2 * np.arange(n) + 1) * len(ordered) // (2 * n)])
        for _ in range(_STEPS):
            ends = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2.0)
            ends = np.concatenate([[0], ends, [len(ordered)]])
            counts = np.diff(ends)
            means = np.diff(sums[ends])[counts > 0] / counts[counts > 0]
            if np.array_equal(means, centres):
                break
            centres = means
        return cls(np.unique(centres.astype(np.float32)))

    def rounded(self, layer: SparseLayer) -> SparseLayer:
        """Return the layer with the nearest values as weights."""
        if not len(self.values):
            return layer
        between = (self.values[1:] + self.values[:-1]) / 2.0
        return replace(layer, values=self.values[np.searchsorted(between, layer.values)])


def share_weights(
    net: SparseMLP,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    validation: Any,
    n_values: int = 16,
    max_drop: float | None = None,
    min_score: float | None = None,
    confidence: float | None = None,
    metric: Metric | None = None,
    training: Training | None = None,
) -> SharedNetwork:
    """Give the synapses of each layer few different weights; where that costs too much, retrain.

    A weight is then the place of a value in a codebook, as in Deep Compression (Han et al., 2016,
    arXiv 1510.00149): 4 bits for 16 values. Pruned networks have few weights near zero, where whole
    numbers lie as close as elsewhere, and so need fewer values than `round_weights`. Retraining is
    that of `quantize`, with weights rounded to the codebook before each update. Biases stay as they
    are. `count_bits` counts what is saved.

    Parameters
    ----------
    net : SparseMLP
        Fitted, best pruned; never changed.
    X, y, sample_weight
        Training data, as in `SparseMLP.fit`.
    validation : (X, y) or CheckedData
        Tells what sharing costs. Keep the test split out of it.
    n_values : int
        The most different weights of a layer.
    max_drop, min_score, confidence, metric
        The contract, as in `prune`: ``max_drop=0.005`` if left out.
    training : Training, optional
        The recipe of the retraining, as in `quantize`.

    Returns
    -------
    SharedNetwork

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit; or if the network as given does not itself meet the contract.

    Examples
    --------
    >>> import synaprune as sn
    >>> data = sn.datasets.digits()
    >>> net = sn.SparseMLP((64, 20, 10), seed=0)
    >>> _ = net.fit(*data.train, training=sn.Training(20, batch_size=16))
    >>> small = sn.share_weights(net, *data.train, validation=data.validation, max_drop=0.01)
    >>> small.loss.holds, [len(book) for book in small.codebooks]
    (True, [16, 16])
    """
    check_int("n_values", n_values, 1, 2**16)
    task = Task(
        net, X, y, sample_weight, validation=validation, max_drop=max_drop, min_score=min_score,
        confidence=confidence, metric=metric, training=training,
    )  # fmt: skip
    books = [Codebook.of(layer.values, n_values) for layer in task.net.weights]

    def shared(net: SparseMLP) -> SparseMLP:
        pairs = zip(books, net.weights, strict=True)
        return net.copy().set_weights([book.rounded(layer) for book, layer in pairs])

    made, loss = task.rounded(shared, lambda net: net, books)
    return SharedNetwork(made, tuple(book.values for book in books), loss)
