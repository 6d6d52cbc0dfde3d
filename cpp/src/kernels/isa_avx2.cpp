// AVX2 and FMA; PRFCHW, which does nothing where it lacks.
#include <immintrin.h>

#include <cstring>

#include "synaprune/kernels.hpp"

#define SYNAPRUNE_LEVEL "avx2"

namespace synaprune::avx2 {
#include "vec_avx2.inl"

#include "level.inl"
}  // namespace synaprune::avx2
