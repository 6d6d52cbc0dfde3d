// Layers as canonical CSR: the one truth about which synapses live and what they weigh.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune {

// One layer of synapses from n_in neurons to n_out neurons, with the biases of the latter.
// Synapse k of row r (indptr[r] <= k < indptr[r+1]) comes from column indices[k].
struct Layer {
  index_t n_out = 0;
  index_t n_in = 0;
  std::vector<offset_t> indptr;     // [n_out + 1]
  std::vector<index_t> indices;     // [nnz], ascending and unique in each row
  std::vector<float> values;        // [nnz]
  std::vector<float> initial;       // [nnz], w(0): travels with its synapse, never reset
  std::vector<float> bias;          // [n_out]
  std::vector<float> moment1;       // [nnz] or empty: momentum, or Adam's first moment
  std::vector<float> moment2;       // [nnz] or empty: Adam's second moment
  std::vector<float> bias_moment1;  // [n_out] or empty
  std::vector<float> bias_moment2;  // [n_out] or empty
  std::vector<float> frozen;        // [nnz], 1 where training changes nothing, else 0; or empty
  std::vector<float> bias_frozen;   // [n_out], the same

  offset_t nnz() const { return static_cast<offset_t>(indices.size()); }
};

// Whether a layer's array `frozen` or `bias_frozen` says so of entry k.
inline bool is_frozen(const std::vector<float>& frozen, offset_t k) {
  return !frozen.empty() && frozen[k] != 0.0f;
}

// Throws std::invalid_argument naming `what` unless the arrays are canonical CSR: indptr starts at
// 0, never falls and ends at nnz; columns are in [0, n_in), ascending and unique in each row.
void check_canonical(const std::string& what, index_t n_out, index_t n_in, const offset_t* indptr,
                     offset_t n_indptr, const index_t* indices, offset_t nnz);

// Drops every synapse k with keep[k] == 0 from all per-synapse arrays, in place and in order.
// Returns how many were dropped.
offset_t compact(Layer& layer, const std::uint8_t* keep);

// counts[c] = number of synapses that leave column c.
std::vector<offset_t> column_counts(const Layer& layer);

// "465-20-10" as numbers: living inputs, living hidden neurons per layer, all outputs. A hidden
// neuron lives while it has a synapse in and one out; an input while it has a synapse out.
std::vector<index_t> structure(const std::vector<Layer>& layers);

offset_t count_synapses(const std::vector<Layer>& layers);

}  // namespace synaprune
