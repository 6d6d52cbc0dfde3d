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
  const float* shift;  // [d]
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
// In a small network each thread owns blocks of columns of the first layer, from the gather of
// their inputs over their part of the sums to the update of their weights; above it, each takes
// some of the samples and keeps the parameters for itself. So little passes between cores. A large
// network is shared by rows, layer by layer.
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

  bool small_batch(offset_t i, int w);
  bool large_batch(offset_t i, int w);
  bool wait(offset_t i, int w) {
    return team_.meet(w, [&] { return ask_ahead(i, w); });
  }
  bool ask_ahead(offset_t i, int w);

  void gather_columns(offset_t i, Rows blocks, int w);
  void partial_sums(offset_t i, Rows blocks);
  void add_partials(offset_t i, offset_t t, const float* bias);
  void up_and_down(offset_t i, offset_t t, int w);
  void tile_gradients(offset_t i, offset_t t);
  void update_own(offset_t i, int w);
  void forward(std::size_t l, Rows rows, Tiles tiles, Range<offset_t> which, const Parameters& p);
  void pass_down(std::size_t l, Rows columns, Tiles tiles, Range<offset_t> which,
                 const Parameters& p);
  void loss_of(offset_t i, Tiles tiles, offset_t t);
  bool goes_on(Tiles tiles);
  void update_synapses(std::size_t l, index_t block, Rows rows, Tiles tiles, const float* D,
                       const float* X, offset_t i, int w);

  Tiles tiles(offset_t i) const {
    return {std::min(t_.batch_size, t_.samples.X.n - i * t_.batch_size), max_tile};
  }
  Tiles upper_tiles(offset_t i) const {  // smaller ones can be shared among threads
    return {tiles(i).n, small_ ? max_tile / 2 : max_tile};
  }
  const LayerPlan& plan(std::size_t l) const { return t_.plan.layers[l]; }
  const BlockedCsr& weights(std::size_t l) const { return t_.plan.layers[l].weights; }
  // The first layer's synapses, and all of a large network, are the first thread's copy for all.
  Parameters& own(std::size_t l, int w) { return parameters_[small_ ? w : 0][l]; }
  // Of a hidden layer its outputs, of the last one what becomes its delta.
  Buffer& outputs(std::size_t l) { return l + 1 < n_layers_ ? outputs_[l] : deltas_[l]; }
  float* partial(index_t block, Tiles batch) {
    return partial_.data() + block * batch.floats(weights(0).n_rows);
  }

  TrainingTask t_;
  const Optimizer* optimizer_;
  std::int64_t step_;
  offset_t n_batches_;
  std::size_t n_layers_;
  bool small_;
  Team team_;
  const Kernels& kernels_ = kernels();
  std::function<void()> before_;
  std::function<bool(double)> after_;
  // Borders between threads: the first layer's blocks, each layer's rows and columns.
  std::vector<index_t> blocks_;
  std::vector<std::vector<index_t>> rows_, columns_;
  std::vector<double> losses_;   // per tile
  std::vector<offset_t> asked_;  // per thread: rows of the next batch that were asked for
  std::vector<Buffer> moved_;    // per thread, for images that move: [a tile's samples, d]
  Buffer targets_, weights_;     // unless they are plain: [outputs], [1] in upper_tiles
  Buffer inputs_, partial_, first_delta_;
  std::vector<Buffer> outputs_, deltas_;             // per layer, in upper_tiles
  std::vector<std::vector<Parameters>> parameters_;  // per thread (small) or one, and layer
  std::vector<Buffer> gradients_;                    // per thread; per layer without an optimiser
  std::vector<Buffer> dbias_;                        // per layer [rows]
  std::vector<Buffer> tile_gradients_, own_gradients_;  // small: per tile, per thread
};

}  // namespace synaprune
