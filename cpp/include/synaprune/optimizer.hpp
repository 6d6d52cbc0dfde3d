// Optimiser steps over one array of parameters and its state.
#pragma once

#include "synaprune/csr.hpp"

namespace synaprune {

enum class OptimizerKind { sgd, adam };

struct Optimizer {
  OptimizerKind kind = OptimizerKind::sgd;
  float lr = 0.05f;
  float momentum = 0.0f;      // sgd
  float beta1 = 0.9f;         // adam
  float beta2 = 0.999f;       // adam
  float epsilon = 1e-8f;      // adam
  float weight_decay = 0.0f;  // added to the gradient as weight_decay * w; synapses only
  float l1 = 0.0f;            // added to the gradient as l1 * sign(w); synapses only

  bool needs_moment1() const { return kind == OptimizerKind::adam || momentum != 0.0f; }
  bool needs_moment2() const { return kind == OptimizerKind::adam; }
};

// Makes the state arrays fit the optimiser: those it needs and lacks start at zero, those it does
// not need are freed; state of another kind of optimiser is forgotten first. Returns true if any
// began anew.
bool prepare_state(const Optimizer& optimizer, OptimizerKind kind_before,
                   std::vector<Layer>& layers);

// One step of one layer. step counts from 1 (Adam's bias correction; Kingma & Ba 2015).
//   in  dvalues[nnz], dbias[n_out]   gradients of the mean loss
void update(const Optimizer& optimizer, std::int64_t step, const float* dvalues, const float* dbias,
            Layer& layer);

}  // namespace synaprune
