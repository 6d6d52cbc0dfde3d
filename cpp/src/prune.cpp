#include "synaprune/prune.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "synaprune/pointwise.hpp"

namespace synaprune {

namespace {

bool needs_moments(Criterion c) {
  return c == Criterion::fisher || c == Criterion::wsf_fisher || c == Criterion::taylor;
}

// g: E[g], g2: E[g^2]
float score_of(Criterion criterion, float w, float w0, float g, float g2) {
  const float moved = std::fabs(w - w0);
  switch (criterion) {
    case Criterion::wsf:
      return moved;
    case Criterion::magnitude:
      return std::fabs(w);
    case Criterion::magnitude_increase:
      return std::fabs(w) - std::fabs(w0);
    case Criterion::movement_magnitude:
      return moved * std::fabs(w);
    case Criterion::fisher:
      return w * w * g2;
    case Criterion::wsf_fisher:
      return moved * std::sqrt(g2);
    case Criterion::taylor:
      return std::fabs(w * g);
    case Criterion::random:
      break;
  }
  return 0.0f;
}

void check_size(const std::vector<Layer>& layers, const char* what, const std::vector<float>& v) {
  const offset_t n = count_synapses(layers);
  if (static_cast<offset_t>(v.size()) != n)
    throw std::invalid_argument(std::string(what) + " must have one entry a synapse, " +
                                std::to_string(n) + ", got " + std::to_string(v.size()));
}

}  // namespace

std::vector<float> score(const std::vector<Layer>& layers, Criterion criterion,
                         const GradientMoments& moments, Rng& rng) {
  const bool with_moments = needs_moments(criterion);
  if (with_moments) {
    check_size(layers, "mean", moments.mean);
    check_size(layers, "mean_square", moments.mean_square);
  }
  std::vector<float> scores;
  scores.reserve(count_synapses(layers));
  for (const Layer& layer : layers)
    for (offset_t k = 0; k < layer.nnz(); ++k) {
      const std::size_t i = scores.size();
      scores.push_back(criterion == Criterion::random
                           ? rng.uniform()
                           : score_of(criterion, layer.values[k], layer.initial[k],
                                      with_moments ? moments.mean[i] : 0.0f,
                                      with_moments ? moments.mean_square[i] : 0.0f));
    }
  return scores;
}

void check_scores(const std::vector<Layer>& layers, const std::vector<float>& scores) {
  check_size(layers, "scores", scores);
  if (std::any_of(scores.begin(), scores.end(), [](float s) { return s != s; }))
    throw std::invalid_argument("scores must not hold a NaN");
}

void rank_within_layers(const std::vector<Layer>& layers, std::vector<float>& scores) {
  auto first = scores.begin();
  std::vector<offset_t> order;
  for (const Layer& layer : layers) {
    order.resize(layer.nnz());
    std::iota(order.begin(), order.end(), offset_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](offset_t a, offset_t b) { return first[a] < first[b]; });
    for (offset_t rank = 0; rank < layer.nnz(); ++rank)
      first[order[rank]] =
          static_cast<float>((static_cast<double>(rank) + 0.5) / static_cast<double>(layer.nnz()));
    first += layer.nnz();
  }
}

void concentrate(const std::vector<Layer>& layers, float exponent, std::vector<float>& scores) {
  // fill[l][j]: synapses of the j-th neuron below layer l, as a share of the most there
  std::vector<std::vector<float>> fill;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    auto counts = column_counts(layers[l]);
    for (std::size_t j = 0; l > 0 && j < counts.size(); ++j)
      counts[j] += layers[l - 1].indptr[j + 1] - layers[l - 1].indptr[j];
    const offset_t most = std::max<offset_t>(1, *std::max_element(counts.begin(), counts.end()));
    auto& shares = fill.emplace_back();
    for (const offset_t n : counts)
      shares.push_back(static_cast<float>(static_cast<double>(n) / static_cast<double>(most)));
  }
  fill.emplace_back(layers.back().n_out, 1.0f);
  auto score = scores.begin();
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (index_t r = 0; r < layers[l].n_out; ++r)
      for (offset_t k = layers[l].indptr[r]; k < layers[l].indptr[r + 1]; ++k, ++score)
        *score = std::max(*score, 0.0f) *
                 std::pow(fill[l][layers[l].indices[k]] * fill[l + 1][r], exponent);
}

offset_t spare_frozen(const std::vector<Layer>& layers, std::vector<float>& scores) {
  offset_t n = 0;
  auto score = scores.begin();
  for (const Layer& layer : layers)
    for (offset_t k = 0; k < layer.nnz(); ++k, ++score) {
      const bool frozen = is_frozen(layer.frozen, k);
      n += frozen;
      *score = frozen ? std::numeric_limits<float>::infinity()
                      : std::min(*score, std::numeric_limits<float>::max());
    }
  return n;
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
    if (is_frozen(above.bias_frozen, r)) continue;
    for (offset_t k = above.indptr[r]; k < above.indptr[r + 1]; ++k) {
      const index_t c = above.indices[k];
      if (below.indptr[c + 1] > below.indptr[c] || is_frozen(above.frozen, k)) continue;
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
      if (is_frozen(below.frozen, k)) continue;
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
    if (is_frozen(below.bias_frozen, r)) continue;
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
