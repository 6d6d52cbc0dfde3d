// Any CPU: four floats side by side, in whatever the compiler's default target offers.
#include "synaprune/kernels.hpp"

namespace synaprune::baseline {
constexpr int width = 4;
struct vec {
  float lane[width];
};
static inline vec load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
static inline void store(float* p, const vec& x) {
  for (int j = 0; j < width; ++j) p[j] = x.lane[j];
}
static inline vec broadcast(float x) { return {{x, x, x, x}}; }
static inline vec multiply_add(const vec& a, const vec& b, vec c) {
  for (int j = 0; j < width; ++j) c.lane[j] += a.lane[j] * b.lane[j];
  return c;
}
#include "level.inl"
extern const Kernels table;
const Kernels table{"baseline", spmm, grad_weights, grad_inputs};
}  // namespace synaprune::baseline
