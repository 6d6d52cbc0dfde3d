// Passes over data: training by the epoch, evaluation, prediction, gradients.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "synaprune/kernels.hpp"
#include "synaprune/network.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/pointwise.hpp"

namespace synaprune {

namespace {

constexpr index_t tile_size = 64;  // samples that an evaluation passes through at once

// The buffers of one batch and the passes over them. Neurons are numbered as in the plan.
class Batch {
 public:
  Batch(const Network& network, const Plan& plan, index_t capacity, bool training, int threads)
      : network_(network), plan_(plan), threads_(threads) {
    const index_t ld = padded(capacity);
    for (const LayerPlan& layer : plan.layers) {
      const auto n = static_cast<offset_t>(layer.rows.size());
      outputs_.emplace_back(n * ld);
      deltas_.emplace_back(training ? n * ld : 0);
      borders_.push_back(split_rows(threads, layer.indptr, ld));
      t_borders_.push_back(training && !layer.transposed.indptr.empty()
                               ? split_rows(threads, layer.transposed.indptr, ld)
                               : std::vector<index_t>{});
    }
    const auto n_inputs = static_cast<offset_t>(plan.inputs.size());
    inputs_.resize(n_inputs * ld);
    input_parts_ = n_inputs * ld >= (1 << 20) ? threads : 1;
  }

  // Gathers samples and computes every layer; returns the outputs' inputs [n_outputs, ld()].
  float* forward(const Inputs& X, const offset_t* rows, offset_t first, index_t batch) {
    batch_ = batch;
    ld_ = padded(batch);
    const auto n_inputs = static_cast<offset_t>(plan_.inputs.size());
    parallel_for(threads_, input_parts_, [&](int part) {
      const auto from = static_cast<index_t>(n_inputs * part / input_parts_);
      const auto to = static_cast<index_t>(n_inputs * (part + 1) / input_parts_);
      gather(X, rows, first, batch, plan_.inputs.data() + from, to - from,
             network_.input_shift().data(), network_.input_scale().data(), ld_,
             inputs_.data() + static_cast<offset_t>(from) * ld_);
    });
    for (std::size_t l = 0; l < plan_.layers.size(); ++l) {
      const LayerPlan& plan = plan_.layers[l];
      const Layer& layer = network_.layers()[l];
      bias_.resize(plan.rows.size());
      for (std::size_t r = 0; r < plan.rows.size(); ++r) bias_[r] = layer.bias[plan.rows[r]];
      const bool hidden = l + 1 < plan_.layers.size();
      for_blocks(borders_[l], [&](index_t row0, index_t row1) {
        kernels_.spmm(row0, row1, ld_, plan.indptr.data(), plan.indices.data(), layer.values.data(),
                      bias_.data(), below(l), outputs_[l].data());
        if (hidden)
          activate(network_.activation(), static_cast<offset_t>(row1 - row0) * ld_,
                   outputs_[l].data() + static_cast<offset_t>(row0) * ld_);
      });
    }
    return outputs_.back().data();
  }

  // After forward: the sum of the losses; afterwards the top layer's delta is the gradient of the
  // mean loss over the batch.
  double loss(const index_t* labels) {
    deltas_.back().swap(outputs_.back());
    return loss_and_gradient(network_.loss(), network_.n_outputs(), batch_, ld_, labels,
                             deltas_.back().data());
  }

  // Passes the delta of layer l down to layer l - 1.
  void backward_inputs(std::size_t l) {
    const Transpose& t = plan_.layers[l].transposed;
    float* delta = deltas_[l - 1].data();
    for_blocks(t_borders_[l], [&](index_t col0, index_t col1) {
      kernels_.grad_inputs(col0, col1, ld_, t.indptr.data(), t.row.data(), t.synapse.data(),
                           network_.layers()[l].values.data(), deltas_[l].data(), delta);
      const offset_t begin = static_cast<offset_t>(col0) * ld_;
      activate_backward(network_.activation(), static_cast<offset_t>(col1 - col0) * ld_,
                        outputs_[l - 1].data() + begin, delta + begin);
    });
  }

