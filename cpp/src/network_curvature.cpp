// Optimal brain surgeon on blocks of the empirical Fisher matrix: what synapses cost if others make
// up for them, and how these do so.
#include <algorithm>
#include <cmath>
#include <limits>

#include "synaprune/network.hpp"
#include "synaprune/sample_gradients.hpp"
#include "synaprune/surgeon.hpp"

namespace synaprune {

namespace {

// Parameters of one row: some of its synapses, and its bias. What is frozen is none of them.
struct RowBlock {
  std::size_t layer;
  index_t row, planned_row;
  std::vector<offset_t> synapses;  // in CSR order
  bool with_bias;

  index_t size() const { return static_cast<index_t>(synapses.size()) + with_bias; }
};

// The synapses of each row in blocks of about equal size, `most` at most. The bias is in each: what
// is left over by each block is then orthogonal to it, and so is their sum.
std::vector<RowBlock> row_blocks(const std::vector<Layer>& layers, const Plan& plan, index_t most) {
  std::vector<RowBlock> blocks;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    const std::vector<index_t>& rows = plan.layers[l].rows;
    for (std::size_t p = 0; p < rows.size(); ++p) {
      const index_t r = rows[p];
      std::vector<offset_t> free;
      for (offset_t k = layer.indptr[r]; k < layer.indptr[r + 1]; ++k)
        if (!is_frozen(layer.synapses.frozen, k)) free.push_back(k);
      const auto n = static_cast<offset_t>(free.size()), n_blocks = (n + most - 1) / most;
      for (offset_t b = 0; b < n_blocks; ++b)
        blocks.push_back({l,
                          r,
                          static_cast<index_t>(p),
                          {free.begin() + n * b / n_blocks, free.begin() + n * (b + 1) / n_blocks},
                          !is_frozen(layer.biases.frozen, r)});
    }
  }
  return blocks;
}

index_t in_steps(index_t n) { return (n + 15) / 16 * 16; }

// Rows of a lower triangle in steps, each with the columns of the step's last: what grad_weights
// computes fast. Row i's entries begin at begin[i].
struct Staircase {
  std::vector<offset_t> begin{0};
  std::vector<std::uint16_t> local;
  std::vector<index_t> full;

  explicit Staircase(index_t n) {
    for (index_t i = 0; i < in_steps(n); ++i) {
      for (index_t c = 0; c < in_steps(i + 1); ++c) local.push_back(static_cast<std::uint16_t>(c));
      begin.push_back(static_cast<offset_t>(local.size()));
    }
    full.resize(in_steps(n));
    find_full_rows(in_steps(n), begin.data(), local.data(), full.data());
  }
  Block block() const { return {begin.data(), begin.data() + 1, local.data(), full.data()}; }
};

// What one thread works with.
struct Bench {
  Buffer gradients, sums;
  std::vector<double> H, x;
};

// The factors of all samples' gradients, and the Fisher matrices that they make.
class Fisher {
 public:
  Fisher(const TrainingTask& task, const std::vector<Layer>& layers, const Plan& plan,
         const FisherOptions& options, int threads, const ShouldStop& should_stop)
      : t_(task),
        kernels_(kernels()),
        threads_(threads),
        check_(should_stop),
        n_tiles_((task.samples.X.n + max_tile - 1) / max_tile),
        layers_(layers),
        blocks_(row_blocks(layers, plan, options.block)),
        staircase_(options.block + 1),
        damping_(options.damping) {
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const BlockedCsr& W = task.model.weights(l);
      deltas_.emplace_back(static_cast<std::size_t>(n_tiles_) * W.n_rows * max_tile);
      below_.emplace_back(static_cast<std::size_t>(n_tiles_) * W.n_columns * max_tile);
      const std::vector<index_t>& columns = l == 0 ? plan.inputs : plan.layers[l - 1].rows;
      std::vector<index_t>& position = positions_.emplace_back(layers[l].n_in);
      for (std::size_t i = 0; i < columns.size(); ++i)
        position[columns[i]] = static_cast<index_t>(i);
    }
    share<SampleGradients>(
        n_tiles_, [&](offset_t t, SampleGradients& samples) { keep(samples, t); }, t_, kernels_);
  }

  const std::vector<RowBlock>& blocks() const { return blocks_; }

  // Calls f(b, bench) for each block.
  template <class F>
  void for_blocks(F&& f) {
    share<Bench>(static_cast<offset_t>(blocks_.size()), f);
  }

