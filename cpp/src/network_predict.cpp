// Prediction: samples through the network, tile by tile, on one thread or several.
#include <algorithm>
#include <memory>

#include "synaprune/network.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/passes.hpp"
#include "synaprune/pointwise.hpp"

namespace synaprune {

namespace {

constexpr offset_t worth_a_team = 1 << 20;  // synapse-samples and bytes read: some 100 us

// The buffers of one tile on its way up.
class TilePass {
 public:
  TilePass(const Kernels& kernels, const std::vector<Layer>& layers,
           const std::vector<Buffer>& values, const Plan& plan, Activation activation,
           const InputView& view)
      : kernels_(kernels), values_(values), plan_(plan), activation_(activation), view_(view) {
    inputs_.resize(static_cast<offset_t>(view.n_columns) * max_tile);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const LayerPlan& p = plan.layers[l];
      outputs_.emplace_back(static_cast<offset_t>(p.weights.n_rows) * max_tile);
      times_ += offset_t{p.weights.n_rows} * p.weights.n_blocks;
      bias_.emplace_back();
      for (const index_t r : p.rows) bias_[l].push_back(layers[l].bias[r]);
    }
  }

  // The outputs' inputs [n_outputs, padded(size)] of samples first .. first + size, or null if a
  // number of theirs is not finite. Those from `next` on are asked for already.
  float* operator()(const Inputs& X, offset_t first, index_t size, offset_t next) {
    const auto ld = static_cast<index_t>(padded(size));
    const Samples samples{X, nullptr};
    look_ahead(samples, next, std::min<offset_t>(max_tile, X.n - next), view_, times_, next_,
               ahead_);
    if (!gather(kernels_, samples, first, size, view_, true, nullptr, inputs_.data(), ahead_))
      return nullptr;
    const float* x = inputs_.data();
    for (std::size_t l = 0; l < values_.size(); ++l) {
      const BlockedCsr& W = plan_.layers[l].weights;
      float* y = outputs_[l].data();
      for (index_t b = 0; b < W.n_blocks; ++b)
        kernels_.spmm(0, W.n_rows, ld, W.begin(b), W.end(b), W.local.data(), values_[l].data(),
                      x + offset_t{W.first_column(b)} * ld, bias_[l].data(), b > 0, ld, y, &ahead_);
      if (l + 1 < values_.size()) kernels_.activate(activation_, offset_t{W.n_rows} * ld, y);
      x = y;
    }
    return outputs_.back().data();
  }

 private:
  const Kernels& kernels_;
  const std::vector<Buffer>& values_;
  const Plan& plan_;
  Activation activation_;
  InputView view_;
  Buffer inputs_;
  std::vector<Buffer> outputs_, bias_;
  offset_t times_ = 0;  // that kernels come by
  Ahead ahead_;         // the next tile's samples
  const char* next_[max_tile];
};

}  // namespace

// One sample, without a tile around it; equal bits. Small networks need no memory but the stack.
template <class F>
void Network::for_one(const Kernels& k, const Inputs& X, F&& f) const {
  constexpr offset_t small = 4096;
  offset_t n = static_cast<offset_t>(plan_.inputs.size());
  for (const LayerPlan& p : plan_.layers) n += 2 * offset_t{p.weights.n_rows};
  float on_stack[small];
  const std::unique_ptr<float[]> on_heap(n > small ? new float[n] : nullptr);
  float* x = on_heap ? on_heap.get() : on_stack;
  gather_one(
      X, 0,
      {plan_.inputs.data(), static_cast<index_t>(plan_.inputs.size()), shift(), scale_.data()}, x);
  float* y = x + plan_.inputs.size();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const BlockedCsr& W = plan_.layers[l].weights;
    float* bias = y + W.n_rows;
    for (index_t r = 0; r < W.n_rows; ++r) bias[r] = layers_[l].bias[plan_.layers[l].rows[r]];
    for (index_t b = 0; b < W.n_blocks; ++b)
      k.spmv(0, W.n_rows, W.begin(b), W.end(b), W.local.data(), block_values_[l].data(),
             x + W.first_column(b), bias, b > 0, y);
    if (l + 1 < layers_.size()) k.activate(activation_, W.n_rows, y);
    x = y;
    y = bias + W.n_rows;
  }
  f(offset_t{0}, offset_t{0}, index_t{1}, index_t{1}, x);
}

