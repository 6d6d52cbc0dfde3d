#include "synaprune/optimizer.hpp"

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

// g: the gradient with the penalties added.
void sgd(const Optimizer& o, float decay, float l1, std::size_t n, const float* gradient, float* w,
         float* velocity) {
  if (decay == 0.0f && l1 == 0.0f && velocity == nullptr) {
    for (std::size_t k = 0; k < n; ++k) w[k] -= o.lr * gradient[k];
    return;
  }
  for (std::size_t k = 0; k < n; ++k) {
    float g = gradient[k] + decay * w[k] + l1 * sign(w[k]);
    if (velocity) g = velocity[k] = o.momentum * velocity[k] + g;
    w[k] -= o.lr * g;
  }
}

void adam(const Optimizer& o, float decay, float l1, std::int64_t step, std::size_t n,
          const float* gradient, float* w, float* m, float* v) {
  const double t = static_cast<double>(step);
  const auto correct1 = static_cast<float>(1.0 - std::pow(static_cast<double>(o.beta1), t));
  const auto correct2 = static_cast<float>(1.0 - std::pow(static_cast<double>(o.beta2), t));
  for (std::size_t k = 0; k < n; ++k) {
    const float g = gradient[k] + decay * w[k] + l1 * sign(w[k]);
    m[k] = o.beta1 * m[k] + (1.0f - o.beta1) * g;
    v[k] = o.beta2 * v[k] + (1.0f - o.beta2) * g * g;
    w[k] -= o.lr * (m[k] / correct1) / (std::sqrt(v[k] / correct2) + o.epsilon);
  }
}

}  // namespace

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

void update(const Optimizer& o, std::int64_t step, const float* dvalues, const float* dbias,
            Layer& layer) {
  const std::size_t n = layer.values.size();
  const std::size_t n_out = layer.bias.size();
  if (o.kind == OptimizerKind::adam) {
    adam(o, o.weight_decay, o.l1, step, n, dvalues, layer.values.data(), layer.moment1.data(),
         layer.moment2.data());
    adam(o, 0.0f, 0.0f, step, n_out, dbias, layer.bias.data(), layer.bias_moment1.data(),
         layer.bias_moment2.data());
    return;
  }
  const bool momentum = o.needs_moment1();
  sgd(o, o.weight_decay, o.l1, n, dvalues, layer.values.data(),
      momentum ? layer.moment1.data() : nullptr);
  sgd(o, 0.0f, 0.0f, n_out, dbias, layer.bias.data(),
      momentum ? layer.bias_moment1.data() : nullptr);
}

}  // namespace synaprune
