// The sparse kernels: one body each, compiled per instruction-set level, and a naive reference.
//
// All dense arrays are feature-major: row f holds feature f of every sample of the batch, ld floats
// apart, ld a multiple of `lanes`. Columns past the batch are computed too and must be finite.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune {

inline constexpr index_t lanes = 16;  // sums over a batch run in 16 fixed lanes at every level

constexpr index_t padded(index_t batch) { return (batch + lanes - 1) / lanes * lanes; }

// Y = W X + b; see kernels/spmm.inl.
using SpmmFn = void (*)(index_t row0, index_t row1, index_t ld, const offset_t* indptr,
                        const index_t* indices, const float* values, const float* bias,
                        const float* X, float* Y);
// dW = (D Xt) at the synapses of W, db = row sums of D; see kernels/grad_weights.inl.
using GradWeightsFn = void (*)(index_t row0, index_t row1, index_t ld, const offset_t* indptr,
                               const index_t* indices, const float* D, const float* X,
                               float* dvalues, float* dbias);
// dX = Wt D; see kernels/grad_inputs.inl.
using GradInputsFn = void (*)(index_t col0, index_t col1, index_t ld, const offset_t* t_indptr,
                              const index_t* t_row, const offset_t* t_synapse, const float* values,
                              const float* D, float* dX);

struct Kernels {
  const char* isa;
  SpmmFn spmm;
  GradWeightsFn grad_weights;
  GradInputsFn grad_inputs;
};

// Levels that this build has and this machine can run, weakest first.
std::vector<std::string> available_isa();

// Kernels of one level; throws std::invalid_argument for a level that is not available.
const Kernels& kernels_for(const std::string& isa);

// Kernels of the strongest level, or of the one that the environment's SYNAPRUNE_ISA names. The
// choice is made once; an unknown name throws at every call.
const Kernels& kernels();

// Naive double-precision oracles of the three kernels; n columns, row-major, no padding. They are
// for tests and are never made faster.
namespace reference {
void spmm(index_t n_out, index_t n, const offset_t* indptr, const index_t* indices,
          const float* values, const float* bias, const float* X, double* Y);
void grad_weights(index_t n_out, index_t n, const offset_t* indptr, const index_t* indices,
                  const float* D, const float* X, double* dvalues, double* dbias);
void grad_inputs(index_t n_out, index_t n_in, index_t n, const offset_t* indptr,
                 const index_t* indices, const float* values, const float* D, double* dX);
}  // namespace reference

}  // namespace synaprune
