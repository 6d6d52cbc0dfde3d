#include "synaprune/inputs.hpp"

#include <algorithm>
#include <cstring>

#include "synaprune/parallel.hpp"

namespace synaprune {

std::pair<index_t, index_t> ImageShift::of(offset_t i) const {
  if (pixels == 0) return {0, 0};
  Rng rng{seed + static_cast<std::uint64_t>(i) * 0xD1B54A32D192ED03ULL};
  if (rng.uniform() >= probability) return {0, 0};
  const auto side = static_cast<std::uint64_t>(2 * pixels + 1), middle = side * side / 2;
  const std::uint64_t place = rng.below(side * side - 1);
  const auto move = static_cast<index_t>(place < middle ? place : place + 1);  // never (0, 0)
  const auto n = static_cast<index_t>(side);
  return {move / n - pixels, move % n - pixels};
}

namespace {

// Columns [first, last) of an image that moves `down` and `right`, into `to` at the same places.
template <class T>
void move_image(const T* from, const ImageShift& image, index_t down, index_t right, offset_t first,
                offset_t last, T* to) {
  const offset_t width = image.width, size = image.height * width, by = down * width + right;
  const offset_t begin = std::clamp(by, first, last), end = std::clamp(size + by, begin, last);
  std::fill(to + first, to + begin, T{0});
  if (begin < end) std::memcpy(to + begin, from + begin - by, (end - begin) * sizeof(T));
  std::fill(to + end, to + last, T{0});
  // What came in from the neighbouring rows.
  for (offset_t row = first / width * width; right != 0 && row < last; row += width) {
    const offset_t edge = right > 0 ? row : row + width + right;
    std::fill(to + std::clamp(edge, first, last),
              to + std::clamp(edge + std::abs(right), first, last), T{0});
  }
}

// Where sample i of an epoch is to be read: itself, or a moved copy in row s of scratch whose
// columns from the view's first to its last are set.
const char* moved(const Samples& samples, offset_t i, const InputView& view, index_t s,
                  char* scratch) {
  const char* row = samples[i];
  const auto [down, right] = samples.shift.of(samples.move(i));
  if ((down == 0 && right == 0) || view.n_columns == 0) return row;
  scratch += s * samples.X.row_bytes();
  const offset_t first = view.columns[0], last = offset_t{view.columns[view.n_columns - 1]} + 1;
  if (samples.X.is_uint8)
    move_image(reinterpret_cast<const std::uint8_t*>(row), samples.shift, down, right, first, last,
               reinterpret_cast<std::uint8_t*>(scratch));
  else
    move_image(reinterpret_cast<const float*>(row), samples.shift, down, right, first, last,
               reinterpret_cast<float*>(scratch));
  return scratch;
}

// Drops inputs of sample i and those after it. Whoever asks gets the same.
void drop(const Kernels& kernels, const Samples& samples, offset_t i, index_t size,
          const InputView& view, float* tile) {
  const InputDropout& dropout = samples.dropout;
  std::uint32_t keys[max_tile] = {};
  for (index_t s = 0; s < size; ++s) {
    Rng rng{dropout.seed + static_cast<std::uint64_t>(samples.move(i + s)) * 0xD1B54A32D192ED03ULL};
    keys[s] = static_cast<std::uint32_t>(rng.next() >> 32);
  }
  kernels.drop_inputs(view.n_columns, static_cast<index_t>(padded(size)), view.columns, keys,
                      static_cast<std::uint32_t>(dropout.probability * 0x1p31f),
                      1.0f / (1.0f - dropout.probability), tile);
}

}  // namespace

bool gather(const Kernels& kernels, const Samples& samples, offset_t first, index_t size,
            offset_t next, const InputView& view, bool check, char* scratch, float* tile) {
  const char *rows[max_tile], *soon[max_tile];
  const auto ld = static_cast<index_t>(padded(size));
  const auto n_soon = static_cast<index_t>(std::min<offset_t>(size, samples.X.n - next));
  for (index_t s = 0; s < n_soon; ++s) soon[s] = samples[next + s];
  for (index_t s = 0; s < size; ++s)
    rows[s] = scratch ? moved(samples, first + s, view, s, scratch) : samples[first + s];
  std::fill(rows + size, rows + ld, rows[0]);
  const bool finite =
      kernels.gather(samples.X.is_uint8, rows, soon, n_soon, samples.X.row_bytes(), view.columns,
                     view.n_columns, view.shift, view.scale, ld, check, tile);
  if (samples.dropout.probability > 0.0f) drop(kernels, samples, first, size, view, tile);
  return finite;
}

void gather_one(const Inputs& X, offset_t row, const InputView& view, float* x) {
  const auto read = [&](auto* sample) {
    for (index_t i = 0; i < view.n_columns; ++i) x[i] = static_cast<float>(sample[view.columns[i]]);
    for (index_t i = 0; i < view.n_columns && view.shift; ++i) x[i] -= view.shift[view.columns[i]];
    for (index_t i = 0; i < view.n_columns; ++i) x[i] *= view.scale[view.columns[i]];
  };
  if (X.is_uint8)
    read(reinterpret_cast<const std::uint8_t*>(X.row(row)));
  else
    read(reinterpret_cast<const float*>(X.row(row)));
}

bool all_finite(const float* data, offset_t n, int threads) {
  const auto pieces = std::min<offset_t>(threads, n / tuning::worth_a_piece + 1);
  if (pieces <= 1) return kernels().all_finite(data, n);
  Team team(static_cast<int>(pieces));
  Atomic<bool> finite{true};
  team.run([&](int) {
    for (offset_t i; (i = team.next_ticket()) < pieces && finite;) {
      const offset_t first = n * i / pieces, last = n * (i + 1) / pieces;
      if (!kernels().all_finite(data + first, last - first)) finite = false;
    }
  });
  return finite;
}

}  // namespace synaprune
