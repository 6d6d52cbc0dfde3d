// Prune-and-regrow at a constant count (SET, Mocanu et al. 2018; RigL, Evci et al. 2020).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "synaprune/network.hpp"

namespace synaprune {

namespace {

// Gradients of the mean loss over some samples, tile after tile, at positions where a network has
// no synapses.
class AbsentGradients {
 public:
  AbsentGradients(const TrainingTask& task, const Patterns& patterns, const Kernels& kernels)
      : t_(task),
        kernels_(kernels),
        all_inputs_(patterns.front().n_in),
        forward_(task.model, kernels, max_tile),
        backward_(task.model, kernels, max_tile),
        inputs_(all_inputs_.size() * max_tile),
        targets_(offset_t{n_outputs()} * max_tile) {
    std::iota(all_inputs_.begin(), all_inputs_.end(), 0);
    for (std::size_t l = 0; l < n_layers(); ++l) {
      const std::vector<index_t>& rows = t_.model.plan.layers[l].rows;
      rows_.push_back(positions_of(rows, patterns[l].n_out));
    }
  }

  // Before the first tile. Where neither neuron is computed the gradient is 0: nothing is kept.
  void add_candidates(const Pattern& layer, const Positions& candidates) {
    const std::size_t l = candidates_.size();
    const BlockedCsr& W = t_.model.weights(l);
    const auto width = static_cast<std::uint64_t>(layer.n_in);
    std::vector<offset_t> indptr(static_cast<std::size_t>(W.n_rows) + 1, 0);
    std::vector<index_t> columns;
    for (const std::uint64_t p : candidates) {
      const auto [row, column] = place(l, p / width, p % width);
      if (row < 0 || column < 0) continue;
      ++indptr[row + 1];
      columns.push_back(column);
    }
    std::partial_sum(indptr.begin(), indptr.end(), indptr.begin());
    const index_t n_columns = l == 0 ? layer.n_in : W.n_columns;
    candidates_.push_back(block_columns(W.n_rows, n_columns, indptr.data(), columns.data()));
    gradients_.emplace_back(columns.size());
  }

  void add(offset_t first, index_t size) {
    forward_.run(t_.samples, first, size, first + size, false);
    const index_t ld = forward_.tiles().width(0);
    const InputView view{all_inputs_.data(), static_cast<index_t>(all_inputs_.size()),
                         t_.model.shift, t_.model.scale};
    gather(kernels_, t_.samples, first, size, first + size, view, false, nullptr, inputs_.data());
    offset_t position[max_tile];
    for (index_t s = 0; s < size; ++s) position[s] = t_.samples.position(first + s);
    float weights[max_tile];
    t_.targets.tile(n_outputs(), position, size, ld, targets_.data(), weights);
    TileTargets targets{size};
    targets.T = targets_.data();
    targets.weights = weights;
    loss_and_gradient(kernels_, t_.loss, n_outputs(), ld, t_.batches.size, targets,
                      backward_.delta(forward_, n_layers() - 1));
    for (std::size_t l = n_layers(); l-- > 0;) {
      const float* below = l == 0 ? inputs_.data() : forward_.outputs(l - 1);
      const BlockedCsr& m = candidates_[l];
      for (index_t b = 0; b < m.n_blocks; ++b)
        kernels_.grad_weights({0, m.n_rows}, ld, m.block(b), backward_.delta(forward_, l),
                              below + offset_t{m.first_column(b)} * ld, true,
                              gradients_[l].data() + m.begin(b)[0]);
      if (l > 0) backward_.step(forward_, l, {0, t_.model.weights(l).n_columns});
    }
  }

  // Keeps the n candidates of a layer whose gradients are largest in magnitude.
  void keep_best(std::size_t l, const Pattern& layer, offset_t n, Positions& candidates) const {
    const auto width = static_cast<std::uint64_t>(layer.n_in);
    std::vector<float> computed(gradients_[l].size());
    candidates_[l].to_csr(gradients_[l].data(), computed.data());
    std::vector<float> scores(candidates.size(), 0.0f);
    auto next = computed.begin();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const auto [row, column] = place(l, candidates[i] / width, candidates[i] % width);
      if (row >= 0 && column >= 0) scores[i] = -std::fabs(*next++);
    }
    const auto others = keep_all_but_lowest(scores, n);
    std::size_t to = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i)
      if (!others[i]) candidates[to++] = candidates[i];
    candidates.resize(to);
  }

 private:
  std::size_t n_layers() const { return t_.model.n_layers(); }
  index_t n_outputs() const { return t_.model.weights(n_layers() - 1).n_rows; }
  // Of all inputs, dead ones too, and of the neurons that are computed.
  std::pair<index_t, index_t> place(std::size_t l, std::uint64_t row, std::uint64_t column) const {
    return {rows_[l][row], l == 0 ? static_cast<index_t>(column) : rows_[l - 1][column]};
  }

  const TrainingTask t_;
  const Kernels& kernels_;
  std::vector<index_t> all_inputs_;
  Forward forward_;
  Backward backward_;
  Buffer inputs_, targets_;
  std::vector<std::vector<index_t>> rows_;  // per layer, of each neuron in the plan
  std::vector<BlockedCsr> candidates_;
  std::vector<Buffer> gradients_;
};

