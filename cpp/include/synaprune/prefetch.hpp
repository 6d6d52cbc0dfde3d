// Prefetching for writes; what is read next, gather prefetches.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune {

// Asks for n floats that will be overwritten; worth it where another core has read them.
void prefetch_to_write(const float* begin, offset_t n);

}  // namespace synaprune
