// Eight floats side by side, with fused multiply-add.
constexpr int width = 8;
constexpr int full_strip = 2;  // vectors of a full row that fit the registers four times
using vec = __m256;
static inline vec load(const float* p) { return _mm256_loadu_ps(p); }
static inline void store(float* p, vec x) { _mm256_storeu_ps(p, x); }
static inline vec broadcast(float x) { return _mm256_set1_ps(x); }
static inline vec add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec subtract(vec a, vec b) { return _mm256_sub_ps(a, b); }
static inline vec multiply(vec a, vec b) { return _mm256_mul_ps(a, b); }
static inline vec multiply_add(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline void come_near(const char* p) { _mm_prefetch(p, _MM_HINT_T1); }
// `lanes` sums of one synapse to `width`.
static inline vec fold_lanes(const vec* acc) { return add(acc[0], acc[1]); }

template <int half>
static inline vec merge(vec p, vec q) {
  if constexpr (half == 4)
    return add(_mm256_permute2f128_ps(p, q, 0x21), _mm256_blend_ps(p, q, 0xF0));
  if constexpr (half == 2) return add(_mm256_shuffle_ps(p, q, 0x4E), _mm256_blend_ps(p, q, 0xCC));
  const vec crossed = _mm256_permute_ps(_mm256_blend_ps(p, q, 0x55), 0xB1);
  return add(crossed, _mm256_blend_ps(p, q, 0xAA));
}

static inline void transpose(vec* r) {
  vec t[8], u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; ++j) {
      const __m256d a = _mm256_castps_pd(t[i + j]), b = _mm256_castps_pd(t[i + j + 2]);
      u[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
      u[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    }
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm256_permute2f128_ps(u[j], u[4 + j], 0x20);
    r[4 + j] = _mm256_permute2f128_ps(u[j], u[4 + j], 0x31);
  }
}

static inline vec byte_of(vec words, int k) {
  const __m256i shifted = _mm256_srl_epi32(_mm256_castps_si256(words), _mm_cvtsi32_si128(8 * k));
  return _mm256_cvtepi32_ps(_mm256_and_si256(shifted, _mm256_set1_epi32(255)));
}
