// The losses. To add one, write its functions and its entry in the table.
#include "synaprune/losses.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "synaprune/math.hpp"

namespace synaprune {

namespace {

#include "kernels/exp.inl"

// One tile on its way from logits to the gradient of the loss.
struct Tile {
  const Kernels& kernels;
  index_t n_out, ld;
  const TileTargets& t;
  float mean;  // 1 / n, or 0 where no gradient is wanted
  float* Z;

  float target(index_t r, index_t s) const {
    if (t.T) return t.T[offset_t{r} * ld + s];
    return static_cast<float>(n_out == 1 ? t.labels[s] : t.labels[s] == r);
  }
  float weight(index_t s) const { return t.T ? t.weights[s] : 1.0f; }
};

// ---- softmax: cross-entropy of one output a class

// Z becomes e^(z - largest), sum[ld] their sums; returns the sum of the losses.
double softmax_of_labels(const Tile& x, float* sum) {
  float largest[max_tile], of_label[max_tile];
  for (index_t s = 0; s < x.t.batch; ++s) of_label[s] = x.Z[offset_t{x.t.labels[s]} * x.ld + s];
  x.kernels.softmax(x.n_out, x.ld, x.Z, largest, sum);
  // Logarithms of products of 16: each sum is from 1 to n_out < 2^31, so that none overflows.
  double loss = 0.0;
  for (index_t first = 0; first < x.t.batch; first += 16) {
    double some = 0.0, product = 1.0;
    for (index_t s = first; s < std::min(first + 16, x.t.batch); ++s) {
      some += static_cast<double>(largest[s]) - of_label[s];
      product *= sum[s];
    }
    loss += some + logarithm(product);
  }
  return loss;
}

double softmax(const Tile& x) {
  float largest[max_tile], sum[max_tile];
  if (!x.t.T) {
    const double loss = softmax_of_labels(x, sum);
    if (x.mean != 0.0f)
      x.kernels.softmax_gradient(x.n_out, x.t.batch, x.ld, x.t.labels, x.mean, sum, x.Z);
    return loss;
  }
  double product[max_tile] = {};  // of targets and logits
  for (index_t r = 0; r < x.n_out; ++r)
    for (index_t s = 0; s < x.t.batch; ++s)
      product[s] += static_cast<double>(x.target(r, s)) * x.Z[offset_t{r} * x.ld + s];
  x.kernels.softmax(x.n_out, x.ld, x.Z, largest, sum);
  double loss = 0.0;
  for (index_t s = 0; s < x.t.batch; ++s)
    loss += x.weight(s) * (logarithm(static_cast<double>(sum[s])) + largest[s] - product[s]);
  for (index_t r = 0; r < x.n_out; ++r)
    for (index_t s = 0; s < x.ld; ++s) {
      float& z = x.Z[offset_t{r} * x.ld + s];
      z = (z / sum[s] - x.target(r, s)) * (x.weight(s) * x.mean);
    }
  return loss;
}

void softmax_probabilities(const Kernels& kernels, index_t n_out, index_t ld, float* Z) {
  float largest[max_tile], sum[max_tile];
  kernels.softmax(n_out, ld, Z, largest, sum);
  for (index_t r = 0; r < n_out; ++r, Z += ld)
    for (index_t s = 0; s < ld; ++s) Z[s] /= sum[s];
}

// ---- losses of outputs that stand each by itself

// f(logit, target) returns {loss, gradient by the logit}.
template <class F>
double each_output(const Tile& x, F&& f) {
  double loss = 0.0;
  for (index_t r = 0; r < x.n_out; ++r) {
    float* z = x.Z + offset_t{r} * x.ld;
    for (index_t s = 0; s < x.t.batch; ++s) {
      const auto [of_sample, gradient] = f(z[s], x.target(r, s));
      loss += x.weight(s) * of_sample;
      z[s] = gradient * (x.weight(s) * x.mean);
    }
    std::fill(z + x.t.batch, z + x.ld, 0.0f);
  }
  return loss;
}

struct LossAndGradient {
  double loss;
  float gradient;
};

double sigmoid(const Tile& x) {
  return each_output(x, [](float logit, float t) {
    const double z = logit;
    return LossAndGradient{t == 1.0f ? softplus(-z) : softplus(z) - t * z, sigmoid_of(logit) - t};
  });
}

double squared(const Tile& x) {
  return each_output(x, [](float z, float t) {
    const float o = sigmoid_of(z), e = o - t;
    return LossAndGradient{0.5 * static_cast<double>(e) * e, e * o * (1.0f - o)};
  });
}

void sigmoid_probabilities(const Kernels&, index_t n_out, index_t ld, float* Z) {
  for (offset_t i = 0; i < offset_t{n_out} * ld; ++i) Z[i] = sigmoid_of(Z[i]);
}

// ---- losses of a regression, whose outputs are the logits

double squared_error(const Tile& x) {
  return each_output(x, [](float z, float t) {
    const float e = z - t;
    return LossAndGradient{0.5 * static_cast<double>(e) * e, e};
  });
}

double absolute_error(const Tile& x) {
  return each_output(x, [](float z, float t) {
    const float e = z - t, sign = e > 0.0f ? 1.0f : e < 0.0f ? -1.0f : 0.0f;
    return LossAndGradient{std::abs(static_cast<double>(e)), sign};
  });
}

// Squared up to 1, absolute beyond (Huber 1964).
double huber(const Tile& x) {
  return each_output(x, [](float z, float t) {
    const float e = z - t;
    const double size = std::abs(static_cast<double>(e));
    return LossAndGradient{size <= 1.0 ? 0.5 * size * size : size - 0.5,
                           std::clamp(e, -1.0f, 1.0f)};
  });
}

void as_they_are(const Kernels&, index_t, index_t, float*) {}

constexpr index_t any = std::numeric_limits<index_t>::max();

struct Entry {
  const char* name;
  index_t min_outputs, max_outputs;
  double (*of_tile)(const Tile& tile);
  void (*finish)(const Kernels& kernels, index_t n_out, index_t ld, float* Z);  // see the header
};

// sigmoid: cross-entropy, one output, two classes. squared: half the squared error of sigmoid
// outputs against 0/1 targets, as in Bulin & Smidl's work. Those of a regression: as_they_are.
constexpr Entry table[] = {
    {"softmax", 2, any, softmax, softmax_probabilities},
    {"sigmoid", 1, 1, sigmoid, sigmoid_probabilities},
    {"squared", 1, any, squared, sigmoid_probabilities},
    {"squared_error", 1, any, squared_error, as_they_are},
    {"absolute_error", 1, any, absolute_error, as_they_are},
    {"huber", 1, any, huber, as_they_are},
};

const Entry& entry(Loss loss) { return table[static_cast<int>(loss)]; }

}  // namespace

float exp_f(float x) { return exp_of(x); }
float tanh_f(float x) { return tanh_of(x); }
float sigmoid_f(float x) { return sigmoid_of(x); }

std::vector<std::string> loss_names() { return entry_names(table); }

bool is_regression(Loss loss) { return entry(loss).finish == as_they_are; }

Loss parse_loss(const std::string& name) { return Loss{find_entry("loss", table, name)}; }

void check_loss(Loss loss, index_t n_out) {
  const Entry& e = entry(loss);
  const std::string quoted = "loss '" + std::string(e.name) + "' needs ";
  if (n_out < e.min_outputs)
    throw std::invalid_argument(quoted + "at least two outputs, got " + std::to_string(n_out));
  if (n_out > e.max_outputs)
    throw std::invalid_argument(quoted + "one output, got " + std::to_string(n_out));
}

void finish_outputs(const Kernels& kernels, Loss loss, index_t n_out, index_t ld, float* Z) {
  entry(loss).finish(kernels, n_out, ld, Z);
}

double loss_of(const Kernels& kernels, Loss loss, index_t n_out, index_t ld,
               const TileTargets& targets, float* Z) {
  return entry(loss).of_tile({kernels, n_out, ld, targets, 0.0f, Z});
}

double loss_and_gradient(const Kernels& kernels, Loss loss, index_t n_out, index_t ld, offset_t n,
                         const TileTargets& targets, float* Z) {
  return entry(loss).of_tile({kernels, n_out, ld, targets, 1.0f / static_cast<float>(n), Z});
}

}  // namespace synaprune
