#include "synaprune/pointwise.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace synaprune {

namespace {

constexpr float ln2_high = 0.693359375f;  // few bits, so that n * ln2_high is exact
constexpr float ln2_low = -2.12194440e-4f;
constexpr float round_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer

// e^x = 2^n (1 + p), with p = e^r - 1 and |r| <= ln(2) / 2.
struct ExpParts {
  float scale;  // 2^n
  float p;
};

inline ExpParts exp_parts(float x) {
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

inline float exp_inline(float x) {
  const ExpParts e = exp_parts(x);
  return e.scale * e.p + e.scale;
}

inline float sigmoid_inline(float x) { return 1.0f / (1.0f + exp_inline(-x)); }

inline float tanh_inline(float x) {
  const float a = std::min(std::fabs(x), 10.0f);  // beyond 10, tanh is 1 in float32
  const ExpParts e = exp_parts(2.0f * a);
  const float em1 = e.scale * e.p + (e.scale - 1.0f);
  return std::copysign(em1 / (em1 + 2.0f), x);
}

// log(1 + e^z) without overflow.
double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z))); }

// Per sample: the largest output and the sum of e^(z - largest).
void softmax_sums(index_t n_out, index_t ld, const float* Z, float* largest, float* sum) {
  std::copy(Z, Z + ld, largest);
  for (index_t r = 1; r < n_out; ++r)
    for (index_t s = 0; s < ld; ++s)
      largest[s] = std::max(largest[s], Z[static_cast<offset_t>(r) * ld + s]);
  std::fill(sum, sum + ld, 0.0f);
  for (index_t r = 0; r < n_out; ++r)
    for (index_t s = 0; s < ld; ++s)
      sum[s] += exp_inline(Z[static_cast<offset_t>(r) * ld + s] - largest[s]);
}

double softmax_loss(index_t n_out, index_t batch, index_t ld, const index_t* labels, const float* Z,
                    std::vector<float>& largest, std::vector<float>& sum) {
  largest.resize(ld);
  sum.resize(ld);
  softmax_sums(n_out, ld, Z, largest.data(), sum.data());
  double loss = 0.0;
  for (index_t s = 0; s < batch; ++s)
    loss += std::log(static_cast<double>(sum[s])) + largest[s] -
            Z[static_cast<offset_t>(labels[s]) * ld + s];
  return loss;
}

float target(index_t n_out, index_t r, index_t label) {
  return n_out == 1 ? static_cast<float>(label) : static_cast<float>(label == r);
}

}  // namespace

float exp_f(float x) { return exp_inline(x); }
float tanh_f(float x) { return tanh_inline(x); }
float sigmoid_f(float x) { return sigmoid_inline(x); }

float activate(Activation activation, float y) {
  activate(activation, 1, &y);
  return y;
}

void activate(Activation activation, offset_t n, float* y) {
  switch (activation) {
    case Activation::relu:
      for (offset_t i = 0; i < n; ++i) y[i] = y[i] > 0.0f ? y[i] : 0.0f;
      break;
    case Activation::sigmoid:
      for (offset_t i = 0; i < n; ++i) y[i] = sigmoid_inline(y[i]);
      break;
    case Activation::tanh:
      for (offset_t i = 0; i < n; ++i) y[i] = tanh_inline(y[i]);
      break;
  }
}

void activate_backward(Activation activation, offset_t n, const float* y, float* d) {
  switch (activation) {
    case Activation::relu:
      for (offset_t i = 0; i < n; ++i) d[i] = y[i] > 0.0f ? d[i] : 0.0f;
      break;
    case Activation::sigmoid:
      for (offset_t i = 0; i < n; ++i) d[i] *= y[i] * (1.0f - y[i]);
      break;
    case Activation::tanh:
      for (offset_t i = 0; i < n; ++i) d[i] *= 1.0f - y[i] * y[i];
      break;
  }
}

void output_probabilities(Loss loss, index_t n_out, index_t ld, float* Z) {
  const offset_t n = static_cast<offset_t>(n_out) * ld;
  if (loss != Loss::softmax) return activate(Activation::sigmoid, n, Z);
  std::vector<float> largest(ld), sum(ld);
  softmax_sums(n_out, ld, Z, largest.data(), sum.data());
  for (offset_t i = 0; i < n; ++i) Z[i] = exp_inline(Z[i] - largest[i % ld]) / sum[i % ld];
}

double loss_only(Loss loss, index_t n_out, index_t batch, index_t ld, const index_t* labels,
                 const float* Z) {
  double total = 0.0;
  switch (loss) {
    case Loss::softmax: {
      std::vector<float> largest, sum;
      return softmax_loss(n_out, batch, ld, labels, Z, largest, sum);
    }
    case Loss::sigmoid:
      for (index_t s = 0; s < batch; ++s)
        total += softplus(labels[s] ? -static_cast<double>(Z[s]) : static_cast<double>(Z[s]));
      break;
    case Loss::squared:
      for (index_t r = 0; r < n_out; ++r)
        for (index_t s = 0; s < batch; ++s) {
          const double e =
              static_cast<double>(sigmoid_inline(Z[static_cast<offset_t>(r) * ld + s])) -
              target(n_out, r, labels[s]);
          total += 0.5 * e * e;
        }
      break;
  }
  return total;
}

double loss_and_gradient(Loss loss, index_t n_out, index_t batch, index_t ld, const index_t* labels,
                         float* Z) {
  const float mean = 1.0f / static_cast<float>(batch);
  double total = 0.0;
  if (loss == Loss::softmax) {
    std::vector<float> largest, sum;
    total = softmax_loss(n_out, batch, ld, labels, Z, largest, sum);
    for (index_t s = 0; s < ld; ++s) sum[s] = mean / sum[s];
    for (index_t r = 0; r < n_out; ++r) {
      float* z = Z + static_cast<offset_t>(r) * ld;
      for (index_t s = 0; s < ld; ++s) z[s] = exp_inline(z[s] - largest[s]) * sum[s];
    }
    for (index_t s = 0; s < batch; ++s) Z[static_cast<offset_t>(labels[s]) * ld + s] -= mean;
  } else {
    total = loss_only(loss, n_out, batch, ld, labels, Z);
    for (index_t r = 0; r < n_out; ++r) {
      float* z = Z + static_cast<offset_t>(r) * ld;
      for (index_t s = 0; s < batch; ++s) {
        const float o = sigmoid_inline(z[s]);
        const float e = (o - target(n_out, r, labels[s])) * mean;
        z[s] = loss == Loss::squared ? e * o * (1.0f - o) : e;
      }
    }
  }
  for (index_t r = 0; r < n_out; ++r) {
    float* z = Z + static_cast<offset_t>(r) * ld;
    std::fill(z + batch, z + ld, 0.0f);
  }
  return total;
}

void classify(index_t n_out, index_t batch, index_t ld, const float* Z, index_t* out) {
  for (index_t s = 0; s < batch; ++s) {
    index_t best = 0;
    float finite = 0.0f;  // stays 0 unless an output is infinite or NaN
    for (index_t r = 0; r < n_out; ++r) {
      const float z = Z[static_cast<offset_t>(r) * ld + s];
      finite += z * 0.0f;
      if (z > Z[static_cast<offset_t>(best) * ld + s]) best = r;
    }
    if (n_out == 1) best = Z[s] > 0.0f;
    out[s] = finite == 0.0f ? best : -1;
  }
}

}  // namespace synaprune
