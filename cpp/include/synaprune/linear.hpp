// One sparse matrix on its own, applied to dense arrays in the usual row-major order.
#pragma once

#include "synaprune/passes.hpp"

namespace synaprune {

// Y = W X + b and its gradients. Dense arrays are [features, n], C-ordered, n samples side by side.
// Never changed once it is made: many threads may call it, each with a workspace of its own.
class Linear {
 public:
  // Memory that is kept between calls, to save allocations.
  struct Workspace {
    Buffer below, d_below, d_above, d_values;
    std::vector<Buffer> block, tile, piece;  // per thread
  };

  // Throws std::invalid_argument unless W is canonical CSR with one value a synapse.
  Linear(index_t n_in, const std::vector<offset_t>& indptr, const std::vector<index_t>& indices,
         const std::vector<float>& values, std::vector<float> bias);

  index_t n_in() const { return plan_.weights.n_columns; }
  index_t n_out() const { return plan_.weights.n_rows; }
  offset_t nnz() const { return plan_.weights.nnz(); }

  // Y[n_out, n], overwritten; must not overlap X.
  void forward(const Kernels& kernels, const float* X, offset_t n, int threads, Workspace& work,
               float* Y) const;
  // dvalues[nnz], dbias[n_out], dX[n_in, n] of a loss whose gradient by Y is D[n_out, n]; all
  // overwritten.
  void backward(const Kernels& kernels, const float* X, const float* D, offset_t n, int threads,
                Workspace& work, float* dvalues, float* dbias, float* dX) const;

 private:
  int threads_worth(offset_t n, int threads) const;
  void forward_tile(const Kernels& kernels, const float* X, Tiles tiles, offset_t t, Rows rows,
                    Buffer& block, Buffer& tile, float* Y) const;

  LayerPlan plan_;
  Buffer values_;  // in block order
  std::vector<float> bias_;
};

}  // namespace synaprune
