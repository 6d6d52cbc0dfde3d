// Gradients of the losses of single samples, by their factors.
#pragma once

#include "synaprune/trainer.hpp"

namespace synaprune {

// A tile of samples at a time, forward and back. The gradient of sample s by the synapse from c to
// r of layer l is then delta(l)[r, s] * below(l)[c, s], rows as in the plan, ld() floats each; by
// the bias of r it is delta(l)[r, s]. Behind the last sample deltas are 0.
class SampleGradients {
 public:
  SampleGradients(const TrainingTask& task, const Kernels& kernels)
      : t_(task),
        kernels_(kernels),
        forward_(task.model, kernels, max_tile),
        backward_(task.model, kernels, max_tile),
        targets_(static_cast<std::size_t>(n_outputs()) * max_tile) {}

  // Samples first .. first + size.
  void run(offset_t first, index_t size) {
    forward_.run(t_.samples, first, size, first + size, false);
    offset_t position[max_tile];
    for (index_t s = 0; s < size; ++s) position[s] = t_.samples.position(first + s);
    float w[max_tile];
    t_.targets.tile(n_outputs(), position, size, ld(), targets_.data(), w);
    TileTargets targets{size};
    targets.T = targets_.data();
    targets.weights = w;
    loss_and_gradient(kernels_, t_.loss, n_outputs(), ld(), 1, targets,
                      backward_.delta(forward_, n_layers() - 1));
    for (std::size_t l = n_layers(); --l > 0;)
      backward_.step(forward_, l, {0, t_.model.weights(l).n_columns});
  }

  index_t ld() const { return forward_.tiles().width(0); }
  const float* delta(std::size_t l) { return backward_.delta(forward_, l); }
  const float* below(std::size_t l) { return forward_.below(l); }

 private:
  std::size_t n_layers() const { return t_.model.n_layers(); }
  index_t n_outputs() const { return t_.model.weights(n_layers() - 1).n_rows; }

  const TrainingTask& t_;
  const Kernels& kernels_;
  Forward forward_;
  Backward backward_;
  Buffer targets_;
};

}  // namespace synaprune
