"""The smallest neural network that keeps your accuracy.

>>> from dataclasses import replace
>>> import synaprune as sn
>>> data = sn.datasets.xor()
>>> net = sn.SparseMLP((2, 8, 1), activation="sigmoid", init_scale=1.0, seed=1)
>>> recipe = sn.Training(batch_size=4, optimizer=sn.SGD(lr=1.0))
>>> _ = net.fit(*data.train, training=replace(recipe, epochs=3000))
>>> path = sn.prune(net, *data.train, validation=data.validation, training=recipe,
...                 strategy=sn.Iterative(retrain_epochs=2000, patience=500))
>>> path.smallest.score(*data.test)
1.0
"""

try:
    from synaprune._core import __version__, build_info, set_isa
except ImportError as error:  # pragma: no cover - needs a broken installation
    hint = "install the package with 'pip install .' from its source, and import it from elsewhere"
    raise ImportError(f"synaprune's compiled core cannot be loaded; {hint} ({error})") from error

from synaprune import callbacks, datasets, distributed, explain, export, plots, report, tables
from synaprune.checkpoint import CheckpointError
from synaprune.criteria import CRITERIA, Criterion, GradientMoments, saliency
from synaprune.data import CheckedData
from synaprune.io import ModelFileError
from synaprune.layers import SparseLayer
from synaprune.linear import LinearGradients, SparseLinear
from synaprune.metrics import OnProbabilities
from synaprune.network import ACTIVATIONS, LOSSES, SparseMLP
from synaprune.path import PathStep, PruningPath
from synaprune.pruning import (
    Gradual,
    InputBudget,
    Iterative,
    PruningInterrupted,
    Strategy,
    Sweep,
    prune,
)
from synaprune.quantization import (
    ModelBits,
    QuantizedNetwork,
    RoundedNetwork,
    RoundingLoss,
    SharedNetwork,
    count_bits,
    quantize,
    round_weights,
    share_weights,
)
from synaprune.search import SearchResult, smallest_network
from synaprune.streams import BlockError, Blocks
from synaprune.sweeping import SweepResult, sweep
from synaprune.tables import Table, TableEncoder, read_table
from synaprune.training import (
    SET,
    STOP,
    ConstantThenCosine,
    Progress,
    RigL,
    ShiftImages,
    Training,
    TrainingDiverged,
    optimizers,
)
from synaprune.training.optimizers import *  # noqa: F403 - what its __all__ names

__all__ = [
    "ACTIVATIONS", "BlockError", "Blocks", "CRITERIA", "CheckedData", "CheckpointError",
    "ConstantThenCosine", "Criterion", "GradientMoments", "Gradual", "InputBudget", "Iterative",
    "LOSSES", "LinearGradients", "ModelBits", "ModelFileError", "OnProbabilities", "PathStep",
    "Progress", "PruningInterrupted", "PruningPath", "QuantizedNetwork", "RigL", "RoundedNetwork",
    "RoundingLoss", "SET", "STOP", "SearchResult", "SharedNetwork", "ShiftImages", "SparseLayer",
    "SparseLinear", "SparseMLP", "Strategy", "Sweep", "SweepResult", "Table", "TableEncoder",
    "Training", "TrainingDiverged", "__version__", "build_info", "callbacks", "count_bits",
    "datasets", "distributed", "explain", "export", "plots", "prune", "quantize", "read_table",
    "report", "round_weights", "saliency", "set_isa", "share_weights", "smallest_network", "sweep",
    "tables",
]  # fmt: skip
__all__ += optimizers.__all__
