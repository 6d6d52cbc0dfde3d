// Sixteen floats side by side. Same lane order and fused steps as AVX2, so same bits.
constexpr int width = 16;
constexpr int full_sums = 24;  // of a few full rows, that fit the registers with their operands
using vec = __m512;
static inline vec load(const float* p) { return _mm512_loadu_ps(p); }
static inline void store(float* p, vec x) { _mm512_storeu_ps(p, x); }
// The first n numbers; the others are 0, or left.
static inline vec load_some(const float* p, int n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1 << n) - 1), p);
}
static inline void store_some(float* p, vec x, int n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1 << n) - 1), x);
}
// Lane j is the next of the numbers where bit j of `lanes_in` is 1, or else 0.
static inline vec spread(const float* p, unsigned lanes_in) {
  return _mm512_maskz_expandloadu_ps(static_cast<__mmask16>(lanes_in), p);
}
// Whether all bits are 0.
static inline bool all_zero(vec x) {
  const __m512i bits = _mm512_castps_si512(x);
  return _mm512_test_epi32_mask(bits, bits) == 0;
}
static inline vec broadcast(float x) { return _mm512_set1_ps(x); }
static inline vec add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec subtract(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec multiply(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec multiply_add(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
// `lanes` sums of one synapse to `width`.
static inline vec fold_lanes(const vec* acc) { return acc[0]; }

template <int half>
static inline vec add_halves(vec p, vec q) {
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

// Lane group l: four floats at rows[4 l] + at.
static inline vec load_fours(const char* const* rows, offset_t at) {
  const auto four = [&](int j) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(rows[j] + at));
  };
  vec x = _mm512_castps128_ps512(four(0));
  x = _mm512_insertf32x4(x, four(4), 1);
  x = _mm512_insertf32x4(x, four(8), 2);
  return _mm512_insertf32x4(x, four(12), 3);
}

// Lanes 0, stride, 2 stride, … first.
template <int stride>
static inline vec stride_lanes(vec x) {
  if constexpr (stride == 1) return x;
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_permutexvar_ps(_mm512_mullo_epi32(lane, _mm512_set1_epi32(stride)), x);
}

// Each group of four lanes of r[0], r[1], r[2], r[3]: 4 x 4 numbers, transposed.
static inline void transpose_fours(vec* r) {
  const auto as_pd = [](vec x) { return _mm512_castps_pd(x); };
  const vec a = _mm512_unpacklo_ps(r[0], r[1]), b = _mm512_unpacklo_ps(r[2], r[3]);
  const vec c = _mm512_unpackhi_ps(r[0], r[1]), d = _mm512_unpackhi_ps(r[2], r[3]);
  r[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(as_pd(a), as_pd(b)));
  r[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(as_pd(a), as_pd(b)));
  r[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(as_pd(c), as_pd(d)));
  r[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(as_pd(c), as_pd(d)));
}

// Byte k of each word as a number: k as a shuffle that moves the byte to the front of zeros.
static inline __m512i byte_number(unsigned k) {
  alignas(16) static constexpr signed char front[4][16] = {
      {0, -1, -1, -1, 4, -1, -1, -1, 8, -1, -1, -1, 12, -1, -1, -1},
      {1, -1, -1, -1, 5, -1, -1, -1, 9, -1, -1, -1, 13, -1, -1, -1},
      {2, -1, -1, -1, 6, -1, -1, -1, 10, -1, -1, -1, 14, -1, -1, -1},
      {3, -1, -1, -1, 7, -1, -1, -1, 11, -1, -1, -1, 15, -1, -1, -1}};
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(front[k])));
}
static inline vec byte_of(vec words, __m512i number) {
  return _mm512_cvtepi32_ps(_mm512_shuffle_epi8(_mm512_castps_si512(words), number));
}
