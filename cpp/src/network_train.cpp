// Training by the epoch, and gradients.
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

bool finite(const Layer& layer) {
  return all_finite(layer.values.data(), layer.nnz()) && all_finite(layer.bias.data(), layer.n_out);
}

}  // namespace

TrainingTask Network::task(const TrainingData& data, const offset_t* order, offset_t batch_size) {
  return {layers_,       block_values_,
          plan_,         activation_,
          loss_,         shift(),
          scale_.data(), {data.X, order, data.shift},
          data.targets,  std::min(batch_size, data.X.n)};
}

double Network::train_epoch(TrainingData data, index_t batch_size, const Optimizer& optimizer,
                            int threads, const ShouldStop& should_stop) {
  if (prepare_state(optimizer, state_kind_, layers_)) step_ = 0;
  state_kind_ = optimizer.kind;
  const std::vector<offset_t> order = shuffled(data.X.n, rng_);
  if (data.shift.pixels > 0) data.shift.seed = rng_.next();
  Trainer trainer(task(data, order.data(), batch_size), &optimizer, step_, threads);
  StopCheck check(should_stop);
  double total = 0.0;
  trainer.run(check, [&](double loss) {
    total += loss;
    ++step_;
    return std::isfinite(total);
  });
  if (!std::isfinite(total)) return total;
  if (!std::all_of(layers_.begin(), layers_.end(), finite))
    return std::numeric_limits<double>::quiet_NaN();
  return total / static_cast<double>(data.X.n);
}

Gradients Network::gradients(const TrainingData& data, int threads) const {
  Network copy = *this;  // a trainer may write to what it is given, though this one does not
  Trainer trainer(copy.task(data, nullptr, data.X.n), nullptr, 0, threads);
  double loss = 0.0;
  trainer.run([] {},
              [&](double sum) {
                loss = sum / static_cast<double>(data.X.n);
                return true;
              });
  Gradients gradients = trainer.gradients();
  gradients.loss = loss;
  return gradients;
}

}  // namespace synaprune
