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
    from synaprune._core import __version__, build_info
except ImportError as error:  # pragma: no cover - needs a broken installation
    raise ImportError(
        "synaprune's compiled core is missing or does not fit this Python; install the package "
        f"with 'pip install .' from its source folder, and import it from elsewhere ({error})"
    ) from error

from synaprune import datasets
from synaprune.criteria import CRITERIA, score
from synaprune.io import ModelFileError
from synaprune.network import SparseMLP, Weights
from synaprune.path import PathStep, PruningPath
from synaprune.pruning import PruningInterrupted, prune
from synaprune.training import SGD, Adam, Progress, TrainingDiverged, constant_then_cosine

__all__ = [
    "Adam",
    "CRITERIA",
    "ModelFileError",
    "PathStep",
    "Progress",
    "PruningInterrupted",
    "PruningPath",
    "SGD",
    "SparseMLP",
    "TrainingDiverged",
    "Weights",
    "__version__",
    "build_info",
    "constant_then_cosine",
    "datasets",
    "prune",
    "score",
]
