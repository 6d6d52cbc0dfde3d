# The kernels, for tests, at an ISA level of `build_info()["available_isa"]` (float32 results) or at
# "reference" (float64 results). W is canonical CSR: indptr [n_out + 1], indices and values [nnz].
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import ImageShift

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

# Y [n_out, n] = W X + bias
def spmm(
    isa: str,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    bias: NDArray[np.float32],
    X: NDArray[np.float32],
) -> _Floats: ...

# dvalues [nnz] = (D Xt) at the synapses of W, dbias [n_out] = row sums of D, dX [n_in, n] = Wt D
def gradients(
    isa: str,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    X: NDArray[np.float32],
    D: NDArray[np.float32],
) -> tuple[_Floats, _Floats, _Floats]: ...

# [columns, order] = (X[order, columns] - shift[columns]) * scale[columns], transposed; images
# move as those of an epoch do.
def gather(
    isa: str,
    X: NDArray[np.float32] | NDArray[np.uint8],
    order: NDArray[np.int64],
    columns: NDArray[np.int32],
    shift: NDArray[np.float32],
    scale: NDArray[np.float32],
    move: ImageShift | None = None,
    dropout: float = 0.0,
    seed: int = 0,
) -> NDArray[np.float32]: ...
def exp(x: NDArray[np.float32]) -> NDArray[np.float32]: ...
def tanh(x: NDArray[np.float32]) -> NDArray[np.float32]: ...
def sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]: ...
