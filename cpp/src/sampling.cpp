#include "synaprune/sampling.hpp"

#include <algorithm>
#include <numeric>

namespace synaprune {

namespace {

constexpr std::uint64_t per_bucket = 32;

// Appends n numbers of [0, of), ascending, drawn independently. They are drawn twice, to be counted
// by buckets first, so that no second array is needed.
void append_draws(std::uint64_t n, std::uint64_t of, Rng& rng, Positions& to) {
  const std::uint64_t width = of / (n / per_bucket + 1) + 1;
  std::vector<std::uint64_t> next(of / width + 2, 0);
  Rng again = rng;
  for (std::uint64_t i = 0; i < n; ++i) ++next[rng.below_any(of) / width + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  const std::size_t before = to.size();
  to.resize(before + n);
  std::uint64_t* const first = to.data() + before;
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t drawn = again.below_any(of);
    first[next[drawn / width]++] = drawn;
  }
  std::uint64_t begin = 0;
  for (const std::uint64_t end : next) {  // where each bucket began, by now
    std::sort(first + begin, first + end);
    begin = end;
  }
}

// Moves single numbers from lines with several to lines with none; there are as many numbers as
// lines, or more. line(number) is in [0, n_lines), moved(number, line) what it is there. A walk by
// golden steps visits all numbers, neighbours far apart.
template <class Line, class Moved>
bool fill_empty_lines(index_t n_lines, Line&& line, Moved&& moved, Positions& numbers, Rng& rng) {
  const std::uint64_t n = numbers.size();
  std::vector<std::uint64_t> counts(n_lines, 0);
  for (const std::uint64_t number : numbers) ++counts[line(number)];
  if (n < static_cast<std::uint64_t>(n_lines) ||
      std::find(counts.begin(), counts.end(), 0) == counts.end())
    return false;
  auto step = static_cast<std::uint64_t>(0.6180339887498949 * static_cast<double>(n)) + 1;
  while (std::gcd(step, n) != 1) ++step;
  std::uint64_t k = rng.below_any(n);
  for (index_t empty = 0; empty < n_lines; ++empty) {
    if (counts[empty] > 0) continue;
    while (counts[line(numbers[k])] < 2) k = (k + step) % n;
    --counts[line(numbers[k])];
    numbers[k] = moved(numbers[k], empty);
    ++counts[empty];
  }
  return true;
}

}  // namespace

Positions sample(std::uint64_t n, std::uint64_t of, Rng& rng) {
  Positions chosen;
  if (n > of / 2) {  // what is left out is less
    const Positions others = sample(of - n, of, rng);
    chosen.reserve(n);
    auto other = others.begin();
    for (std::uint64_t i = 0; i < of; ++i)
      if (other != others.end() && *other == i)
        ++other;
      else
        chosen.push_back(i);
    return chosen;
  }
  chosen.reserve(n);
  while (chosen.size() < n) {  // again for those that were drawn before
    const auto before = static_cast<std::ptrdiff_t>(chosen.size());
    append_draws(n - chosen.size(), of, rng, chosen);
    std::inplace_merge(chosen.begin(), chosen.begin() + before, chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  }
  return chosen;
}

std::uint64_t count_absent(const Pattern& layer) {
  return static_cast<std::uint64_t>(layer.n_in) * static_cast<std::uint64_t>(layer.n_out) -
         layer.indices.size();
}

Positions sample_absent(const Pattern& layer, std::uint64_t n, Rng& rng) {
  Positions positions = sample(n, count_absent(layer), rng);  // their ranks among the absent ones
  const auto n_in = static_cast<std::uint64_t>(layer.n_in);
  auto position = positions.begin();
  std::uint64_t present = 0;
  for (index_t r = 0; r < layer.n_out && position != positions.end(); ++r)
    for (offset_t k = layer.indptr[r]; k <= layer.indptr[r + 1]; ++k) {
      // Up to the next synapse, or to the row's end.
      const std::uint64_t row = static_cast<std::uint64_t>(r) * n_in;
      const bool at_end = k == layer.indptr[r + 1];
      const std::uint64_t until =
          row + (at_end ? n_in : static_cast<std::uint64_t>(layer.indices[k]));
      for (; position != positions.end() && *position + present < until; ++position)
        *position += present;
      present += !at_end;
    }
  return positions;
}

Pattern random_pattern(index_t n_in, index_t n_out, offset_t n, Rng& rng) {
  const auto width = static_cast<std::uint64_t>(n_in);
  Positions positions =
      sample(static_cast<std::uint64_t>(n), width * static_cast<std::uint64_t>(n_out), rng);
  const auto row = [&](std::uint64_t p) { return p / width; };
  const auto column = [&](std::uint64_t p) { return p % width; };
  bool moved = fill_empty_lines(
      n_out, row,
      [&](std::uint64_t p, index_t r) { return static_cast<std::uint64_t>(r) * width + p % width; },
      positions, rng);
  moved |= fill_empty_lines(
      n_in, column,
      [&](std::uint64_t p, index_t c) { return p - p % width + static_cast<std::uint64_t>(c); },
      positions, rng);
  if (moved) std::sort(positions.begin(), positions.end());
  Pattern layer;
  layer.n_in = n_in;
  layer.n_out = n_out;
  layer.indptr.assign(static_cast<std::size_t>(n_out) + 1, 0);
  layer.indices.reserve(positions.size());
  for (const std::uint64_t p : positions) {
    ++layer.indptr[row(p) + 1];
    layer.indices.push_back(static_cast<index_t>(column(p)));
  }
  std::partial_sum(layer.indptr.begin(), layer.indptr.end(), layer.indptr.begin());
  return layer;
}

}  // namespace synaprune
