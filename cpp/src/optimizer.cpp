#include "synaprune/optimizer.hpp"

#include <algorithm>
#include <cmath>

namespace synaprune {

namespace {

float sign(float x) { return static_cast<float>((x > 0.0f) - (x < 0.0f)); }

bool fit(bool needed, std::size_t n, std::vector<float>& state) {
  if (!needed) {
    state = {};
    return false;
  }
  if (state.size() == n) return false;
  state.assign(n, 0.0f);
  return true;
}

}  // namespace

OptimizerKind parse_optimizer_kind(const std::string& name) {
  if (name == "sgd") return OptimizerKind::sgd;
  if (name == "adam") return OptimizerKind::adam;
  throw std::invalid_argument("kind must be 'sgd' or 'adam', got '" + name + "'");
}

bool prepare_state(const Optimizer& optimizer, OptimizerKind kind_before,
                   std::vector<Layer>& layers) {
  bool anew = false;
  for (Layer& layer : layers) {
    if (optimizer.kind != kind_before)
      for (auto* state : {&layer.moment1, &layer.moment2, &layer.bias_moment1, &layer.bias_moment2})
        state->clear();
    anew |= fit(optimizer.needs_moment1(), layer.values.size(), layer.moment1);
    anew |= fit(optimizer.needs_moment2(), layer.values.size(), layer.moment2);
    anew |= fit(optimizer.needs_moment1(), layer.bias.size(), layer.bias_moment1);
    anew |= fit(optimizer.needs_moment2(), layer.bias.size(), layer.bias_moment2);
  }
  return anew;
}

Update::Update(const Kernels& kernels, const Optimizer& optimizer, std::int64_t step)
    : kernels_(kernels), o_(optimizer) {
  if (o_.kind != OptimizerKind::adam) return;
  const auto t = static_cast<double>(step);
  correct1_ = static_cast<float>(1.0 - std::pow(static_cast<double>(o_.beta1), t));
  correct2_ = static_cast<float>(1.0 - std::pow(static_cast<double>(o_.beta2), t));
}

void Update::apply(float decay, float l1, offset_t n, const float* gradient, float* w, float* m,
                   float* v, const float* frozen) const {
  if (!frozen) return step(decay, l1, n, gradient, w, m, v);
  constexpr offset_t some = 256;
  for (offset_t first = 0; first < n; first += some) {
    const offset_t end = std::min(n, first + some);
    float before[3][some];
    float* const arrays[3] = {w, m, v};
    for (int a = 0; a < 3; ++a)
      if (arrays[a]) std::copy(arrays[a] + first, arrays[a] + end, before[a]);
    step(decay, l1, end - first, gradient + first, w + first, m ? m + first : nullptr,
         v ? v + first : nullptr);
    for (int a = 0; a < 3; ++a)
      for (offset_t k = first; arrays[a] && k < end; ++k)
        if (frozen[k] != 0.0f) arrays[a][k] = before[a][k - first];
  }
}

// g: the gradient with the penalties added.
void Update::step(float decay, float l1, offset_t n, const float* gradient, float* w, float* m,
                  float* v) const {
  if (o_.kind == OptimizerKind::adam) {
    for (offset_t k = 0; k < n; ++k) {
      const float g = gradient[k] + decay * w[k] + l1 * sign(w[k]);
      m[k] = o_.beta1 * m[k] + (1.0f - o_.beta1) * g;
      v[k] = o_.beta2 * v[k] + (1.0f - o_.beta2) * g * g;
      w[k] -= o_.lr * (m[k] / correct1_) / (std::sqrt(v[k] / correct2_) + o_.epsilon);
    }
  } else {
    kernels_.descend(n, o_.lr, o_.momentum, decay, l1, gradient, w, m);
  }
}

}  // namespace synaprune
