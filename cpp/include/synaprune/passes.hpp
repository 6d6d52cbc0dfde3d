// The kernels over all blocks of a layer and all tiles of a batch, on ranges that threads can
// share.
#pragma once

#include <algorithm>

#include "synaprune/kernels.hpp"
#include "synaprune/plan.hpp"

namespace synaprune {

// A batch of n samples as tiles of `step`, a multiple of `lanes` up to `max_tile`, the last one
// narrower. An array of so many features holds tile after tile, each [features, width]: feature f
// of tile t begins at at(t, features) + f * width(t).
struct Tiles {
  offset_t n = 0;
  index_t step = max_tile;

  offset_t count() const { return (n + step - 1) / step; }
  index_t size(offset_t t) const {  // samples
    return static_cast<index_t>(std::min<offset_t>(step, n - t * step));
  }
  index_t width(offset_t t) const { return static_cast<index_t>(padded(size(t))); }
  offset_t floats(offset_t features) const { return features * padded(n); }
  offset_t at(offset_t t, offset_t features) const { return t * step * features; }
};

// [first, last): tiles, rows, columns.
template <class T>
struct Range {
  T first, last;
};

// Columns [first, first + count) of a dense array, in tiles.
struct Columns {
  const float* data;
  index_t first, count;

  const float* at(Tiles tiles, offset_t t, index_t column) const {
    return data + tiles.at(t, count) + offset_t{column - first} * tiles.width(t);
  }
};

// Y = W X + b for some rows of W and some tiles; X [columns], Y [rows] in tiles. Values of synapses
// are in block order, here and below.
void forward_rows(const Kernels& kernels, const BlockedCsr& W, Range<index_t> rows,
                  const float* values, const float* bias, Tiles tiles, Range<offset_t> which,
                  const float* X, float* Y, Ahead* ahead = nullptr);

// g = D Xt at the synapses of one block of W in some rows, over all tiles.
//   out g[W.count(block, rows)]   overwritten
void weight_gradients(const Kernels& kernels, const BlockedCsr& W, index_t block,
                      Range<index_t> rows, Tiles tiles, const float* D, Columns X, float* g,
                      Ahead* ahead = nullptr);

// dbias[row] = sum of D [n_rows] over the batch, for some rows.
void bias_gradients(const Kernels& kernels, index_t n_rows, Range<index_t> rows, Tiles tiles,
                    const float* D, float* dbias);

// transposed_values[nnz] = values in the order of the transpose, for some columns of W.
void transpose_values(const LayerPlan& plan, Range<index_t> columns, const float* values,
                      float* transposed_values);

// dX = Wt D for some columns of W and some tiles.
void input_gradients(const Kernels& kernels, const LayerPlan& plan, Range<index_t> columns,
                     const float* transposed_values, Tiles tiles, Range<offset_t> which,
                     const float* D, float* dX, Ahead* ahead = nullptr);

}  // namespace synaprune
