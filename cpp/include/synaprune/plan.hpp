// What a pass over the network computes, derived from the CSR layers: only neurons that matter,
// numbered without gaps. Values are not copied: synapse k of a plan is synapse k of its layer.
#pragma once

#include "synaprune/csr.hpp"

namespace synaprune {

// Synapses by column: synapse[indptr[c] .. indptr[c+1]) leave column c, to the rows in row.
struct Transpose {
  std::vector<offset_t> indptr;   // [columns + 1]
  std::vector<index_t> row;       // [nnz], ascending in each column
  std::vector<offset_t> synapse;  // [nnz], positions in CSR order
};

Transpose transpose(index_t n_columns, const std::vector<offset_t>& indptr,
                    const std::vector<index_t>& indices);

struct LayerPlan {
  std::vector<index_t> rows;     // the layer's neurons that are computed, ascending
  std::vector<offset_t> indptr;  // [rows + 1]
  std::vector<index_t> indices;  // [nnz], columns as positions in the plan below
  Transpose transposed;          // empty for the first layer, whose inputs need no gradient
};

struct Plan {
  std::vector<index_t> inputs;  // inputs with a synapse out, ascending
  std::vector<LayerPlan> layers;
};

Plan make_plan(const std::vector<Layer>& layers);

}  // namespace synaprune
