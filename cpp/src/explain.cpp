#include "synaprune/explain.hpp"

#include <cmath>

namespace synaprune {

namespace {

void check_factors(const std::vector<Layer>& layers,
                   const std::vector<std::vector<float>>& factors) {
  bool fit = factors.size() == layers.size();
  for (std::size_t l = 0; fit && l < layers.size(); ++l)
    fit = static_cast<index_t>(factors[l].size()) == layers[l].n_in;
  if (!fit) throw std::invalid_argument("factors must have one entry a neuron below each layer");
}

double strength(const Layer& layer, const std::vector<float>& factors, offset_t k) {
  return static_cast<double>(std::fabs(layer.synapses.values[k])) * factors[layer.indices[k]];
}

}  // namespace

std::vector<std::vector<double>> energy_below(const std::vector<Layer>& layers,
                                              const std::vector<std::vector<float>>& factors,
                                              const ShouldStop& should_stop) {
  check_factors(layers, factors);
  StopCheck check(should_stop);
  std::vector<std::vector<double>> below;
  below.emplace_back(layers.front().n_in, 1.0);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    std::vector<double> sums(layer.n_out, 0.0);
    for (index_t r = 0; r < layer.n_out; ++r) {
      check();
      for (offset_t k = layer.indptr[r]; k < layer.indptr[r + 1]; ++k)
        sums[r] += strength(layer, factors[l], k) * below[l][layer.indices[k]];
    }
    below.push_back(std::move(sums));
  }
  return below;
}

std::vector<std::vector<double>> energy_above(const std::vector<Layer>& layers,
                                              const std::vector<std::vector<float>>& factors,
                                              const double* ends, offset_t columns,
                                              const ShouldStop& should_stop) {
  check_factors(layers, factors);
  StopCheck check(should_stop);
  std::vector<std::vector<double>> above(layers.size());
  const double* all = ends;
  for (std::size_t l = layers.size(); l-- > 0;) {
    const Layer& layer = layers[l];
    above[l].assign(layer.n_in * columns, 0.0);
    for (index_t r = 0; r < layer.n_out; ++r)
      for (offset_t k = layer.indptr[r]; k < layer.indptr[r + 1]; ++k) {
        check();
        const double s = strength(layer, factors[l], k);
        const double* from = all + r * columns;
        double* to = above[l].data() + layer.indices[k] * columns;
        for (offset_t c = 0; c < columns; ++c) to[c] += s * from[c];
      }
    all = above[l].data();
  }
  return above;
}

Part parse_part(const std::string& name) {
  if (name == "synapses") return Part::synapses;
  if (name == "columns") return Part::columns;
  throw std::invalid_argument("part must be 'synapses' or 'columns', got '" + name + "'");
}

}  // namespace synaprune
