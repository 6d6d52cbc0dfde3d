"""`Training` and its parts: optimisers, learning-rate schedules, data, the epoch loop."""

from synaprune.training._average import WeightAverage
from synaprune.training._data import ShiftImages, TrainingSet, check_augment
from synaprune.training._epochs import TrainingDiverged, run_epochs
from synaprune.training._lr_schedules import ConstantThenCosine, LRSchedule, lr_factors
from synaprune.training._optimizers import OPTIMIZERS, SGD, Adam, Optimizer, check_optimizer
from synaprune.training._progress import STOP, Callback, Progress, asks_to_stop
from synaprune.training._training import Training, check_training

__all__ = [
    "Adam",
    "Callback",
    "ConstantThenCosine",
    "LRSchedule",
    "OPTIMIZERS",
    "Optimizer",
    "Progress",
    "SGD",
    "STOP",
    "ShiftImages",
    "Training",
    "TrainingDiverged",
    "TrainingSet",
    "WeightAverage",
    "asks_to_stop",
    "check_augment",
    "check_optimizer",
    "check_training",
    "lr_factors",
    "run_epochs",
]
