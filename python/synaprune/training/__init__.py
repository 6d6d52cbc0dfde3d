"""`Training` and its parts: optimisers, learning-rate schedules, data, the epoch loop."""

from synaprune.training import optimizers
from synaprune.training._average import WeightAverage
from synaprune.training._blocks import Survey, TrainingBlocks, check_dtype
from synaprune.training._data import ShiftImages, TrainingSet, check_augment
from synaprune.training._epochs import TrainingDiverged, run_epochs
from synaprune.training._lr_schedules import ConstantThenCosine, LRSchedule, lr_factors
from synaprune.training._progress import STOP, Callback, Progress, asks_to_stop, watched
from synaprune.training._rewire import SET, Rewiring, RigL
from synaprune.training._training import Training, check_training
from synaprune.training.optimizers import *  # noqa: F403 - what its __all__ names
from synaprune.training.optimizers import OPTIMIZERS, Optimizer, check_optimizer

__all__ = [
    "Callback",
    "ConstantThenCosine",
    "LRSchedule",
    "OPTIMIZERS",
    "Optimizer",
    "Progress",
    "Rewiring",
    "RigL",
    "SET",
    "STOP",
    "ShiftImages",
    "Survey",
    "Training",
    "TrainingBlocks",
    "TrainingDiverged",
    "TrainingSet",
    "WeightAverage",
    "asks_to_stop",
    "check_augment",
    "check_dtype",
    "check_optimizer",
    "check_training",
    "lr_factors",
    "run_epochs",
    "watched",
]
__all__ += optimizers.__all__
