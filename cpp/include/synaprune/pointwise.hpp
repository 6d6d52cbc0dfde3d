// The ends of a pass: losses and what a user sees of the outputs, on one tile.
#pragma once

#include "synaprune/kernels.hpp"

namespace synaprune {

// exp, tanh and sigmoid as all levels compute them; see kernels/exp.inl.
float exp_f(float x);
float tanh_f(float x);
float sigmoid_f(float x);
float activate(Activation activation, float y);

// Turns the outputs' inputs Z [n_out, ld] into what a user sees: softmax or sigmoid, in place.
void output_probabilities(const Kernels& kernels, Loss loss, index_t n_out, index_t ld, float* Z);

// Sum of the losses of the first `batch` columns. Z holds the outputs' inputs and is overwritten
// with the gradient of the mean loss over n samples; columns from batch on become zero.
//   in  labels[batch]   class of each sample, in [0, n_out), or {0, 1} with one output
double loss_and_gradient(const Kernels& kernels, Loss loss, index_t n_out, index_t batch,
                         index_t ld, offset_t n, const index_t* labels, float* Z);

// The same against targets T[n_out, ld], each sample's loss times w[ld], which is 0 from batch on.
// With cross-entropy, that of the target's distribution and the network's.
double loss_and_gradient(const Kernels& kernels, Loss loss, index_t n_out, index_t batch,
                         index_t ld, offset_t n, const float* T, const float* w, float* Z);

// The first without the gradient; Z is overwritten with nothing of use.
double loss_only(const Kernels& kernels, Loss loss, index_t n_out, index_t batch, index_t ld,
                 const index_t* labels, float* Z);

}  // namespace synaprune