template <class F>
bool Network::for_tiles(const Kernels& k, const Inputs& X, int threads,
                        const ShouldStop& should_stop, F&& f) const {
  const InputView view{plan_.inputs.data(), static_cast<index_t>(plan_.inputs.size()), shift(),
                       scale_.data()};
  if (X.n == 1) {
    if (!X.is_uint8 && !k.all_finite(reinterpret_cast<const float*>(X.row(0)), X.d)) return false;
    for_one(k, X, f);
    return true;
  }
  const offset_t n_tiles = (X.n + max_tile - 1) / max_tile;
  const bool worth = (count_synapses(layers_) + X.row_bytes()) * X.n >= worth_a_team;
  Team team(worth ? static_cast<int>(std::min<offset_t>(threads, n_tiles)) : 1);
  StopCheck check(should_stop);
  Atomic<bool> finite{true};
  team.run([&](int worker) {
    TilePass pass(k, layers_, block_values_, plan_, activation_, view);
    offset_t next = team.next_ticket();
    for (offset_t t; (t = next) < n_tiles && !team.stopped();) {
      next = team.next_ticket();
      const offset_t first = t * max_tile;
      const auto size = static_cast<index_t>(std::min<offset_t>(max_tile, X.n - first));
      float* Z = pass(X, first, size, std::min(next * max_tile, X.n));
      if (!Z) {
        finite = false;
        team.stop();
        return;
      }
      f(t, first, size, static_cast<index_t>(padded(size)), Z);
      if (worker == 0) check();
    }
  });
  return finite;
}

bool Network::evaluate(const Inputs& X, const index_t* labels, int threads,
                       const ShouldStop& should_stop, Evaluation& sum) const {
  std::vector<Evaluation> tiles(X.n / max_tile + 1);
  const Kernels& k = kernels();
  const bool finite =
      for_tiles(k, X, threads, should_stop,
                [&](offset_t t, offset_t first, index_t size, index_t ld, float* Z) {
                  index_t predicted[max_tile];
                  k.classify(n_outputs(), ld, Z, predicted);
                  for (index_t s = 0; s < size; ++s)
                    tiles[t].n_correct += predicted[s] == labels[first + s];
                  tiles[t].loss = loss_only(k, loss_, n_outputs(), size, ld, labels + first, Z);
                });
  sum = {};
  for (const Evaluation& tile : tiles) {
    sum.loss += tile.loss;
    sum.n_correct += tile.n_correct;
  }
  sum.loss /= static_cast<double>(X.n);
  return finite;
}

bool Network::probabilities(const Inputs& X, int threads, const ShouldStop& should_stop,
                            float* out) const {
  const Kernels& k = kernels();
  return for_tiles(k, X, threads, should_stop,
                   [&](offset_t, offset_t first, index_t size, index_t ld, float* Z) {
                     const index_t n_out = n_outputs();
                     output_probabilities(k, loss_, n_out, ld, Z);
                     for (index_t s = 0; s < size; ++s)
                       for (index_t r = 0; r < n_out; ++r)
                         out[(first + s) * n_out + r] = Z[static_cast<offset_t>(r) * ld + s];
                   });
}

bool Network::classify(const Inputs& X, int threads, const ShouldStop& should_stop,
                       index_t* out) const {
  const Kernels& k = kernels();
  return for_tiles(k, X, threads, should_stop,
                   [&](offset_t, offset_t first, index_t size, index_t ld, const float* Z) {
                     index_t predicted[max_tile];
                     k.classify(n_outputs(), ld, Z, predicted);
                     std::copy(predicted, predicted + size, out + first);
                   });
}

}  // namespace synaprune