// Merges what is kept of an array with what is new at some of the places of the result.
template <class Array>
Array merged(const Array& old, const std::vector<std::uint8_t>& keep,
             const std::vector<std::uint8_t>& is_new) {
  Array result(is_new.size());
  std::size_t from = 0;
  for (std::size_t to = 0; to < result.size(); ++to) {
    if (is_new[to]) continue;
    while (!keep[from]) ++from;
    result[to] = old[from++];
  }
  return result;
}

}  // namespace

offset_t Network::growth_of(std::size_t l, double share) const {
  const Buffer& frozen = parameters_[l].synapses.frozen;
  const auto free = patterns()[l].nnz() - std::count(frozen.begin(), frozen.end(), 1.0f);
  return std::min(static_cast<offset_t>(share * static_cast<double>(free)),
                  static_cast<offset_t>(count_absent(patterns()[l])));
}

Positions Network::draw_growth(std::size_t l, double share) {
  return sample_absent(patterns()[l], static_cast<std::uint64_t>(growth_of(l, share)), rng_);
}

std::vector<Positions> Network::draw_growth(const TrainingData& data, double share,
                                            double candidates, offset_t n_samples,
                                            const ShouldStop& should_stop) {
  std::vector<Positions> growth;
  for (std::size_t l = 0; l < n_layers(); ++l) {
    const offset_t n = growth_of(l, share);
    const double drawn = n == 0 ? 0.0
                                : std::min(std::ceil(static_cast<double>(n) * candidates),
                                           static_cast<double>(count_absent(patterns()[l])));
    growth.push_back(sample_absent(patterns()[l], static_cast<std::uint64_t>(drawn), rng_));
  }
  std::vector<offset_t> order(std::min(n_samples, data.X.n));
  for (offset_t& row : order)
    row = static_cast<offset_t>(rng_.below_any(static_cast<std::uint64_t>(data.X.n)));
  const auto n_rows = static_cast<offset_t>(order.size());
  Inputs drawn = data.X;
  drawn.n = n_rows;  // whoever prefetches goes by it, and must not look past the order
  const TrainingData these{drawn, data.targets};
  AbsentGradients gradients(task(these, order.data(), in_batches(n_rows, n_rows)), patterns(),
                            kernels());
  for (std::size_t l = 0; l < n_layers(); ++l) gradients.add_candidates(patterns()[l], growth[l]);
  StopCheck check(should_stop);
  for (offset_t first = 0; first < n_rows; first += max_tile) {
    check();
    gradients.add(first, static_cast<index_t>(std::min<offset_t>(max_tile, n_rows - first)));
  }
  for (std::size_t l = 0; l < n_layers(); ++l)
    gradients.keep_best(l, patterns()[l], growth_of(l, share), growth[l]);
  return growth;
}

void Network::exchange(std::size_t l, Positions grown) {
  if (grown.empty()) return;
  const Pattern& old = patterns()[l];
  LayerParameters csr = structure_->plan.layers[l].to_csr(parameters_[l]);
  parameters_[l] = {};  // each array of a large layer counts
  std::vector<std::uint8_t> keep;
  {
    std::vector<float> magnitudes(csr.synapses.values.begin(), csr.synapses.values.end());
    for (std::size_t k = 0; k < magnitudes.size(); ++k)
      magnitudes[k] = is_frozen(csr.synapses.frozen, static_cast<offset_t>(k))
                          ? std::numeric_limits<float>::infinity()
                          : std::fabs(magnitudes[k]);
    keep = keep_all_but_lowest(magnitudes, static_cast<offset_t>(grown.size()));
  }
  Layer layer;
  layer.n_out = old.n_out;
  layer.n_in = old.n_in;
  layer.indptr.push_back(0);
  layer.indices.reserve(old.indices.size());
  std::vector<std::uint8_t> is_new;
  is_new.reserve(old.indices.size());
  const auto width = static_cast<std::uint64_t>(old.n_in);
  auto next = grown.begin();
  for (index_t r = 0; r < old.n_out; ++r) {
    const std::uint64_t row = static_cast<std::uint64_t>(r) * width;
    const auto grow_before = [&](std::uint64_t position) {
      for (; next != grown.end() && *next < position; ++next) {
        layer.indices.push_back(static_cast<index_t>(*next - row));
        is_new.push_back(1);
      }
    };
    for (offset_t k = old.indptr[r]; k < old.indptr[r + 1]; ++k) {
      grow_before(row + static_cast<std::uint64_t>(old.indices[k]));
      if (!keep[k]) continue;
      layer.indices.push_back(old.indices[k]);
      is_new.push_back(0);
    }
    grow_before(row + width);
    layer.indptr.push_back(static_cast<offset_t>(layer.indices.size()));
  }
  layer.initial = merged(old.initial, keep, is_new);
  layer.synapses.values = merged(csr.synapses.values, keep, is_new);
  for (const Buffer& state : csr.synapses.state)
    layer.synapses.state.push_back(merged(state, keep, is_new));
  if (!csr.synapses.frozen.empty())
    layer.synapses.frozen = merged(csr.synapses.frozen, keep, is_new);
  layer.biases = std::move(csr.biases);
  csr = {};  // before there is a second plan
  keep = is_new = std::vector<std::uint8_t>();
  grown = Positions();
  set_layer(l, std::move(layer));
}

}  // namespace synaprune
