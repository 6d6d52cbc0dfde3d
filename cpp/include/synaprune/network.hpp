// A sparse multilayer perceptron: its layers and state, training by the epoch, evaluation, cuts.
#pragma once

#include <functional>

#include "synaprune/csr.hpp"
#include "synaprune/inputs.hpp"
#include "synaprune/optimizer.hpp"
#include "synaprune/plan.hpp"

namespace synaprune {

// Asked between batches, now and then; true means stop (the call then throws Interrupted).
using ShouldStop = std::function<bool()>;

struct Evaluation {
  double loss = 0.0;  // mean over the samples
  offset_t n_correct = 0;
};

struct Gradients {
  double loss = 0.0;
  std::vector<std::vector<float>> values;  // per layer [nnz]
  std::vector<std::vector<float>> bias;    // per layer [n_out]
};

class Network {
 public:
  // Fully connected layers of the given sizes (inputs first), weights drawn uniformly from
  // +-init_scale * sqrt(6 / (n_in + n_out)) (Glorot & Bengio 2010), biases 0.
  Network(const std::vector<index_t>& sizes, Activation activation, Loss loss, float init_scale,
          std::uint64_t seed);
  // A network as it was saved or built by hand. Throws std::invalid_argument if layers do not fit.
  Network(std::vector<Layer> layers, Activation activation, Loss loss, std::uint64_t rng_state);

  const std::vector<Layer>& layers() const { return layers_; }
  index_t n_inputs() const { return layers_.front().n_in; }
  index_t n_outputs() const { return layers_.back().n_out; }
  Activation activation() const { return activation_; }
  Loss loss() const { return loss_; }
  Rng& rng() { return rng_; }
  const Rng& rng() const { return rng_; }
  std::int64_t step() const { return step_; }
  const std::vector<float>& input_shift() const { return shift_; }
  const std::vector<float>& input_scale() const { return scale_; }
  void set_input_transform(std::vector<float> shift, std::vector<float> scale);

  // One pass over the samples in a fresh random order, one update a batch. Returns the mean loss,
  // NaN or infinite as soon as the training has diverged.
  double train_epoch(const Inputs& X, const index_t* labels, index_t batch_size,
                     const Optimizer& optimizer, int threads, const ShouldStop& should_stop);

  Evaluation evaluate(const Inputs& X, const index_t* labels, int threads,
                      const ShouldStop& should_stop) const;
  // out[n, n_outputs], C-ordered: probabilities (softmax or sigmoid of each output).
  void probabilities(const Inputs& X, int threads, const ShouldStop& should_stop, float* out) const;
  // out[n]: class of each sample.
  void classify(const Inputs& X, int threads, const ShouldStop& should_stop, index_t* out) const;

  // Gradient of the mean loss over all samples as one batch.
  Gradients gradients(const Inputs& X, const index_t* labels, int threads) const;

  std::vector<float> score(Criterion criterion);
  // Removes synapses and what is left dead; returns how many went.
  offset_t remove(const std::vector<std::uint8_t>& keep);

 private:
  std::vector<Layer> layers_;
  Activation activation_;
  Loss loss_;
  Rng rng_;
  std::int64_t step_ = 0;                          // updates since the optimiser state began
  OptimizerKind state_kind_ = OptimizerKind::sgd;  // whose state the layers hold
  std::vector<float> shift_, scale_;
  Plan plan_;  // derived from layers_ whenever the structure changes
};

}  // namespace synaprune
