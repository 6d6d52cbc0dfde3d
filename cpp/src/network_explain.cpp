// What a network loses without one of its parts, and what its hidden neurons say.
#include <algorithm>
#include <cstring>

#include "synaprune/network.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/passes.hpp"

namespace synaprune {

namespace {

// One tile through the network, with all that lies between kept: what a layer adds up, and what its
// neurons say.
class OpenPass {
 public:
  OpenPass(const Kernels& kernels, const std::vector<Layer>& layers,
           const std::vector<Buffer>& values, const Plan& plan, Activation activation,
           const InputView& view)
      : kernels_(kernels), values_(values), plan_(plan), activation_(activation), view_(view) {
    inputs_.resize(offset_t{view.n_columns} * max_tile);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const offset_t n = offset_t{plan.layers[l].weights.n_rows} * max_tile;
      for (auto* buffers : {&sums_, &outputs_, &other_sums_, &other_outputs_})
        buffers->emplace_back(n);
      bias_.emplace_back();
      for (const index_t r : plan.layers[l].rows) bias_[l].push_back(layers[l].bias[r]);
    }
  }

  // Returns whether all numbers of the samples are finite.
  bool read(const Inputs& X, offset_t first, index_t size) {
    tile_ = Tiles{size};
    if (!gather(kernels_, {X, nullptr}, first, size, view_, true, nullptr, inputs_.data()))
      return false;
    const float* x = inputs_.data();
    for (std::size_t l = 0; l < values_.size(); ++l) {
      forward(l, x, sums_[l]);
      x = speak(l, sums_[l], outputs_[l]);
    }
    return true;
  }

  // [rows, ld]; of the last layer what it adds up.
  const float* outputs(std::size_t l) const { return outputs_[l].data(); }
  const float* last() const { return sums_.back().data(); }
  index_t ld() const { return tile_.width(0); }

  // What the last layer adds up without some synapses that lead from one column to rows of layer l,
  // or null if that changes nothing.
  template <class Ends>
  const float* without(std::size_t l, index_t column, const Ends& ends) {
    const offset_t n = ld();
    const float* x = below(l) + column * n;
    bool same = true;
    Buffer& sums = other_sums_[l];
    sums = sums_[l];
    for (const auto& [row, w] : ends) {
      float* y = sums.data() + row * n;
      for (offset_t s = 0; s < n; ++s) y[s] -= w * x[s];
    }
    if (l + 1 == values_.size()) return sums.data();
    Buffer& outputs = other_outputs_[l];
    outputs = outputs_[l];
    for (const auto& [row, w] : ends) {
      float* y = outputs.data() + row * n;
      std::copy_n(sums.data() + row * n, n, y);
      kernels_.activate(activation_, n, y);
      same &= std::memcmp(y, outputs_[l].data() + row * n, n * sizeof(float)) == 0;
    }
    if (same) return nullptr;
    const float* x_above = outputs.data();
    for (std::size_t above = l + 1; above < values_.size(); ++above) {
      forward(above, x_above, other_sums_[above]);
      x_above = speak(above, other_sums_[above], other_outputs_[above]);
    }
    return other_sums_.back().data();
  }

 private:
  const float* below(std::size_t l) const {
    return l == 0 ? inputs_.data() : outputs_[l - 1].data();
  }

  void forward(std::size_t l, const float* x, Buffer& sums) {
    const BlockedCsr& W = plan_.layers[l].weights;
    forward_rows(kernels_, W, {0, W.n_rows}, values_[l].data(), bias_[l].data(), tile_, {0, 1}, x,
                 sums.data());
  }

  const float* speak(std::size_t l, const Buffer& sums, Buffer& outputs) {
    if (l + 1 == values_.size()) return sums.data();
    const offset_t n = offset_t{plan_.layers[l].weights.n_rows} * ld();
    std::copy_n(sums.data(), n, outputs.data());
    kernels_.activate(activation_, n, outputs.data());
    return outputs.data();
  }

