// Training by the epoch, and gradients.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "synaprune/network.hpp"

namespace synaprune {

namespace {

// first … first + n - 1, in a random order.
std::vector<offset_t> shuffled(offset_t first, offset_t n, Rng& rng) {
  if (n > (offset_t{1} << 32)) throw std::invalid_argument("more than 2^32 samples");
  std::vector<offset_t> order(n);
  std::iota(order.begin(), order.end(), first);
  for (offset_t i = n - 1; i > 0; --i)
    std::swap(order[i], order[rng.below(static_cast<std::uint64_t>(i) + 1)]);
  return order;
}

// The order of an epoch over shards: batch by batch a part of each shard, which is shuffled by
// itself. Batches are full but for the last one, of which a shard may have nothing.
std::vector<offset_t> shuffled(const Shards& shards, offset_t batch_size, std::uint64_t seed,
                               Batches& batches) {
  const index_t here = shards.last - shards.first;
  const offset_t part = batch_size / shards.n;
  std::vector<std::vector<offset_t>> of_shard;
  for (index_t s = shards.first; s < shards.last; ++s) {
    Rng rng{Rng{seed + static_cast<std::uint64_t>(s) * 0xD1B54A32D192ED03ULL}.next()};
    const offset_t begin = shards.border(s), end = shards.border(s + 1);
    of_shard.push_back(shuffled(begin - shards.border(shards.first), end - begin, rng));
  }
  batches.size = batch_size;
  batches.n = shards.n_rows;
  batches.parts = here;
  batches.largest = std::min(part, (shards.n_rows + shards.n - 1) / shards.n);
  batches.borders = {0};
  std::vector<offset_t> order;
  for (offset_t first = 0; first * shards.n < shards.n_rows; first += part)
    for (const auto& rows : of_shard) {
      const auto n = static_cast<offset_t>(rows.size());
      order.insert(order.end(), rows.begin() + std::min(first, n),
                   rows.begin() + std::min(first + part, n));
      batches.borders.push_back(static_cast<offset_t>(order.size()));
    }
  return order;
}

bool finite(const Parameters& p) {
  const auto check = [](const Buffer& array) {
    return all_finite(array.data(), static_cast<offset_t>(array.size()));
  };
  return check(p.values) && std::all_of(p.state.begin(), p.state.end(), check);
}

}  // namespace

TrainingTask Network::task(const TrainingData& data, const offset_t* order, Batches batches) const {
  return {
      model(), loss_, {data.X, order, data.shift, data.dropout}, data.targets, std::move(batches)};
}

double Network::train_epoch(TrainingData data, index_t batch_size, const Optimizer& optimizer,
                            int threads, const ShouldStop& should_stop, const GradientHook& hook,
                            const EpochPart* part, const Shards* shards) {
  prepare_state(optimizer);
  Inputs some = data.X;
  if (part) some.n = part->last - part->first;
  Batches batches = in_batches(some.n, std::min<offset_t>(batch_size, some.n));
  Rng rng{part ? part->rng_state : rng_.state};
  const std::vector<offset_t> order =
      shards ? shuffled(*shards, batch_size, rng.next(), batches) : shuffled(0, data.X.n, rng);
  if (data.shift.pixels > 0) data.shift.seed = rng.next();
  if (data.dropout.probability > 0.0f) data.dropout.seed = rng.next();
  if (!part || part->first == 0) rng_ = rng;
  if (part) data.shift.first = part->first;
  if (shards) data.shift.first_row = shards->border(shards->first);
  const TrainingData these{some, data.targets, data.shift, data.dropout};
  const UpdateRule rule{optimizer, step_, parameters_, hook};
  const auto n = static_cast<double>(batches.n);
  Trainer trainer(task(these, order.data() + data.shift.first, std::move(batches)), &rule, threads);
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
  return total / n;
}

Gradients Network::gradients(const TrainingData& data, int threads,
                             const ShouldStop& should_stop) const {
  const offset_t batch_size = std::min(tuning::gradient_batch, data.X.n);
  Trainer trainer(task(data, nullptr, in_batches(data.X.n, batch_size)), nullptr, threads);
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
    plan.weights.to_csr(trainer.synapse_gradients(l), values.data());
    auto& bias = gradients.bias.emplace_back(patterns()[l].n_out);
    for (std::size_t r = 0; r < plan.rows.size(); ++r)
      bias[plan.rows[r]] = trainer.bias_gradients(l)[r];
  }
  return gradients;
}

}  // namespace synaprune
