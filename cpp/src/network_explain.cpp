// What a network loses without one of its parts, and what its hidden neurons say.
#include <algorithm>
#include <cstring>

#include "synaprune/network.hpp"

namespace synaprune {

namespace {

// Synapses that go together: all leave `column`; both are positions in the plan.
struct Cut {
  offset_t part = 0;
  index_t column = 0;
  std::vector<std::pair<index_t, float>> ends;  // row, weight
};

// positions[i] of what the plan computes, among all n.
std::vector<index_t> inverse(const std::vector<index_t>& computed, index_t n) {
  std::vector<index_t> positions(n, -1);
  for (std::size_t i = 0; i < computed.size(); ++i)
    positions[computed[i]] = static_cast<index_t>(i);
  return positions;
}

std::vector<Cut> cuts(const Layer& layer, const Plan& plan, std::size_t l, Part part) {
  const auto columns = inverse(l == 0 ? plan.inputs : plan.layers[l - 1].rows, layer.n_in);
  const auto rows = inverse(plan.layers[l].rows, layer.n_out);
  std::vector<Cut> cuts;
  if (part == Part::columns)
    for (index_t c = 0; c < layer.n_in; ++c) cuts.push_back({c, columns[c], {}});
  for (index_t r = 0; r < layer.n_out; ++r)
    for (offset_t k = layer.indptr[r]; k < layer.indptr[r + 1]; ++k) {
      const std::pair<index_t, float> end{rows[r], layer.synapses.values[k]};
      if (part == Part::columns)
        cuts[layer.indices[k]].ends.push_back(end);
      else
        cuts.push_back({k, columns[layer.indices[k]], {end}});
    }
  return cuts;
}

// What a network gives for a tile without some synapses of one layer.
class Without {
 public:
  Without(const Model& model, const Kernels& kernels, std::size_t layer)
      : model_(model), kernels_(kernels), l_(layer), changed_(model, kernels, max_tile, true) {
    exact_.resize(static_cast<std::size_t>(model.weights(layer).n_rows) * max_tile);
  }

  // Takes a tile that has passed through the whole network. The layer's sums are needed in double
  // precision: what a synapse adds to a sum may be far larger than all the rest.
  void begin(Forward& whole) {
    whole_ = &whole;
    changed_.set_batch(whole.tiles().n);
    const BlockedCsr& W = model_.weights(l_);
    const LayerParameters& p = model_.parameters[l_];
    const offset_t n = ld();
    for (index_t r = 0; r < W.n_rows; ++r) {
      double* sums = exact_.data() + r * n;
      std::fill_n(sums, n, static_cast<double>(p.biases.values[r]));
      for (index_t b = 0; b < W.n_blocks; ++b)
        for (offset_t k = W.begin(b)[r]; k < W.end(b)[r]; ++k) {
          const double w = p.synapses.values[k];
          const float* x = whole.below(l_) + (W.first_column(b) + W.local[k]) * n;
          for (offset_t s = 0; s < n; ++s) sums[s] += w * static_cast<double>(x[s]);
        }
    }
  }

  // The logits without a cut, or null if it changes nothing.
  const float* logits(const Cut& cut) {
    const offset_t n = ld(), floats = offset_t{model_.weights(l_).n_rows} * n;
    const bool last = l_ + 1 == model_.n_layers();
    const float* x = whole_->below(l_) + cut.column * n;
    float* sums = changed_.sums(l_);
    std::copy_n(whole_->sums(l_), floats, sums);
    if (!last) std::copy_n(whole_->outputs(l_), floats, changed_.outputs(l_));
    bool same = true;
    for (const auto& [row, w] : cut.ends) {
      float* y = sums + row * n;
      for (offset_t s = 0; s < n; ++s)  // a sample to which the synapse adds 0 keeps its bits
        if (const double part = static_cast<double>(w) * static_cast<double>(x[s]); part != 0.0)
          y[s] = static_cast<float>(exact_[row * n + s] - part);
      if (!last) changed_.activate(l_, {row, row + 1});
      same &= std::memcmp(changed_.outputs(l_) + row * n, whole_->outputs(l_) + row * n,
                          n * sizeof(float)) == 0;
    }
    if (same) return nullptr;
    for (std::size_t above = l_ + 1; above < model_.n_layers(); ++above)
      changed_.layer(above, model_.all_rows(above), changed_.outputs(above - 1));
    return changed_.logits();
  }

 private:
  index_t ld() const { return whole_->tiles().width(0); }

