#include "synaprune/csr.hpp"

namespace synaprune {

namespace {

template <class Array>
void compact_array(Array& array, const std::uint8_t* keep) {
  if (array.empty()) return;
  std::size_t to = 0;
  for (std::size_t from = 0; from < array.size(); ++from)
    if (keep[from]) array[to++] = array[from];
  array.resize(to);
}

}  // namespace

void Parameters::check(const std::string& what, std::size_t n) const {
  bool fit = values.size() == n && (frozen.empty() || frozen.size() == n);
  for (const Buffer& array : state) fit &= array.size() == n;
  if (!fit) throw std::invalid_argument(what + " must have " + std::to_string(n) + " entries");
}

void check_canonical(const std::string& what, index_t n_out, index_t n_in, const offset_t* indptr,
                     offset_t n_indptr, const index_t* indices, offset_t nnz) {
  const auto fail = [&](const std::string& why) {
    throw std::invalid_argument(what + " is not canonical CSR: " + why);
  };
  if (n_indptr != static_cast<offset_t>(n_out) + 1)
    fail("indptr must have " + std::to_string(static_cast<offset_t>(n_out) + 1) + " entries, got " +
         std::to_string(n_indptr));
  if (indptr[0] != 0) fail("indptr must start at 0, got " + std::to_string(indptr[0]));
  if (indptr[n_out] != nnz)
    fail("indptr must end at the number of synapses " + std::to_string(nnz) + ", got " +
         std::to_string(indptr[n_out]));
  for (index_t r = 0; r < n_out; ++r)
    if (indptr[r + 1] < indptr[r] || indptr[r + 1] > nnz)
      fail("indptr falls or leaves the array at row " + std::to_string(r));
  for (index_t r = 0; r < n_out; ++r)
    for (offset_t k = indptr[r]; k < indptr[r + 1]; ++k) {
      if (indices[k] < 0 || indices[k] >= n_in)
        fail("column " + std::to_string(indices[k]) + " in row " + std::to_string(r) +
             " is not in [0, " + std::to_string(n_in) + ")");
      if (k > indptr[r] && indices[k] <= indices[k - 1])
        fail("columns of row " + std::to_string(r) + " are not ascending and unique");
    }
}

offset_t compact(Layer& layer, const std::uint8_t* keep) {
  const offset_t before = layer.nnz();
  offset_t kept = 0;
  offset_t begin = 0;
  for (index_t r = 0; r < layer.n_out; ++r) {
    const offset_t end = layer.indptr[r + 1];
    for (offset_t k = begin; k < end; ++k) kept += keep[k] != 0;
    begin = end;
    layer.indptr[r + 1] = kept;
  }
  compact_array(layer.indices, keep);
  compact_array(layer.initial, keep);
  compact_array(layer.synapses.values, keep);
  for (Buffer& state : layer.synapses.state) compact_array(state, keep);
  compact_array(layer.synapses.frozen, keep);
  return before - kept;
}

std::vector<offset_t> column_counts(const Pattern& layer) {
  std::vector<offset_t> counts(layer.n_in, 0);
  for (const index_t c : layer.indices) ++counts[c];
  return counts;
}

std::vector<index_t> structure(const Patterns& layers) {
  std::vector<index_t> living;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto out = column_counts(layers[l]);
    index_t n = 0;
    for (index_t c = 0; c < layers[l].n_in; ++c) {
      const bool fed = l == 0 || layers[l - 1].indptr[c + 1] > layers[l - 1].indptr[c];
      n += out[c] > 0 && fed;
    }
    living.push_back(n);
  }
  living.push_back(layers.back().n_out);
  return living;
}

}  // namespace synaprune
