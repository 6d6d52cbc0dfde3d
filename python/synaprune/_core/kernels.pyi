# The bare kernels, for tests, at an ISA level of `build_info()["available_isa"]` (float32 results)
# or at "reference" (float64 results). All levels but the reference want a multiple of `lanes`
# columns. W is canonical CSR: indptr [n_out + 1], indices [nnz], values [nnz].
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

lanes: int

# Y [n_out, n] = W X + bias
def spmm(
    isa: str,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    bias: NDArray[np.float32],
    X: NDArray[np.float32],
) -> _Floats: ...

# dvalues [nnz] = (D Xt) at the synapses of W, dbias [n_out] = row sums of D
def grad_weights(
    isa: str,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    D: NDArray[np.float32],
    X: NDArray[np.float32],
) -> tuple[_Floats, _Floats]: ...

# dX [n_in, n] = Wt D
def grad_inputs(
    isa: str,
    n_in: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    D: NDArray[np.float32],
) -> _Floats: ...
def exp(x: NDArray[np.float32]) -> NDArray[np.float32]: ...
def tanh(x: NDArray[np.float32]) -> NDArray[np.float32]: ...
def sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]: ...
