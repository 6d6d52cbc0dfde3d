// The kernels over all blocks of a layer and all tiles of a batch, on ranges that threads can
// share.
#pragma once

#include <algorithm>

#include "synaprune/plan.hpp"
#include "synaprune/tuning.hpp"

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

// Columns [first, first + count) of a dense array, in tiles.
struct Columns {
  const float* data;
  index_t first, count;

  const float* at(Tiles tiles, offset_t t, index_t column) const {
    return data + tiles.at(t, count) + offset_t{column - first} * tiles.width(t);
  }
};

// Rows whose weights stay in the second cache while n_tiles tiles pass by.
inline index_t panel_rows(const BlockedCsr& W, index_t rows, offset_t n_tiles) {
  if (n_tiles == 1 || W.nnz() == 0) return std::max(rows, 1);
  const offset_t panel = tuning::panel_synapses * W.n_rows / W.nnz();
  return static_cast<index_t>(std::clamp<offset_t>(panel, 16, std::max(rows, 16)));
}

// Where a tile of a product goes: rows ld floats apart.
struct Target {
  float* Y;
  offset_t ld;
};

// Y = W X + b for some rows, some blocks and some tiles of W; the first of the blocks overwrites Y
// with bias + sum, bias null being 0, and the others add to it. Values of synapses are in block
// order, here and below.
//   source(t, block)   what the block's columns hold in tile t, [columns, width(t)]
//   target(t)          where tile t goes, a Target
template <class Source, class To>
void forward_blocks(const Kernels& kernels, const BlockedCsr& W, Rows rows, Rows blocks,
                    const float* values, const float* bias, Tiles tiles, Range<offset_t> which,
                    Source&& source, To&& target) {
  const index_t panel = panel_rows(W, rows.last - rows.first, which.last - which.first);
  for (index_t row0 = rows.first; row0 < rows.last; row0 += panel) {
    const Rows some{row0, std::min(rows.last, row0 + panel)};
    for (offset_t t = which.first; t < which.last; ++t) {
      const Target to = target(t);
      for (index_t b = blocks.first; b < blocks.last; ++b) {
        const float* X = source(t, b);
        kernels.spmm(some, tiles.width(t), W.block(b), values + W.begin(b)[row0], X, bias,
                     b > blocks.first, to.ld, to.Y);
      }
    }
  }
}

// The same for all blocks; X [columns], Y [rows] in tiles.
void forward_rows(const Kernels& kernels, const BlockedCsr& W, Rows rows, const float* values,
                  const float* bias, Tiles tiles, Range<offset_t> which, const float* X, float* Y);

// g (+)= D Xt at the synapses of one block of W in some rows, over some tiles.
//   out g[W.count(block, rows)]   accumulate: added to, else overwritten
void weight_gradients(const Kernels& kernels, const BlockedCsr& W, index_t block, Rows rows,
                      Tiles tiles, Range<offset_t> which, const float* D, Columns X,
                      bool accumulate, float* g);

// dbias[row] (+)= sum of D [n_rows] over the batch, for some rows.
void bias_gradients(const Kernels& kernels, index_t n_rows, Rows rows, Tiles tiles, const float* D,
                    bool accumulate, float* dbias);

// to[k] += from[k] for k < n.
void add(offset_t n, const float* from, float* to);

// Floats that input_gradients needs for a piece of the transpose.
offset_t transposed_floats(const LayerPlan& plan);

// dX = Wt D for some columns of W and some tiles. W's values are brought into the order of the
// transpose piece by piece, in piece[transposed_floats(plan)].
void input_gradients(const Kernels& kernels, const LayerPlan& plan, Rows columns,
                     const float* values, Tiles tiles, Range<offset_t> which, const float* D,
                     float* piece, float* dX);

}  // namespace synaprune