  const Kernels& kernels_;
  const std::vector<Buffer>& values_;
  const Plan& plan_;
  Activation activation_;
  InputView view_;
  Tiles tile_;
  Buffer inputs_;
  std::vector<Buffer> sums_, outputs_, other_sums_, other_outputs_, bias_;
};

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
      const std::pair<index_t, float> end{rows[r], layer.values[k]};
      if (part == Part::columns)
        cuts[layer.indices[k]].ends.push_back(end);
      else
        cuts.push_back({k, columns[layer.indices[k]], {end}});
    }
  return cuts;
}

}  // namespace

template <class F>
bool Network::for_open_tiles(const Inputs& X, int threads, F&& f) const {
  const Kernels& k = kernels();
  const InputView view{plan_.inputs.data(), static_cast<index_t>(plan_.inputs.size()), shift(),
                       scale_.data()};
  const offset_t n_tiles = (X.n + max_tile - 1) / max_tile;
  Team team(static_cast<int>(std::min<offset_t>(threads, n_tiles)));
  Atomic<bool> finite{true};
  team.run([&](int worker) {
    OpenPass pass(k, layers_, block_values_, plan_, activation_, view);
    for (offset_t t; (t = team.next_ticket()) < n_tiles && !team.stopped();) {
      const offset_t first = t * max_tile;
      const auto size = static_cast<index_t>(std::min<offset_t>(max_tile, X.n - first));
      if (!pass.read(X, first, size)) {
        finite = false;
        team.stop();
        return;
      }
      f(worker, pass, first, size, team);
    }
  });
  return finite;
}

bool Network::activations(const Inputs& X, std::size_t layer, int threads,
                          const ShouldStop& should_stop, float* out) const {
  const std::vector<index_t>& rows = plan_.layers[layer].rows;
  const offset_t n_out = layers_[layer].n_out;
  StopCheck check(should_stop);
  return for_open_tiles(
      X, threads, [&](int worker, const OpenPass& pass, offset_t first, index_t size, const Team&) {
        const float* y = layer + 1 < layers_.size() ? pass.outputs(layer) : pass.last();
        std::fill_n(out + first * n_out, size * n_out, 0.0f);
        for (std::size_t i = 0; i < rows.size(); ++i)
          for (index_t s = 0; s < size; ++s)
            out[(first + s) * n_out + rows[i]] = y[static_cast<offset_t>(i) * pass.ld() + s];
        if (worker == 0) check();
      });
}

bool Network::ablate(const Inputs& X, const index_t* labels, std::size_t layer, Part part,
                     int threads, const ShouldStop& should_stop, Ablation& out) const {
  const std::vector<Cut> parts = cuts(layers_[layer], plan_, layer, part);
  const index_t n_classes = std::max(n_outputs(), index_t{2});
  const auto n = static_cast<offset_t>(parts.size()) * n_classes;
  const Kernels& k = kernels();
  StopCheck check(should_stop);
  std::vector<Ablation> sums(std::max(1, threads));
  const bool finite = for_open_tiles(
      X, threads, [&](int worker, OpenPass& pass, offset_t first, index_t size, const Team& team) {
        Ablation& sum = sums[worker];
        sum.lost.resize(n);
        sum.won.resize(n);
        index_t before[max_tile], after[max_tile];
        k.classify(n_outputs(), pass.ld(), pass.last(), before);
        for (const Cut& cut : parts) {
          if (cut.ends.empty()) continue;
          if (worker == 0) check();
          if (team.stopped()) return;
          const float* Z = pass.without(layer, cut.column, cut.ends);
          if (!Z) continue;
          k.classify(n_outputs(), pass.ld(), Z, after);
          for (index_t s = 0; s < size; ++s) {
            const index_t c = labels[first + s];
            const offset_t at = cut.part * n_classes + c;
            sum.lost[at] += before[s] == c && after[s] != c;
            sum.won[at] += before[s] != c && after[s] == c;
          }
        }
      });
  out.lost.assign(n, 0);
  out.won.assign(n, 0);
  for (const Ablation& sum : sums)
    for (offset_t i = 0; i < static_cast<offset_t>(sum.lost.size()); ++i) {
      out.lost[i] += sum.lost[i];
      out.won[i] += sum.won[i];
    }
  return finite;
}

}  // namespace synaprune
