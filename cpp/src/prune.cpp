#include "synaprune/prune.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "synaprune/math.hpp"

namespace synaprune {

namespace {

struct Synapse {
  float w, w0, g, g2;  // weight, initial weight, E[g], E[g^2]
  float curvature;     // 1 / [F^-1]_kk
  float random;        // uniform in [0, 1)

  float movement() const { return std::fabs(w - w0); }
};

// What a score takes besides weights.
enum class Needs { nothing, gradients, curvature, random };

struct Entry {
  const char* name;
  Needs needs;
  float (*score)(const Synapse& s);
};

// To add a criterion, write its entry.
//   wsf                 Bulin & Smidl 2017; `movement` in Zhou et al. 2019
//   magnitude_increase  Zhou et al. 2019
//   fisher              optimal brain damage, LeCun et al. 1990, with the empirical Fisher for the
//                       curvature
//   taylor              Molchanov et al. 2017
//   taylor2             the loss without the synapse, less the loss: LeCun's expansion with its
//                       term of first order, for networks that have not converged
//   obs                 optimal brain surgeon, Hassibi & Stork 1993, with the empirical Fisher, as
//                       in Singh & Alistarh 2020
constexpr Entry table[] = {
    {"wsf", Needs::nothing, [](const Synapse& s) { return s.movement(); }},
    {"magnitude", Needs::nothing, [](const Synapse& s) { return std::fabs(s.w); }},
    {"magnitude_increase", Needs::nothing,
     [](const Synapse& s) { return std::fabs(s.w) - std::fabs(s.w0); }},
    {"movement_magnitude", Needs::nothing,
     [](const Synapse& s) { return s.movement() * std::fabs(s.w); }},
    {"fisher", Needs::gradients, [](const Synapse& s) { return s.w * s.w * s.g2; }},
    {"wsf_fisher", Needs::gradients,
     [](const Synapse& s) { return s.movement() * std::sqrt(s.g2); }},
    {"taylor", Needs::gradients, [](const Synapse& s) { return std::fabs(s.w * s.g); }},
    {"taylor2", Needs::gradients,
     [](const Synapse& s) { return 0.5f * s.w * s.w * s.g2 - s.w * s.g; }},
    {"obs", Needs::curvature, [](const Synapse& s) { return 0.5f * s.w * s.w * s.curvature; }},
    {"random", Needs::random, [](const Synapse& s) { return s.random; }},
};

const Entry& entry(Criterion criterion) { return table[static_cast<int>(criterion)]; }

void check_size(const std::vector<Layer>& layers, const char* what, const std::vector<float>& v) {
  const offset_t n = count_synapses(layers);
  if (static_cast<offset_t>(v.size()) != n)
    throw std::invalid_argument(std::string(what) + " must have one entry a synapse, " +
                                std::to_string(n) + ", got " + std::to_string(v.size()));
}

}  // namespace

std::vector<std::string> criterion_names() { return entry_names(table); }

Criterion parse_criterion(const std::string& name) {
  return Criterion{find_entry("criterion", table, name)};
}

bool needs_gradients(Criterion criterion) { return entry(criterion).needs == Needs::gradients; }
bool needs_curvature(Criterion criterion) { return entry(criterion).needs == Needs::curvature; }

std::vector<float> score(const std::vector<Layer>& layers, Criterion criterion,
                         const GradientMoments& moments, const std::vector<float>& curvature,
                         Rng& rng) {
  const Entry& e = entry(criterion);
  if (e.needs == Needs::gradients) {
    check_size(layers, "mean", moments.mean);
    check_size(layers, "mean_square", moments.mean_square);
  }
  if (e.needs == Needs::curvature) check_size(layers, "curvature", curvature);
  std::vector<float> scores;
  scores.reserve(count_synapses(layers));
  for (const Layer& layer : layers)
    for (offset_t k = 0; k < layer.nnz(); ++k) {
      Synapse s{layer.synapses.values[k], layer.initial[k], 0.0f, 0.0f, 0.0f, 0.0f};
      if (e.needs == Needs::gradients) {
        s.g = moments.mean[scores.size()];
        s.g2 = moments.mean_square[scores.size()];
      }
      if (e.needs == Needs::curvature) s.curvature = curvature[scores.size()];
      if (e.needs == Needs::random) s.random = rng.uniform();
      scores.push_back(e.score(s));
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

void add_structured_bias(const std::vector<Layer>& layers, float exponent,
                         std::vector<float>& scores) {
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
  float lowest = 0.0f;
  for (const float s : scores)
    if (std::isfinite(s)) lowest = std::min(lowest, s);
  auto score = scores.begin();
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (index_t r = 0; r < layers[l].n_out; ++r)
      for (offset_t k = layers[l].indptr[r]; k < layers[l].indptr[r + 1]; ++k, ++score)
        if (std::isfinite(*score))
          *score = static_cast<float>(
              (static_cast<double>(*score) - lowest) *
              power(static_cast<double>(fill[l][layers[l].indices[k]] * fill[l + 1][r]),
                    static_cast<double>(exponent)));
}

offset_t spare_frozen(const std::vector<Layer>& layers, std::vector<float>& scores) {
  offset_t n = 0;
  auto score = scores.begin();
  for (const Layer& layer : layers)
    for (offset_t k = 0; k < layer.nnz(); ++k, ++score) {
      const bool frozen = is_frozen(layer.synapses.frozen, k);
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
  std::vector<std::uint8_t> keep(scores.size(), 1);
  if (n == 0) return keep;
  // The last score that is skipped and the last that is cut, and how many equals are before these.
  std::vector<float> sorted = scores;
  const auto last = sorted.begin() + (skip + n - 1);
  std::nth_element(sorted.begin(), last, sorted.end());
  const float high = *last;
  offset_t high_left =
      skip + n - std::count_if(sorted.begin(), last, [&](float s) { return s < high; });
  float low = -std::numeric_limits<float>::infinity();
  offset_t low_left = 0;
  if (skip > 0) {
    const auto spared = sorted.begin() + (skip - 1);
    std::nth_element(sorted.begin(), spared, last + 1);
    low = *spared;
    low_left = skip - std::count_if(sorted.begin(), spared, [&](float s) { return s < low; });
  }
  for (std::size_t k = 0; k < scores.size(); ++k) {
    const float s = scores[k];
    const bool cut = s < high || (s == high && high_left-- > 0);
    const bool spare = skip > 0 && (s < low || (s == low && low_left-- > 0));
    keep[k] = !cut || spare;
  }
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
offset_t fold_constants(const Layer& below, Layer& above, Activation activation,
                        std::vector<std::uint8_t>& keep) {
  const auto activate = kernels().activation(activation).forward;
  offset_t marked = 0;
  for (index_t r = 0; r < above.n_out; ++r) {
    double moved = 0.0;
    if (is_frozen(above.biases.frozen, r)) continue;
    for (offset_t k = above.indptr[r]; k < above.indptr[r + 1]; ++k) {
      const index_t c = above.indices[k];
      if (!below.row_is_empty(c) || is_frozen(above.synapses.frozen, k)) continue;
      float constant = below.biases.values[c];
      activate(1, &constant);
      moved += static_cast<double>(above.synapses.values[k]) * constant;
      keep[k] = 0;
      ++marked;
    }
    float& bias = above.biases.values[r];
    bias = static_cast<float>(bias + moved);
  }
  return marked;
}

// Marks the synapses into `below`'s neurons that no synapse of `above` reads.
offset_t mark_unread(const Layer& below, const Layer& above, std::vector<std::uint8_t>& keep) {
  const auto read = column_counts(above);
  offset_t marked = 0;
  for (index_t r = 0; r < below.n_out; ++r)
    for (offset_t k = below.indptr[r]; read[r] == 0 && k < below.indptr[r + 1]; ++k) {
      if (is_frozen(below.synapses.frozen, k)) continue;
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
    if (read[r] > 0 || !below.row_is_empty(r) || is_frozen(below.biases.frozen, r)) continue;
    below.biases.values[r] = 0.0f;
    for (Buffer& state : below.biases.state) state[r] = 0.0f;
  }
}

}  // namespace

offset_t clean_up(std::vector<Layer>& layers, Activation activation) {
  // One sweep up settles constants, one sweep down settles what nothing reads. A sweep down can
  // leave no new constant: it takes all synapses into a neuron that nothing reads.
  offset_t removed = 0;
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    std::vector<std::uint8_t> keep(layers[l + 1].indices.size(), 1);
    if (fold_constants(layers[l], layers[l + 1], activation, keep) > 0)
      removed += compact(layers[l + 1], keep.data());
  }
  for (std::size_t l = layers.size() - 1; l-- > 0;) {
    std::vector<std::uint8_t> keep(layers[l].indices.size(), 1);
    if (mark_unread(layers[l], layers[l + 1], keep) > 0) removed += compact(layers[l], keep.data());
    forget_dead_biases(layers[l], layers[l + 1]);
  }
  return removed;
}

}  // namespace synaprune
