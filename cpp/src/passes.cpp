#include "synaprune/passes.hpp"

namespace synaprune {

namespace {

// Rows whose weights stay in the second cache while several tiles pass by.
index_t rows_a_panel(const BlockedCsr& W, index_t rows, offset_t n_tiles) {
  constexpr offset_t near_synapses = 1 << 17;  // of 6 bytes each
  if (n_tiles == 1 || W.nnz() == 0) return std::max(rows, 1);
  const offset_t panel = near_synapses * W.n_rows / W.nnz();
  return static_cast<index_t>(std::clamp<offset_t>(panel, 16, std::max(rows, 16)));
}

}  // namespace

void forward_rows(const Kernels& kernels, const BlockedCsr& W, Range<index_t> rows,
                  const float* values, const float* bias, Tiles tiles, Range<offset_t> which,
                  const float* X, float* Y, Ahead* ahead) {
  const index_t panel = rows_a_panel(W, rows.last - rows.first, which.last - which.first);
  for (index_t row0 = rows.first; row0 < rows.last; row0 += panel) {
    const index_t row1 = std::min(rows.last, row0 + panel);
    for (offset_t t = which.first; t < which.last; ++t)
      for (index_t b = 0; b < W.n_blocks; ++b) {
        const index_t ld = tiles.width(t);
        const offset_t column = W.first_column(b);
        kernels.spmm(row0, row1, ld, W.begin(b), W.end(b), W.local.data(), values,
                     X + tiles.at(t, W.n_columns) + column * ld, bias, b > 0, ld,
                     Y + tiles.at(t, W.n_rows), ahead);
      }
  }
}

void weight_gradients(const Kernels& kernels, const BlockedCsr& W, index_t block,
                      Range<index_t> rows, Tiles tiles, const float* D, Columns X, float* g,
                      Ahead* ahead) {
  for (offset_t t = 0; t < tiles.count(); ++t) {
    const index_t ld = tiles.width(t);
    kernels.grad_weights(rows.first, rows.last, ld, W.begin(block), W.end(block), W.local.data(),
                         D + tiles.at(t, W.n_rows), X.at(tiles, t, W.first_column(block)), t > 0, g,
                         ahead);
  }
}

void bias_gradients(const Kernels& kernels, index_t n_rows, Range<index_t> rows, Tiles tiles,
                    const float* D, float* dbias) {
  for (offset_t t = 0; t < tiles.count(); ++t) {
    const index_t ld = tiles.width(t);
    const offset_t first = rows.first;
    kernels.row_sums(rows.last - rows.first, ld, D + tiles.at(t, n_rows) + first * ld, t > 0,
                     dbias + first);
  }
}

void transpose_values(const LayerPlan& plan, Range<index_t> columns, const float* values,
                      float* transposed_values) {
  const BlockedCsr& Wt = plan.transposed;
  for (index_t b = 0; b < Wt.n_blocks; ++b)
    for (offset_t k = Wt.begin(b)[columns.first]; k < Wt.begin(b)[columns.last]; ++k)
      transposed_values[k] = values[plan.source[k]];
}

void input_gradients(const Kernels& kernels, const LayerPlan& plan, Range<index_t> columns,
                     const float* transposed_values, Tiles tiles, Range<offset_t> which,
                     const float* D, float* dX, Ahead* ahead) {
  forward_rows(kernels, plan.transposed, columns, transposed_values, nullptr, tiles, which, D, dX,
               ahead);
}

}  // namespace synaprune
