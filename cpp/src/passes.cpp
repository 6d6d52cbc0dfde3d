#include "synaprune/passes.hpp"

namespace synaprune {

void forward_rows(const Kernels& kernels, const BlockedCsr& W, Rows rows, const float* values,
                  const float* bias, Tiles tiles, Range<offset_t> which, const float* X, float* Y) {
  forward_blocks(
      kernels, W, rows, {0, W.n_blocks}, values, bias, tiles, which,
      [&](offset_t t, index_t b) {
        return X + tiles.at(t, W.n_columns) + offset_t{W.first_column(b)} * tiles.width(t);
      },
      [&](offset_t t) { return Target{Y + tiles.at(t, W.n_rows), tiles.width(t)}; });
}

void weight_gradients(const Kernels& kernels, const BlockedCsr& W, index_t block, Rows rows,
                      Tiles tiles, Range<offset_t> which, const float* D, Columns X,
                      bool accumulate, float* g) {
  for (offset_t t = which.first; t < which.last; ++t)
    kernels.grad_weights(rows, tiles.width(t), W.block(block), D + tiles.at(t, W.n_rows),
                         X.at(tiles, t, W.first_column(block)), accumulate || t > which.first, g);
}

void bias_gradients(const Kernels& kernels, index_t n_rows, Rows rows, Tiles tiles, const float* D,
                    bool accumulate, float* dbias) {
  for (offset_t t = 0; t < tiles.count(); ++t) {
    const index_t ld = tiles.width(t);
    const offset_t first = rows.first;
    kernels.row_sums(rows.last - rows.first, ld, D + tiles.at(t, n_rows) + first * ld,
                     accumulate || t > 0, dbias + first);
  }
}

void add(offset_t n, const float* from, float* to) {
  for (offset_t k = 0; k < n; ++k) to[k] += from[k];
}

void transpose_values(const LayerPlan& plan, Rows columns, const float* values,
                      float* transposed_values) {
  const BlockedCsr& Wt = plan.transposed;
  for (index_t b = 0; b < Wt.n_blocks; ++b)
    for (offset_t k = Wt.begin(b)[columns.first]; k < Wt.begin(b)[columns.last]; ++k)
      transposed_values[k] = values[plan.source[k]];
}

void input_gradients(const Kernels& kernels, const LayerPlan& plan, Rows columns,
                     const float* transposed_values, Tiles tiles, Range<offset_t> which,
                     const float* D, float* dX) {
  forward_rows(kernels, plan.transposed, columns, transposed_values, nullptr, tiles, which, D, dX);
}

}  // namespace synaprune
