# The C++ core (`mypy.stubtest synaprune._core` holds this against the module). Arrays must be
# C-ordered and exactly of the dtype named: nothing is converted, another dtype is a TypeError.
# A folder, so that the submodule `kernels` has a stub too; Python itself loads the library.
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypedDict, overload, type_check_only

import numpy as np
from numpy.typing import NDArray

from . import kernels as kernels

__version__: str
ACTIVATIONS: tuple[str, ...]
LOSSES: tuple[str, ...]
REGRESSION_LOSSES: tuple[str, ...]  # those of numbers
OPTIMIZERS: tuple[str, ...]
CRITERIA: tuple[str, ...]
GRADIENT_CRITERIA: tuple[str, ...]  # those that need moments of gradients
CURVATURE_CRITERIA: tuple[str, ...]  # those that need curvatures

# n_in, indptr [n_out + 1], indices [nnz], values [nnz], initial [nnz], bias [n_out]
_Layer: TypeAlias = tuple[
    int,
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
]
_Inputs: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]  # [n, n_inputs]
# class numbers [n], probabilities [n, n_classes], or numbers [n, n_outputs]
_Targets: TypeAlias = NDArray[np.int32] | NDArray[np.float32]
_Moments: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]

@type_check_only
class _BuildInfo(TypedDict):
    version: str
    thread_runtime: str  # "openmp", "std" or "none"
    threads: int
    isa: str
    available_isa: list[str]
    compiler: str

@type_check_only
class _Pybind11Type(type): ...

# None stands for samples that hold a NaN or an infinity.
# part "synapses": each, in CSR order; "columns": each neuron below, with all of its own
@overload
def ablate(
    network: Network, X: _Inputs, y: NDArray[np.int32], layer: int, part: str, threads: int
) -> NDArray[np.int64] | None: ...  # [n_changes, 4]: part, class, lost, won; sorted, none of 0
@overload
def ablate(
    network: Network, X: _Inputs, y: NDArray[np.float32], layer: int, part: str, threads: int
) -> NDArray[np.float64] | None: ...  # of a regression, how much the loss grows [n_parts]

# [n, n_out of the layer]; with sums what neurons add up before the activation
def activations(
    network: Network, X: _Inputs, layer: int, threads: int, sums: bool = False
) -> NDArray[np.float32] | None: ...
def activate(activation: str, x: NDArray[np.float32]) -> NDArray[np.float32]: ...  # [n]
def activation_slope(activation: str, x: NDArray[np.float32]) -> NDArray[np.float32]: ...  # [n]
def add(source: NDArray[np.float32], target: NDArray[np.float32]) -> None: ...  # target += source
def all_finite(a: NDArray[np.float32], threads: int = 1) -> bool: ...
def build_info() -> _BuildInfo: ...
def default_threads() -> int: ...
def keep_all_but_lowest(
    scores: NDArray[np.float32], n: int, skip: int = 0
) -> NDArray[np.uint8]: ...

# factors [n_in of each layer]; returns [n of each level]
def energy_below(
    network: Network, factors: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.float64]]: ...

# factors [n_in] of the first layers, ends [n_out of the last of these, k]; returns [n_in, k] each
def energy_above(
    network: Network, factors: Sequence[NDArray[np.float32]], ends: NDArray[np.float64]
) -> list[NDArray[np.float64]]: ...
def set_isa(isa: str) -> None: ...

