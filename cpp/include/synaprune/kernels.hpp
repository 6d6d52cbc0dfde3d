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

// Samples that will be read soon, of which bytes [first, last) are asked for a few lines at a time:
// many at once would stall what is computed. Those from row `beside` on are asked for by kernels on
// their way, after each row of synapses; see look_ahead.
struct alignas(128) Ahead {
  const char* const* rows = nullptr;  // [n_rows]
  offset_t n_rows = 0, beside = 0;
  offset_t first = 0, last = 0;
  offset_t at_once = 0;      // lines that a kernel asks for
  offset_t row = 0, at = 0;  // the next ones: from byte `at` of a row on

  bool done() const { return row == n_rows; }
};
// Asks for the next lines, if there are any.
using AskFn = void (*)(Ahead* ahead);
// Asks for n floats that will be overwritten; worth it where another core has read them.
using WillWriteFn = void (*)(const float* begin, offset_t n);

// Y (+)= W X for one block of W; see kernels/spmm.inl.
using SpmmFn = void (*)(index_t row0, index_t row1, index_t ld, const offset_t* begin,
                        const offset_t* end, const std::uint16_t* local, const float* values,
                        const float* X, const float* bias, bool accumulate, offset_t y_ld, float* Y,
                        Ahead* ahead);
// The same for one sample; see kernels/spmm.inl.
using SpmvFn = void (*)(index_t row0, index_t row1, const offset_t* begin, const offset_t* end,
                        const std::uint16_t* local, const float* values, const float* X,
                        const float* bias, bool accumulate, float* Y);
// g (+)= (D Xt) at the synapses of one block of W; see kernels/grad_weights.inl.
using GradWeightsFn = void (*)(index_t row0, index_t row1, index_t ld, const offset_t* begin,
                               const offset_t* end, const std::uint16_t* local, const float* D,
                               const float* X, bool accumulate, float* g, Ahead* ahead);
// sums (+)= row sums of D; see kernels/lane_sums.inl.
using RowSumsFn = void (*)(index_t n_rows, index_t ld, const float* D, bool accumulate,
                           float* sums);
// Samples into a tile; see kernels/gather.inl.
using GatherFn = bool (*)(bool bytes, const char* const* rows, offset_t row_bytes,
                          const index_t* columns, index_t n_columns, const float* shift,
                          const float* scale, index_t ld, bool check, const char* const* soon,
                          index_t n_soon, float* tile);

// Element by element; see kernels/pointwise.inl.
using AddSumsFn = void (*)(index_t n_rows, index_t ld, const float* bias, const float* A,
                           const float* B, float* Y);
using AllFiniteFn = bool (*)(const float* data, offset_t n);
using ActivateFn = void (*)(Activation activation, offset_t n, float* y);
using ActivateBackwardFn = void (*)(Activation activation, offset_t n, const float* y, float* d);
using SoftmaxFn = void (*)(index_t n_out, index_t ld, float* Z, float* largest, float* sum);
using SoftmaxDeltaFn = void (*)(index_t n_out, index_t batch, index_t ld, const index_t* labels,
                                float mean, const float* sum, float* Z);
using ClassifyFn = void (*)(index_t n_out, index_t ld, const float* Z, index_t* best);
using DescendFn = void (*)(offset_t n, float lr, float momentum, float decay, float l1,
                           const float* g, float* w, float* m);

struct Kernels {
  const char* isa;
  SpmmFn spmm;
  SpmvFn spmv;
  GradWeightsFn grad_weights;
  RowSumsFn row_sums;
  GatherFn gather;
  AskFn ask;
  WillWriteFn will_write;
  AddSumsFn add_sums;
  AllFiniteFn all_finite;
  ActivateFn activate;
  ActivateBackwardFn activate_backward;
  SoftmaxFn softmax;
  SoftmaxDeltaFn softmax_delta;
  ClassifyFn classify;
  DescendFn descend;
};

// Levels that this build has and this machine can run, weakest first.
std::vector<std::string> available_isa();

// Kernels of one level; throws std::invalid_argument for a level that is not available.
const Kernels& kernels_for(const std::string& isa);

// The kernels in use: those that set_isa last chose; before that, those of the strongest level, or
// of the one that the environment's SYNAPRUNE_ISA names (an unknown name throws at every call).
const Kernels& kernels();

// Chooses the level for all calls that begin from now on, "" what it was at the start.
void set_isa(const std::string& isa);

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
