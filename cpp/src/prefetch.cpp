#include "synaprune/prefetch.hpp"

#include <algorithm>

#include "synaprune/portable.hpp"
#include "synaprune/tuning.hpp"

namespace synaprune {

namespace {

constexpr offset_t line = 64;  // bytes

}  // namespace

void Prefetcher::begin(const Samples& samples, offset_t first, offset_t n, const InputView& view,
                       offset_t calls) {
  samples_ = &samples;
  row_ = last_row_ = first;
  if (n <= 0 || view.n_columns == 0) return;
  // What follows gather prefetches itself: of floats the next samples, of bytes the next lines.
  last_row_ = first + (samples.X.is_uint8 ? n : std::min(n, tuning::prefetch_samples));
  first_ = at_ = samples.X.offset(view.columns[0]);
  last_ = samples.X.offset(view.columns[view.n_columns - 1] + 1);
  if (samples.X.is_uint8) last_ = std::min(last_, first_ + tuning::prefetch_bytes);
  at_once_ = (last_row_ - first) * ((last_ - first_) / line + 1) / std::max<offset_t>(calls, 1) + 1;
}

bool Prefetcher::next() {
  if (done()) return false;
  const char* sample = (*samples_)[row_];
  for (offset_t j = 0; j < at_once_; ++j) {
    SYNAPRUNE_PREFETCH_L2(sample + at_);
    at_ += line;
    if (at_ < last_) continue;
    at_ = first_;
    if (++row_ == last_row_) break;
    sample = (*samples_)[row_];
  }
  return true;
}

void prefetch_to_write(const float* begin, offset_t n) {
  constexpr offset_t floats = line / static_cast<offset_t>(sizeof(float));
  for (offset_t k = 0; k < n; k += floats) SYNAPRUNE_PREFETCH_WRITE(begin + k);
}

}  // namespace synaprune
