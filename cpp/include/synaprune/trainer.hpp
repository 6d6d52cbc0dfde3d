// Batches through a network and back, on one thread or shared by a team.
#pragma once

#include <functional>

#include "synaprune/inputs.hpp"
#include "synaprune/optimizer.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/passes.hpp"
#include "synaprune/targets.hpp"

namespace synaprune {

struct Gradients {
  double loss = 0.0;
  std::vector<std::vector<float>> values;  // per layer [nnz], in CSR order
  std::vector<std::vector<float>> bias;    // per layer [n_out]
};

// What is trained, and on what.
struct TrainingTask {
  std::vector<Layer>& layers;
  std::vector<Buffer>& values;  // the layers' values in the plan's order; kept equal
  const Plan& plan;
  Activation activation;
  Loss loss;
  const float* shift;  // [d], or null if all are 0
  const float* scale;  // [d]
  Samples samples;
  Targets targets;  // of all samples of X, in X's order
  offset_t batch_size;
};

// A layer's parameters and the optimiser's state, in the plan's order.
struct Parameters {
  Buffer bias, bias_moment1, bias_moment2, bias_frozen;        // [rows]
  Buffer values, moment1, moment2, frozen, transposed_values;  // [nnz]

  void read(const Layer& layer, const LayerPlan& plan);  // all but values
  void write(const LayerPlan& plan, Layer& layer) const;
};

// Calls f(range) for the parts of a thread; a team may be smaller than there are parts.
template <class F>
void for_own_parts(int w, const Team& team, const std::vector<index_t>& borders, F&& f) {
  for (int part = w; part + 1 < static_cast<int>(borders.size()); part += team.size())
    f(Range<index_t>{borders[part], borders[part + 1]});
}

// An optimiser's state of parameter k on, null where it has none.
inline float* state(Buffer& moment, offset_t k = 0) {
  return moment.empty() ? nullptr : moment.data() + k;
}

// The arithmetic is the same for any number of threads; what depends on it is who does what.
//
// In a small network the first layer's columns are in two groups; each is one thread's, from the
// gather of its inputs over its part of the sums to the update of its weights. What is above costs
// less than meetings of threads would: the first thread does it alone, and has fewer columns; the
// second one gathers the next batch meanwhile. A large network is shared by rows, layer by layer.
class Trainer {
 public:
  // Without an optimiser nothing is updated, and gradients() tells those of the last batch.
  Trainer(const TrainingTask& task, const Optimizer* optimizer, std::int64_t step, int threads);

  // All batches, in the samples' order. On the calling thread before() is called between batches,
  // and what it throws ends the run there; after(sum of the losses) after each forward pass, and
  // false ends the run, with a part of that batch's updates made.
  void run(const std::function<void()>& before, const std::function<bool(double)>& after);

  Gradients gradients() const;

 private:
  using Rows = Range<index_t>;

  void small_batches(int w);
  bool large_batch(offset_t i, int w);

  bool wait(int w) {
    return team_.meet(w, [&] { return ask(w); });
  }
  bool ask(int w);
  void look_ahead(offset_t i, int w);

  Rows own_groups(int w) const;
  InputView view(Rows blocks) const;
  float* inputs(offset_t i, index_t group);
  Columns columns(offset_t i, index_t group);
  void gather_columns(offset_t i, index_t group, Rows blocks, int w);
  void partial_sums(offset_t i, index_t group, int w);
  void add_partials(offset_t i);
  void pass_above(offset_t i, int w);
  void forward(std::size_t l, Rows rows, Tiles tiles, int w);
  void activate(std::size_t l, Rows rows, Tiles tiles);
  void loss_of(offset_t i, offset_t t);
  void goes_on(offset_t i);
  void pass_down(std::size_t l, Rows columns, Tiles tiles, int w);
  void update_biases(std::size_t l, Rows rows, offset_t i);
  void update_synapses(std::size_t l, Rows blocks, Rows rows, offset_t i, Columns below, int w);

  Tiles tiles(offset_t i) const {
    return {std::min(t_.batch_size, t_.samples.X.n - i * t_.batch_size), max_tile};
  }
  const LayerPlan& plan(std::size_t l) const { return t_.plan.layers[l]; }
  const BlockedCsr& weights(std::size_t l) const { return t_.plan.layers[l].weights; }
  Rows all_rows(std::size_t l) const { return {0, weights(l).n_rows}; }
  Rows all_blocks(std::size_t l) const { return {0, weights(l).n_blocks}; }
  Rows group(index_t g) const { return {groups_[g], groups_[g + 1]}; }
  index_t n_groups() const { return static_cast<index_t>(groups_.size()) - 1; }
  // Of a hidden layer its outputs, of the last one what becomes its delta.
  Buffer& outputs(std::size_t l) { return l + 1 < n_layers_ ? outputs_[l] : deltas_[l]; }
  Columns outputs_below(std::size_t l) const {
    return {outputs_[l - 1].data(), 0, weights(l).n_columns};
  }

  TrainingTask t_;
  const Optimizer* optimizer_;
  std::int64_t step_;
  offset_t n_batches_;
  std::size_t n_layers_;
  bool small_;
  std::vector<index_t> groups_;  // borders of groups of the first layer's blocks; one if large
  Team team_;
  const Kernels& kernels_ = kernels();
  std::function<void()> before_;
  std::function<bool(double)> after_;
  // Borders between threads in a large network: the first layer's blocks, rows, columns.
  std::vector<index_t> blocks_;
  std::vector<std::vector<index_t>> rows_, columns_;
  // Per thread: samples that it gathers soon, and what it asks for of them.
  std::vector<std::vector<const char*, LineAllocator<const char*>>> next_;
  std::vector<Ahead> ahead_;
  std::vector<Buffer> moved_;    // per thread, for images that move: [a tile's samples, d]
  std::vector<Buffer> inputs_;   // two per group, the second for a thread that gathers ahead
  std::vector<Buffer> partial_;  // per group
  std::vector<Buffer> outputs_, deltas_;  // per layer [rows] in tiles
  std::vector<Buffer> dbias_;             // per layer [rows]
  Buffer targets_, weights_;              // unless they are plain: [outputs], [1] in tiles
  std::vector<double> losses_;            // per tile
  std::vector<Parameters> parameters_;    // per layer
  std::vector<Buffer> gradients_;         // per thread; per layer without an optimiser
};

}  // namespace synaprune
