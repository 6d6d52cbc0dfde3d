#include "synaprune/forward.hpp"

namespace synaprune {

Forward::Forward(const Model& model, const Kernels& kernels, offset_t most, bool keep_sums)
    : model_(model), kernels_(kernels), tiles_{most} {
  keep_sums |= kernels.activation(model.activation).needs_sums;
  for (std::size_t l = 0; l < model.n_layers(); ++l) {
    const auto n = static_cast<std::size_t>(tiles_.floats(model.weights(l).n_rows));
    outputs_.emplace_back(n);
    sums_.emplace_back(keep_sums && l + 1 < model.n_layers() ? n : 0);
  }
}

bool Forward::run(const Samples& samples, offset_t first, offset_t n, offset_t next, bool check) {
  set_batch(n);
  const InputView view = model_.view();
  const auto floats = static_cast<std::size_t>(tiles_.floats(view.n_columns));
  if (inputs_.size() < floats) inputs_.resize(floats);
  for (offset_t t = 0; t < tiles_.count(); ++t)
    if (!gather(kernels_, samples, first + t * tiles_.step, tiles_.size(t),
                t + 1 < tiles_.count() ? first + (t + 1) * tiles_.step : next, view, check, nullptr,
                inputs_.data() + tiles_.at(t, view.n_columns)))
      return false;
  for (std::size_t l = 0; l < model_.n_layers(); ++l) layer(l, model_.all_rows(l), below(l));
  return true;
}

void Forward::layer(std::size_t l, Rows rows, const float* X, Range<offset_t> which) {
  const LayerParameters& p = model_.parameters[l];
  forward_rows(kernels_, model_.weights(l), rows, p.synapses.values.data(), p.biases.values.data(),
               tiles_, which, X, sums(l));
  activate(l, rows, which);
}

void Forward::activate(std::size_t l, Rows rows, Range<offset_t> which) {
  if (l + 1 == model_.n_layers()) return;
  const ActivationKernel& f = kernels_.activation(model_.activation);
  for (offset_t t = which.first; t < which.last; ++t) {
    const offset_t first = tiles_.at(t, model_.weights(l).n_rows) +
                           offset_t{rows.first} * tiles_.width(t),
                   n = offset_t{rows.last - rows.first} * tiles_.width(t);
    float* y = outputs(l) + first;
    if (kept_sums(l)) std::copy_n(kept_sums(l) + first, n, y);
    f.forward(n, y);
  }
}

Backward::Backward(const Model& model, const Kernels& kernels, offset_t most, int threads)
    : model_(model), kernels_(kernels) {
  const Tiles tiles{most};
  offset_t largest = 0;
  for (std::size_t l = 0; l < model.n_layers(); ++l) {
    const bool hidden = l + 1 < model.n_layers();
    deltas_.emplace_back(hidden ? tiles.floats(model.weights(l).n_rows) : 0);
    largest = std::max(largest, transposed_floats(model.plan.layers[l]));
  }
  pieces_.resize(threads, Buffer(static_cast<std::size_t>(largest)));
}

void Backward::step(Forward& forward, std::size_t l, Rows columns, Range<offset_t> which,
                    int thread) {
  const LayerPlan& plan = model_.plan.layers[l];
  const Tiles tiles = forward.tiles();
  const index_t n = plan.weights.n_columns;
  input_gradients(kernels_, plan, columns, model_.parameters[l].synapses.values.data(), tiles,
                  which, delta(forward, l), pieces_[thread].data(), delta(forward, l - 1));
  const ActivationKernel& f = kernels_.activation(model_.activation);
  const float* sums = forward.kept_sums(l - 1);
  for (offset_t t = which.first; t < which.last; ++t) {
    const offset_t first = tiles.at(t, n) + offset_t{columns.first} * tiles.width(t);
    f.backward(offset_t{columns.last - columns.first} * tiles.width(t),
               sums ? sums + first : nullptr, forward.outputs(l - 1) + first,
               delta(forward, l - 1) + first);
  }
}

}  // namespace synaprune
