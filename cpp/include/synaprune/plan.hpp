// What a pass over the network computes, derived from the layers' patterns: only neurons that
// matter, numbered without gaps, synapses in blocks. Made anew only when the structure changes.
#pragma once

#include "synaprune/csr.hpp"
#include "synaprune/kernels.hpp"

namespace synaprune {

// The pattern of a CSR matrix in blocks of neighbouring columns, such that what a block reads stays
// in a near cache, and what one thread writes is not beside what another one does. Synapses are in
// block order: block by block, in each row by row, in each by column.
struct BlockedCsr {
  index_t n_rows = 0;
  index_t n_columns = 0;
  index_t n_blocks = 1;              // at least one, so that a pass writes every row
  std::vector<index_t> columns;      // [n_blocks + 1], borders of the blocks
  std::vector<offset_t> starts;      // [n_blocks * n_rows + 1], of row r in block b: b * n_rows + r
  std::vector<std::uint16_t> local;  // [nnz], column within its block
  std::vector<index_t> full;         // as starts, see Block; empty if few rows are

  const offset_t* begin(index_t block) const {
    return starts.data() + static_cast<offset_t>(block) * n_rows;
  }
  const offset_t* end(index_t block) const { return begin(block) + 1; }
  Block block(index_t b) const {
    const index_t* of_block = full.empty() ? nullptr : full.data() + offset_t{b} * n_rows;
    return {begin(b), end(b), local.data(), of_block};
  }
  index_t first_column(index_t block) const { return columns[block]; }
  index_t last_column(index_t block) const { return columns[block + 1]; }
  offset_t nnz() const { return static_cast<offset_t>(local.size()); }
  // Synapses of rows [row0, row1) in a block.
  offset_t count(index_t block, index_t row0, index_t row1) const {
    return begin(block)[row1] - begin(block)[row0];
  }

  // Where rows from one on end that have so many synapses in a block, or are one.
  index_t last_of_piece(index_t block, index_t row, index_t last, offset_t synapses) const;

  // Values of all synapses from CSR order to block order, and back.
  void to_blocks(const float* csr, float* blocks) const;
  void to_csr(const float* blocks, float* csr) const { to_csr(blocks, csr, 0, n_rows); }
  void to_csr(const float* blocks, float* csr, index_t row0, index_t row1) const;

 private:
  template <class F>
  void for_runs(index_t row0, index_t row1, F&& f) const;
};

// indptr[n_rows + 1], indices[nnz]: canonical CSR. A block begins at each column of `borders`,
// which ascend. With `position`, which ascends, column c is column position[c] of the result.
BlockedCsr block_columns(index_t n_rows, index_t n_columns, const offset_t* indptr,
                         const index_t* indices, const std::vector<index_t>& borders = {},
                         const index_t* position = nullptr);

// prefix[r]: what rows before r cost, in synapses; [n_rows + 1].
std::vector<offset_t> prefix_work(const BlockedCsr& m);

// Of n rows of a block, see Block: row r's synapses are begin[r] .. begin[r + 1].
void find_full_rows(index_t n, const offset_t* begin, const std::uint16_t* local, index_t* full);

struct LayerPlan {
  std::vector<index_t> rows;     // the layer's neurons that are computed, ascending
  std::vector<index_t> neurons;  // [n_out], all of them: `rows`, and then the others
  BlockedCsr weights;            // [rows, columns], columns as positions in the plan below
  // For the gradient of what is below; empty for the first layer, whose inputs need none.
  BlockedCsr transposed;              // [columns, rows]
  std::vector<std::uint32_t> source;  // [nnz], where a synapse of `transposed` is in `weights`,
                                      // both in block order

  // A layer's parameters from CSR order to the plan's, synapses in block order and biases in that
  // of `neurons`; and back.
  LayerParameters to_plan(const LayerParameters& csr) const;
  LayerParameters to_csr(const LayerParameters& planned) const;
};

struct Plan {
  std::vector<index_t> inputs;  // inputs with a synapse out, ascending
  SharedList<LayerPlan> layers;
  // Borders of groups of the first layer's blocks, a power of two of them: the first half costs,
  // with all layers above, what the other half costs, and so on; see Trainer.
  std::vector<index_t> groups;
};

// Layers whose plan would be as it is in `before`, that of `layers_before`, share it.
Plan make_plan(const Patterns& layers, const Patterns* layers_before = nullptr,
               const Plan* before = nullptr);

// Where each of n neurons is in an ascending list of some, such as a plan's inputs or rows; -1 of
// those that it lacks.
std::vector<index_t> positions_of(const std::vector<index_t>& some, index_t n);

// The plan of one matrix on its own: every row and column, and the transpose.
LayerPlan plan_matrix(index_t n_rows, index_t n_columns, const offset_t* indptr,
                      const index_t* indices);

}  // namespace synaprune
