"""What neurons see of samples, and what they say of nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synaprune.arrays import Inputs
from synaprune.network import SparseMLP


def seen_by(net: SparseMLP, inputs: Inputs) -> NDArray[np.float64]:
    """Return the inputs in the units that the network sees, shape (n, n_features)."""
    shift, scale = net.input_transform
    seen: NDArray[np.float64] = ((inputs - shift) * scale).astype(np.float64)
    return seen


def at_zero(net: SparseMLP) -> float:
    """Return what a hidden neuron says where its sum is 0; above it, it is active."""
    return 0.5 if net.activation == "sigmoid" else 0.0
