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

namespace {

// How many rows from one on have the same columns without a gap, and stand side by side in a block
// of the product that T is the transpose of.
index_t full_together(const BlockedCsr& T, index_t b, index_t row, index_t last,
                      const std::uint32_t* source) {
  if (T.full.empty()) return 0;
  const index_t full = std::min(T.block(b).full[row], last - row);
  index_t rows = 0;
  while (rows < full && source[T.begin(b)[row + rows]] ==
                            source[T.begin(b)[row]] + static_cast<std::uint32_t>(rows))
    ++rows;
  return rows;
}

// values in the order of T, for some rows of a block of it.
void transpose_values(const Kernels& kernels, const LayerPlan& plan, index_t b, Rows rows,
                      const float* values, float* transposed) {
  const BlockedCsr& T = plan.transposed;
  const std::uint32_t* source = plan.source.data() + T.begin(b)[rows.first];
  for (index_t row = rows.first; row < rows.last;) {
    const offset_t n = T.count(b, row, row + 1);
    const index_t full = n < lanes ? 0 : full_together(T, b, row, rows.last, plan.source.data());
    const bool together = full >= 4;
    if (together)
      kernels.transpose_full(full, n, values, source, transposed);
    else
      for (offset_t i = 0; i < n; ++i) transposed[i] = values[source[i]];
    const index_t done = together ? full : 1;
    row += done;
    source += done * n;
    transposed += done * n;
  }
}

}  // namespace

offset_t transposed_floats(const LayerPlan& plan) {
  const BlockedCsr& T = plan.transposed;
  offset_t longest = 0;
  for (index_t b = 0; b < T.n_blocks; ++b)
    for (index_t r = 0; r < T.n_rows; ++r) longest = std::max(longest, T.count(b, r, r + 1));
  return std::max(longest, std::min(T.nnz(), tuning::transposed_piece));
}

void input_gradients(const Kernels& kernels, const LayerPlan& plan, Rows columns,
                     const float* values, Tiles tiles, Range<offset_t> which, const float* D,
                     float* piece, float* dX) {
  const BlockedCsr& T = plan.transposed;
  for (index_t b = 0; b < T.n_blocks; ++b)
    for (index_t row = columns.first; row < columns.last;) {
      const Rows some{row, T.last_of_piece(b, row, columns.last, tuning::transposed_piece)};
      transpose_values(kernels, plan, b, some, values, piece);
      for (offset_t t = which.first; t < which.last; ++t)
        kernels.spmm(some, tiles.width(t), T.block(b), piece,
                     D + tiles.at(t, T.n_columns) + offset_t{T.first_column(b)} * tiles.width(t),
                     nullptr, b > 0, tiles.width(t), dX + tiles.at(t, T.n_rows));
      row = some.last;
    }
}

}  // namespace synaprune
