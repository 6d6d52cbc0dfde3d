// AVX2 and FMA: eight floats side by side.
#include <immintrin.h>

#include "synaprune/kernels.hpp"

namespace synaprune::avx2 {
constexpr int width = 8;
using vec = __m256;
static inline vec load(const float* p) { return _mm256_loadu_ps(p); }
static inline void store(float* p, vec x) { _mm256_storeu_ps(p, x); }
static inline vec broadcast(float x) { return _mm256_set1_ps(x); }
static inline vec multiply_add(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
#include "level.inl"
extern const Kernels table;
const Kernels table{"avx2", spmm, grad_weights, grad_inputs};
}  // namespace synaprune::avx2
