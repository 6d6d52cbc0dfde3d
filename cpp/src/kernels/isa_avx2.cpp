// AVX2 and FMA.
#include <immintrin.h>

#include <cstring>

#include "synaprune/kernels.hpp"
#include "synaprune/portable.hpp"

#define SYNAPRUNE_LEVEL "avx2"

namespace synaprune::avx2 {
#include "vec_avx2.inl"

#include "level.inl"
}  // namespace synaprune::avx2
