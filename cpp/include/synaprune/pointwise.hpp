// Element-wise parts of a pass: activations and losses, on feature-major tiles.
//
// exp and tanh are our own: the C library picks variants by CPU, whose last bits differ.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune {

// Within 3 ulp of the exact value; exp clamps its argument to [-87, 88].
float exp_f(float x);
float tanh_f(float x);
float sigmoid_f(float x);

// In place over n floats.
void activate(Activation activation, offset_t n, float* y);
float activate(Activation activation, float y);

// d[i] *= f'(.), written in terms of the activation's output y.
void activate_backward(Activation activation, offset_t n, const float* y, float* d);

// Turns the outputs' inputs Z [n_out, ld] into what a user sees: softmax or sigmoid, in place.
void output_probabilities(Loss loss, index_t n_out, index_t ld, float* Z);

// Sum of the losses of the first `batch` columns. Z holds the outputs' inputs and is overwritten
// with the gradient of the mean loss; columns from batch on become zero.
//   in  labels[batch]   class of each sample, in [0, n_out), or {0, 1} with one output
double loss_and_gradient(Loss loss, index_t n_out, index_t batch, index_t ld, const index_t* labels,
                         float* Z);

// As above, but leaves Z alone.
double loss_only(Loss loss, index_t n_out, index_t batch, index_t ld, const index_t* labels,
                 const float* Z);

// out[s] = class with the largest output (the first of equals); with one output, Z > 0; -1 if an
// output is infinite or NaN.
void classify(index_t n_out, index_t batch, index_t ld, const float* Z, index_t* out);

}  // namespace synaprune
