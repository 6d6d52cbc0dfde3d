// Samples through a network, and gradients back: the buffers of a batch and the steps that fill
// them. All that passes data through a network does it here.
#pragma once

#include "synaprune/inputs.hpp"
#include "synaprune/passes.hpp"

namespace synaprune {

// A network as passes read it.
struct Model {
  const Plan& plan;
  const std::vector<LayerParameters>& parameters;  // in the plan's order
  Activation activation;
  const float* shift;  // [d], or null if all are 0
  const float* scale;  // [d]

  std::size_t n_layers() const { return parameters.size(); }
  const BlockedCsr& weights(std::size_t l) const { return plan.layers[l].weights; }
  Rows all_rows(std::size_t l) const { return {0, weights(l).n_rows}; }
  // Of the inputs that some of the first layer's blocks read.
  InputView view(Rows blocks) const {
    const BlockedCsr& W = weights(0);
    const index_t first = W.first_column(blocks.first);
    return {plan.inputs.data() + first, W.columns[blocks.last] - first, shift, scale};
  }
  InputView view() const { return view({0, weights(0).n_blocks}); }
};

// Steps write only the rows that they are given, so that threads can share a layer.
class Forward {
 public:
  // For batches of up to `most` samples. With keep_sums, what hidden neurons add up is kept beside
  // what they give; else only where the activation needs it.
  Forward(const Model& model, const Kernels& kernels, offset_t most, bool keep_sums = false);

  void set_batch(offset_t n) { tiles_.n = n; }
  Tiles tiles() const { return tiles_; }

  // All steps for samples first .. first + n; those from next on are prefetched. With check,
  // returns whether their numbers are finite; nothing else is done then if they are not.
  bool run(const Samples& samples, offset_t first, offset_t n, offset_t next, bool check);

  // Sums of a layer over X, its inputs in tiles, and what its neurons give, for all tiles or some.
  void layer(std::size_t l, Rows rows, const float* X) { layer(l, rows, X, {0, tiles_.count()}); }
  void layer(std::size_t l, Rows rows, const float* X, Range<offset_t> which);
  // What neurons give, once their sums stand in sums(l).
  void activate(std::size_t l, Rows rows) { activate(l, rows, {0, tiles_.count()}); }
  void activate(std::size_t l, Rows rows, Range<offset_t> which);

  // [rows] in tiles. Of the last layer both are the logits.
  float* sums(std::size_t l) { return (sums_[l].empty() ? outputs_[l] : sums_[l]).data(); }
  float* outputs(std::size_t l) { return outputs_[l].data(); }
  const float* logits() const { return outputs_.back().data(); }
  // What a layer reads, after run().
  const float* below(std::size_t l) { return l == 0 ? inputs_.data() : outputs(l - 1); }
  // Null unless sums are kept.
  const float* kept_sums(std::size_t l) const {
    return sums_[l].empty() ? nullptr : sums_[l].data();
  }

 private:
  const Model model_;
  const Kernels& kernels_;
  Tiles tiles_;
  Buffer inputs_;                       // made by the first run()
  std::vector<Buffer> sums_, outputs_;  // per layer
};

// Logits of one sample, without a tile around it; equal bits. Calls f(logits[n_outputs]). Small
// networks need no memory but the stack.
template <class F>
void forward_one(const Model& model, const Kernels& kernels, const Inputs& X, offset_t row, F&& f) {
  constexpr offset_t small = 4096;
  const InputView view = model.view();
  offset_t n = view.n_columns;
  for (std::size_t l = 0; l < model.n_layers(); ++l) n += model.weights(l).n_rows;
  float on_stack[small];
  const Buffer on_heap(static_cast<std::size_t>(n > small ? n : 0));
  float* x = n > small ? const_cast<float*>(on_heap.data()) : on_stack;
  gather_one(X, row, view, x);
  float* y = x + view.n_columns;
  for (std::size_t l = 0; l < model.n_layers(); ++l) {
    const BlockedCsr& W = model.weights(l);
    const LayerParameters& p = model.parameters[l];
    for (index_t b = 0; b < W.n_blocks; ++b)
      kernels.spmv({0, W.n_rows}, W.block(b), p.synapses.values.data() + W.begin(b)[0],
                   x + W.first_column(b), p.biases.values.data(), b > 0, y);
    if (l + 1 < model.n_layers()) kernels.activation(model.activation).forward(W.n_rows, y);
    x = y;
    y += W.n_rows;
  }
  f(x);
}

// The way back through a network: deltas, the gradients of the loss by each layer's sums.
class Backward {
 public:
  Backward(const Model& model, const Kernels& kernels, offset_t most, int threads = 1);

  // The delta of layer l - 1 from that of layer l, for some columns of layer l and some tiles, or
  // all; `forward` holds the batch. Threads that are at it together have different numbers.
  void step(Forward& forward, std::size_t l, Rows columns) {
    step(forward, l, columns, {0, forward.tiles().count()});
  }
  void step(Forward& forward, std::size_t l, Rows columns, Range<offset_t> which, int thread = 0);

  // [rows] in tiles; of the last layer what stands in forward's logits, which the loss overwrites.
  float* delta(Forward& forward, std::size_t l) {
    return l + 1 < model_.n_layers() ? deltas_[l].data() : forward.outputs(l);
  }

 private:
  const Model model_;
  const Kernels& kernels_;
  std::vector<Buffer> deltas_;  // per layer
  std::vector<Buffer> pieces_;  // per thread, of a layer's transpose
};

}  // namespace synaprune
