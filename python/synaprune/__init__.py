"""The smallest neural network that keeps your accuracy.

>>> import synaprune as sn
>>> data = sn.datasets.xor()
>>> net = sn.SparseMLP((2, 8, 1), activation="sigmoid", init_scale=1.0, seed=1)
>>> _ = net.fit(*data.train, epochs=3000, batch_size=4, optimizer=sn.SGD(lr=1.0))
>>> path = sn.prune(net, *data.train, validation=data.validation, optimizer=sn.SGD(lr=1.0),
...                 retrain_epochs=2000, patience=500, batch_size=4)
>>> path.smallest.score(*data.test)
1.0
"""

try:
    from synaprune._core import __version__, build_info, set_isa
except ImportError as error:  # pragma: no cover - needs a broken installation
    hint = "install the package with 'pip install .' from its source, and import it from elsewhere"
    raise ImportError(f"synaprune's compiled core cannot be loaded; {hint} ({error})") from error

from synaprune import datasets, explain, plots, report
from synaprune.criteria import CRITERIA, score
from synaprune.data import CheckedData
from synaprune.io import ModelFileError
from synaprune.layers import SparseLayer
from synaprune.linear import LinearGradients, SparseLinear
from synaprune.network import SparseMLP
from synaprune.path import PathStep, PruningPath
from synaprune.pruning import PruningInterrupted, prune
from synaprune.training import (
    SGD,
    Adam,
    Progress,
    ShiftImages,
    TrainingDiverged,
    constant_then_cosine,
)

__all__ = [
    "Adam", "CRITERIA", "CheckedData", "LinearGradients", "ModelFileError", "PathStep", "Progress",
    "PruningInterrupted", "PruningPath", "SGD", "ShiftImages", "SparseLayer", "SparseLinear",
    "SparseMLP", "TrainingDiverged", "__version__", "build_info", "constant_then_cosine",
    "datasets", "explain", "plots", "prune", "report", "score",
    "set_isa",
]  # fmt: skip
