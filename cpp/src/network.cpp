// What a network is: construction, checks, state, cuts. Passes over data stand in
// network_train.cpp and network_predict.cpp.
#include "synaprune/network.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace synaprune {

namespace {

Layer fully_connected(index_t n_in, index_t n_out, float init_scale, Rng& rng) {
  if (n_in < 1 || n_out < 1)
    throw std::invalid_argument("layer sizes must be at least 1, got " +
                                std::to_string(n_in < 1 ? n_in : n_out));
  Layer layer;
  layer.n_in = n_in;
  layer.n_out = n_out;
  const offset_t nnz = static_cast<offset_t>(n_in) * n_out;
  layer.indptr.resize(static_cast<std::size_t>(n_out) + 1);
  layer.indices.resize(nnz);
  layer.initial.resize(nnz);
  const auto range =
      static_cast<float>(init_scale * std::sqrt(6.0 / (static_cast<double>(n_in) + n_out)));
  for (offset_t r = 0; r < n_out; ++r) {
    layer.indptr[r + 1] = (r + 1) * n_in;
    std::iota(layer.indices.begin() + r * n_in, layer.indices.begin() + (r + 1) * n_in, 0);
  }
  for (float& w : layer.initial) w = (2.0f * rng.uniform() - 1.0f) * range;
  layer.values = layer.initial;
  layer.bias.assign(n_out, 0.0f);
  return layer;
}

void check_layer(const Layer& layer, std::size_t l, const std::vector<Layer>& layers) {
  const std::string what = "layer " + std::to_string(l);
  const auto check = [&](bool ok, const std::string& why) {
    if (!ok) throw std::invalid_argument(what + ": " + why);
  };
  check(layer.n_in >= 1 && layer.n_out >= 1, "sizes must be at least 1");
  check(l == 0 || layers[l - 1].n_out == layer.n_in,
        "takes " + std::to_string(layer.n_in) + " inputs, which is not the layer below");
  check_canonical(what, layer.n_out, layer.n_in, layer.indptr.data(),
                  static_cast<offset_t>(layer.indptr.size()), layer.indices.data(), layer.nnz());
  const auto nnz = layer.indices.size();
  check(layer.values.size() == nnz && layer.initial.size() == nnz,
        "values and initial must have one entry a synapse");
  check(layer.bias.size() == static_cast<std::size_t>(layer.n_out),
        "bias must have one entry a neuron");
  for (const auto* array : {&layer.values, &layer.initial, &layer.bias})
    check(all_finite(array->data(), static_cast<offset_t>(array->size())),
          "weights and biases must be finite");
}

void check_loss(Loss loss, index_t n_out) {
  if (loss == Loss::softmax && n_out < 2)
    throw std::invalid_argument("loss 'softmax' needs at least two outputs, got 1");
  if (loss == Loss::sigmoid && n_out != 1)
    throw std::invalid_argument("loss 'sigmoid' needs one output, got " + std::to_string(n_out));
}

// The arrays of one moment, in the order in which `OptimizerState` lines them up.
template <class Layers, class F>
void for_moment(Layers& layers, offset_t row, F&& f) {
  for (auto& layer : layers) {
    f(row == 0 ? layer.moment1 : layer.moment2, layer.values.size());
    f(row == 0 ? layer.bias_moment1 : layer.bias_moment2, layer.bias.size());
  }
}

}  // namespace

Network::Network(const std::vector<index_t>& sizes, Activation activation, Loss loss,
                 float init_scale, std::uint64_t seed)
    : activation_(activation), loss_(loss), rng_{seed} {
  if (sizes.size() < 2)
    throw std::invalid_argument("layers must name at least inputs and outputs, got " +
                                std::to_string(sizes.size()) + " sizes");
  check_loss(loss, sizes.back());
  if (!(init_scale > 0.0f) || !std::isfinite(init_scale))
    throw std::invalid_argument("init_scale must be positive and finite, got " +
                                std::to_string(init_scale));
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l)
    layers_.push_back(fully_connected(sizes[l], sizes[l + 1], init_scale, rng_));
  set_input_transform(std::vector<float>(n_inputs(), 0.0f), std::vector<float>(n_inputs(), 1.0f));
  derive();
}

Network::Network(std::vector<Layer> layers, Activation activation, Loss loss,
                 std::uint64_t rng_state)
    : layers_(std::move(layers)), activation_(activation), loss_(loss), rng_{rng_state} {
  if (layers_.empty()) throw std::invalid_argument("a network needs at least one layer");
  for (std::size_t l = 0; l < layers_.size(); ++l) check_layer(layers_[l], l, layers_);
  check_loss(loss, n_outputs());
  set_input_transform(std::vector<float>(n_inputs(), 0.0f), std::vector<float>(n_inputs(), 1.0f));
  derive();
}

