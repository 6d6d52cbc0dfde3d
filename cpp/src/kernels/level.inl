// The kernels at one level: the including file includes, in its own namespace, the vectors they are
// written in. Nothing inline from std is used here, since the linker could then keep the copy that
// was compiled for the strongest level (one-definition rule).
#include "spmm.inl"

#include "lane_sums.inl"

#include "grad_weights.inl"

#include "gather.inl"

#include "exp.inl"

#include "activations.inl"

#include "pointwise.inl"

extern const Kernels table;
const Kernels table{
    SYNAPRUNE_LEVEL, spmm,       spmv,        grad_weights,
    transpose_full,  row_sums,   gather,      add_sums,
    drop_inputs,     all_finite, softmax,     softmax_gradient,
    classify,        sgd_step,   activations, sizeof activations / sizeof *activations};
