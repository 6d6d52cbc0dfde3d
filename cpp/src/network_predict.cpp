// Prediction: samples through the network, tile by tile, on one thread or several.
#include <algorithm>

#include "synaprune/network.hpp"
#include "synaprune/parallel.hpp"

namespace synaprune {

template <class F>
bool Network::for_tiles(const Kernels& k, const Inputs& X, int threads,
                        const ShouldStop& should_stop, F&& f) const {
  const Model m = model();
  if (X.n == 1) {
    const FlushDenormals flush;
    if (!X.is_uint8 && !k.all_finite(reinterpret_cast<const float*>(X.row(0)), X.d)) return false;
    forward_one(m, k, X, 0,
                [&](float* Z) { f(offset_t{0}, offset_t{0}, index_t{1}, index_t{1}, Z); });
    return true;
  }
  const offset_t n_tiles = (X.n + max_tile - 1) / max_tile;
  const bool worth = (n_synapses() + X.row_bytes()) * X.n >= tuning::worth_a_team;
  Team team(worth ? static_cast<int>(std::min<offset_t>(threads, n_tiles)) : 1);
  StopCheck check(should_stop);
  Atomic<bool> finite{true};
  const Samples samples{X, nullptr};
  team.run([&](int worker) {
    Forward forward(m, k, max_tile);
    offset_t next = team.next_ticket();
    for (offset_t t; (t = next) < n_tiles && !team.stopped();) {
      next = team.next_ticket();
      const offset_t first = t * max_tile, soon = std::min(next * max_tile, X.n);
      const auto size = static_cast<index_t>(std::min<offset_t>(max_tile, X.n - first));
      if (!forward.run(samples, first, size, soon, true)) {
        finite = false;
        team.stop();
        return;
      }
      f(t, first, size, static_cast<index_t>(padded(size)), forward.outputs(n_layers() - 1));
      if (worker == 0) check();
    }
  });
  return finite;
}

bool Network::evaluate(const Inputs& X, const Targets& targets, int threads,
                       const ShouldStop& should_stop, Evaluation& sum) const {
  std::vector<Evaluation> tiles(X.n / max_tile + 1);
  const Kernels& k = kernels();
  const bool finite =
      for_tiles(k, X, threads, should_stop,
                [&](offset_t t, offset_t first, index_t size, index_t ld, float* Z) {
                  if (!targets.plain()) {
                    const TargetTile of_tile(targets, n_outputs(), first, size, ld);
                    tiles[t].loss = loss_of(k, loss_, n_outputs(), ld, of_tile.view(), Z);
                    return;
                  }
                  const index_t* labels = targets.labels + first;
                  index_t predicted[max_tile];
                  k.classify(n_outputs(), ld, Z, predicted);
                  for (index_t s = 0; s < size; ++s)
                    tiles[t].n_correct += predicted[s] == labels[s];
                  tiles[t].loss = loss_of(k, loss_, n_outputs(), ld, {size, labels}, Z);
                });
  sum = {};
  for (const Evaluation& tile : tiles) {
    sum.loss += tile.loss;
    sum.n_correct += tile.n_correct;
  }
  sum.loss /= static_cast<double>(X.n);
  return finite;
}

bool Network::outputs(const Inputs& X, int threads, const ShouldStop& should_stop,
                      float* out) const {
  const Kernels& k = kernels();
  return for_tiles(k, X, threads, should_stop,
                   [&](offset_t, offset_t first, index_t size, index_t ld, float* Z) {
                     const index_t n_out = n_outputs();
                     finish_outputs(k, loss_, n_out, ld, Z);
                     for (index_t s = 0; s < size; ++s)
                       for (index_t r = 0; r < n_out; ++r)
                         out[(first + s) * n_out + r] = Z[static_cast<offset_t>(r) * ld + s];
                   });
}

bool Network::classify(const Inputs& X, int threads, const ShouldStop& should_stop,
                       index_t* out) const {
  const Kernels& k = kernels();
  return for_tiles(k, X, threads, should_stop,
                   [&](offset_t, offset_t first, index_t size, index_t ld, const float* Z) {
                     index_t predicted[max_tile];
                     k.classify(n_outputs(), ld, Z, predicted);
                     std::copy(predicted, predicted + size, out + first);
                   });
}

}  // namespace synaprune
