// What the parts of a network do: paths through it, counted; and what is lost without a part.
#pragma once

#include "synaprune/csr.hpp"

namespace synaprune {

// Sums over paths of the products of |w| along them, each w times the factor of the neuron that it
// leaves. Level 0 are the inputs, level l the neurons of layers[l - 1].
struct PathEnergy {
  std::vector<std::vector<double>> below;  // per level [n]: of paths from any input to a neuron
  std::vector<std::vector<double>> above;  // per level [n, n_outputs]: from it to each output
};

// factors: per level but the last [n]. Work: nnz * n_outputs.
PathEnergy path_energy(const std::vector<Layer>& layers,
                       const std::vector<std::vector<float>>& factors);

// Of a classification, per part and class [n_parts, n_classes]: how many samples of the class are
// right with the whole network and wrong without the part, and the other way round. Of a
// regression, per part [n_parts]: the mean loss without it less that of the whole network.
struct Ablation {
  std::vector<offset_t> lost, won;
  std::vector<double> loss;
};

// Which parts of a layer go, one at a time.
//   synapses   each synapse, in CSR order
//   columns    each neuron (or input) below with all its synapses into this layer
enum class Part { synapses, columns };

Part parse_part(const std::string& name);

}  // namespace synaprune
