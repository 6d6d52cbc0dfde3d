#include "synaprune/inputs.hpp"

#include <algorithm>

#include "synaprune/parallel.hpp"

namespace synaprune {

void gather(const Kernels& kernels, const Samples& samples, offset_t first, index_t size,
            offset_t ahead, const InputView& view, float* tile) {
  const Inputs& X = samples.X;
  const char *rows[max_tile], *soon[max_tile];
  const auto ld = static_cast<index_t>(padded(size));
  for (index_t s = 0; s < ld; ++s) {
    rows[s] = samples[s < size ? first + s : first];
    soon[s] = samples[ahead + s < X.n ? ahead + s : first];
  }
  kernels.gather(X.is_uint8, rows, ahead < X.n ? soon : nullptr, X.row_bytes(), view.columns,
                 view.n_columns, view.shift, view.scale, ld, tile);
}

void come_near(const char* begin, const char* end) {
#if defined(__GNUC__)
  for (; begin < end; begin += 64) __builtin_prefetch(begin, 0, 2);
  __builtin_prefetch(end - 1, 0, 2);
#else
  static_cast<void>(begin);
  static_cast<void>(end);
#endif
}

void gather_one(const Inputs& X, offset_t row, const InputView& view, float* x) {
  const auto read = [&](auto* sample) {
    for (index_t i = 0; i < view.n_columns; ++i) {
      const index_t c = view.columns[i];
      x[i] = (static_cast<float>(sample[c]) - view.shift[c]) * view.scale[c];
    }
  };
  if (X.is_uint8)
    read(reinterpret_cast<const std::uint8_t*>(X.row(row)));
  else
    read(reinterpret_cast<const float*>(X.row(row)));
}

namespace {

// x - x is 0 for finite x and NaN otherwise; a NaN survives the sum.
bool all_finite_here(const float* data, offset_t n) {
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

}  // namespace

bool all_finite(const float* data, offset_t n, int threads) {
  constexpr offset_t worth_a_piece = 1 << 20;
  const auto pieces = static_cast<int>(std::min<offset_t>(threads, n / worth_a_piece + 1));
  Atomic<bool> finite{true};
  parallel_for(threads, pieces, [&](int i) {
    const offset_t first = n * i / pieces, last = n * (i + 1) / pieces;
    if (!all_finite_here(data + first, last - first)) finite = false;
  });
  return finite;
}

}  // namespace synaprune