void Network::set_input_transform(std::vector<float> shift, std::vector<float> scale) {
  const auto n = static_cast<std::size_t>(n_inputs());
  if (shift.size() != n || scale.size() != n)
    throw std::invalid_argument("input shift and scale must have " + std::to_string(n) +
                                " entries, got " + std::to_string(shift.size()) + " and " +
                                std::to_string(scale.size()));
  if (!all_finite(shift.data(), n_inputs()) || !all_finite(scale.data(), n_inputs()))
    throw std::invalid_argument("input shift and scale must be finite");
  shift_ = std::move(shift);
  shifted_ = std::any_of(shift_.begin(), shift_.end(), [](float x) { return x != 0.0f; });
  scale_ = std::move(scale);
}

OptimizerState Network::optimizer_state() const {
  OptimizerState state{state_kind_, step_, 0, {}};
  const Layer& first = layers_.front();  // has biases, whether or not synapses are left
  if (!first.bias_moment1.empty()) state.rows = first.bias_moment2.empty() ? 1 : 2;
  for (offset_t row = 0; row < state.rows; ++row)
    for_moment(layers_, row, [&](const std::vector<float>& moment, std::size_t) {
      state.moments.insert(state.moments.end(), moment.begin(), moment.end());
    });
  return state;
}

void Network::set_optimizer_state(const OptimizerState& state) {
  std::size_t n = 0;
  for (const Layer& layer : layers_) n += layer.values.size() + layer.bias.size();
  if (state.step < 0)
    throw std::invalid_argument("updates must not be negative, got " + std::to_string(state.step));
  if (state.rows != 0 && state.rows != (state.kind == OptimizerKind::adam ? 2 : 1))
    throw std::invalid_argument("moments must have 1 row for 'sgd' and 2 for 'adam', got " +
                                std::to_string(state.rows));
  if (state.moments.size() != n * static_cast<std::size_t>(state.rows))
    throw std::invalid_argument("moments must have " + std::to_string(n) +
                                " entries a row, one a synapse and one a bias");
  if (!all_finite(state.moments.data(), static_cast<offset_t>(state.moments.size())))
    throw std::invalid_argument("moments must be finite");
  auto from = state.moments.begin();
  for (offset_t row = 0; row < 2; ++row)
    for_moment(layers_, row, [&](std::vector<float>& moment, std::size_t size) {
      const auto to = from + static_cast<std::ptrdiff_t>(row < state.rows ? size : 0);
      moment.assign(from, to);
      from = to;
    });
  state_kind_ = state.kind;
  step_ = state.step;
}

std::vector<std::uint8_t> Network::frozen() const {
  std::vector<std::uint8_t> all;
  if (layers_.front().bias_frozen.empty()) return all;
  for (const Layer& layer : layers_)
    for (const auto* part : {&layer.frozen, &layer.bias_frozen})
      for (const float f : *part) all.push_back(f != 0.0f);
  return all;
}

void Network::set_frozen(const std::vector<std::uint8_t>& frozen) {
  std::size_t n = 0;
  for (const Layer& layer : layers_) n += layer.values.size() + layer.bias.size();
  if (!frozen.empty() && frozen.size() != n)
    throw std::invalid_argument("frozen must have one entry a synapse and bias, " +
                                std::to_string(n) + ", got " + std::to_string(frozen.size()));
  const bool any = std::any_of(frozen.begin(), frozen.end(), [](std::uint8_t f) { return f != 0; });
  auto from = frozen.begin();
  for (Layer& layer : layers_) {
    const auto take = [&](std::vector<float>& part, std::size_t size) {
      part.clear();
      for (std::size_t k = 0; any && k < size; ++k) part.push_back(*from++ ? 1.0f : 0.0f);
    };
    take(layer.frozen, layer.values.size());
    take(layer.bias_frozen, layer.bias.size());
  }
}

void Network::derive() {
  plan_ = make_plan(layers_);
  block_values_.resize(layers_.size());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    block_values_[l].resize(layers_[l].nnz());
    plan_.layers[l].weights.to_blocks(layers_[l].values.data(), block_values_[l].data());
  }
}

std::vector<float> Network::score(Criterion criterion, const GradientMoments& moments) {
  return synaprune::score(layers_, criterion, moments, rng_);
}

offset_t Network::cut(std::vector<float> scores, offset_t n, offset_t skip, bool per_layer,
                      float concentration) {
  check_scores(layers_, scores);
  if (per_layer) rank_within_layers(layers_, scores);
  if (concentration != 0.0f) concentrate(layers_, concentration, scores);
  if (const offset_t frozen = spare_frozen(layers_, scores); frozen > 0) {
    const offset_t free = count_synapses(layers_) - frozen;
    skip = std::min(skip, free);
    n = std::min(n, free - skip);
  }
  return remove(keep_all_but_lowest(scores, n, skip));
}

offset_t Network::remove(const std::vector<std::uint8_t>& keep) {
  const offset_t removed = remove_synapses(layers_, activation_, keep);
  derive();
  return removed;
}

}  // namespace synaprune
