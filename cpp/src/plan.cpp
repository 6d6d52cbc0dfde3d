#include "synaprune/plan.hpp"

namespace synaprune {

Transpose transpose(index_t n_columns, const std::vector<offset_t>& indptr,
                    const std::vector<index_t>& indices) {
  Transpose t;
  t.indptr.assign(static_cast<std::size_t>(n_columns) + 1, 0);
  for (const index_t c : indices) ++t.indptr[c + 1];
  for (index_t c = 0; c < n_columns; ++c) t.indptr[c + 1] += t.indptr[c];
  std::vector<offset_t> next(t.indptr.begin(), t.indptr.end() - 1);
  t.row.resize(indices.size());
  t.synapse.resize(indices.size());
  for (std::size_t r = 0; r + 1 < indptr.size(); ++r)
    for (offset_t k = indptr[r]; k < indptr[r + 1]; ++k) {
      const offset_t to = next[indices[k]]++;
      t.row[to] = static_cast<index_t>(r);
      t.synapse[to] = k;
    }
  return t;
}

Plan make_plan(const std::vector<Layer>& layers) {
  Plan plan;
  std::vector<index_t> position;  // of each neuron below in its plan
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    const auto out = column_counts(layer);
    if (l == 0) {
      position.assign(layer.n_in, 0);
      for (index_t c = 0; c < layer.n_in; ++c)
        if (out[c] > 0) {
          position[c] = static_cast<index_t>(plan.inputs.size());
          plan.inputs.push_back(c);
        }
    }
    // A hidden neuron is computed if anything reads it, or if it holds synapses (so that values
    // keep their order); all outputs are.
    const auto read = l + 1 < layers.size() ? column_counts(layers[l + 1])
                                            : std::vector<offset_t>(layer.n_out, 1);
    LayerPlan p;
    p.indptr.push_back(0);
    std::vector<index_t> position_here(layer.n_out, 0);
    for (index_t r = 0; r < layer.n_out; ++r) {
      if (read[r] == 0 && layer.indptr[r + 1] == layer.indptr[r]) continue;
      position_here[r] = static_cast<index_t>(p.rows.size());
      p.rows.push_back(r);
      p.indptr.push_back(layer.indptr[r + 1]);
    }
    p.indices.reserve(layer.indices.size());
    for (const index_t c : layer.indices) p.indices.push_back(position[c]);
    if (l > 0)
      p.transposed =
          transpose(static_cast<index_t>(plan.layers.back().rows.size()), p.indptr, p.indices);
    plan.layers.push_back(std::move(p));
    position = std::move(position_here);
  }
  return plan;
}

}  // namespace synaprune
