// Eight floats side by side, with fused multiply-add.
constexpr int width = 8;
constexpr int full_sums = 12;  // of a few full rows, that fit the registers with their operands
using vec = __m256;
static inline vec load(const float* p) { return _mm256_loadu_ps(p); }
static inline void store(float* p, vec x) { _mm256_storeu_ps(p, x); }
// The first n numbers; the others are 0, or left.
static inline __m256i first_lanes(int n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
}
static inline vec load_some(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
static inline void store_some(float* p, vec x, int n) { _mm256_maskstore_ps(p, first_lanes(n), x); }
// Lane j is the next of the numbers where bit j of `lanes_in` is 1, or else 0; reads `width` of
// them.
struct Spread {
  std::uint64_t from[256];  // of each lane in a byte, the place of its number

  constexpr Spread() : from() {
    for (int bits = 0; bits < 256; ++bits)
      for (int j = 0, n = 0; j < width; ++j) {
        from[bits] |= static_cast<std::uint64_t>(n) << (8 * j);
        n += bits >> j & 1;
      }
  }
};
static constexpr Spread spread_table;
static inline vec spread(const float* p, unsigned lanes_in) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i in = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(lanes_in)), lane);
  const __m256i from =
      _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(spread_table.from[lanes_in])));
  return _mm256_and_ps(_mm256_permutevar8x32_ps(load(p), from),
                       _mm256_castsi256_ps(_mm256_cmpeq_epi32(in, lane)));
}
// Whether all bits are 0.
static inline bool all_zero(vec x) {
  const __m256i bits = _mm256_castps_si256(x);
  return _mm256_testz_si256(bits, bits) != 0;
}
static inline vec broadcast(float x) { return _mm256_set1_ps(x); }
static inline vec add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec subtract(vec a, vec b) { return _mm256_sub_ps(a, b); }
static inline vec multiply(vec a, vec b) { return _mm256_mul_ps(a, b); }
static inline vec multiply_add(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
// `lanes` sums of one synapse to `width`.
static inline vec fold_lanes(const vec* acc) { return add(acc[0], acc[1]); }

template <int half>
static inline vec add_halves(vec p, vec q) {
  if constexpr (half == 4)
    return add(_mm256_permute2f128_ps(p, q, 0x21), _mm256_blend_ps(p, q, 0xF0));
  if constexpr (half == 2) return add(_mm256_shuffle_ps(p, q, 0x4E), _mm256_blend_ps(p, q, 0xCC));
  const vec crossed = _mm256_permute_ps(_mm256_blend_ps(p, q, 0x55), 0xB1);
  return add(crossed, _mm256_blend_ps(p, q, 0xAA));
}

// Lane group l: four floats at rows[4 l] + at.
static inline vec load_fours(const char* const* rows, offset_t at) {
  const auto four = [&](int j) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(rows[j] + at));
  };
  return _mm256_insertf128_ps(_mm256_castps128_ps256(four(0)), four(4), 1);
}

// Lanes 0, stride, 2 stride, … first.
template <int stride>
static inline vec stride_lanes(vec x) {
  if constexpr (stride == 1) return x;
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_permutevar8x32_ps(
      x, _mm256_and_si256(_mm256_mullo_epi32(lane, _mm256_set1_epi32(stride)),
                          _mm256_set1_epi32(width - 1)));
}

// Each group of four lanes of r[0], r[1], r[2], r[3]: 4 x 4 numbers, transposed.
static inline void transpose_fours(vec* r) {
  const auto as_pd = [](vec x) { return _mm256_castps_pd(x); };
  const vec a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpacklo_ps(r[2], r[3]);
  const vec c = _mm256_unpackhi_ps(r[0], r[1]), d = _mm256_unpackhi_ps(r[2], r[3]);
  r[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(as_pd(a), as_pd(b)));
  r[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(as_pd(a), as_pd(b)));
  r[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(as_pd(c), as_pd(d)));
  r[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(as_pd(c), as_pd(d)));
}

// Byte k of each word as a number: k as a shuffle that moves the byte to the front of zeros.
static inline __m256i byte_number(unsigned k) {
  alignas(16) static constexpr signed char front[4][16] = {
      {0, -1, -1, -1, 4, -1, -1, -1, 8, -1, -1, -1, 12, -1, -1, -1},
      {1, -1, -1, -1, 5, -1, -1, -1, 9, -1, -1, -1, 13, -1, -1, -1},
      {2, -1, -1, -1, 6, -1, -1, -1, 10, -1, -1, -1, 14, -1, -1, -1},
      {3, -1, -1, -1, 7, -1, -1, -1, 11, -1, -1, -1, 15, -1, -1, -1}};
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(front[k])));
}
static inline vec byte_of(vec words, __m256i number) {
  return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(_mm256_castps_si256(words), number));
}
