// What a network is: construction, checks, state, cuts. Passes over data stand in
// network_train.cpp and network_predict.cpp.
#include "synaprune/network.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "synaprune/sampling.hpp"

namespace synaprune {

namespace {

Pattern fully_connected(index_t n_in, index_t n_out) {
  Pattern layer;
  layer.n_in = n_in;
  layer.n_out = n_out;
  layer.indptr.resize(static_cast<std::size_t>(n_out) + 1);
  layer.indices.resize(static_cast<std::size_t>(n_in) * n_out);
  for (offset_t r = 0; r < n_out; ++r) {
    layer.indptr[r + 1] = (r + 1) * n_in;
    std::iota(layer.indices.begin() + r * n_in, layer.indices.begin() + (r + 1) * n_in, 0);
  }
  return layer;
}

Layer with_weights(Pattern pattern, float init_scale, Rng& rng) {
  const auto fan_out = column_counts(pattern);
  Layer layer{std::move(pattern), {}};
  layer.initial.reserve(layer.indices.size());
  for (index_t r = 0; r < layer.n_out; ++r) {
    const auto fan_in = static_cast<double>(layer.indptr[r + 1] - layer.indptr[r]);
    for (offset_t k = layer.indptr[r]; k < layer.indptr[r + 1]; ++k) {
      const auto both = fan_in + static_cast<double>(fan_out[layer.indices[k]]);
      const auto range = static_cast<float>(init_scale * std::sqrt(6.0 / both));
      layer.initial.push_back((2.0f * rng.uniform() - 1.0f) * range);
    }
  }
  layer.synapses.values.assign(layer.initial.begin(), layer.initial.end());
  layer.biases.values.assign(layer.n_out, 0.0f);
  return layer;
}

void check_init_scale(float init_scale) {
  if (!(init_scale > 0.0f) || !std::isfinite(init_scale))
    throw std::invalid_argument("init_scale must be positive and finite, got " +
                                std::to_string(init_scale));
}

// Of layer l, on layers that were checked.
void check_pattern(const Pattern& layer, std::size_t l, const std::vector<Layer>& layers) {
  const std::string what = "layer " + std::to_string(l);
  const auto check = [&](bool ok, const std::string& why) {
    if (!ok) throw std::invalid_argument(what + ": " + why);
  };
  check(layer.n_in >= 1 && layer.n_out >= 1, "sizes must be at least 1");
  check(l == 0 || layers[l - 1].n_out == layer.n_in,
        "takes " + std::to_string(layer.n_in) + " inputs, which is not the layer below");
  check_canonical(what, layer.n_out, layer.n_in, layer.indptr.data(),
                  static_cast<offset_t>(layer.indptr.size()), layer.indices.data(), layer.nnz());
}

void check_layer(const Layer& layer, std::size_t l, const std::vector<Layer>& layers) {
  check_pattern(layer, l, layers);
  const std::string what = "layer " + std::to_string(l);
  const auto check = [&](bool ok, const std::string& why) {
    if (!ok) throw std::invalid_argument(what + ": " + why);
  };
  const auto nnz = layer.indices.size();
  check(layer.initial.size() == nnz, "initial must have one entry a synapse");
  layer.synapses.check(what + ": values", nnz);
  layer.biases.check(what + ": bias", static_cast<std::size_t>(layer.n_out));
  check(all_finite(layer.synapses.values.data(), layer.nnz()) &&
            all_finite(layer.initial.data(), layer.nnz()) &&
            all_finite(layer.biases.values.data(), layer.n_out),
        "weights and biases must be finite");
}

}  // namespace

Network::Network(const std::vector<index_t>& sizes, Activation activation, Loss loss,
                 float init_scale, std::uint64_t seed, const std::vector<offset_t>& counts)
    : activation_(activation), loss_(loss), rng_{seed} {
  if (sizes.size() < 2)
    throw std::invalid_argument("layers must name at least inputs and outputs, got " +
                                std::to_string(sizes.size()) + " sizes");
  if (!counts.empty() && counts.size() + 1 != sizes.size())
    throw std::invalid_argument("counts must have one entry a layer, " +
                                std::to_string(sizes.size() - 1) + ", got " +
                                std::to_string(counts.size()));
  check_loss(loss, sizes.back());
  check_init_scale(init_scale);
  for (std::size_t l = 0; l < sizes.size(); ++l)
    if (sizes[l] < 1)
      throw std::invalid_argument("layer sizes must be at least 1, got " +
                                  std::to_string(sizes[l]));
  std::vector<Layer> layers;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    const index_t n_in = sizes[l], n_out = sizes[l + 1];
    const offset_t all = offset_t{n_in} * n_out, n = counts.empty() ? all : counts[l];
    if (n < 0 || n > all)
      throw std::invalid_argument("each of counts must be from 0 to " + std::to_string(all) +
                                  ", got " + std::to_string(n));
    layers.push_back(with_weights(
        counts.empty() ? fully_connected(n_in, n_out) : random_pattern(n_in, n_out, n, rng_),
        init_scale, rng_));
  }
  set_layers(std::move(layers));
  set_input_transform(std::vector<float>(n_inputs(), 0.0f), std::vector<float>(n_inputs(), 1.0f));
}

