// What a network loses without one of its parts, and what its hidden neurons say.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>

#include "synaprune/network.hpp"

namespace synaprune {

namespace {

// Synapses that go together: all leave `column`; both are positions in the plan.
struct Cut {
  offset_t part = 0;
  index_t column = 0;
  std::vector<std::pair<index_t, float>> ends;  // row, weight
};

std::vector<Cut> cuts(const Layer& layer, const Plan& plan, std::size_t l, Part part) {
  const auto columns = positions_of(l == 0 ? plan.inputs : plan.layers[l - 1].rows, layer.n_in);
  const auto rows = positions_of(plan.layers[l].rows, layer.n_out);
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

  // The outputs of one row without one of a cut's synapses, or null if they are the same.
  const float* changed_row(const Cut& cut, const std::pair<index_t, float>& end) {
    const offset_t n = ld();
    const auto [row, w] = end;
    const float* x = whole_->below(l_) + cut.column * n;
    float* y = changed_.sums(l_) + row * n;
    std::copy_n(whole_->sums(l_) + row * n, n, y);
    for (offset_t s = 0; s < n; ++s)  // a sample to which the synapse adds 0 keeps its bits
      if (const double part = static_cast<double>(w) * static_cast<double>(x[s]); part != 0.0)
        y[s] = static_cast<float>(exact_[row * n + s] - part);
    if (l_ + 1 < model_.n_layers()) changed_.activate(l_, {row, row + 1});
    const float* outputs = changed_.outputs(l_) + row * n;
    return std::memcmp(outputs, whole_->outputs(l_) + row * n, n * sizeof(float)) ? outputs
                                                                                  : nullptr;
  }

  // The logits without a cut, or null if it changes nothing.
  const float* logits(const Cut& cut) {
    const offset_t floats = offset_t{model_.weights(l_).n_rows} * ld();
    std::copy_n(whole_->sums(l_), floats, changed_.sums(l_));
    if (l_ + 1 < model_.n_layers()) std::copy_n(whole_->outputs(l_), floats, changed_.outputs(l_));
    bool same = true;
    for (const auto& end : cut.ends) same &= changed_row(cut, end) == nullptr;
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

// The largest logit of each sample of a tile, and the largest of the others.
class Rivals {
 public:
  // Z[n_out, ld], n_out at least 2, all finite; best[ld] as `classify` gives it.
  Rivals(index_t n_out, index_t ld, const float* Z, const index_t* best) : ld_(ld), best_(best) {
    for (index_t s = 0; s < ld; ++s) {
      first_[s] = Z[offset_t{best[s]} * ld + s];
      next_[s] = best[s] == 0;
      second_[s] = Z[offset_t{next_[s]} * ld + s];
    }
    for (index_t r = 1; r < n_out; ++r) {
      const float* z = Z + offset_t{r} * ld;
      for (index_t s = 0; s < ld; ++s)
        if (r != best[s] && z[s] > second_[s]) {
          second_[s] = z[s];
          next_[s] = r;
        }
    }
  }

  // What `classify` gives where one row of the logits is z[ld]: of equal ones the first is largest.
  void classify(index_t row, const float* z, index_t* best) const {
    for (index_t s = 0; s < ld_; ++s) {
      const bool was_best = row == best_[s];
      const float other = was_best ? second_[s] : first_[s];
      const index_t rival = was_best ? next_[s] : best_[s];
      best[s] = z[s] > other || (z[s] == other && row < rival) ? row : rival;
      if (!std::isfinite(z[s])) best[s] = -1;
    }
  }

 private:
  index_t ld_;
  const index_t* best_;
  index_t next_[max_tile];
  float first_[max_tile], second_[max_tile];
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
  // One synapse of the last layer changes one output: the others, which may be many, are not
  // looked at again.
  const bool one_by_one =
      part == Part::synapses && layer + 1 == n_layers() && n_outputs() > 1 && !is_regression();
  // Calls f(part, logits of the tile without it) for each part that changes any, or, one by one,
  // one(part, row, logits of that row).
  const auto for_parts = [&](const TracedTile& t, const Team& team, auto&& f, auto&& one) {
    std::unique_ptr<Without>& mine = without[t.worker];
    if (!mine) mine = std::make_unique<Without>(model(), k, layer);
    mine->begin(t.forward);
    for (const Cut& cut : parts) {
      if (cut.ends.empty()) continue;
      if (t.worker == 0) check();
      if (team.stopped()) return;
      if (one_by_one) {
        const auto& end = cut.ends.front();
        if (const float* z = mine->changed_row(cut, end)) one(cut.part, end.first, z);
      } else if (const float* Z = mine->logits(cut)) {
        f(cut.part, Z);
      }
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
      for_parts(
          t, team, [&](offset_t i, const float* logits) { sum[i] += loss(logits) - whole; },
          [](offset_t, index_t, const float*) {});
    });
    out.loss.assign(n_parts, 0.0);
    for (const std::vector<double>& sum : sums)
      for (std::size_t i = 0; i < sum.size(); ++i) out.loss[i] += sum[i] / static_cast<double>(X.n);
    return finite;
  }
  struct Counts {
    offset_t lost = 0, won = 0;
  };
  // By part and class, of what changes: most parts leave most classes as they are.
  std::vector<std::unordered_map<offset_t, Counts>> sums(without.size());
  const bool finite = for_traced_tiles(k, X, threads, [&](const TracedTile& t, const Team& team) {
    const index_t ld = t.forward.tiles().width(0);
    index_t before[max_tile], after[max_tile];
    k.classify(n_outputs(), ld, t.forward.logits(), before);
    const auto count = [&](offset_t i) {
      for (index_t s = 0; s < t.size; ++s) {
        const index_t c = targets.labels[t.first + s];
        if ((before[s] == c) == (after[s] == c)) continue;
        Counts& counts = sums[t.worker][i * n_classes() + c];
        ++(before[s] == c ? counts.lost : counts.won);
      }
    };
    std::optional<Rivals> rivals;
    if (one_by_one) rivals.emplace(n_outputs(), ld, t.forward.logits(), before);
    for_parts(
        t, team,
        [&](offset_t i, const float* logits) {
          k.classify(n_outputs(), ld, logits, after);
          count(i);
        },
        [&](offset_t i, index_t row, const float* logits) {
          rivals->classify(row, logits, after);
          count(i);
        });
  });
  std::map<offset_t, Counts> all;
  for (const auto& sum : sums)
    for (const auto& [at, counts] : sum) {
      all[at].lost += counts.lost;
      all[at].won += counts.won;
    }
  out.changes.clear();
  for (const auto& [at, counts] : all)
    out.changes.push_back({at / n_classes(), at % n_classes(), counts.lost, counts.won});
  return finite;
}

}  // namespace synaprune
