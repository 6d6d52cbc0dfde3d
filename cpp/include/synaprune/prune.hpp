// Which synapses go: scores, exact-count choice, removal and clean-up of what it leaves dead.
#pragma once

#include "synaprune/csr.hpp"

namespace synaprune {

// One score per synapse, layers one after another, CSR order within; the lowest go first.
//   wsf        |w - w(0)|      Bulin & Smidl 2017; `movement` in Zhou et al. 2019
//   magnitude  |w|
//   random     uniform, drawn from rng
std::vector<float> score(const std::vector<Layer>& layers, Criterion criterion, Rng& rng);

// keep[k] = 0 for exactly n synapses, those of lowest score after the `skip` lowest, which stay.
// Among equals the first position counts as lower.
std::vector<std::uint8_t> keep_all_but_lowest(const std::vector<float>& scores, offset_t n,
                                              offset_t skip = 0);

// Removes the synapses with keep[k] == 0 (positions as in score), then cleans up.
// Returns how many synapses went in all.
offset_t remove_synapses(std::vector<Layer>& layers, Activation activation,
                         const std::vector<std::uint8_t>& keep);

// Until nothing changes: a hidden neuron without a synapse out loses its synapses in; one without
// a synapse in is a constant, which moves into the biases above while its synapses go. The
// network's outputs stay as they are, to rounding. Returns how many synapses went.
offset_t clean_up(std::vector<Layer>& layers, Activation activation);

}  // namespace synaprune
