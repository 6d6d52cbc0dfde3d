// Four floats side by side, in whatever the compiler's default target offers.
constexpr int width = 4;
constexpr int full_sums = 12;  // of a few full rows, that fit the registers with their operands
struct vec {
  float lane[width];
};
static inline vec load(const float* p) {
  vec x;
  std::memcpy(x.lane, p, sizeof x.lane);
  return x;
}
static inline void store(float* p, const vec& x) { std::memcpy(p, x.lane, sizeof x.lane); }
// The first n numbers; the others are 0, or left.
static inline vec load_some(const float* p, int n) {
  vec x = {};
  for (int j = 0; j < n; ++j) x.lane[j] = p[j];
  return x;
}
static inline void store_some(float* p, const vec& x, int n) {
  for (int j = 0; j < n; ++j) p[j] = x.lane[j];
}
// Lane j is the next of the numbers where bit j of `lanes_in` is 1, or else 0.
static inline vec spread(const float* p, unsigned lanes_in) {
  vec x = {};
  for (int j = 0; j < width; ++j)
    if (lanes_in >> j & 1) x.lane[j] = *p++;
  return x;
}
// Whether all bits are 0.
static inline bool all_zero(const vec& x) {
  std::uint32_t bits[width], some = 0;
  std::memcpy(bits, x.lane, sizeof bits);
  for (int j = 0; j < width; ++j) some |= bits[j];
  return some == 0;
}
static inline vec broadcast(float x) { return {{x, x, x, x}}; }
static inline vec add(vec a, const vec& b) {
  for (int j = 0; j < width; ++j) a.lane[j] += b.lane[j];
  return a;
}
static inline vec subtract(vec a, const vec& b) {
  for (int j = 0; j < width; ++j) a.lane[j] -= b.lane[j];
  return a;
}
static inline vec multiply(vec a, const vec& b) {
  for (int j = 0; j < width; ++j) a.lane[j] *= b.lane[j];
  return a;
}
static inline vec multiply_add(const vec& a, const vec& b, vec c) {
  for (int j = 0; j < width; ++j) c.lane[j] += a.lane[j] * b.lane[j];
  return c;
}
static inline float multiply_add(float a, float b, float c) { return a * b + c; }
// `lanes` sums of one synapse to `width`.
static inline vec fold_lanes(const vec* acc) {
  return add(add(acc[0], acc[2]), add(acc[1], acc[3]));
}

template <int half>
static inline vec add_halves(const vec& p, const vec& q) {
  vec sum;
  for (int j = 0; j < width; ++j)
    sum.lane[j] = j & half ? q.lane[j - half] + q.lane[j] : p.lane[j] + p.lane[j + half];
  return sum;
}

// Four floats at rows[0] + at.
static inline vec load_fours(const char* const* rows, offset_t at) {
  vec x;
  std::memcpy(x.lane, rows[0] + at, sizeof x.lane);
  return x;
}

// Lanes 0, stride, 2 stride, … first.
template <int stride>
static inline vec stride_lanes(vec x) {
  for (int j = 0; j * stride < width; ++j) x.lane[j] = x.lane[j * stride];
  return x;
}

// 4 x 4 numbers, transposed; moved as bytes, since they need not be floats.
static inline void transpose_fours(vec* r) {
  vec t[width];
  for (int i = 0; i < width; ++i)
    for (int j = 0; j < width; ++j) std::memcpy(&t[j].lane[i], &r[i].lane[j], sizeof(float));
  for (int i = 0; i < width; ++i) r[i] = t[i];
}

// Byte k of each word as a number.
static inline unsigned byte_number(unsigned k) { return k; }
static inline vec byte_of(const vec& words, unsigned k) {
  vec x;
  for (int j = 0; j < width; ++j) {
    unsigned char bytes[sizeof(float)];
    std::memcpy(bytes, &words.lane[j], sizeof bytes);
    x.lane[j] = static_cast<float>(bytes[k]);
  }
  return x;
}
