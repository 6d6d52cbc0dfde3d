#include "synaprune/pointwise.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace synaprune {

namespace {

#include "kernels/exp.inl"

// log(1 + e^z) without overflow.
double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z))); }

// Z becomes e^(z - largest), sum[ld] their sums; returns the losses' sum.
double softmax_loss(const Kernels& kernels, index_t n_out, index_t batch, index_t ld,
                    const index_t* labels, float* Z, float* sum) {
  float largest[max_tile], of_label[max_tile];
  for (index_t s = 0; s < batch; ++s) of_label[s] = Z[static_cast<offset_t>(labels[s]) * ld + s];
  kernels.softmax(n_out, ld, Z, largest, sum);
  // Logarithms of products of 16: each sum is from 1 to n_out < 2^31, so that none overflows.
  double loss = 0.0;
  for (index_t first = 0; first < batch; first += 16) {
    double some = 0.0, product = 1.0;
    for (index_t s = first; s < std::min(first + 16, batch); ++s) {
      some += static_cast<double>(largest[s]) - of_label[s];
      product *= sum[s];
    }
    loss += some + std::log(product);
  }
  return loss;
}

float target(index_t n_out, index_t r, index_t label) {
  return n_out == 1 ? static_cast<float>(label) : static_cast<float>(label == r);
}

}  // namespace

float exp_f(float x) { return exp_of(x); }
float tanh_f(float x) { return tanh_of(x); }
float sigmoid_f(float x) { return sigmoid_of(x); }

float activate(Activation activation, float y) {
  kernels().activate(activation, 1, &y);
  return y;
}

void output_probabilities(const Kernels& kernels, Loss loss, index_t n_out, index_t ld, float* Z) {
  if (loss != Loss::softmax)
    return kernels.activate(Activation::sigmoid, static_cast<offset_t>(n_out) * ld, Z);
  float largest[max_tile], sum[max_tile];
  kernels.softmax(n_out, ld, Z, largest, sum);
  for (index_t r = 0; r < n_out; ++r, Z += ld)
    for (index_t s = 0; s < ld; ++s) Z[s] /= sum[s];
}

double loss_only(const Kernels& kernels, Loss loss, index_t n_out, index_t batch, index_t ld,
                 const index_t* labels, float* Z) {
  if (loss == Loss::softmax) {
    float sum[max_tile];
    return softmax_loss(kernels, n_out, batch, ld, labels, Z, sum);
  }
  double total = 0.0;
  for (index_t r = 0; r < n_out; ++r)
    for (index_t s = 0; s < batch; ++s) {
      const float z = Z[static_cast<offset_t>(r) * ld + s];
      if (loss == Loss::sigmoid) {
        total += softplus(labels[s] ? -static_cast<double>(z) : static_cast<double>(z));
      } else {
        const double e = static_cast<double>(sigmoid_of(z)) - target(n_out, r, labels[s]);
        total += 0.5 * e * e;
      }
    }
  return total;
}

double loss_and_gradient(const Kernels& kernels, Loss loss, index_t n_out, index_t batch,
                         index_t ld, offset_t n, const index_t* labels, float* Z) {
  const float mean = 1.0f / static_cast<float>(n);
  double total = 0.0;
  if (loss == Loss::softmax) {
    float sum[max_tile];
    total = softmax_loss(kernels, n_out, batch, ld, labels, Z, sum);
    kernels.softmax_delta(n_out, batch, ld, labels, mean, sum, Z);
    return total;
  }
  total = loss_only(kernels, loss, n_out, batch, ld, labels, Z);
  for (index_t r = 0; r < n_out; ++r) {
    float* z = Z + static_cast<offset_t>(r) * ld;
    for (index_t s = 0; s < batch; ++s) {
      const float o = sigmoid_of(z[s]);
      const float e = (o - target(n_out, r, labels[s])) * mean;
      z[s] = loss == Loss::squared ? e * o * (1.0f - o) : e;
    }
    std::fill(z + batch, z + ld, 0.0f);
  }
  return total;
}

namespace {

// sums[s] = sum over r of T[r, s] Z[r, s], in double precision.
void products(index_t n_out, index_t batch, index_t ld, const float* T, const float* Z,
              double* sums) {
  std::fill(sums, sums + batch, 0.0);
  for (index_t r = 0; r < n_out; ++r, T += ld, Z += ld)
    for (index_t s = 0; s < batch; ++s) sums[s] += static_cast<double>(T[s]) * Z[s];
}

}  // namespace

double loss_and_gradient(const Kernels& kernels, Loss loss, index_t n_out, index_t batch,
                         index_t ld, offset_t n, const float* T, const float* w, float* Z) {
  const float mean = 1.0f / static_cast<float>(n);
  double total = 0.0;
  if (loss == Loss::softmax) {
    float largest[max_tile], sum[max_tile];
    double product[max_tile];
    products(n_out, batch, ld, T, Z, product);
    kernels.softmax(n_out, ld, Z, largest, sum);
    for (index_t s = 0; s < batch; ++s)
      total += w[s] * (std::log(static_cast<double>(sum[s])) + largest[s] - product[s]);
    for (index_t r = 0; r < n_out; ++r, T += ld, Z += ld)
      for (index_t s = 0; s < ld; ++s) Z[s] = (Z[s] / sum[s] - T[s]) * (w[s] * mean);
    return total;
  }
  for (index_t r = 0; r < n_out; ++r, T += ld, Z += ld)
    for (index_t s = 0; s < ld; ++s) {
      const double z = Z[s];
      const float o = sigmoid_of(Z[s]), e = o - T[s];
      if (loss == Loss::sigmoid)
        total += w[s] * (softplus(z) - T[s] * z);
      else
        total += w[s] * 0.5 * static_cast<double>(e) * e;
      Z[s] = (loss == Loss::squared ? e * o * (1.0f - o) : e) * (w[s] * mean);
    }
  return total;
}

}  // namespace synaprune
