// Batches through a network and back, on one thread or shared by a team.
#pragma once

#include <functional>

#include "synaprune/forward.hpp"
#include "synaprune/losses.hpp"
#include "synaprune/optimizer.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/targets.hpp"

namespace synaprune {

// What is trained, and on what.
struct TrainingTask {
  Model model;
  Loss loss;
  Samples samples;
  Targets targets;  // of all samples of X, in X's order
  offset_t batch_size;
};

// The gradients of a batch, in the plan's order: of each layer its synapses and its biases.
struct GradientView {
  float* data;
  offset_t n;
};
// Reads and changes the gradients of each batch before the update; called on one thread.
using GradientHook = std::function<void(const std::vector<GradientView>&)>;

// Scales all gradients down to the norm `most` if theirs, over all of them, is larger (Pascanu,
// Mikolov & Bengio 2013).
void clip_by_norm(const std::vector<GradientView>& gradients, float most);

// How parameters change with each batch.
struct UpdateRule {
  const Optimizer& optimizer;
  std::int64_t t = 0;                        // updates so far
  std::vector<LayerParameters>& parameters;  // those of the task's model
  GradientHook hook = nullptr;
};

// A batch is a list of steps over ranges: gather, sums, forward, loss, backward, gradient, hook,
// update. The arithmetic is the same for any number of threads; which thread does what is one of
// two schedules.
//
// Column groups, for small networks: the first layer's columns are in groups; each thread has some
// of them, from the gather of their inputs over their part of the sums to the update of their
// weights. What is above costs less than barriers would: the first thread does it alone, and has
// fewer columns; the others gather the next batch meanwhile.
//
// Rows, for large networks: each layer's rows (on the way back its columns) are shared, with a
// barrier after each layer.
class Trainer {
 public:
  // Without a rule nothing is updated, and gradients of all batches are added up, of the mean loss
  // over all samples.
  Trainer(const TrainingTask& task, const UpdateRule* rule, int threads);

  // All batches, in the samples' order. On the calling thread before() is called between batches,
  // and within large ones, and what it throws ends the run there; after(sum of the losses) after
  // each forward pass, and false ends the run. Parameters then hold a part of that batch's updates.
  void run(const std::function<void()>& before, const std::function<bool(double)>& after);

  // Of layer l, in the plan's order.
  const Buffer& synapse_gradients(std::size_t l) const { return gradients_[l]; }
  const Buffer& bias_gradients(std::size_t l) const { return bias_gradients_[l]; }

 private:
  // Schedules, for thread w.
  void column_group_batches(int w);
  void row_batches(int w);
  bool row_batch(offset_t i, int w);

  // Steps, of batch i.
  void gather(offset_t i, index_t group, Rows blocks, int w);
  void partial_sums(offset_t i, index_t group);
  void add_partial_sums(offset_t i);
  void loss_of_tile(offset_t i, offset_t t);
  void finish_loss(offset_t i);
  void bias_gradient(std::size_t l, Rows rows, offset_t i);
  template <class F>
  void in_pieces(offset_t i, std::size_t l, int w, F&& f);
  void synapse_gradient(std::size_t l, Rows blocks, Rows rows, offset_t i, Columns below, int w);
  void run_hook();
  void update(std::size_t l, Rows blocks, Rows rows, offset_t i);
  void update_biases(std::size_t l, Rows rows, offset_t i);
  void update_block(std::size_t l, index_t block, Rows rows, offset_t i, const float* gradient);

  Tiles tiles(offset_t i) const {
    return {std::min(t_.batch_size, t_.samples.X.n - i * t_.batch_size), max_tile};
  }
  const BlockedCsr& weights(std::size_t l) const { return t_.model.weights(l); }
  Rows all_rows(std::size_t l) const { return t_.model.all_rows(l); }
  Rows all_blocks(std::size_t l) const { return {0, weights(l).n_blocks}; }
  Rows group(index_t g) const { return {groups_[g], groups_[g + 1]}; }
  index_t n_groups() const { return static_cast<index_t>(groups_.size()) - 1; }
  Rows own_groups(int w) const;
  float* inputs(offset_t i, index_t group);
  Columns columns(offset_t i, index_t group);
  Columns outputs_below(std::size_t l) {
    return {forward_.outputs(l - 1), 0, weights(l).n_columns};
  }
  // Whether gradients of a whole batch are there before any update.
  bool whole() const { return !rule_ || rule_->hook; }

  TrainingTask t_;
  const UpdateRule* rule_;
  offset_t n_batches_;
  std::size_t n_layers_;
  bool small_;
  std::vector<index_t> groups_;  // borders of groups of the first layer's blocks; one if large
  Team team_;
  const Kernels& kernels_ = kernels();
  Forward forward_;
  Backward backward_;
  std::function<void()> before_;
  std::function<bool(double)> after_;
  // Borders between threads in a large network: the first layer's blocks, rows, columns.
  std::vector<index_t> blocks_;
  std::vector<std::vector<index_t>> rows_, columns_;
  std::vector<Buffer> moved_;           // per thread, for images that move: [a tile's samples, d]
  std::vector<Buffer> inputs_;          // two per group, for a thread that gathers ahead
  std::vector<Buffer> partial_;         // per group: its part of the first layer's sums
  std::vector<const float*> partials_;  // of groups that have a block
  std::vector<Buffer> bias_gradients_;  // per layer [rows]
  std::vector<Buffer> gradients_;       // per layer if whole, else per thread, of a block
  std::vector<GradientView> all_gradients_;  // if whole
  Buffer targets_, sample_weights_;          // unless targets are plain: [outputs], [1] in tiles
  std::vector<double> losses_;               // per tile
};

}  // namespace synaprune
