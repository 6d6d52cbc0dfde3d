"""`SparseMLP`: a multilayer perceptron whose synapses can be taken out one by one."""

from synaprune.network._average import WeightAverage
from synaprune.network._checks import ACTIVATIONS, INPUT_SCALINGS, LOSSES
from synaprune.network._model import SparseMLP
from synaprune.network._weights import Weights, carried

__all__ = [
    "ACTIVATIONS",
    "INPUT_SCALINGS",
    "LOSSES",
    "SparseMLP",
    "WeightAverage",
    "Weights",
    "carried",
]
