// What each sample should be taken for, and how much it counts.
#pragma once

#include "synaprune/kernels.hpp"

namespace synaprune {

// Of n samples, borrowed, in their order: a class each, or a probability of every class.
struct Targets {
  const index_t* labels = nullptr;  // [n], unless soft
  const float* soft = nullptr;      // [n, n_classes], C-ordered, rows sum to 1
  const float* weights = nullptr;   // [n] factors on the losses, or null: 1 each
  float smoothing = 0.0f;           // share of each target that is spread over all classes

  bool plain() const { return !soft && !weights && smoothing == 0.0f; }

  // One tile of targets T[n_out, ld] and weights w[ld] for the samples at `positions`[size]; what
  // is behind them is 0. One output stands for the second of two classes.
  void tile(index_t n_out, const offset_t* positions, index_t size, index_t ld, float* T,
            float* w) const;
};

}  // namespace synaprune
