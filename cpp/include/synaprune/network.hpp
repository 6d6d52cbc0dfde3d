// A sparse multilayer perceptron: its layers and state, training by the epoch, evaluation, cuts.
#pragma once

#include <memory>

#include "synaprune/explain.hpp"
#include "synaprune/prune.hpp"
#include "synaprune/sampling.hpp"
#include "synaprune/trainer.hpp"

namespace synaprune {

struct Evaluation {
  double loss = 0.0;       // mean over the samples
  offset_t n_correct = 0;  // of a classification
};

// What training and scores are computed from.
struct TrainingData {
  const Inputs& X;
  Targets targets;
  ImageShift shift = {};  // its seed is drawn anew each epoch, as that of the next
  InputDropout dropout = {};
};

// Samples [first, last) of an epoch, in its order, which is drawn from the random state that the
// epoch began with.
struct EpochPart {
  offset_t first, last;
  std::uint64_t rng_state;
};

// A part of a data set that is in shards, each a share of its rows: shard s of S has those from
// s n / S up to (s + 1) n / S.
struct Shards {
  offset_t n_rows = 0;          // of the whole data set
  index_t n = 0;                // shards of the whole data set, a power of two
  index_t first = 0, last = 0;  // those that are here, as many as divide n

  offset_t border(index_t shard) const { return n_rows * shard / n; }
};

// What an optimizer remembers between updates, so that training can go on elsewhere.
struct OptimizerState {
  std::string name = "sgd";
  std::int64_t step = 0;       // updates so far
  offset_t rows = 0;           // state arrays; plain SGD has none
  std::vector<float> moments;  // [rows, parameters]: layer by layer, synapses and then biases
};

// Of the empirical Fisher matrix F, which is taken for 0 but in blocks on its diagonal.
struct FisherOptions {
  index_t block = 128;    // the most synapses of one, all of one row
  double damping = 1e-2;  // added to the diagonal, as a share of its mean over the block; above 0
};

struct Gradients {
  double loss = 0.0;
  std::vector<std::vector<float>> values;  // per layer [nnz], in CSR order
  std::vector<std::vector<float>> bias;    // per layer [n_out]
};

// A value: a copy is independent, and cheap where only parameters differ, since copies share what
// training does not change. Others see a network only once it is whole (see Snapshots): what is
// const may be called on many threads at once; what is not works on a copy that nobody else has.
class Network {
 public:
  // Layers of the given sizes (inputs first): fully connected, or with so many synapses each at
  // random (see random_pattern). A weight is drawn uniformly from
  // +-init_scale * sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), with the synapses that its
  // neuron has in and that the neuron below has out; biases are 0.
  Network(const std::vector<index_t>& sizes, Activation activation, Loss loss, float init_scale,
          std::uint64_t seed, const std::vector<offset_t>& counts = {});
  // The same with synapses at given positions; w(0) of masks is ignored. Throws
  // std::invalid_argument if they do not fit.
  Network(std::vector<Pattern> masks, Activation activation, Loss loss, float init_scale,
          std::uint64_t seed);
  // A network as it was saved or built by hand. Throws std::invalid_argument if layers do not fit.
  Network(std::vector<Layer> layers, Activation activation, Loss loss, std::uint64_t rng_state);

  // All there is of the layers, in CSR order.
  std::vector<Layer> layers() const;
  const Patterns& patterns() const { return structure_->layers; }
  std::size_t n_layers() const { return parameters_.size(); }
  index_t n_inputs() const { return patterns().front().n_in; }
  index_t n_outputs() const { return patterns().back().n_out; }
  bool is_regression() const { return synaprune::is_regression(loss_); }
  index_t n_classes() const { return std::max<index_t>(n_outputs(), 2); }
  offset_t n_synapses() const { return count_synapses(patterns()); }
  const Rng& rng() const { return rng_; }
  OptimizerState optimizer_state() const;
  // Throws std::invalid_argument if the moments do not fit the layers or are not finite.
  void set_optimizer_state(const OptimizerState& state);
  // Which parameters training leaves as they are: layer by layer, synapses and then biases, 1 or 0;
  // empty if none. Cuts spare frozen synapses.
  std::vector<std::uint8_t> frozen() const;
  void set_frozen(const std::vector<std::uint8_t>& frozen);
  const std::vector<float>& input_shift() const { return shift_; }
  const std::vector<float>& input_scale() const { return scale_; }
  void set_input_transform(std::vector<float> shift, std::vector<float> scale);

  // One pass over the samples in a fresh random order, one update a batch, after the hook, if there
  // is one. Returns the mean loss, NaN or infinite as soon as the training has diverged. With a
  // part, only over that part of the epoch's samples.
  //
  // With shards, `data` are the rows of those that are here, and the hook has to add the gradients
  // of the others, if there are others: equal bits for any number of processes. Each shard is
  // shuffled by itself, and of each batch of batch_size, a multiple of shards, has its equal part.
  // A part does not go with shards.
  double train_epoch(TrainingData data, index_t batch_size, const Optimizer& optimizer, int threads,
                     const ShouldStop& should_stop, const GradientHook& hook = nullptr,
                     const EpochPart* part = nullptr, const Shards* shards = nullptr);
  // Floats that a hook is given of a data set in shards.
  offset_t n_gradient() const { return GradientLayout(model(), true).n + gradient_marks; }