  // The mean over samples of g gt, g the gradient by a block's parameters, with the damping on its
  // diagonal: a share of the mean of that, which is returned. Into the upper triangle of bench.H.
  double matrix(const RowBlock& block, Bench& bench) const {
    const index_t n = block.size();
    bench.gradients.assign(static_cast<std::size_t>(in_steps(n)) * max_tile, 0.0f);
    bench.sums.assign(static_cast<std::size_t>(staircase_.begin[in_steps(n)]), 0.0f);
    const float* g = bench.gradients.data();
    for (offset_t t = 0; t < n_tiles_; ++t) {
      tile_gradients(block, t, bench.gradients.data());
      kernels_.grad_weights({0, in_steps(n)}, max_tile, staircase_.block(), g, g, true,
                            bench.sums.data());
    }
    const auto samples = static_cast<double>(t_.samples.X.n);
    bench.H.resize(static_cast<std::size_t>(n) * n);
    double trace = 0.0;
    for (offset_t i = 0; i < n; ++i) {
      const float* row = bench.sums.data() + staircase_.begin[i];
      for (offset_t j = 0; j <= i; ++j) bench.H[j * n + i] = row[j] / samples;
      trace += row[i] / samples;
    }
    const double damping = damping_ * trace / n;
    for (offset_t i = 0; i < n; ++i) bench.H[i * n + i] += damping;
    return damping;
  }

 private:
  // Calls f(i, worker's own T) for all i < n, whichever thread is free.
  template <class T, class F, class... Arguments>
  void share(offset_t n, F&& f, const Arguments&... arguments) {
    Team team(static_cast<int>(std::clamp<offset_t>(n, 1, threads_)));
    team.run([&](int worker) {
      T own{arguments...};
      for (offset_t i; (i = team.next_ticket()) < n && !team.stopped();) {
        f(i, own);
        if (worker == 0) check_();
      }
    });
  }

  void keep(SampleGradients& samples, offset_t tile) {
    const offset_t first = tile * max_tile,
                   size = std::min(t_.samples.X.n - first, offset_t{max_tile});
    samples.run(first, static_cast<index_t>(size));
    const auto copy = [&](const float* from, index_t n_rows, Buffer& all) {
      float* to = all.data() + tile * n_rows * max_tile;
      for (offset_t r = 0; r < n_rows; ++r)
        std::copy_n(from + r * samples.ld(), size, to + r * max_tile);
    };
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const BlockedCsr& W = t_.model.weights(l);
      copy(samples.delta(l), W.n_rows, deltas_[l]);
      copy(samples.below(l), W.n_columns, below_[l]);
    }
  }

  void tile_gradients(const RowBlock& block, offset_t tile, float* g) const {
    const BlockedCsr& W = t_.model.weights(block.layer);
    const float* d = deltas_[block.layer].data() + (tile * W.n_rows + block.planned_row) * max_tile;
    const float* X = below_[block.layer].data() + tile * W.n_columns * max_tile;
    for (const offset_t k : block.synapses) {
      const offset_t column = positions_[block.layer][layers_[block.layer].indices[k]];
      const float* x = X + column * max_tile;
      for (index_t s = 0; s < max_tile; ++s) g[s] = d[s] * x[s];
      g += max_tile;
    }
    if (block.with_bias) std::copy_n(d, max_tile, g);
  }

  const TrainingTask& t_;
  const Kernels& kernels_;
  const int threads_;
  StopCheck check_;
  const offset_t n_tiles_;
  const std::vector<Layer>& layers_;
  const std::vector<RowBlock> blocks_;
  const Staircase staircase_;
  const double damping_;
  std::vector<Buffer> deltas_, below_;           // per layer: tiles of [rows, max_tile]
  std::vector<std::vector<index_t>> positions_;  // per layer, of each neuron below in the plan
};

// Whether a matrix with such a damping says anything: there are gradients, and none overflows.
bool is_usable(double damping) { return damping > 0.0 && std::isfinite(damping); }

