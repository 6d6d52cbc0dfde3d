// Training by the epoch, and gradients.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "synaprune/network.hpp"

namespace synaprune {

namespace {

std::vector<offset_t> shuffled(offset_t n, Rng& rng) {
  if (n > (offset_t{1} << 32)) throw std::invalid_argument("more than 2^32 samples");
  std::vector<offset_t> order(n);
  std::iota(order.begin(), order.end(), offset_t{0});
  for (offset_t i = n - 1; i > 0; --i)
    std::swap(order[i], order[rng.below(static_cast<std::uint64_t>(i) + 1)]);
  return order;
}

bool finite(const Parameters& p) {
  const auto check = [](const Buffer& array) {
    return all_finite(array.data(), static_cast<offset_t>(array.size()));
  };
  return check(p.values) && std::all_of(p.state.begin(), p.state.end(), check);
}

}  // namespace

TrainingTask Network::task(const TrainingData& data, const offset_t* order,
                           offset_t batch_size) const {
  return {model(),
          loss_,
          {data.X, order, data.shift, data.dropout},
          data.targets,
          std::min(batch_size, data.X.n)};
}

double Network::train_epoch(TrainingData data, index_t batch_size, const Optimizer& optimizer,
                            int threads, const ShouldStop& should_stop, const GradientHook& hook,
                            const EpochPart* part) {
  prepare_state(optimizer);
  const EpochPart all{0, data.X.n, rng_.state};
  if (!part) part = &all;
  Rng rng{part->rng_state};
  const std::vector<offset_t> order = shuffled(data.X.n, rng);
  if (data.shift.pixels > 0) data.shift.seed = rng.next();
  if (data.dropout.probability > 0.0f) data.dropout.seed = rng.next();
  if (part->first == 0) rng_ = rng;
  data.shift.first = part->first;
  Inputs some = data.X;
  some.n = part->last - part->first;
  const TrainingData these{some, data.targets, data.shift, data.dropout};
  const UpdateRule rule{optimizer, step_, parameters_, hook};
  Trainer trainer(task(these, order.data() + part->first, batch_size), &rule, threads);
  StopCheck check(should_stop);
  double total = 0.0;
  trainer.run([&] { check(); },
              [&](double loss) {
                total += loss;
                ++step_;
                return std::isfinite(total);
              });
  if (!std::isfinite(total)) return total;
  for (const LayerParameters& layer : parameters_)
    if (!finite(layer.synapses) || !finite(layer.biases))
      return std::numeric_limits<double>::quiet_NaN();
  return total / static_cast<double>(some.n);
}

Gradients Network::gradients(const TrainingData& data, int threads,
                             const ShouldStop& should_stop) const {
  Trainer trainer(task(data, nullptr, tuning::gradient_batch), nullptr, threads);
  StopCheck check(should_stop);
  Gradients gradients;
  trainer.run([&] { check(); },
              [&](double sum) {
                gradients.loss += sum;
                return true;
              });
  gradients.loss /= static_cast<double>(data.X.n);
  for (std::size_t l = 0; l < n_layers(); ++l) {
    const LayerPlan& plan = structure_->plan.layers[l];
    auto& values = gradients.values.emplace_back(patterns()[l].nnz());
    plan.weights.to_csr(trainer.synapse_gradients(l).data(), values.data());
    auto& bias = gradients.bias.emplace_back(patterns()[l].n_out);
    for (std::size_t r = 0; r < plan.rows.size(); ++r)
      bias[plan.rows[r]] = trainer.bias_gradients(l)[r];
  }
  return gradients;
}

}  // namespace synaprune