  // Gradients of layer l from its delta; dbias is in the layer's own numbering.
  void backward_weights(std::size_t l, std::vector<float>& dvalues, std::vector<float>& dbias) {
    const LayerPlan& plan = plan_.layers[l];
    dvalues.resize(plan.indices.size());
    bias_.resize(plan.rows.size());
    for_blocks(borders_[l], [&](index_t row0, index_t row1) {
      kernels_.grad_weights(row0, row1, ld_, plan.indptr.data(), plan.indices.data(),
                            deltas_[l].data(), below(l), dvalues.data(), bias_.data());
    });
    dbias.assign(network_.layers()[l].bias.size(), 0.0f);
    for (std::size_t r = 0; r < plan.rows.size(); ++r) dbias[plan.rows[r]] = bias_[r];
  }

  index_t ld() const { return ld_; }

 private:
  const float* below(std::size_t l) const {
    return l == 0 ? inputs_.data() : outputs_[l - 1].data();
  }

  template <class F>
  void for_blocks(const std::vector<index_t>& borders, F&& f) {
    parallel_for(threads_, static_cast<int>(borders.size()) - 1,
                 [&](int i) { f(borders[i], borders[i + 1]); });
  }

  const Network& network_;
  const Plan& plan_;
  const Kernels& kernels_ = kernels();
  int threads_;
  int input_parts_ = 1;
  index_t batch_ = 0;
  index_t ld_ = 0;
  std::vector<float> inputs_, bias_;
  std::vector<std::vector<float>> outputs_, deltas_;
  std::vector<std::vector<index_t>> borders_, t_borders_;
};

// Asks should_stop at most every 20 ms.
class StopCheck {
 public:
  explicit StopCheck(const ShouldStop& should_stop) : should_stop_(should_stop) {}
  void operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (!should_stop_ || now - last_ < std::chrono::milliseconds(20)) return;
    last_ = now;
    if (should_stop_()) throw Interrupted();
  }

