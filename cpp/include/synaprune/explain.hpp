// What the parts of a network do: paths through it, counted; and what is lost without a part.
#pragma once

#include "synaprune/csr.hpp"

namespace synaprune {

// Sums over paths of the products of |w| along them, each w times the factor of the neuron that it
// leaves. Level 0 are the inputs, level l the neurons of layers[l - 1].
//
// Per level [n]: of all paths from any input to a neuron. factors: per level but the last [n].
std::vector<std::vector<double>> energy_below(const std::vector<Layer>& layers,
                                              const std::vector<std::vector<float>>& factors,
                                              const ShouldStop& should_stop);

// Per level below the top one, which is the last of `layers`, [n, columns]: of all paths from a
// neuron to any neuron of the top level, each times that neuron's row of ends [n_top, columns].
// Work: nnz * columns.
std::vector<std::vector<double>> energy_above(const std::vector<Layer>& layers,
                                              const std::vector<std::vector<float>>& factors,
                                              const double* ends, offset_t columns,
                                              const ShouldStop& should_stop);

// Of one part and one class: how many samples of the class are right with the whole network and
// wrong without the part, and the other way round. One of both is not 0.
struct Change {
  offset_t part, label, lost, won;
};

// Of a classification the changes, by part and then by class. Of a regression, per part [n_parts]:
// the mean loss without it less that of the whole network.
struct Ablation {
  std::vector<Change> changes;
  std::vector<double> loss;
};

// Which parts of a layer go, one at a time.
//   synapses   each synapse, in CSR order
//   columns    each neuron (or input) below with all its synapses into this layer
enum class Part { synapses, columns };

Part parse_part(const std::string& name);

}  // namespace synaprune
