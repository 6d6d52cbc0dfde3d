"""A network of the dense weights that another library trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaprune.labels import LabelEncoder, as_classes
from synaprune.layers import SparseLayer
from synaprune.network import SparseMLP
from synaprune.scaling import TargetScaler

Net = TypeVar("Net", bound=SparseMLP)


def network_of(
    kind: type[Net],
    weights: Sequence[NDArray[Any]],
    biases: Sequence[NDArray[Any]],
    *,
    initial: Sequence[NDArray[Any]] | None,
    keep_zeros: bool,
    activation: str,
    loss: str,
    classes: Any,
    input_scaling: str | tuple[Any, Any] = "none",
) -> Net:
    """Return a network that counts as fitted.

    Parameters
    ----------
    kind : type
        `SparseMLP` or a subclass.
    weights, biases : sequence of ndarray, shapes (n_out, n_in) and (n_out,)
    initial : sequence of ndarray, or None
        Shaped as `weights`.
    keep_zeros : bool
    activation, loss : str
    classes : array_like or None
        The label of each output, or the two of one output; None of a regression, whose numbers are
        not scaled.
    input_scaling : "none", or pair of array_like
    """
    sizes = (weights[0].shape[1], *(len(w) for w in weights))
    if initial is not None:
        shapes = [np.shape(w) for w in initial]
        if shapes != [w.shape for w in weights]:
            raise ValueError(
                f"initial must have the shapes of the model, {[w.shape for w in weights]}, "
                f"got {shapes}"
            )
    net = kind(sizes, activation=activation, loss=loss, input_scaling=input_scaling)
    parts = [list(weights), list(biases), *([] if initial is None else [list(initial)])]
    if net.is_regression:
        if classes is not None:
            raise ValueError("classes must be left out, as the network predicts numbers")
        one = np.ones(sizes[-1])
        net._targets = TargetScaler(0.0 * one, one, sizes[-1] == 1)
    else:
        labels = as_classes(np.arange(max(2, sizes[-1])) if classes is None else classes)
        net._targets = LabelEncoder.fitted(labels, sizes[-1])
        if len(labels) != len(net.classes):
            raise ValueError(f"classes must be unique, got {labels.tolist()}")
        order = np.argsort(labels)
        for part in parts:  # a network sorts its labels
            if len(part[-1]) > 1:
                part[-1] = part[-1][order]
            elif order[0] == 1:  # its one output is the second label
                part[-1] = -part[-1]
    if initial is not None:
        net.init_scale = 1.0  # others start about as wide as Glorot & Bengio; see `Criterion`
    return net.set_weights(
        [
            SparseLayer.from_dense(
                weights, bias, initial=first[0] if first else None, keep_zeros=keep_zeros
            )
            for weights, bias, *first in zip(*parts, strict=True)
        ]
    )