class Linear(metaclass=_Pybind11Type):
    def __init__(
        self,
        n_in: int,
        indptr: NDArray[np.int64],
        indices: NDArray[np.int32],
        values: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None: ...
    def forward(
        self, X: NDArray[np.float32], threads: int, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]: ...
    def backward(
        self, X: NDArray[np.float32], D: NDArray[np.float32], threads: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]: ...

class ImageShift(metaclass=_Pybind11Type):
    def __init__(
        self, height: int, width: int, pixels: int, probability: float, seed: int = 0
    ) -> None: ...

class Optimizer(metaclass=_Pybind11Type):
    # Others as the optimizer has them, by name; what is left out has its default.
    def __init__(self, name: str, lr: float, **hyperparameters: float) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def n_state(self) -> int: ...  # arrays that it remembers of each parameter

class Network(metaclass=_Pybind11Type):
    input_transform: tuple[NDArray[np.float32], NDArray[np.float32]]  # shift, scale [n_inputs]
    # name, updates so far, moments [n_state, n_synapses + n_biases]: layer by layer, synapses and
    # then biases. None: plain SGD, or no training yet.
    optimizer_state: tuple[str, int, NDArray[np.float32]] | None
    # 1 where training changes nothing: layer by layer, synapses and then biases. None: nowhere.
    frozen: NDArray[np.uint8] | None
    @property
    def rng_state(self) -> int: ...
    @property
    def structure(self) -> tuple[int, ...]: ...
    @property
    def n_synapses(self) -> int: ...
    def __init__(
        self,
        sizes: Sequence[int],
        activation: str,
        loss: str,
        init_scale: float,
        seed: int,
        counts: Sequence[int] | None = None,  # synapses of each layer, at random; None: all
    ) -> None: ...
    # masks: n_out, n_in, indptr, indices
    @staticmethod
    def from_masks(
        masks: Sequence[tuple[int, int, NDArray[np.int64], NDArray[np.int32]]],
        activation: str,
        loss: str,
        init_scale: float,
        seed: int,
    ) -> Network: ...
    @staticmethod
    def from_layers(
        layers: Sequence[_Layer], activation: str, loss: str, rng_state: int
    ) -> Network: ...
    def copy(self) -> Network: ...
    def assign(self, other: Network) -> None: ...
    def layers(self) -> list[_Layer]: ...
    def train_epoch(
        self,
        X: _Inputs,
        y: _Targets,
        batch_size: int,
        optimizer: Optimizer,
        threads: int,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
        shift: ImageShift | None = None,
        max_norm: float | None = None,  # of the gradient of a batch
        dropout: float = 0.0,  # of inputs
        # first sample, end, random state at the start of the epoch
        part: tuple[int, int, int] | None = None,
        # Rows of the whole data set, its shards, the first one here, the one after the last here.
        shards: tuple[int, int, int, int] | None = None,
        # Adds the other shards' gradients of a batch [n_gradient] to it; valid during the call.
        sum: Callable[[NDArray[np.float32]], None] | None = None,
    ) -> float: ...
    @property
    def n_gradient(self) -> int: ...
    # Exchanges a share of each layer's synapses; with candidates, over so many random samples.
    def rewire(
        self,
        X: _Inputs,
        y: _Targets,
        share: float,
        candidates: float,
        n_samples: int,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
    ) -> None: ...
    # None stands for samples that hold a NaN or an infinity.
    def evaluate(self, X: _Inputs, y: _Targets, threads: int) -> tuple[float, int] | None: ...
    def outputs(self, X: _Inputs, threads: int) -> NDArray[np.float32] | None: ...
    def classify(self, X: _Inputs, threads: int) -> NDArray[np.int32] | None: ...
    # None stands for an X that is not _Inputs, or not finite.
    def labels(self, X: object, classes: NDArray[Any], threads: int) -> NDArray[Any] | None: ...
    def gradients(
        self,
        X: _Inputs,
        y: _Targets,
        threads: int,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
    ) -> tuple[float, list[NDArray[np.float32]], list[NDArray[np.float32]]]: ...
    # Mean and mean square over samples, of every synapse.
    def gradient_moments(
        self,
        X: _Inputs,
        y: _Targets,
        threads: int,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
    ) -> _Moments: ...
    # 1 / [F^-1]_kk of every synapse. F is the empirical Fisher matrix in blocks of at most so many
    # synapses of a row, and its bias; the damping is a share of the mean of a block's diagonal.
    def curvature(
        self,
        X: _Inputs,
        y: _Targets,
        threads: int,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
        block: int = 128,
        damping: float = 0.01,
    ) -> NDArray[np.float32]: ...
    # Changes what stays so that it makes up for what is about to be removed.
    def compensate(
        self,
        keep: NDArray[np.uint8],
        X: _Inputs,
        y: _Targets,
        threads: int,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
        block: int = 128,
        damping: float = 0.01,
    ) -> None: ...
    def score(
        self,
        criterion: str,
        moments: _Moments | None = None,
        curvature: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]: ...
    # What `cut` keeps before it cleans up.
    def kept_by_cut(
        self,
        scores: NDArray[np.float32],
        n: int,
        skip: int = 0,
        per_layer: bool = False,
        structured_bias: float = 0.0,
    ) -> NDArray[np.uint8]: ...
    def remove(self, keep: NDArray[np.uint8]) -> int: ...
    def cut(
        self,
        scores: NDArray[np.float32],
        n: int,
        skip: int = 0,
        per_layer: bool = False,
        structured_bias: float = 0.0,
    ) -> int: ...
