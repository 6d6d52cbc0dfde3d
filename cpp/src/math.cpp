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

// 2 artanh(s) by its series up to s^(2 terms - 1).
template <int terms>
double twice_artanh(double s) {
  constexpr double reciprocal[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                   1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23,
                                   1.0 / 25, 1.0 / 27, 1.0 / 29, 1.0 / 31, 1.0 / 33};
  const double s2 = s * s;
  double sum = reciprocal[terms - 1];
  for (int k = terms - 2; k >= 0; --k) sum = sum * s2 + reciprocal[k];
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
  return n * ln2_high + (n * ln2_low + twice_artanh<11>((m - 1.0) / (m + 1.0)));
}

double logarithm_1p(double x) { return twice_artanh<17>(x / (2.0 + x)); }

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
