// First and second moments of the gradients of single samples.
#include <algorithm>

#include "synaprune/network.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/passes.hpp"
#include "synaprune/pointwise.hpp"

namespace synaprune {

namespace {

// Some tiles, one after another: sums over their samples of g and g^2 for every synapse, g the
// gradient of one sample's loss. As g = d x, with d what arrives at the synapse's end and x what
// leaves at its start, the sum of g^2 is the weight gradient of d^2 and x^2.
class MomentPass {
 public:
  MomentPass(const TrainingTask& task, const Kernels& kernels) : t_(task), kernels_(kernels) {
    inputs_.resize(offset_t{weights(0).n_columns} * max_tile);
    for (std::size_t l = 0; l < n_layers(); ++l) {
      const BlockedCsr& W = weights(l);
      parameters_.emplace_back().read(task.layers[l], task.plan.layers[l]);
      if (l > 0)
        transpose_values(task.plan.layers[l], {0, W.n_columns}, task.values[l].data(),
                         parameters_[l].transposed_values.data());
      outputs_.emplace_back(offset_t{W.n_rows} * max_tile);
      deltas_.emplace_back(offset_t{W.n_rows} * max_tile);
      mean_.emplace_back(W.nnz());
      square_.emplace_back(W.nnz());
      widest_ = std::max({widest_, W.n_rows, W.n_columns});
    }
    squares_[0].resize(offset_t{widest_} * max_tile);
    squares_[1].resize(offset_t{widest_} * max_tile);
    targets_.resize(offset_t{weights(n_layers() - 1).n_rows} * max_tile);
  }

  void add(offset_t first, index_t size) {
    const Tiles tile{size};
    const index_t ld = tile.width(0);
    const InputView view{t_.plan.inputs.data(), weights(0).n_columns, t_.shift, t_.scale};
    gather(kernels_, t_.samples, first, size, view, false, nullptr, inputs_.data());
    for (std::size_t l = 0; l < n_layers(); ++l) {
      const index_t n = weights(l).n_rows;
      float* y = l + 1 < n_layers() ? outputs_[l].data() : deltas_[l].data();
      forward_rows(kernels_, weights(l), {0, n}, t_.values[l].data(), parameters_[l].bias.data(),
                   tile, {0, 1}, below(l), y);
      if (l + 1 < n_layers()) kernels_.activate(t_.activation, offset_t{n} * ld, y);
    }
    offset_t position[max_tile];
    for (index_t s = 0; s < size; ++s) position[s] = t_.samples.position(first + s);
    float w[max_tile];
    const index_t n_out = weights(n_layers() - 1).n_rows;
    t_.targets.tile(n_out, position, size, ld, targets_.data(), w);
    loss_and_gradient(kernels_, t_.loss, n_out, size, ld, 1, targets_.data(), w,
                      deltas_.back().data());
    for (std::size_t l = n_layers(); l-- > 0;) {
      accumulate(l, tile);
      if (l == 0) break;
      const index_t n = weights(l).n_columns;
      input_gradients(kernels_, t_.plan.layers[l], {0, n}, parameters_[l].transposed_values.data(),
                      tile, {0, 1}, deltas_[l].data(), deltas_[l - 1].data());
      kernels_.activate_backward(t_.activation, offset_t{n} * ld, outputs_[l - 1].data(),
                                 deltas_[l - 1].data());
    }
  }

  // Adds the sums to those of all passes, layers one after another in CSR order.
  void add_to(std::vector<double>& mean, std::vector<double>& square) const {
    std::size_t k = 0;
    for (std::size_t l = 0; l < n_layers(); ++l) {
      std::vector<float> g(mean_[l].size()), g2(mean_[l].size());
      weights(l).to_csr(mean_[l].data(), g.data());
      weights(l).to_csr(square_[l].data(), g2.data());
      for (std::size_t i = 0; i < g.size(); ++i, ++k) {
        mean[k] += g[i];
        square[k] += g2[i];
      }
    }
  }

 private:
  std::size_t n_layers() const { return t_.layers.size(); }
  const BlockedCsr& weights(std::size_t l) const { return t_.plan.layers[l].weights; }
  const float* below(std::size_t l) const {
    return l == 0 ? inputs_.data() : outputs_[l - 1].data();
  }

  void accumulate(std::size_t l, Tiles tile) {
    const BlockedCsr& W = weights(l);
    const offset_t ld = tile.width(0);
    const float *D = deltas_[l].data(), *X = below(l);
    for (offset_t i = 0; i < W.n_rows * ld; ++i) squares_[0][i] = D[i] * D[i];
    for (offset_t i = 0; i < W.n_columns * ld; ++i) squares_[1][i] = X[i] * X[i];
    for (index_t b = 0; b < W.n_blocks; ++b) {
      const offset_t column = W.first_column(b) * ld, k = W.begin(b)[0];
      const auto sum = [&](const float* d, const float* x, Buffer& g) {
        kernels_.grad_weights(0, W.n_rows, tile.width(0), W.begin(b), W.end(b), W.local.data(), d,
                              x + column, true, g.data() + k, nullptr);
      };
      sum(D, X, mean_[l]);
      sum(squares_[0].data(), squares_[1].data(), square_[l]);
    }
  }

  const TrainingTask& t_;
  const Kernels& kernels_;
  std::vector<Parameters> parameters_;
  Buffer inputs_, targets_, squares_[2];
  std::vector<Buffer> outputs_, deltas_, mean_, square_;  // per layer
  index_t widest_ = 0;
};

}  // namespace

GradientMoments Network::gradient_moments(const TrainingData& data, int threads,
                                          const ShouldStop& should_stop) const {
  // Tiles are summed in groups, and groups in order: how many there are depends on the data alone.
  constexpr offset_t most_groups = 16, most_sums = offset_t{1} << 26;
  const offset_t n = count_synapses(layers_), n_tiles = (data.X.n + max_tile - 1) / max_tile;
  const offset_t groups =
      std::min({most_groups, n_tiles, std::max<offset_t>(1, most_sums / std::max<offset_t>(n, 1))});
  Network copy = *this;  // a task may be written to, though this one is not
  const TrainingTask task = copy.task(data, nullptr, max_tile);
  const Kernels& k = kernels();
  StopCheck check(should_stop);
  std::vector<std::unique_ptr<MomentPass>> passes(groups);
  Team team(static_cast<int>(std::min<offset_t>(threads, groups)));
  team.run([&](int worker) {
    for (offset_t g; (g = team.next_ticket()) < groups && !team.stopped();) {
      passes[g] = std::make_unique<MomentPass>(task, k);
      for (offset_t t = n_tiles * g / groups; t < n_tiles * (g + 1) / groups; ++t) {
        const offset_t first = t * max_tile;
        passes[g]->add(first, static_cast<index_t>(std::min<offset_t>(max_tile, data.X.n - first)));
        if (worker == 0) check();
        if (team.stopped()) return;
      }
    }
  });
  std::vector<double> mean(n), square(n);
  for (const auto& pass : passes) pass->add_to(mean, square);
  GradientMoments moments;
  const auto samples = static_cast<double>(data.X.n);
  for (const double sum : mean) moments.mean.push_back(static_cast<float>(sum / samples));
  for (const double sum : square) moments.mean_square.push_back(static_cast<float>(sum / samples));
  return moments;
}

}  // namespace synaprune
