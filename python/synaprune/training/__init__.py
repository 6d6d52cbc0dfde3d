"""Optimisers, schedules, training data and the epoch loop over the core's network."""

from synaprune.training._average import WeightAverage
from synaprune.training._data import ShiftImages, TrainingSet, check_augment
from synaprune.training._epochs import Callback, Progress, TrainingDiverged, run_epochs
from synaprune.training._optimizers import SGD, Adam, Optimizer, check_optimizer
from synaprune.training._schedules import Schedule, constant_then_cosine

__all__ = [
    "Adam",
    "Callback",
    "Optimizer",
    "Progress",
    "SGD",
    "Schedule",
    "ShiftImages",
    "TrainingDiverged",
    "TrainingSet",
    "WeightAverage",
    "check_augment",
    "check_optimizer",
    "constant_then_cosine",
    "run_epochs",
]
