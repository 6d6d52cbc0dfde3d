// Any CPU.
#include <cstring>

#include "synaprune/kernels.hpp"
#include "synaprune/portable.hpp"

#define SYNAPRUNE_LEVEL "baseline"

namespace synaprune::baseline {
#include "vec_generic.inl"

#include "level.inl"
}  // namespace synaprune::baseline
