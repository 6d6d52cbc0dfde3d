// The naive oracle: the kernels' equations in double precision, one obvious loop each.
#include "synaprune/kernels.hpp"

namespace synaprune::reference {

void spmm(index_t n_out, index_t n, const offset_t* indptr, const index_t* indices,
          const float* values, const float* bias, const float* X, double* Y) {
  for (offset_t r = 0; r < n_out; ++r)
    for (offset_t s = 0; s < n; ++s) {
      double sum = bias[r];
      for (offset_t k = indptr[r]; k < indptr[r + 1]; ++k)
        sum += static_cast<double>(values[k]) * X[static_cast<offset_t>(indices[k]) * n + s];
      Y[r * n + s] = sum;
    }
}

void grad_weights(index_t n_out, index_t n, const offset_t* indptr, const index_t* indices,
                  const float* D, const float* X, double* dvalues, double* dbias) {
  for (offset_t r = 0; r < n_out; ++r) {
    dbias[r] = 0.0;
    for (offset_t s = 0; s < n; ++s) dbias[r] += D[r * n + s];
    for (offset_t k = indptr[r]; k < indptr[r + 1]; ++k) {
      dvalues[k] = 0.0;
      for (offset_t s = 0; s < n; ++s)
        dvalues[k] +=
            static_cast<double>(D[r * n + s]) * X[static_cast<offset_t>(indices[k]) * n + s];
    }
  }
}

void grad_inputs(index_t n_out, index_t n_in, index_t n, const offset_t* indptr,
                 const index_t* indices, const float* values, const float* D, double* dX) {
  for (offset_t i = 0; i < static_cast<offset_t>(n_in) * n; ++i) dX[i] = 0.0;
  for (offset_t r = 0; r < n_out; ++r)
    for (offset_t k = indptr[r]; k < indptr[r + 1]; ++k)
      for (offset_t s = 0; s < n; ++s)
        dX[static_cast<offset_t>(indices[k]) * n + s] +=
            static_cast<double>(values[k]) * D[r * n + s];
}

}  // namespace synaprune::reference