 private:
  const ShouldStop& should_stop_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Calls f(tile number, first sample, size, ld, outputs' inputs) for tiles of samples, on several
// threads if it pays.
template <class F>
void for_tiles(const Network& network, const Plan& plan, const Inputs& X, int threads,
               const ShouldStop& should_stop, F&& f) {
  const offset_t n_tiles = (X.n + tile_size - 1) / tile_size;
  const offset_t n_synapses = count_synapses(network.layers());
  const offset_t work = n_synapses * X.n;
  // A turn, after which a signal is noticed, takes some milliseconds.
  const offset_t tiles_a_turn =
      std::clamp<offset_t>((1 << 26) / (n_synapses * tile_size + 1), 1, 64);
  const auto workers =
      static_cast<int>(work < (1 << 22) ? 1 : std::min<offset_t>(threads, n_tiles));
  const auto capacity = static_cast<index_t>(std::min<offset_t>(tile_size, X.n));
  std::vector<Batch> batches;
  batches.reserve(workers);
  for (int w = 0; w < workers; ++w) batches.emplace_back(network, plan, capacity, false, 1);
  StopCheck check(should_stop);
  for (offset_t begin = 0; begin < n_tiles; begin += tiles_a_turn * workers) {
    parallel_for(workers, workers, [&](int w) {
      const offset_t from = begin + tiles_a_turn * w;
      for (offset_t t = from; t < std::min(n_tiles, from + tiles_a_turn); ++t) {
        const offset_t first = t * tile_size;
        const auto size = static_cast<index_t>(std::min<offset_t>(tile_size, X.n - first));
        float* Z = batches[w].forward(X, nullptr, first, size);
        f(t, first, size, batches[w].ld(), Z);
      }
    });
    check();
  }
}

std::vector<offset_t> shuffled(offset_t n, Rng& rng) {
  if (n > (offset_t{1} << 32)) throw std::invalid_argument("more than 2^32 samples");
  std::vector<offset_t> order(n);
  std::iota(order.begin(), order.end(), offset_t{0});
  for (offset_t i = n - 1; i > 0; --i)
    std::swap(order[i], order[rng.below(static_cast<std::uint64_t>(i) + 1)]);
  return order;
}

bool finite(const Layer& layer) {
  return all_finite(layer.values.data(), layer.nnz()) && all_finite(layer.bias.data(), layer.n_out);
}

}  // namespace

double Network::train_epoch(const Inputs& X, const index_t* labels, index_t batch_size,
                            const Optimizer& optimizer, int threads,
                            const ShouldStop& should_stop) {
  if (prepare_state(optimizer, state_kind_, layers_)) step_ = 0;
  state_kind_ = optimizer.kind;
  const std::vector<offset_t> order = shuffled(X.n, rng_);
  batch_size = static_cast<index_t>(std::min<offset_t>(batch_size, X.n));
  Batch batch(*this, plan_, batch_size, true, threads);
  std::vector<index_t> batch_labels(batch_size);
  std::vector<float> dvalues, dbias;
  StopCheck check(should_stop);
  double total = 0.0;
  for (offset_t first = 0; first < X.n; first += batch_size) {
    const auto size = static_cast<index_t>(std::min<offset_t>(batch_size, X.n - first));
    for (index_t s = 0; s < size; ++s) batch_labels[s] = labels[order[first + s]];
    batch.forward(X, order.data() + first, 0, size);
    total += batch.loss(batch_labels.data());
    if (!std::isfinite(total)) return total;
    ++step_;
    for (std::size_t l = layers_.size(); l-- > 0;) {
      if (l > 0) batch.backward_inputs(l);
      batch.backward_weights(l, dvalues, dbias);
      update(optimizer, step_, dvalues.data(), dbias.data(), layers_[l]);
    }
    check();
  }
  if (!std::all_of(layers_.begin(), layers_.end(), finite))
    return std::numeric_limits<double>::quiet_NaN();
  return total / static_cast<double>(X.n);
}

Evaluation Network::evaluate(const Inputs& X, const index_t* labels, int threads,
                             const ShouldStop& should_stop) const {
  std::vector<Evaluation> tiles(X.n / tile_size + 1);
  for_tiles(*this, plan_, X, threads, should_stop,
            [&](offset_t t, offset_t first, index_t size, index_t ld, float* Z) {
              index_t predicted[tile_size];
              synaprune::classify(n_outputs(), size, ld, Z, predicted);
              for (index_t s = 0; s < size; ++s)
                tiles[t].n_correct += predicted[s] == labels[first + s];
              tiles[t].loss = loss_only(loss_, n_outputs(), size, ld, labels + first, Z);
            });
  Evaluation sum;
  for (const Evaluation& tile : tiles) {
    sum.loss += tile.loss;
    sum.n_correct += tile.n_correct;
  }
  sum.loss /= static_cast<double>(X.n);
  return sum;
}

void Network::probabilities(const Inputs& X, int threads, const ShouldStop& should_stop,
                            float* out) const {
  for_tiles(*this, plan_, X, threads, should_stop,
            [&](offset_t, offset_t first, index_t size, index_t ld, float* Z) {
              const index_t n_out = n_outputs();
              output_probabilities(loss_, n_out, ld, Z);
              for (index_t s = 0; s < size; ++s)
                for (index_t r = 0; r < n_out; ++r)
                  out[(first + s) * n_out + r] = Z[static_cast<offset_t>(r) * ld + s];
            });
}

void Network::classify(const Inputs& X, int threads, const ShouldStop& should_stop,
                       index_t* out) const {
  for_tiles(*this, plan_, X, threads, should_stop,
            [&](offset_t, offset_t first, index_t size, index_t ld, float* Z) {
              synaprune::classify(n_outputs(), size, ld, Z, out + first);
            });
}

Gradients Network::gradients(const Inputs& X, const index_t* labels, int threads) const {
  Gradients gradients;
  gradients.values.resize(layers_.size());
  gradients.bias.resize(layers_.size());
  const auto size = static_cast<index_t>(X.n);
  Batch batch(*this, plan_, size, true, threads);
  batch.forward(X, nullptr, 0, size);
  gradients.loss = batch.loss(labels) / static_cast<double>(X.n);
  for (std::size_t l = layers_.size(); l-- > 0;) {
    if (l > 0) batch.backward_inputs(l);
    batch.backward_weights(l, gradients.values[l], gradients.bias[l]);
  }
  return gradients;
}

}  // namespace synaprune
