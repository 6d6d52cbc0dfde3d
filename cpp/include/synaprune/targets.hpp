// What each sample should be taken for, or how many it is, and how much it counts.
#pragma once

#include "synaprune/losses.hpp"

namespace synaprune {

// Of n samples, borrowed, in their order: a class each, a probability of every class, or numbers.
struct Targets {
  const index_t* labels = nullptr;  // [n], or:
  const float* soft = nullptr;      // [n, n_classes], C-ordered, rows sum to 1; or of a regression:
  const float* numbers = nullptr;   // [n, n_out], C-ordered
  const float* weights = nullptr;   // [n] factors on the losses, or null: 1 each
  float smoothing = 0.0f;           // share of each target that is spread over all classes

  bool plain() const { return labels && !weights && smoothing == 0.0f; }

  // One tile of targets T[n_out, ld] and weights w[ld] for the samples at `positions`[size]; what
  // is behind them is 0. One output stands for the second of two classes.
  void tile(index_t n_out, const offset_t* positions, index_t size, index_t ld, float* T,
            float* w) const;
};

// The targets of one tile of samples, from `first` on, in memory of their own.
class TargetTile {
 public:
  TargetTile(const Targets& targets, index_t n_out, offset_t first, index_t size, index_t ld);
  TileTargets view() const;

 private:
  index_t size_;
  std::vector<float> T_;
  float weights_[max_tile];
};

}  // namespace synaprune
