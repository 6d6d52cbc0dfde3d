#include "synaprune/prune.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "synaprune/pointwise.hpp"

namespace synaprune {

std::vector<float> score(const std::vector<Layer>& layers, Criterion criterion, Rng& rng) {
  std::vector<float> scores;
  scores.reserve(count_synapses(layers));
  for (const Layer& layer : layers)
    for (offset_t k = 0; k < layer.nnz(); ++k) switch (criterion) {
        case Criterion::wsf:
          scores.push_back(std::fabs(layer.values[k] - layer.initial[k]));
          break;
        case Criterion::magnitude:
          scores.push_back(std::fabs(layer.values[k]));
          break;
        case Criterion::random:
          scores.push_back(rng.uniform());
          break;
      }
  return scores;
}

std::vector<std::uint8_t> keep_all_but_lowest(const std::vector<float>& scores, offset_t n,
                                              offset_t skip) {
  const auto size = static_cast<offset_t>(scores.size());
  if (n < 0 || skip < 0 || skip > size || n > size - skip)
    throw std::invalid_argument("cannot cut " + std::to_string(n) + " of " + std::to_string(size) +
                                " synapses and spare " + std::to_string(skip));
  std::vector<offset_t> order(scores.size());
  std::iota(order.begin(), order.end(), offset_t{0});
  const auto lower = [&](offset_t a, offset_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a < b;
  };
  const auto begin = order.begin() + skip;
  const auto end = begin + n;
  std::nth_element(order.begin(), end, order.end(), lower);
  std::nth_element(order.begin(), begin, end, lower);
  std::vector<std::uint8_t> keep(scores.size(), 1);
  for (auto synapse = begin; synapse != end; ++synapse) keep[*synapse] = 0;
  return keep;
}

offset_t remove_synapses(std::vector<Layer>& layers, Activation activation,
                         const std::vector<std::uint8_t>& keep) {
  if (static_cast<offset_t>(keep.size()) != count_synapses(layers))
    throw std::invalid_argument("keep must have one entry a synapse, " +
                                std::to_string(count_synapses(layers)) + ", got " +
                                std::to_string(keep.size()));
  offset_t removed = 0;
  offset_t begin = 0;
  for (Layer& layer : layers) {
    const offset_t nnz = layer.nnz();
    removed += compact(layer, keep.data() + begin);
    begin += nnz;
  }
  return removed + clean_up(layers, activation);
}

namespace {

// Moves the constants of `below`'s neurons that have no synapse in into the biases of `above`.
// Synapses that leave them are marked in keep. Returns how many were marked.
offset_t fold_constants(Layer& below, Layer& above, Activation activation,
                        std::vector<std::uint8_t>& keep) {
  offset_t marked = 0;
  for (index_t r = 0; r < above.n_out; ++r) {
    double moved = 0.0;
    for (offset_t k = above.indptr[r]; k < above.indptr[r + 1]; ++k) {
      const index_t c = above.indices[k];
      if (below.indptr[c + 1] > below.indptr[c]) continue;
      moved += static_cast<double>(above.values[k]) * activate(activation, below.bias[c]);
      keep[k] = 0;
      ++marked;
    }
    above.bias[r] = static_cast<float>(above.bias[r] + moved);
  }
  return marked;
}

// Marks the synapses into `below`'s neurons that no synapse of `above` reads.
offset_t mark_unread(const Layer& below, const Layer& above, std::vector<std::uint8_t>& keep) {
  const auto read = column_counts(above);
  offset_t marked = 0;
  for (index_t r = 0; r < below.n_out; ++r)
    for (offset_t k = below.indptr[r]; read[r] == 0 && k < below.indptr[r + 1]; ++k) {
      keep[k] = 0;
      ++marked;
    }
  return marked;
}

// Biases (and their state) of neurons that are gone are zero, so that equal networks are equal
// bits.
void forget_dead_biases(Layer& below, const Layer& above) {
  const auto read = column_counts(above);
  for (index_t r = 0; r < below.n_out; ++r) {
    if (read[r] > 0 || below.indptr[r + 1] > below.indptr[r]) continue;
    below.bias[r] = 0.0f;
    if (!below.bias_moment1.empty()) below.bias_moment1[r] = 0.0f;
    if (!below.bias_moment2.empty()) below.bias_moment2[r] = 0.0f;
  }
}

}  // namespace

offset_t clean_up(std::vector<Layer>& layers, Activation activation) {
  // One sweep up settles constants, one sweep down settles what nothing reads. A sweep down can
  // leave no new constant: it takes all synapses into a neuron that nothing reads.
  offset_t removed = 0;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    std::vector<std::uint8_t> keep(layers[l + 1].values.size(), 1);
    if (fold_constants(layers[l], layers[l + 1], activation, keep) > 0)
      removed += compact(layers[l + 1], keep.data());
  }
  for (std::size_t l = layers.size() - 1; l-- > 0;) {
    std::vector<std::uint8_t> keep(layers[l].values.size(), 1);
    if (mark_unread(layers[l], layers[l + 1], keep) > 0) removed += compact(layers[l], keep.data());
    forget_dead_biases(layers[l], layers[l + 1]);
  }
  return removed;
}

}  // namespace synaprune
