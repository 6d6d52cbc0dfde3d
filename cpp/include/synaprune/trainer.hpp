// Batches through a network and back, on one thread or shared by a team.
#pragma once

#include <functional>

#include "synaprune/forward.hpp"
#include "synaprune/losses.hpp"
#include "synaprune/optimizer.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/targets.hpp"

namespace synaprune {

// Where batches begin and end in the samples' order. Of a data set in shards a batch has a part of
// each shard, and the gradients of parts are added up by a binary tree: (0 + 1) + (2 + 3) … Whoever
// holds 2^k neighbouring shards then has a whole branch of it.
struct Batches {
  std::vector<offset_t> borders;  // [n_parts + 1], of the parts, batch by batch
  offset_t largest = 0;           // samples of a part
  offset_t parts = 0;             // of a batch, a power of two; 0 without shards: a batch is one
  offset_t size = 0, n = 0;       // samples of a batch and of the data set, in all its shards

  offset_t n_parts() const { return static_cast<offset_t>(borders.size()) - 1; }
  // The batch of part i, and how many samples it has in all.
  offset_t batch(offset_t i) const { return parts ? i / parts : i; }
  offset_t n_samples(offset_t i) const { return std::min(size, n - batch(i) * size); }
  bool completes(offset_t i) const { return parts == 0 || (i + 1) % parts == 0; }
};

// n samples in batches of one part.
Batches in_batches(offset_t n, offset_t size);

// What is trained, and on what.
struct TrainingTask {
  Model model;
  Loss loss;
  Samples samples;
  Targets targets;  // of all samples of X, in X's order
  Batches batches;
};

// Where the gradient of each parameter is, in the plan's order: layer by layer synapses and then
// biases, with zeros up to the next line of a cache.
struct GradientLayout {
  std::vector<offset_t> synapses, biases;  // per layer, its first one
  offset_t n = 0;

  // Without synapses there are biases alone.
  GradientLayout(const Model& model, bool with_synapses);
};

// The gradient of a batch, as laid out. Of a data set in shards data[n] is the sum of the losses,
// and data[n + 1] is 0: a mark that whoever adds up such arrays of several processes may set.
struct GradientView {
  float* data;
  offset_t n;
};
inline constexpr offset_t gradient_marks = 2;
// Reads and changes the gradient of each batch before the update; called on one thread.
using GradientHook = std::function<void(const GradientView&)>;

// Scales the gradient down to the norm `most` if its own is larger (Pascanu, Mikolov & Bengio
// 2013).
void clip_by_norm(const GradientView& gradient, float most);

// How parameters change with each batch.
struct UpdateRule {
  const Optimizer& optimizer;
  std::int64_t t = 0;                        // updates so far
  std::vector<LayerParameters>& parameters;  // those of the task's model
  GradientHook hook = nullptr;
};

// A batch is a list of steps over ranges: gather, sums, forward, loss, backward, gradient, hook,
// update; of a data set in shards all steps up to the gradient for one part after the other. The
// arithmetic is the same for any number of threads; which thread does what is one of
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
  const float* synapse_gradients(std::size_t l) const {
    return gradient_.data() + layout_.synapses[l];
  }
  const float* bias_gradients(std::size_t l) const { return gradient_.data() + layout_.biases[l]; }

 private:
  // Schedules, for thread w.
  void column_group_batches(int w);
  void row_batches(int w);
  bool row_batch(offset_t i, int w);

  // Steps, of part i.
  void gather(offset_t i, index_t group, Rows blocks, int w);
  void partial_sums(offset_t i, index_t group);
  void add_partial_sums(offset_t i);
  void loss_of_tile(offset_t i, offset_t t);
  void finish_loss(offset_t i);
  void bias_gradient(std::size_t l, Rows rows, offset_t i);
  template <class F>
  void in_pieces(offset_t i, std::size_t l, int w, F&& f);
  void synapse_gradient(std::size_t l, Rows blocks, Rows rows, offset_t i, Columns below, int w);
  void add_parts(offset_t i, float* gradient, offset_t n);
  void finish_batch(offset_t i);
  void update(std::size_t l, Rows blocks, Rows rows, offset_t i);
  void update_biases(std::size_t l, Rows rows, offset_t i);
  void update_block(std::size_t l, index_t block, Rows rows, offset_t i, const float* gradient);

  Tiles tiles(offset_t i) const {
    return {t_.batches.borders[i + 1] - t_.batches.borders[i], max_tile};
  }
  offset_t first(offset_t i, offset_t t) const { return t_.batches.borders[i] + t * max_tile; }
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
  bool whole() const { return !rule_ || rule_->hook || t_.batches.parts > 0; }
  float* bias_gradient_of(std::size_t l) { return gradient_.data() + layout_.biases[l]; }

  TrainingTask t_;
  const UpdateRule* rule_;
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
  GradientLayout layout_;
  Buffer gradient_;                  // as laid out, and marks; of biases alone unless whole
  std::vector<Buffer> of_block_;     // unless whole: per thread, of a block's synapses
  std::vector<Buffer> part_sums_;    // [d]: the gradient of 2^d parts that wait for the next ones
  Buffer targets_, sample_weights_;  // unless targets are plain: [outputs], [1] in tiles
  std::vector<double> losses_;       // per tile
};

}  // namespace synaprune
