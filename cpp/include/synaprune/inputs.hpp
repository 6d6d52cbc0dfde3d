// A user's samples, read where they lie, and the gather that turns some of them into a tile.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune {

// n samples of d features, C-ordered, float32 or uint8; borrowed, never written.
struct Inputs {
  const void* data = nullptr;
  bool is_uint8 = false;
  offset_t n = 0;
  offset_t d = 0;
};

// tile[i, s] = (X[row(s), columns[i]] - shift[columns[i]]) * scale[columns[i]], feature-major.
//   in  rows[batch] or null for rows first .. first + batch; columns[n_columns]
//   in  shift[d], scale[d]
//   out tile[n_columns, ld]   columns batch .. ld are zeroed
void gather(const Inputs& X, const offset_t* rows, offset_t first, index_t batch,
            const index_t* columns, index_t n_columns, const float* shift, const float* scale,
            index_t ld, float* tile);

// True if no sample holds a NaN or an infinity.
bool all_finite(const float* data, offset_t n);

}  // namespace synaprune