  // Passes over samples. Each returns false, its result undefined, if a sample of float32 inputs
  // holds a NaN or an infinity.
  bool evaluate(const Inputs& X, const Targets& targets, int threads, const ShouldStop& should_stop,
                Evaluation& sum) const;
  // out[n, n_outputs], C-ordered: probabilities (softmax or sigmoid of each output), or numbers.
  bool outputs(const Inputs& X, int threads, const ShouldStop& should_stop, float* out) const;
  // out[n]: class of each sample, -1 where an output overflows.
  bool classify(const Inputs& X, int threads, const ShouldStop& should_stop, index_t* out) const;

  // out[n, n_out of the layer]: what a layer's neurons give, or (sums) what they add up before the
  // activation; of the last layer the logits. 0 for neurons that nothing reads.
  bool activations(const Inputs& X, std::size_t layer, bool sums, int threads,
                   const ShouldStop& should_stop, float* out) const;
  // What is lost on samples without each part of a layer; nothing is trained anew.
  bool ablate(const Inputs& X, const Targets& targets, std::size_t layer, Part part, int threads,
              const ShouldStop& should_stop, Ablation& out) const;

  // Gradient of the mean loss over all samples.
  Gradients gradients(const TrainingData& data, int threads, const ShouldStop& should_stop) const;
  // Of every synapse's gradient, over single samples; equal bits for any number of threads.
  GradientMoments gradient_moments(const TrainingData& data, int threads,
                                   const ShouldStop& should_stop) const;

  // 1 / [F^-1]_kk of every synapse, layers one after another: the curvature of the loss along it
  // if the others of its block, and the bias, make up for it; 0 of frozen ones and of those that no
  // gradient reaches. Equal bits for any number of threads.
  std::vector<float> curvature(const TrainingData& data, const FisherOptions& options, int threads,
                               const ShouldStop& should_stop) const;
  // Before the synapses with keep[k] == 0 are removed: the others of their blocks, and the biases,
  // become what keeps the loss lowest (Hassibi & Stork 1993). What is frozen stays as it is.
  void compensate(const std::vector<std::uint8_t>& keep, const TrainingData& data,
                  const FisherOptions& options, int threads, const ShouldStop& should_stop);

  // See prune.hpp.
  std::vector<float> score(Criterion criterion, const GradientMoments& moments,
                           const std::vector<float>& curvature);
  // keep[k] = 0 for the synapses that a cut removes, before any clean-up.
  std::vector<std::uint8_t> kept_by_cut(std::vector<float> scores, offset_t n, offset_t skip,
                                        bool per_layer, float structured_bias) const;
  offset_t cut(std::vector<float> scores, offset_t n, offset_t skip, bool per_layer,
               float structured_bias);
  // Prune-and-regrow at a constant count, in two steps, so that one layer changes at a time.
  // Where synapses of a layer grow: as many as `share` of those that are not frozen, as far as
  // there is room, at random where there is none now.
  Positions draw_growth(std::size_t layer, double share);
  // The same for all layers; of `candidates` times as many random positions those where the
  // gradient is largest in magnitude (of equals the first), over so many random samples.
  std::vector<Positions> draw_growth(const TrainingData& data, double share, double candidates,
                                     offset_t n_samples, const ShouldStop& should_stop);
  // Removes as many synapses of a layer, those of the smallest weights that are not frozen (of
  // equals the first), and adds those at the positions: w = w(0) = 0, with no optimizer state.
  void exchange(std::size_t layer, Positions grown);

  // Removes synapses and what is left dead; returns how many went.
  offset_t remove(const std::vector<std::uint8_t>& keep);

 private:
  // What cuts change and training does not.
  struct Structure {
    Patterns layers;
    Plan plan;
  };

  void set_layers(std::vector<Layer> layers);
  void set_layer(std::size_t l, Layer layer);
  void prepare_state(const Optimizer& optimizer);
  std::size_t n_parameters() const;
  offset_t growth_of(std::size_t l, double share) const;
  // Calls f(parameters, in CSR order) for synapses and then biases of each layer.
  template <class F>
  void for_parameters(F&& f) const;
  Model model() const {
    return {structure_->plan, parameters_, activation_, shifted_ ? shift_.data() : nullptr,
            scale_.data()};
  }
  // Calls f(tile, first sample, samples, ld, logits) for all tiles.
  template <class F>
  bool for_tiles(const Kernels& k, const Inputs& X, int threads, const ShouldStop& should_stop,
                 F&& f) const;
  // Calls f(tile, team) for all tiles, with sums kept.
  template <class F>
  bool for_traced_tiles(const Kernels& k, const Inputs& X, int threads, F&& f) const;
  TrainingTask task(const TrainingData& data, const offset_t* order, Batches batches) const;

  std::shared_ptr<const Structure> structure_;
  std::vector<LayerParameters> parameters_;  // in the plan's order
  Activation activation_;
  Loss loss_;
  Rng rng_;
  std::int64_t step_ = 0;         // updates since the optimizer's state began
  std::string state_of_ = "sgd";  // the optimizer whose state the parameters hold
  std::vector<float> shift_, scale_;
  bool shifted_ = false;  // whether a shift is not 0
};

}  // namespace synaprune
