// e^x, tanh and sigmoid of our own: the C library picks variants by CPU, whose last bits differ.
// Plain steps without fusing, so that every level and every vector width gives the same bits.
// Within 3 ulp of the exact value; exp clamps its argument to [-87, 88].

// e^x = 2^n (1 + p), with p = e^r - 1 and |r| <= ln(2) / 2.
struct ExpParts {
  float scale;  // 2^n
  float p;
};

static inline ExpParts exp_parts(float x) {
  const float ln2_high = 0.693359375f;  // few bits, so that n * ln2_high is exact
  const float ln2_low = -2.12194440e-4f;
  const float round_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float shifted = x * 1.44269504f + round_magic;
  const float n = shifted - round_magic;
  const float r = (x - n * ln2_high) - n * ln2_low;
  // Taylor's series of (e^r - 1 - r) / r^2; the first term left out is below 1e-8.
  float q = 1.0f / 5040.0f;
  q = q * r + 1.0f / 720.0f;
  q = q * r + 1.0f / 120.0f;
  q = q * r + 1.0f / 24.0f;
  q = q * r + 1.0f / 6.0f;
  q = q * r + 0.5f;
  std::int32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = static_cast<std::int32_t>((static_cast<std::uint32_t>(bits) - 0x4B400000u + 127u) << 23);
  ExpParts parts;
  std::memcpy(&parts.scale, &bits, sizeof bits);
  parts.p = q * r * r + r;
  return parts;
}

static inline float exp_of(float x) {
  const ExpParts e = exp_parts(x);
  return e.scale * e.p + e.scale;
}

// At least e^-87, which is no denormal: those count as 0 where threads flush them.
static inline float sigmoid_of(float x) { return 1.0f / (1.0f + exp_of(x < -87.0f ? 87.0f : -x)); }

static inline float tanh_of(float x) {
  float a = x < 0.0f ? -x : x;
  a = a > 10.0f ? 10.0f : a;  // beyond 10, tanh is 1 in float32
  const ExpParts e = exp_parts(2.0f * a);
  const float em1 = e.scale * e.p + (e.scale - 1.0f);
  const float y = em1 / (em1 + 2.0f);
  std::uint32_t bits, sign;  // that of x, -0 included
  std::memcpy(&bits, &y, sizeof bits);
  std::memcpy(&sign, &x, sizeof sign);
  bits |= sign & 0x80000000u;
  float signed_y;
  std::memcpy(&signed_y, &bits, sizeof signed_y);
  return signed_y;
}
