// Optimiser steps over one array of parameters and its state.
#pragma once

#include "synaprune/csr.hpp"
#include "synaprune/kernels.hpp"

namespace synaprune {

enum class OptimizerKind { sgd, adam };

OptimizerKind parse_optimizer_kind(const std::string& name);

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

// One step of an optimiser on n parameters; `step` counts from 1 (Adam's bias correction; Kingma &
// Ba 2015). Gradients are of the mean loss. m and v are its state, null where it has none; where
// frozen is not null and holds a 1, nothing changes.
class Update {
 public:
  Update(const Kernels& kernels, const Optimizer& optimizer, std::int64_t step);
  void synapses(offset_t n, const float* gradient, float* w, float* m, float* v,
                const float* frozen) const {
    apply(o_.weight_decay, o_.l1, n, gradient, w, m, v, frozen);
  }
  void biases(offset_t n, const float* gradient, float* b, float* m, float* v,
              const float* frozen) const {
    apply(0.0f, 0.0f, n, gradient, b, m, v, frozen);
  }

 private:
  void apply(float decay, float l1, offset_t n, const float* gradient, float* w, float* m, float* v,
             const float* frozen) const;
  void step(float decay, float l1, offset_t n, const float* gradient, float* w, float* m,
            float* v) const;

  const Kernels& kernels_;
  const Optimizer& o_;
  float correct1_ = 1.0f, correct2_ = 1.0f;
};

}  // namespace synaprune
