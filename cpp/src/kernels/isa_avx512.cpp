// AVX-512 (F, VL, DQ, BW).
#include <immintrin.h>

#include <cstring>

#include "synaprune/kernels.hpp"
#include "synaprune/portable.hpp"

#define SYNAPRUNE_LEVEL "avx512"

namespace synaprune::avx512 {
#include "vec_avx512.inl"

#include "level.inl"
}  // namespace synaprune::avx512