// What the synapses and the bias of a block become, in place of x[block.size()], if those that do
// not stay become 0: x_K + [H_KK]^-1 H_KS x_S, with K what stays and S what goes.
void make_up(index_t n, const std::vector<index_t>& stay, const std::vector<index_t>& go,
             double damping, const std::vector<double>& H, std::vector<double>& x) {
  const auto m = static_cast<index_t>(stay.size());
  const auto at = [&](index_t i, index_t j) {
    return H[offset_t{std::min(i, j)} * n + std::max(i, j)];
  };
  std::vector<double> H_stay(static_cast<std::size_t>(m) * m), change(m);
  for (index_t i = 0; i < m; ++i) {
    for (index_t j = i; j < m; ++j) H_stay[offset_t{i} * m + j] = at(stay[i], stay[j]);
    for (const index_t s : go) change[i] += at(stay[i], s) * x[s];
  }
  solve(m, damping, H_stay.data(), change.data());
  for (index_t i = 0; i < m; ++i) x[stay[i]] += change[i];
}

bool fits(double x) { return std::fabs(x) <= std::numeric_limits<float>::max(); }

}  // namespace

std::vector<float> Network::curvature(const TrainingData& data, const FisherOptions& options,
                                      int threads, const ShouldStop& should_stop) const {
  const std::vector<Layer> csr = layers();
  const TrainingTask work = task(data, nullptr, in_batches(data.X.n, max_tile));
  Fisher fisher(work, csr, structure_->plan, options, threads, should_stop);
  std::vector<std::vector<float>> by_layer;
  for (const Layer& layer : csr) by_layer.emplace_back(layer.nnz());
  fisher.for_blocks([&](offset_t b, Bench& bench) {
    const RowBlock& block = fisher.blocks()[b];
    const double damping = fisher.matrix(block, bench);
    bench.x.assign(block.size(), damping);
    if (is_usable(damping))
      conditional_curvature(block.size(), damping, bench.H.data(), bench.x.data());
    for (std::size_t i = 0; i < block.synapses.size(); ++i)
      by_layer[block.layer][block.synapses[i]] = static_cast<float>(bench.x[i]);
  });
  std::vector<float> all;
  for (const std::vector<float>& part : by_layer) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void Network::compensate(const std::vector<std::uint8_t>& keep, const TrainingData& data,
                         const FisherOptions& options, int threads, const ShouldStop& should_stop) {
  if (static_cast<offset_t>(keep.size()) != n_synapses())
    throw std::invalid_argument("keep must have one entry a synapse, " +
                                std::to_string(n_synapses()) + ", got " +
                                std::to_string(keep.size()));
  std::vector<Layer> csr = layers();
  std::vector<const std::uint8_t*> kept{keep.data()};  // of each layer
  for (const Layer& layer : csr) kept.push_back(kept.back() + layer.nnz());
  const TrainingTask work = task(data, nullptr, in_batches(data.X.n, max_tile));
  Fisher fisher(work, csr, structure_->plan, options, threads, should_stop);
  std::vector<double> bias_changes(fisher.blocks().size());
  fisher.for_blocks([&](offset_t b, Bench& bench) {
    const RowBlock& block = fisher.blocks()[b];
    Layer& layer = csr[block.layer];
    std::vector<index_t> stay, go;
    bench.x.clear();
    for (const offset_t k : block.synapses) {
      (kept[block.layer][k] ? stay : go).push_back(static_cast<index_t>(bench.x.size()));
      bench.x.push_back(static_cast<double>(layer.synapses.values[k]));
    }
    if (block.with_bias) {
      stay.push_back(block.size() - 1);
      bench.x.push_back(0.0);  // of which the change is wanted
    }
    if (go.empty() || stay.empty()) return;
    const double damping = fisher.matrix(block, bench);
    if (!is_usable(damping)) return;
    make_up(block.size(), stay, go, damping, bench.H, bench.x);
    if (!std::all_of(bench.x.begin(), bench.x.end(), fits)) return;
    for (const index_t i : stay)
      if (i < static_cast<index_t>(block.synapses.size()))
        layer.synapses.values[block.synapses[i]] = static_cast<float>(bench.x[i]);
    if (block.with_bias) bias_changes[b] = bench.x.back();
  });
  for (std::size_t b = 0; b < bias_changes.size(); ++b) {
    float& bias = csr[fisher.blocks()[b].layer].biases.values[fisher.blocks()[b].row];
    if (const double changed = bias + bias_changes[b]; fits(changed))
      bias = static_cast<float>(changed);
  }
  for (std::size_t l = 0; l < csr.size(); ++l)
    parameters_[l] = structure_->plan.layers[l].to_plan(csr[l]);
}

}  // namespace synaprune
