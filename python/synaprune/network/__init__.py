"""`SparseMLP`: a multilayer perceptron whose synapses can be taken out one by one."""

from synaprune.network._average import WeightAverage
from synaprune.network._checks import ACTIVATIONS, LOSSES
from synaprune.network._model import SparseMLP
from synaprune.network._weights import Weights

__all__ = ["ACTIVATIONS", "LOSSES", "SparseMLP", "WeightAverage", "Weights"]