  const Model model_;
  const Kernels& kernels_;
  std::size_t l_;
  Forward changed_;
  Forward* whole_ = nullptr;
  std::vector<double> exact_;  // [rows, ld]
};

// Runs of tiles that pass one after another, for sums in an order that threads do not change.
offset_t tile_groups(const Inputs& X) {
  return std::min<offset_t>((X.n + max_tile - 1) / max_tile, 64);
}

// A tile that has passed through the network, with its sums; `first` of `size` samples.
struct TracedTile {
  int worker;
  offset_t group;
  Forward& forward;
  offset_t first;
  index_t size;
};

}  // namespace

template <class F>
bool Network::for_traced_tiles(const Kernels& k, const Inputs& X, int threads, F&& f) const {
  const Model m = model();
  const offset_t n_tiles = (X.n + max_tile - 1) / max_tile, groups = tile_groups(X);
  Team team(static_cast<int>(std::min<offset_t>(threads, groups)));
  Atomic<bool> finite{true};
  team.run([&](int worker) {
    Forward forward(m, k, max_tile, true);
    for (offset_t g; (g = team.next_ticket()) < groups;)
      for (offset_t t = n_tiles * g / groups; t < n_tiles * (g + 1) / groups; ++t) {
        if (team.stopped()) return;
        const offset_t first = t * max_tile;
        const auto size = static_cast<index_t>(std::min<offset_t>(max_tile, X.n - first));
        if (!forward.run({X, nullptr}, first, size, first + size, true)) {
          finite = false;
          team.stop();
          return;
        }
        f(TracedTile{worker, g, forward, first, size}, team);
      }
  });
  return finite;
}

bool Network::activations(const Inputs& X, std::size_t layer, bool sums, int threads,
                          const ShouldStop& should_stop, float* out) const {
  const std::vector<index_t>& rows = structure_->plan.layers[layer].rows;
  const offset_t n_out = patterns()[layer].n_out;
  StopCheck check(should_stop);
  return for_traced_tiles(kernels(), X, threads, [&](const TracedTile& t, const Team&) {
    const float* y = sums ? t.forward.sums(layer) : t.forward.outputs(layer);
    const offset_t ld = t.forward.tiles().width(0);
    std::fill_n(out + t.first * n_out, t.size * n_out, 0.0f);
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (index_t s = 0; s < t.size; ++s)
        out[(t.first + s) * n_out + rows[i]] = y[static_cast<offset_t>(i) * ld + s];
    if (t.worker == 0) check();
  });
}

bool Network::ablate(const Inputs& X, const Targets& targets, std::size_t layer, Part part,
                     int threads, const ShouldStop& should_stop, Ablation& out) const {
  const std::vector<Cut> parts = cuts(layers()[layer], structure_->plan, layer, part);
  const auto n_parts = static_cast<offset_t>(parts.size());
  const Kernels& k = kernels();
  StopCheck check(should_stop);
  std::vector<std::unique_ptr<Without>> without(std::max(1, threads));
  // Calls f(part, logits of the tile without it) for each part that changes any.
  const auto for_parts = [&](const TracedTile& t, const Team& team, auto&& f) {
    std::unique_ptr<Without>& mine = without[t.worker];
    if (!mine) mine = std::make_unique<Without>(model(), k, layer);
    mine->begin(t.forward);
    for (const Cut& cut : parts) {
      if (cut.ends.empty()) continue;
      if (t.worker == 0) check();
      if (team.stopped()) return;
      if (const float* Z = mine->logits(cut)) f(cut.part, Z);
    }
  };
  if (is_regression()) {
    std::vector<std::vector<double>> sums(tile_groups(X));  // in a fixed order, for equal bits
    const bool finite = for_traced_tiles(k, X, threads, [&](const TracedTile& t, const Team& team) {
      std::vector<double>& sum = sums[t.group];
      sum.resize(n_parts);
      const index_t ld = t.forward.tiles().width(0);
      const TargetTile of_tile(targets, n_outputs(), t.first, t.size, ld);
      Buffer Z(static_cast<std::size_t>(n_outputs()) * ld);
      const auto loss = [&](const float* logits) {
        std::copy_n(logits, Z.size(), Z.data());
        return loss_of(k, loss_, n_outputs(), ld, of_tile.view(), Z.data());
      };
      const double whole = loss(t.forward.logits());
      for_parts(t, team, [&](offset_t i, const float* logits) { sum[i] += loss(logits) - whole; });
    });
    out.loss.assign(n_parts, 0.0);
    for (const std::vector<double>& sum : sums)
      for (std::size_t i = 0; i < sum.size(); ++i) out.loss[i] += sum[i] / static_cast<double>(X.n);
    return finite;
  }
  const offset_t n = n_parts * n_classes();
  std::vector<Ablation> sums(without.size());
  const bool finite = for_traced_tiles(k, X, threads, [&](const TracedTile& t, const Team& team) {
    Ablation& sum = sums[t.worker];
    sum.lost.resize(n);
    sum.won.resize(n);
    const index_t ld = t.forward.tiles().width(0);
    index_t before[max_tile], after[max_tile];
    k.classify(n_outputs(), ld, t.forward.logits(), before);
    for_parts(t, team, [&](offset_t i, const float* logits) {
      k.classify(n_outputs(), ld, logits, after);
      for (index_t s = 0; s < t.size; ++s) {
        const index_t c = targets.labels[t.first + s];
        const offset_t at = i * n_classes() + c;
        sum.lost[at] += before[s] == c && after[s] != c;
        sum.won[at] += before[s] != c && after[s] == c;
      }
    });
  });
  out.lost.assign(n, 0);
  out.won.assign(n, 0);
  for (const Ablation& sum : sums)
    for (std::size_t i = 0; i < sum.lost.size(); ++i) {
      out.lost[i] += sum.lost[i];
      out.won[i] += sum.won[i];
    }
  return finite;
}

}  // namespace synaprune
