// The beginnings of samples that will be read soon, asked for beside the kernels.
#pragma once

#include "synaprune/inputs.hpp"

namespace synaprune {

// Asks for the cache lines of samples a few at a time: many at once would stall what is computed.
class alignas(128) Prefetcher {
 public:
  // For samples first .. first + n and the columns of a view; next() will be called so many times.
  void begin(const Samples& samples, offset_t first, offset_t n, const InputView& view,
             offset_t calls);
  // Asks for the next lines; returns false if there are none left.
  bool next();
  bool done() const { return row_ == last_row_; }

 private:
  const Samples* samples_ = nullptr;
  offset_t row_ = 0, last_row_ = 0;  // samples, by position in the order
  offset_t first_ = 0, last_ = 0;    // bytes of a sample
  offset_t at_ = 0;                  // the next byte
  offset_t at_once_ = 0;             // lines a call
};

// Asks for n floats that will be overwritten; worth it where another core has read them.
void prefetch_to_write(const float* begin, offset_t n);

}  // namespace synaprune
