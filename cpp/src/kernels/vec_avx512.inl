// Sixteen floats side by side. Same lane order and fused steps as AVX2, so same bits.
constexpr int width = 16;
constexpr int full_strip = 4;  // vectors of a full row that fit the registers four times
using vec = __m512;
static inline vec load(const float* p) { return _mm512_loadu_ps(p); }
static inline void store(float* p, vec x) { _mm512_storeu_ps(p, x); }
static inline vec broadcast(float x) { return _mm512_set1_ps(x); }
static inline vec add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec subtract(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec multiply(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec multiply_add(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline void come_near(const char* p) { _mm_prefetch(p, _MM_HINT_T1); }
// `lanes` sums of one synapse to `width`.
static inline vec fold_lanes(const vec* acc) { return acc[0]; }

template <int half>
static inline vec merge(vec p, vec q) {
  if constexpr (half == 8)
    return add(_mm512_shuffle_f32x4(p, q, 0x4E), _mm512_mask_blend_ps(0xFF00, p, q));
  if constexpr (half == 4) {
    const __m512i crossed =
        _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
    return add(_mm512_permutex2var_ps(p, crossed, q), _mm512_mask_blend_ps(0xF0F0, p, q));
  }
  if constexpr (half == 2)
    return add(_mm512_shuffle_ps(p, q, 0x4E), _mm512_mask_blend_ps(0xCCCC, p, q));
  const vec crossed = _mm512_permute_ps(_mm512_mask_blend_ps(0x5555, p, q), 0xB1);
  return add(crossed, _mm512_mask_blend_ps(0xAAAA, p, q));
}

static inline void transpose(vec* r) {
  vec t[16], u[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[i + j]), b = _mm512_castps_pd(t[i + j + 2]);
      u[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      u[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  for (int j = 0; j < 4; ++j) {
    const vec a = _mm512_shuffle_f32x4(u[j], u[4 + j], 0x88);
    const vec b = _mm512_shuffle_f32x4(u[j], u[4 + j], 0xDD);
    const vec c = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0x88);
    const vec d = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0xDD);
    r[j] = _mm512_shuffle_f32x4(a, c, 0x88);
    r[4 + j] = _mm512_shuffle_f32x4(b, d, 0x88);
    r[8 + j] = _mm512_shuffle_f32x4(a, c, 0xDD);
    r[12 + j] = _mm512_shuffle_f32x4(b, d, 0xDD);
  }
}

static inline vec byte_of(vec words, int k) {
  const __m512i shifted = _mm512_srl_epi32(_mm512_castps_si512(words), _mm_cvtsi32_si128(8 * k));
  return _mm512_cvtepi32_ps(_mm512_and_epi32(shifted, _mm512_set1_epi32(255)));
}
