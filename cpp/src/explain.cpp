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

}  // namespace

PathEnergy path_energy(const std::vector<Layer>& layers,
                       const std::vector<std::vector<float>>& factors) {
  check_factors(layers, factors);
  const index_t n_out = layers.back().n_out;
  PathEnergy e;
  e.below.emplace_back(layers.front().n_in, 1.0);
  for (const Layer& layer : layers) e.below.emplace_back(layer.n_out, 0.0);
  for (const Layer& layer : layers)
    e.above.emplace_back(static_cast<offset_t>(layer.n_in) * n_out, 0.0);
  auto& outputs = e.above.emplace_back(static_cast<offset_t>(n_out) * n_out, 0.0);
  for (index_t o = 0; o < n_out; ++o) outputs[offset_t{o} * n_out + o] = 1.0;

  const auto strength = [&](std::size_t l, offset_t k) {
    return static_cast<double>(std::fabs(layers[l].synapses.values[k])) *
           factors[l][layers[l].indices[k]];
  };
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (index_t r = 0; r < layers[l].n_out; ++r)
      for (offset_t k = layers[l].indptr[r]; k < layers[l].indptr[r + 1]; ++k)
        e.below[l + 1][r] += strength(l, k) * e.below[l][layers[l].indices[k]];
  for (std::size_t l = layers.size(); l-- > 0;)
    for (index_t r = 0; r < layers[l].n_out; ++r)
      for (offset_t k = layers[l].indptr[r]; k < layers[l].indptr[r + 1]; ++k) {
        const double s = strength(l, k);
        const double* from = e.above[l + 1].data() + offset_t{r} * n_out;
        double* to = e.above[l].data() + offset_t{layers[l].indices[k]} * n_out;
        for (index_t o = 0; o < n_out; ++o) to[o] += s * from[o];
      }
  return e;
}

Part parse_part(const std::string& name) {
  if (name == "synapses") return Part::synapses;
  if (name == "columns") return Part::columns;
  throw std::invalid_argument("part must be 'synapses' or 'columns', got '" + name + "'");
}

}  // namespace synaprune
