// The sparse kernels: one body each, compiled per instruction-set level, and a naive reference.
//
// Samples pass through in tiles: up to `max_tile` of them side by side, `lanes` at least, so that a
// dense array is [features, ld], ld the tile's width. What is behind the last sample is computed
// too and must be finite where it is summed over. Columns of W come in blocks, see BlockedCsr.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune {

inline constexpr index_t lanes = 16;  // sums over a tile run in 16 fixed lanes at every level
inline constexpr index_t max_tile = 64;

constexpr offset_t padded(offset_t n) { return (n + lanes - 1) / lanes * lanes; }

using Rows = Range<index_t>;

// Fewer full rows than these are computed one by one, see Block.
inline constexpr index_t few_full_rows = 3;
// Nor are rows with more columns than these full.
inline constexpr index_t most_full_columns = 4096;

// One block of a BlockedCsr: row r's synapses are begin[r] .. end[r], synapse k comes from column
// local[k] of the block. From row r on full[r] rows have the same columns, first to last without a
// gap (0 if row r has one or few synapses); null if there are nowhere `few_full_rows` of them.
struct Block {
  const offset_t* begin;
  const offset_t* end;
  const std::uint16_t* local;
  const index_t* full;
};

// Y (+)= W X for one block of W; see kernels/spmm.inl.
using SpmmFn = void (*)(Rows rows, index_t ld, Block W, const float* values, const float* X,
                        const float* bias, bool accumulate, offset_t y_ld, float* Y);
// The same for one sample; see kernels/spmm.inl.
using SpmvFn = void (*)(Rows rows, Block W, const float* values, const float* X, const float* bias,
                        bool accumulate, float* Y);
// g (+)= (D Xt) at the synapses of one block of W; see kernels/grad_weights.inl.
using GradWeightsFn = void (*)(Rows rows, index_t ld, Block W, const float* D, const float* X,
                               bool accumulate, float* g);
// Columns of full rows as rows; see kernels/full_rows.inl.
using TransposeFullFn = void (*)(offset_t n_columns, offset_t n, const float* from,
                                 const std::uint32_t* place, float* to);
// sums (+)= row sums of D; see kernels/lane_sums.inl.
using RowSumsFn = void (*)(index_t n_rows, index_t ld, const float* D, bool accumulate,
                           float* sums);
// Samples into a tile; see kernels/gather.inl.
using GatherFn = bool (*)(bool bytes, const char* const* rows, const char* const* soon,
                          index_t n_soon, offset_t row_bytes, const index_t* columns,
                          index_t n_columns, const float* shift, const float* scale, index_t ld,
                          bool check, float* tile);

// Element by element; see kernels/pointwise.inl.
using AddSumsFn = void (*)(index_t n_rows, index_t ld, const float* bias, const float* const* parts,
                           index_t n_parts, float* Y);
using DropInputsFn = void (*)(index_t n_columns, index_t ld, const index_t* columns,
                              const std::uint32_t* keys, std::uint32_t below, float scale,
                              float* tile);
using AllFiniteFn = bool (*)(const float* data, offset_t n);
using SoftmaxFn = void (*)(index_t n_out, index_t ld, float* Z, float* largest, float* sum);
using SoftmaxGradientFn = void (*)(index_t n_out, index_t batch, index_t ld, const index_t* labels,
                                   float mean, const float* sum, float* Z);
using ClassifyFn = void (*)(index_t n_out, index_t ld, const float* Z, index_t* best);
using SgdStepFn = void (*)(offset_t n, float lr, float momentum, float decay, float l1,
                           const float* g, float* w, float* m);

// An activation function; see kernels/activations.inl, which holds the table of them.
struct ActivationKernel {
  const char* name;
  bool needs_sums;                        // whether `backward` reads z
  void (*forward)(offset_t n, float* y);  // in place: y = f(y)
  // d *= f'(z), written in terms of y = f(z) where that will do, and of z.
  void (*backward)(offset_t n, const float* z, const float* y, float* d);
};
// The position of one in the table.
enum class Activation : int {};

struct Kernels {
  const char* isa;
  SpmmFn spmm;
  SpmvFn spmv;
  GradWeightsFn grad_weights;
  TransposeFullFn transpose_full;
  RowSumsFn row_sums;
  GatherFn gather;
  AddSumsFn add_sums;
  DropInputsFn drop_inputs;
  AllFiniteFn all_finite;
  SoftmaxFn softmax;
  SoftmaxGradientFn softmax_gradient;
  ClassifyFn classify;
  SgdStepFn sgd_step;
  const ActivationKernel* activations;
  int n_activations;

  const ActivationKernel& activation(Activation a) const {
    return activations[static_cast<int>(a)];
  }
};

// Names of the activations, and the one of a name; throws std::invalid_argument if there is none.
std::vector<std::string> activation_names();
Activation parse_activation(const std::string& name);

// Levels that this build has and this machine can run, weakest first.
std::vector<std::string> available_isa();

// Kernels of one level; throws std::invalid_argument for a level that is not available.
const Kernels& kernels_for(const std::string& isa);

// The kernels in use: those that set_isa last chose; before that, those of the strongest level, or
// of the one that the environment's SYNAPRUNE_ISA names (an unknown name throws at every call).
const Kernels& kernels();

// Chooses the level for all calls that begin from now on, "" what it was at the start.
void set_isa(const std::string& isa);

// exp, tanh and sigmoid as all levels compute them; see kernels/exp.inl.
float exp_f(float x);
float tanh_f(float x);
float sigmoid_f(float x);

// Naive double-precision oracles: the whole product at once, n columns, row-major, no padding.
// They are for tests and are never made faster.
namespace reference {
void spmm(index_t n_out, index_t n, const offset_t* indptr, const index_t* indices,
          const float* values, const float* bias, const float* X, double* Y);
void grad_weights(index_t n_out, index_t n, const offset_t* indptr, const index_t* indices,
                  const float* D, const float* X, double* dvalues, double* dbias);
void grad_inputs(index_t n_out, index_t n_in, index_t n, const offset_t* indptr,
                 const index_t* indices, const float* values, const float* D, double* dX);
}  // namespace reference

}  // namespace synaprune
