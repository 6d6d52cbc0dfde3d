// First and second moments of the gradients of single samples.
#include <algorithm>

#include "synaprune/network.hpp"
#include "synaprune/sample_gradients.hpp"

namespace synaprune {

namespace {

// Some tiles, one after another: sums over their samples of g and g^2 for every synapse, g the
// gradient of one sample's loss. As g = d x, with d what arrives at the synapse's end and x what
// leaves at its start, the sum of g^2 is the weight gradient of d^2 and x^2.
class MomentPass {
 public:
  MomentPass(const TrainingTask& task, const Kernels& kernels)
      : model_(task.model), kernels_(kernels), samples_(task, kernels) {
    index_t widest = 0;
    for (std::size_t l = 0; l < model_.n_layers(); ++l) {
      const BlockedCsr& W = model_.weights(l);
      mean_.emplace_back(W.nnz());
      square_.emplace_back(W.nnz());
      widest = std::max({widest, W.n_rows, W.n_columns});
    }
    for (Buffer& squares : squares_) squares.resize(offset_t{widest} * max_tile);
  }

  void add(offset_t first, index_t size) {
    samples_.run(first, size);
    for (std::size_t l = 0; l < model_.n_layers(); ++l) accumulate(l, samples_.ld());
  }

  // Adds the sums to those of all passes, layers one after another in CSR order.
  void add_to(std::vector<double>& mean, std::vector<double>& square) const {
    std::size_t k = 0;
    for (std::size_t l = 0; l < model_.n_layers(); ++l) {
      std::vector<float> g(mean_[l].size()), g2(mean_[l].size());
      model_.weights(l).to_csr(mean_[l].data(), g.data());
      model_.weights(l).to_csr(square_[l].data(), g2.data());
      for (std::size_t i = 0; i < g.size(); ++i, ++k) {
        mean[k] += g[i];
        square[k] += g2[i];
      }
    }
  }

 private:
  void accumulate(std::size_t l, index_t ld) {
    const BlockedCsr& W = model_.weights(l);
    const float *D = samples_.delta(l), *X = samples_.below(l);
    for (offset_t i = 0; i < offset_t{W.n_rows} * ld; ++i) squares_[0][i] = D[i] * D[i];
    for (offset_t i = 0; i < offset_t{W.n_columns} * ld; ++i) squares_[1][i] = X[i] * X[i];
    for (index_t b = 0; b < W.n_blocks; ++b) {
      const offset_t column = offset_t{W.first_column(b)} * ld, k = W.begin(b)[0];
      const auto sum = [&](const float* d, const float* x, Buffer& g) {
        kernels_.grad_weights(model_.all_rows(l), ld, W.block(b), d, x + column, true,
                              g.data() + k);
      };
      sum(D, X, mean_[l]);
      sum(squares_[0].data(), squares_[1].data(), square_[l]);
    }
  }

  const Model model_;
  const Kernels& kernels_;
  SampleGradients samples_;
  Buffer squares_[2];
  std::vector<Buffer> mean_, square_;  // per layer
};

}  // namespace

GradientMoments Network::gradient_moments(const TrainingData& data, int threads,
                                          const ShouldStop& should_stop) const {
  // Tiles are summed in groups, and groups in order: how many there are depends on the data alone.
  constexpr offset_t most_groups = 16, most_sums = offset_t{1} << 26;
  const offset_t n = n_synapses(), n_tiles = (data.X.n + max_tile - 1) / max_tile;
  const offset_t groups =
      std::min({most_groups, n_tiles, std::max<offset_t>(1, most_sums / std::max<offset_t>(n, 1))});
  const TrainingTask work = task(data, nullptr, {});
  const Kernels& k = kernels();
  StopCheck check(should_stop);
  std::vector<std::unique_ptr<MomentPass>> passes(groups);
  Team team(static_cast<int>(std::min<offset_t>(threads, groups)));
  team.run([&](int worker) {
    for (offset_t g; (g = team.next_ticket()) < groups && !team.stopped();) {
      passes[g] = std::make_unique<MomentPass>(work, k);
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