Network::Network(std::vector<Pattern> masks, Activation activation, Loss loss, float init_scale,
                 std::uint64_t seed)
    : activation_(activation), loss_(loss), rng_{seed} {
  check_init_scale(init_scale);
  std::vector<Layer> layers;
  for (Pattern& mask : masks) {
    check_pattern(mask, layers.size(), layers);
    layers.push_back(with_weights(std::move(mask), init_scale, rng_));
  }
  if (layers.empty()) throw std::invalid_argument("a network needs at least one layer");
  check_loss(loss, layers.back().n_out);
  set_layers(std::move(layers));
  set_input_transform(std::vector<float>(n_inputs(), 0.0f), std::vector<float>(n_inputs(), 1.0f));
}

Network::Network(std::vector<Layer> layers, Activation activation, Loss loss,
                 std::uint64_t rng_state)
    : activation_(activation), loss_(loss), rng_{rng_state} {
  if (layers.empty()) throw std::invalid_argument("a network needs at least one layer");
  for (std::size_t l = 0; l < layers.size(); ++l) check_layer(layers[l], l, layers);
  check_loss(loss, layers.back().n_out);
  set_layers(std::move(layers));
  set_input_transform(std::vector<float>(n_inputs(), 0.0f), std::vector<float>(n_inputs(), 1.0f));
}

void Network::set_layers(std::vector<Layer> layers) {
  auto structure = std::make_shared<Structure>();
  for (Layer& layer : layers) structure->layers.push_back(std::move(static_cast<Pattern&>(layer)));
  structure->plan = make_plan(structure->layers);
  parameters_.clear();
  for (std::size_t l = 0; l < layers.size(); ++l) {
    parameters_.push_back(structure->plan.layers[l].to_plan(layers[l]));
    layers[l] = {};
  }
  structure_ = std::move(structure);
}

// Replaces one layer by another of as many synapses. What stays as it is remains shared.
void Network::set_layer(std::size_t l, Layer layer) {
  auto structure = std::make_shared<Structure>();
  structure->layers = patterns();
  structure->layers.replace(l, std::move(static_cast<Pattern&>(layer)));
  structure->plan = make_plan(structure->layers, &patterns(), &structure_->plan);
  const auto &before = structure_->plan.layers, &after = structure->plan.layers;
  for (std::size_t m = 0; m < n_layers(); ++m) {
    if (m == l)
      parameters_[m] = after[m].to_plan(layer);
    else if (after.pointer(m) != before.pointer(m))
      parameters_[m] = after[m].to_plan(before[m].to_csr(parameters_[m]));
  }
  structure_ = std::move(structure);
}

std::vector<Layer> Network::layers() const {
  std::vector<Layer> layers;
  for (std::size_t l = 0; l < n_layers(); ++l)
    layers.push_back({patterns()[l], structure_->plan.layers[l].to_csr(parameters_[l])});
  return layers;
}

std::size_t Network::n_parameters() const {
  std::size_t n = 0;
  for (const LayerParameters& p : parameters_)
    n += p.synapses.values.size() + p.biases.values.size();
  return n;
}

template <class F>
void Network::for_parameters(F&& f) const {
  for (std::size_t l = 0; l < n_layers(); ++l) {
    const LayerParameters csr = structure_->plan.layers[l].to_csr(parameters_[l]);
    f(csr.synapses);
    f(csr.biases);
  }
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
  OptimizerState state{state_of_, step_, 0, {}};
  state.rows = static_cast<offset_t>(parameters_.front().biases.state.size());
  for (offset_t row = 0; row < state.rows; ++row)
    for_parameters([&](const Parameters& p) {
      state.moments.insert(state.moments.end(), p.state[row].begin(), p.state[row].end());
    });
  return state;
}

