#include "synaprune/inputs.hpp"

#include <algorithm>

#include "synaprune/parallel.hpp"

namespace synaprune {

bool gather(const Kernels& kernels, const Samples& samples, offset_t first, index_t size,
            offset_t ahead, const InputView& view, bool check, float* tile) {
  const Inputs& X = samples.X;
  const char *rows[max_tile], *soon[max_tile];
  const auto ld = static_cast<index_t>(padded(size));
  for (index_t s = 0; s < ld; ++s) {
    rows[s] = samples[s < size ? first + s : first];
    soon[s] = samples[ahead + s < X.n ? ahead + s : first];
  }
  return kernels.gather(X.is_uint8, rows, ahead < X.n ? soon : nullptr, X.row_bytes(), view.columns,
                        view.n_columns, view.shift, view.scale, ld, check, tile);
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

bool all_finite(const float* data, offset_t n, int threads) {
  constexpr offset_t worth_a_piece = 1 << 20;
  if (threads == 1 || n < worth_a_piece) return kernels().all_finite(data, n);
  const auto pieces = static_cast<int>(std::min<offset_t>(threads, n / worth_a_piece + 1));
  Atomic<bool> finite{true};
  parallel_for(threads, pieces, [&](int i) {
    const offset_t first = n * i / pieces, last = n * (i + 1) / pieces;
    if (!kernels().all_finite(data + first, last - first)) finite = false;
  });
  return finite;
}

}  // namespace synaprune
