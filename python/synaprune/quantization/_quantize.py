"""`quantize`: integers of 8 or 16 bits for everything, under a contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synaprune.checks import check_choice, check_int
from synaprune.export import IntegerNetwork
from synaprune.export.c import INPUT_DTYPES
from synaprune.metrics import Metric
from synaprune.network import SparseMLP
from synaprune.quantization._contract import RoundingLoss, Task
from synaprune.quantization._straight_through import Grid
from synaprune.training import Training

_BITS = (8, 16)


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """What `quantize` returns.

    Attributes
    ----------
    network : SparseMLP
        The network whose rounding costs so much: as given, or retrained. With the same training
        rows, ``network.to_c(dtype="int8", calibration=X)`` writes `integers`.
    integers : IntegerNetwork
        What C computes: predicts with integers.
    loss : RoundingLoss
        What that costs on the validation split, and whether the contract holds.
    """

    network: SparseMLP
    integers: IntegerNetwork
    loss: RoundingLoss

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.integers!r}, {self.loss})"


def quantize(
    net: SparseMLP,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    validation: Any,
    bits: int = 8,
    input_dtype: str = "float32",
    max_drop: float | None = None,
    min_score: float | None = None,
    confidence: float | None = None,
    metric: Metric | None = None,
    training: Training | None = None,
) -> QuantizedNetwork:
    """Round a network to integers as `SparseMLP.to_c` does; where that costs too much, retrain it.

    Retraining rounds the weights before each update and adds its change to the weights as they were
    (straight-through estimator; Courbariaux et al., 2015, arXiv 1511.00363; Jacob et al., 2018,
    arXiv 1712.05877). The validation split judges two networks at most: rounded without and with
    retraining.

    Parameters
    ----------
    net : SparseMLP
        Fitted; never changed.
    X, y, sample_weight
        Training data, as in `SparseMLP.fit`. They also choose the range of each neuron.
    validation : (X, y) or CheckedData
        Tells what rounding costs. Keep the test split out of it.
    bits : {8, 16}
        Of weights, inputs and outputs of neurons.
    input_dtype : {"float32", "uint8"}
        Of the rows that the integers are given, as in `to_c`; "uint8" needs X of that dtype.
    max_drop, min_score, confidence, metric
        The contract, as in `prune`: ``max_drop=0.005`` if left out.
    training : Training, optional
        The recipe of the retraining, which is not done if the contract holds without. Left out, at
        least 20 epochs and 2000 updates of `SGD` at a rate that falls, with classes that count
        equally if the metric is "balanced_accuracy".

    Returns
    -------
    QuantizedNetwork

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
    >>> small = sn.quantize(net, *data.train, validation=data.validation, max_drop=0.01)
    >>> small.loss.holds
    True
    """
    if check_int("bits", bits, 1) not in _BITS:
        raise ValueError(f"bits must be 8 or 16, got {bits}")
    check_choice("input_dtype", input_dtype, INPUT_DTYPES)
    task = Task(
        net, X, y, sample_weight, validation=validation, max_drop=max_drop, min_score=min_score,
        confidence=confidence, metric=metric, training=training,
    )  # fmt: skip
    if input_dtype == "uint8":
        for name, rows in (("X", task.data.X), ("validation X", task.validation.X)):
            if rows.dtype != np.uint8:
                raise TypeError(f"{name} must be uint8, as input_dtype is, got {rows.dtype}")

    def integers(net: SparseMLP) -> IntegerNetwork:
        dtype = f"int{bits}"
        return IntegerNetwork.of(net, task.data.X, dtype=dtype, input_dtype=input_dtype)

    grids = _grids(integers(task.net), task.net)
    (network, made), loss = task.rounded(
        lambda net: (net, integers(net)), lambda pair: pair[1], grids
    )
    return QuantizedNetwork(network, made, loss)


def _grids(integers: IntegerNetwork, net: SparseMLP) -> list[Grid]:
    """Return what the weights of a network become multiples of; its neurons all live."""
    most = int(np.iinfo(integers.dtype).max)
    weights, layers = net.weights, integers._layers
    constant = [np.zeros(len(w.values)) for w in weights[: len(weights) - len(layers)]]
    steps = [*constant, *(layer.steps for layer in layers)]
    assert [len(s) for s in steps] == [len(w.values) for w in weights]
    return [
        Grid(of_layer, most, 0.0, np.zeros(own.n_in))
        for of_layer, own in zip(steps, weights, strict=True)
    ]
