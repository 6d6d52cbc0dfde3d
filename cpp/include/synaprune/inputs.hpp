// A user's samples, read where they lie, and the gather that turns some of them into a tile.
#pragma once

#include <utility>

#include "synaprune/kernels.hpp"

namespace synaprune {

// n samples of d features, C-ordered, float32 or uint8; borrowed, never written.
struct Inputs {
  const void* data = nullptr;
  bool is_uint8 = false;
  offset_t n = 0;
  offset_t d = 0;

  offset_t offset(offset_t column) const { return column * (is_uint8 ? 1 : sizeof(float)); }
  offset_t row_bytes() const { return offset(d); }
  const char* row(offset_t i) const { return static_cast<const char*>(data) + i * row_bytes(); }
};

// What the network sees of a sample: (x - shift) * scale of some columns.
struct InputView {
  const index_t* columns;  // ascending
  index_t n_columns;
  const float* shift;  // [d], or null if all are 0
  const float* scale;  // [d]
};

// Images of height * width columns, row by row, some of which are moved by up to `pixels` each way
// before the network sees them; what comes in from outside is 0.
struct ImageShift {
  index_t height = 0;
  index_t width = 0;
  index_t pixels = 0;        // 0: no image is moved
  float probability = 0.0f;  // that an image is moved; all moves are equally likely
  std::uint64_t seed = 0;    // of an epoch
  offset_t first = 0;        // of the samples, where they are a part of the epoch
  // Of a data set in shards: of all its rows the number of the first one here. Images then move by
  // their rows, not by their places in the epoch, which depend on how many shards are here.
  offset_t first_row = -1;

  // How far down and to the right an image moves; see Samples::move. Whoever asks gets the same.
  std::pair<index_t, index_t> of(offset_t i) const;
};

// Inputs that are dropped at random, each for one sample and one epoch: they are 0 as the network
// sees them, and the others are divided by 1 - probability, so that sums keep their mean.
struct InputDropout {
  float probability = 0.0f;  // below 1; 0: none is dropped
  std::uint64_t seed = 0;    // of an epoch
};

// Samples of X by position: order[i] for i = first, first + 1, …, or i itself without an order.
struct Samples {
  const Inputs& X;
  const offset_t* order;
  ImageShift shift = {};
  InputDropout dropout = {};

  offset_t position(offset_t i) const { return order ? order[i] : i; }
  // Which of all the moves of an epoch, and of all choices of what is dropped, is sample i's.
  offset_t move(offset_t i) const {
    return shift.first_row < 0 ? shift.first + i : shift.first_row + position(i);
  }
  const char* operator[](offset_t i) const { return X.row(position(i)); }
};

// One tile, feature-major; see kernels/gather.inl.
//   in  size   of the tile, at most max_tile
//       next   the first sample of the tile that is gathered after it, to prefetch; n if none is
//       scratch[max_tile * row_bytes]   to move images in; null if none moves
//   out tile[view.n_columns, padded(size)]   behind the last sample the first one is repeated
// With check, returns whether all numbers of the samples are finite.
bool gather(const Kernels& kernels, const Samples& samples, offset_t first, index_t size,
            offset_t next, const InputView& view, bool check, char* scratch, float* tile);

// One sample: x[view.n_columns].
void gather_one(const Inputs& X, offset_t row, const InputView& view, float* x);

// True if no number is a NaN or an infinity.
bool all_finite(const float* data, offset_t n, int threads = 1);

}  // namespace synaprune
