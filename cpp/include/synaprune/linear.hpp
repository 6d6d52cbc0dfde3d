// One sparse matrix on its own, applied to dense arrays in the usual row-major order.
#pragma once

#include "synaprune/passes.hpp"

namespace synaprune {

// Y = W X + b and its gradients. Dense arrays are [features, n], C-ordered, n samples side by side.
// Scratch memory is kept between calls, so that one object serves one call at a time.
class Linear {
 public:
  // Throws std::invalid_argument unless W is canonical CSR with one value a synapse.
  Linear(index_t n_in, std::vector<offset_t> indptr, std::vector<index_t> indices,
         std::vector<float> values, std::vector<float> bias);

  index_t n_in() const { return plan_.weights.n_columns; }
  index_t n_out() const { return plan_.weights.n_rows; }
  offset_t nnz() const { return plan_.weights.nnz(); }

  // Y[n_out, n], overwritten.
  void forward(const Kernels& kernels, const float* X, offset_t n, int threads, float* Y);
  // dvalues[nnz], dbias[n_out], dX[n_in, n] of a loss whose gradient by Y is D[n_out, n]; all
  // overwritten.
  void backward(const Kernels& kernels, const float* X, const float* D, offset_t n, int threads,
                float* dvalues, float* dbias, float* dX);

 private:
  struct Scratch {
    Buffer block, above;
  };

  int threads_worth(offset_t n, int threads) const;
  void forward_tile(const Kernels& kernels, const float* X, Tiles tiles, offset_t t,
                    Range<index_t> rows, Scratch& scratch, float* Y);

  LayerPlan plan_;
  std::vector<float> values_, bias_;  // values in block order
  // What is kept between calls to save allocations:
  Buffer below_, d_below_, d_above_, transposed_values_, d_values_;
  std::vector<Scratch> scratch_;  // per thread
};

}  // namespace synaprune
