// Random subsets in work and memory of their own size: positions of a layer's synapses, of which
// the dense matrix is never held.
#pragma once

#include "synaprune/csr.hpp"

namespace synaprune {

// Ascending positions in a layer, row * n_in + column.
using Positions = std::vector<std::uint64_t>;

// n of the numbers [0, of), each subset equally likely.
Positions sample(std::uint64_t n, std::uint64_t of, Rng& rng);

// The same of the positions at which there is no synapse.
Positions sample_absent(const Pattern& layer, std::uint64_t n, Rng& rng);
std::uint64_t count_absent(const Pattern& layer);

// n synapses at random (an Erdos-Renyi graph), except that single ones are moved: from rows that
// have several to rows that have none, until there are none of these or n is too small, and then
// the same for columns. w(0) is left out.
Pattern random_pattern(index_t n_in, index_t n_out, offset_t n, Rng& rng);

}  // namespace synaprune