void Network::set_optimizer_state(const OptimizerState& state) {
  const std::size_t n = n_parameters();
  const index_t most = most_state(state.name);
  if (state.step < 0)
    throw std::invalid_argument("updates must not be negative, got " + std::to_string(state.step));
  if (state.rows != 0 && state.rows != most)
    throw std::invalid_argument("moments of '" + state.name + "' must have " +
                                std::to_string(most) + " rows, got " + std::to_string(state.rows));
  if (state.moments.size() != n * static_cast<std::size_t>(state.rows))
    throw std::invalid_argument("moments must have " + std::to_string(n) +
                                " entries a row, one a synapse and one a bias");
  if (!all_finite(state.moments.data(), static_cast<offset_t>(state.moments.size())))
    throw std::invalid_argument("moments must be finite");
  std::size_t first = 0;
  for (std::size_t l = 0; l < n_layers(); ++l) {
    LayerParameters csr;
    const auto take = [&](Parameters& to, std::size_t size) {
      for (offset_t row = 0; row < state.rows; ++row) {
        const auto from = state.moments.begin() + static_cast<std::ptrdiff_t>(row * n + first);
        to.state.emplace_back(from, from + static_cast<std::ptrdiff_t>(size));
      }
      first += size;
    };
    take(csr.synapses, parameters_[l].synapses.values.size());
    take(csr.biases, parameters_[l].biases.values.size());
    LayerParameters planned = structure_->plan.layers[l].to_plan(csr);
    parameters_[l].synapses.state = std::move(planned.synapses.state);
    parameters_[l].biases.state = std::move(planned.biases.state);
  }
  state_of_ = state.name;
  step_ = state.step;
}

std::vector<std::uint8_t> Network::frozen() const {
  std::vector<std::uint8_t> all;
  if (parameters_.front().biases.frozen.empty()) return all;
  for_parameters([&](const Parameters& p) {
    for (const float f : p.frozen) all.push_back(f != 0.0f);
  });
  return all;
}

void Network::set_frozen(const std::vector<std::uint8_t>& frozen) {
  const std::size_t n = n_parameters();
  if (!frozen.empty() && frozen.size() != n)
    throw std::invalid_argument("frozen must have one entry a synapse and bias, " +
                                std::to_string(n) + ", got " + std::to_string(frozen.size()));
  const bool any = std::any_of(frozen.begin(), frozen.end(), [](std::uint8_t f) { return f != 0; });
  auto from = frozen.begin();
  for (std::size_t l = 0; l < n_layers(); ++l) {
    LayerParameters csr;
    const auto take = [&](Parameters& to, std::size_t size) {
      for (std::size_t k = 0; any && k < size; ++k) to.frozen.push_back(*from++ ? 1.0f : 0.0f);
    };
    take(csr.synapses, parameters_[l].synapses.values.size());
    take(csr.biases, parameters_[l].biases.values.size());
    LayerParameters planned = structure_->plan.layers[l].to_plan(csr);
    parameters_[l].synapses.frozen = std::move(planned.synapses.frozen);
    parameters_[l].biases.frozen = std::move(planned.biases.frozen);
  }
}

// Makes the state arrays fit the optimizer: those that it lacks start at zero, those that it does
// not need go, and so does what another optimizer left.
void Network::prepare_state(const Optimizer& optimizer) {
  const auto n_state = static_cast<std::size_t>(optimizer.n_state());
  bool anew = false;
  for (LayerParameters& layer : parameters_)
    for (Parameters* p : {&layer.synapses, &layer.biases}) {
      if (optimizer.name() != state_of_) p->state.clear();
      anew |= p->state.size() < n_state;
      p->state.resize(n_state, Buffer(p->values.size()));
    }
  if (anew) step_ = 0;
  state_of_ = optimizer.name();
}

std::vector<float> Network::score(Criterion criterion, const GradientMoments& moments,
                                  const std::vector<float>& curvature) {
  return synaprune::score(layers(), criterion, moments, curvature, rng_);
}

std::vector<std::uint8_t> Network::kept_by_cut(std::vector<float> scores, offset_t n, offset_t skip,
                                               bool per_layer, float structured_bias) const {
  const std::vector<Layer> before = layers();
  check_scores(before, scores);
  if (per_layer) rank_within_layers(before, scores);
  if (structured_bias != 0.0f) add_structured_bias(before, structured_bias, scores);
  if (const offset_t frozen = spare_frozen(before, scores); frozen > 0) {
    const offset_t free = count_synapses(before) - frozen;
    skip = std::min(skip, free);
    n = std::min(n, free - skip);
  }
  return keep_all_but_lowest(scores, n, skip);
}

offset_t Network::cut(std::vector<float> scores, offset_t n, offset_t skip, bool per_layer,
                      float structured_bias) {
  return remove(kept_by_cut(std::move(scores), n, skip, per_layer, structured_bias));
}

offset_t Network::remove(const std::vector<std::uint8_t>& keep) {
  std::vector<Layer> rest = layers();
  const offset_t removed = remove_synapses(rest, activation_, keep);
  for (const Layer& layer : rest)
    if (!all_finite(layer.biases.values.data(), layer.n_out))
      throw std::invalid_argument("what is left would have a bias that overflows");
  set_layers(std::move(rest));
  return removed;
}

}  // namespace synaprune
