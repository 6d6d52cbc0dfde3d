#include "synaprune/math.hpp"

#include <algorithm>
#include <cstring>

namespace synaprune {

namespace {

constexpr double ln2_high = 0x1.62e42fefa0000p-1, ln2_low = 0x1.cf79abc9e3b39p-40;

double power_of_two(int n) {
  const auto bits = static_cast<std::uint64_t>(n + 1023) << 52;
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// 2 artanh(s) for |s| <= 1/3, by its series; the first term left out is below 2^-56 of the sum.
double twice_artanh(double s) {
  const double s2 = s * s;
  double sum = 0.0;
  for (int k = 33; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
  return 2.0 * s * sum;
}

}  // namespace

double exponential(double x) {
  x = std::min(std::max(x, -700.0), 700.0);
  const double shifted = x * 1.4426950408889634 + 0x1.8p52;  // adding it rounds to an integer
  const double n = shifted - 0x1.8p52;
  const double r = (x - n * ln2_high) - n * ln2_low;
  double sum = 1.0;  // Taylor's series of e^r, |r| <= ln(2) / 2
  for (int k = 14; k >= 1; --k) sum = 1.0 + sum * r / k;
  return sum * power_of_two(static_cast<int>(n));
}

double logarithm(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  int n = static_cast<int>(bits >> 52) - 1023;
  double m = x * (n > 0 ? power_of_two(-(n / 2)) * power_of_two(-(n - n / 2)) : power_of_two(-n));
  if (m > 1.4142135623730951) {  // m in [sqrt(1/2), sqrt(2)]
    m *= 0.5;
    ++n;
  }
  return n * ln2_high + (n * ln2_low + twice_artanh((m - 1.0) / (m + 1.0)));
}

double logarithm_1p(double x) { return twice_artanh(x / (2.0 + x)); }

double power(double base, std::int64_t exponent) {
  double result = 1.0;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2 == 1) result *= base;
  return result;
}

double power(double base, double exponent) {
  if (exponent == 0.0 || base == 1.0) return 1.0;
  if (base < 0x1p-1000) return exponent > 0.0 ? 0.0 : 0x1p1000;
  return exponential(exponent * logarithm(base));
}

double softplus(double z) { return std::max(z, 0.0) + logarithm_1p(exponential(z < 0.0 ? z : -z)); }

}  // namespace synaprune
