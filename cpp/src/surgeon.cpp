#include "synaprune/surgeon.hpp"

#include <algorithm>
#include <cmath>

namespace synaprune {

namespace {

// y -= a x
void subtract(index_t n, double a, const double* x, double* y) {
  for (index_t i = 0; i < n; ++i) y[i] -= a * x[i];
}

// H = Ut U, U over the upper triangle of H. A pivot is an eigenvalue of some matrix whose others
// are `least` at least, and so is it, but for rounding.
void factorise(index_t n, double least, double* H) {
  for (offset_t k = 0; k < n; ++k) {
    double* row = H + k * n;
    const double pivot = std::sqrt(std::max(row[k], least));
    row[k] = pivot;
    for (offset_t j = k + 1; j < n; ++j) row[j] /= pivot;
    for (offset_t i = k + 1; i < n; ++i)
      subtract(static_cast<index_t>(n - i), row[i], row + i, H + i * n + i);
  }
}

}  // namespace

void conditional_curvature(index_t n, double least, double* H, double* out) {
  factorise(n, least, H);
  std::vector<double> v(n);  // row q of U^-1, whose square sum is [H^-1]_qq
  for (offset_t q = 0; q < n; ++q) {
    std::fill(v.begin() + q, v.end(), 0.0);
    v[q] = 1.0;
    double sum = 0.0;
    for (offset_t k = q; k < n; ++k) {
      v[k] /= H[k * n + k];
      sum += v[k] * v[k];
      subtract(static_cast<index_t>(n - k - 1), v[k], H + k * n + k + 1, v.data() + k + 1);
    }
    out[q] = 1.0 / sum;
  }
}

void solve(index_t n, double least, double* H, double* x) {
  factorise(n, least, H);
  for (offset_t k = 0; k < n; ++k) {
    x[k] /= H[k * n + k];
    subtract(static_cast<index_t>(n - k - 1), x[k], H + k * n + k + 1, x + k + 1);
  }
  for (offset_t k = n; k-- > 0;) {
    for (offset_t j = k + 1; j < n; ++j) x[k] -= H[k * n + j] * x[j];
    x[k] /= H[k * n + k];
  }
}

}  // namespace synaprune
