// What a trainer works on, to and from the order of its plan.
#include "synaprune/trainer.hpp"

namespace synaprune {

void Parameters::read(const Layer& layer, const LayerPlan& plan) {
  const auto take = [](const std::vector<float>& from, const auto& f, Buffer& to) {
    if (from.empty()) return;
    f(from, to);
  };
  const auto rows = [&](const std::vector<float>& from, Buffer& to) {
    to.clear();
    for (const index_t r : plan.rows) to.push_back(from[r]);
  };
  const auto blocks = [&](const std::vector<float>& from, Buffer& to) {
    to.resize(from.size());
    plan.weights.to_blocks(from.data(), to.data());
  };
  take(layer.bias, rows, bias);
  take(layer.bias_moment1, rows, bias_moment1);
  take(layer.bias_moment2, rows, bias_moment2);
  take(layer.bias_frozen, rows, bias_frozen);
  take(layer.moment1, blocks, moment1);
  take(layer.moment2, blocks, moment2);
  take(layer.frozen, blocks, frozen);
  transposed_values.resize(plan.source.size());
}

void Parameters::write(const LayerPlan& plan, Layer& layer) const {
  const auto rows = [&](const Buffer& from, std::vector<float>& to) {
    for (std::size_t r = 0; r < from.size(); ++r) to[plan.rows[r]] = from[r];
  };
  const auto blocks = [&](const Buffer& from, std::vector<float>& to) {
    if (!from.empty()) plan.weights.to_csr(from.data(), to.data());
  };
  rows(bias, layer.bias);
  rows(bias_moment1, layer.bias_moment1);
  rows(bias_moment2, layer.bias_moment2);
  blocks(values, layer.values);
  blocks(moment1, layer.moment1);
  blocks(moment2, layer.moment2);
}

Gradients Trainer::gradients() const {
  Gradients g;
  for (std::size_t l = 0; l < n_layers_; ++l) {
    g.values.emplace_back(weights(l).nnz());
    weights(l).to_csr(gradients_[l].data(), g.values[l].data());
    g.bias.emplace_back(t_.layers[l].n_out);
    for (std::size_t r = 0; r < dbias_[l].size(); ++r) g.bias[l][plan(l).rows[r]] = dbias_[l][r];
  }
  return g;
}

}  // namespace synaprune
