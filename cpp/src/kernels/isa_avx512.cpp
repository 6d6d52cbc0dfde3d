// AVX-512: sixteen floats side by side. Same lane order and fused steps as AVX2, so same bits.
#include <immintrin.h>

#include "synaprune/kernels.hpp"

namespace synaprune::avx512 {
constexpr int width = 16;
using vec = __m512;
static inline vec load(const float* p) { return _mm512_loadu_ps(p); }
static inline void store(float* p, vec x) { _mm512_storeu_ps(p, x); }
static inline vec broadcast(float x) { return _mm512_set1_ps(x); }
static inline vec multiply_add(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
#include "level.inl"
extern const Kernels table;
const Kernels table{"avx512", spmm, grad_weights, grad_inputs};
}  // namespace synaprune::avx512
