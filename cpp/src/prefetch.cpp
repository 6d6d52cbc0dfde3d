#include "synaprune/prefetch.hpp"

#include "synaprune/portable.hpp"

namespace synaprune {

void prefetch_to_write(const float* begin, offset_t n) {
  constexpr offset_t line = 64 / sizeof(float);
  for (offset_t k = 0; k < n; k += line) SYNAPRUNE_PREFETCH_WRITE(begin + k);
}

}  // namespace synaprune
