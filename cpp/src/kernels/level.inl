// The kernels at one level. The including file defines, in its own namespace: width, vec, load,
// store, broadcast, multiply_add. Nothing inline from std is used here, since the linker could
// then keep the copy that was compiled for the strongest level (one-definition rule).
#include "spmm.inl"

#include "grad_weights.inl"

#include "grad_inputs.inl"
