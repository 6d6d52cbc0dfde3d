// Which synapses go: scores, exact-count choice, removal and clean-up of what it leaves dead.
#pragma once

#include "synaprune/csr.hpp"
#include "synaprune/kernels.hpp"

namespace synaprune {

// The position of a criterion in the table, see prune.cpp.
enum class Criterion : int {};

std::vector<std::string> criterion_names();
Criterion parse_criterion(const std::string& name);
bool needs_gradients(Criterion criterion);
bool needs_curvature(Criterion criterion);

// Over samples, of the loss's gradient by each synapse: layers one after another, CSR order within.
struct GradientMoments {
  std::vector<float> mean;         // E[g]
  std::vector<float> mean_square;  // E[g^2], the diagonal of the empirical Fisher matrix
};

// One score per synapse, layers one after another, CSR order within; the lowest go first. The table
// in prune.cpp has the formulas.
// Throws std::invalid_argument if the criterion needs moments or curvatures that do not fit.
std::vector<float> score(const std::vector<Layer>& layers, Criterion criterion,
                         const GradientMoments& moments, const std::vector<float>& curvature,
                         Rng& rng);

// Throws std::invalid_argument unless there is one score a synapse and none is NaN.
void check_scores(const std::vector<Layer>& layers, const std::vector<float>& scores);

// Replaces scores by ranks within their layer, in (0, 1), so that a cut takes the same share of
// each layer.
void rank_within_layers(const std::vector<Layer>& layers, std::vector<float>& scores);

// Multiplies scores by (f_from f_to)^exponent, f a neuron's synapses (for an input, those out; for
// an output 1) as a share of the most that one of its layer has: what is nearly empty empties. If
// some scores are negative, the lowest is first taken from all; infinite ones stay.
void add_structured_bias(const std::vector<Layer>& layers, float exponent,
                         std::vector<float>& scores);

// Makes the scores of frozen synapses infinite and all others finite. Returns how many are frozen.
offset_t spare_frozen(const std::vector<Layer>& layers, std::vector<float>& scores);

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
// network's outputs stay as they are, to rounding. What is frozen stays, dead or not, and so does
// what could only move into a frozen bias. Returns how many synapses went.
offset_t clean_up(std::vector<Layer>& layers, Activation activation);

}  // namespace synaprune
