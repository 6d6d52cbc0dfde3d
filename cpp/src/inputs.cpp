#include "synaprune/inputs.hpp"

#include <algorithm>
#include <cmath>

namespace synaprune {

namespace {

template <class T>
void gather_as(const T* X, offset_t d, const offset_t* rows, offset_t first, index_t batch,
               const index_t* columns, index_t n_columns, const float* shift, const float* scale,
               index_t ld, float* tile) {
  for (index_t s = 0; s < batch; ++s) {
    const T* x = X + (rows ? rows[s] : first + s) * d;
    float* to = tile + s;
    for (index_t i = 0; i < n_columns; ++i) {
      const index_t c = columns[i];
      to[static_cast<offset_t>(i) * ld] = (static_cast<float>(x[c]) - shift[c]) * scale[c];
    }
  }
}

}  // namespace

void gather(const Inputs& X, const offset_t* rows, offset_t first, index_t batch,
            const index_t* columns, index_t n_columns, const float* shift, const float* scale,
            index_t ld, float* tile) {
  if (X.is_uint8)
    gather_as(static_cast<const std::uint8_t*>(X.data), X.d, rows, first, batch, columns, n_columns,
              shift, scale, ld, tile);
  else
    gather_as(static_cast<const float*>(X.data), X.d, rows, first, batch, columns, n_columns, shift,
              scale, ld, tile);
  for (index_t i = 0; i < n_columns && batch < ld; ++i)
    std::fill(tile + static_cast<offset_t>(i) * ld + batch,
              tile + static_cast<offset_t>(i + 1) * ld, 0.0f);
}

bool all_finite(const float* data, offset_t n) {
  // x - x is 0 for finite x and NaN otherwise; a NaN survives the sum.
  constexpr offset_t block = 4096;
  for (offset_t i = 0; i < n; i += block) {
    const offset_t end = std::min(n, i + block);
    float sum[16] = {};
    offset_t k = i;
    for (; k + 16 <= end; k += 16)
      for (int j = 0; j < 16; ++j) sum[j] += data[k + j] - data[k + j];
    for (; k < end; ++k) sum[0] += data[k] - data[k];
    for (const float s : sum)
      if (!(s == 0.0f)) return false;
  }
  return true;
}

}  // namespace synaprune
