#include "synaprune/trainer.hpp"

#include "synaprune/pointwise.hpp"

namespace synaprune {

namespace {

// In synapse-samples: the most that a small network may have above its first layer; what pays for
// starting threads; what pays for the meetings of a batch. In floats: partial sums of a small one.
constexpr offset_t small_upper = 1 << 17, worth_a_team = 1 << 20, worth_meeting = 1 << 14;
constexpr offset_t small_partials = 1 << 18;

offset_t n_synapses(const Plan& plan) {
  offset_t n = 0;
  for (const LayerPlan& p : plan.layers) n += p.weights.nnz();
  return n;
}

bool is_small(const TrainingTask& t) {
  const BlockedCsr& W = t.plan.layers.front().weights;
  const offset_t upper = n_synapses(t.plan) - W.nnz();
  const offset_t batch = padded(t.batch_size);
  return upper * batch <= small_upper && W.n_blocks * batch * W.n_rows <= small_partials;
}

int threads_worth(const TrainingTask& t, bool small, int threads) {
  const offset_t n = n_synapses(t.plan);
  if (n * padded(t.batch_size) < worth_meeting || n * t.samples.X.n < worth_a_team) return 1;
  const BlockedCsr& W = t.plan.layers.front().weights;
  return std::min(threads, small ? W.n_blocks : std::max(W.n_rows, W.n_blocks));
}

}  // namespace

Trainer::Trainer(const TrainingTask& task, const Optimizer* optimizer, std::int64_t step,
                 int threads)
    : t_(task),
      optimizer_(optimizer),
      step_(step),
      n_batches_((task.samples.X.n + task.batch_size - 1) / task.batch_size),
      n_layers_(task.layers.size()),
      small_(is_small(task)),
      team_(threads_worth(task, small_, threads)) {
  const Tiles batch = tiles(0);
  const BlockedCsr& W = weights(0);
  const auto shares = [&](const BlockedCsr& m) {
    const auto before = row_work(m);
    return split_evenly(team_.size(), m.n_rows, [&](index_t r) { return before[r]; });
  };
  blocks_ = split_evenly(team_.size(), W.n_blocks, [](index_t b) { return offset_t{b}; });
  inputs_.resize(batch.floats(W.n_columns));
  losses_.resize(upper_tiles(0).count());
  if (t_.samples.shift.pixels > 0)
    moved_.resize(team_.size(), Buffer(max_tile * t_.samples.X.row_bytes() / sizeof(float) + 1));
  if (!t_.targets.plain()) {
    targets_.resize(batch.floats(weights(n_layers_ - 1).n_rows));
    weights_.resize(batch.floats(1));
  }
  asked_.resize(team_.size());
  offset_t largest_block = 0, own_parameters = 0;
  for (std::size_t l = 0; l < n_layers_; ++l) {
    const BlockedCsr& m = weights(l);
    outputs_.emplace_back(batch.floats(m.n_rows));
    deltas_.emplace_back(batch.floats(m.n_rows));
    dbias_.emplace_back(m.n_rows);
    rows_.push_back(shares(m));
    columns_.push_back(l > 0 ? shares(plan(l).transposed) : std::vector<index_t>{});
    if (!optimizer) gradients_.emplace_back(m.nnz());
    for (index_t b = 0; b < m.n_blocks; ++b)
      largest_block = std::max(largest_block, m.count(b, 0, m.n_rows));
    own_parameters += m.n_rows + (l > 0 ? m.nnz() : 0);
  }
  if (optimizer) gradients_.resize(team_.size(), Buffer(largest_block));
  if (small_) {
    partial_.resize(W.n_blocks * batch.floats(W.n_rows));
    first_delta_.resize(batch.floats(W.n_rows));
    tile_gradients_.resize(losses_.size(), Buffer(own_parameters));
    own_gradients_.resize(team_.size(), Buffer(own_parameters));
  }
}

void Trainer::run(const std::function<void()>& before, const std::function<bool(double)>& after) {
  before_ = before;
  after_ = after;
  parameters_.resize(small_ ? team_.size() : 1);
  for (auto& copy : parameters_) {
    copy.resize(n_layers_);
    for (std::size_t l = 0; l < n_layers_; ++l) {
      if (&copy != &parameters_[0] && l > 0) copy[l].values = t_.values[l];
      copy[l].read(t_.layers[l], plan(l));
    }
  }
  const auto exchange = [&] {  // the first thread works on the network's own
    for (std::size_t l = 0; l < n_layers_; ++l) t_.values[l].swap(parameters_[0][l].values);
  };
  const auto finish = [&] {
    for (std::size_t l = 0; l < n_layers_; ++l) parameters_[0][l].write(plan(l), t_.layers[l]);
    exchange();
  };
  exchange();
  for (auto& copy : parameters_)
    for (std::size_t l = 1; l < n_layers_ && small_; ++l)
      transpose_values(plan(l), {0, plan(l).transposed.n_rows}, copy[l].values.data(),
                       copy[l].transposed_values.data());
  try {
    team_.run([&](int w) {
      for (offset_t i = 0; i < n_batches_; ++i)
        if (!(small_ ? small_batch(i, w) : large_batch(i, w))) return;
    });
  } catch (...) {
    finish();
    throw;
  }
  finish();
}

void Parameters::read(const Layer& layer, const LayerPlan& plan) {
  const auto take = [](const std::vector<float>& from, const auto& f, Buffer& to) {
    if (from.empty()) return;
    f(from, to);
  };
  const auto rows = [&](const std::vector<float>& from, Buffer& to) {
    to.clear();
    for (const index_t r : plan.rows) to.push_back(from[r]);
  };
  const auto blocks = [&](const std::vector<float>& from, Buffer& to) {
    to.resize(from.size());
    plan.weights.to_blocks(from.data(), to.data());
  };
  take(layer.bias, rows, bias);
  take(layer.bias_moment1, rows, bias_moment1);
  take(layer.bias_moment2, rows, bias_moment2);
  take(layer.bias_frozen, rows, bias_frozen);
  take(layer.moment1, blocks, moment1);
  take(layer.moment2, blocks, moment2);
  take(layer.frozen, blocks, frozen);
  transposed_values.resize(plan.source.size());
}

void Parameters::write(const LayerPlan& plan, Layer& layer) const {
  const auto rows = [&](const Buffer& from, std::vector<float>& to) {
    for (std::size_t r = 0; r < from.size(); ++r) to[plan.rows[r]] = from[r];
  };
  const auto blocks = [&](const Buffer& from, std::vector<float>& to) {
    if (!from.empty()) plan.weights.to_csr(from.data(), to.data());
  };
  rows(bias, layer.bias);
  rows(bias_moment1, layer.bias_moment1);
  rows(bias_moment2, layer.bias_moment2);
  blocks(values, layer.values);
  blocks(moment1, layer.moment1);
  blocks(moment2, layer.moment2);
}

Gradients Trainer::gradients() const {
  Gradients g;
  for (std::size_t l = 0; l < n_layers_; ++l) {
    g.values.emplace_back(weights(l).nnz());
    weights(l).to_csr(gradients_[l].data(), g.values[l].data());
    g.bias.emplace_back(t_.layers[l].n_out);
    for (std::size_t r = 0; r < dbias_[l].size(); ++r) g.bias[l][plan(l).rows[r]] = dbias_[l][r];
  }
  return g;
}

// ---- a batch of a large network: own rows up, own columns down

bool Trainer::large_batch(offset_t i, int w) {
  const Tiles batch = tiles(i);
  const Range<offset_t> all{0, batch.count()};
  asked_[w] = 0;
  if (w == 0) before_();
  for_own_parts(w, team_, blocks_, [&](Rows blocks) { gather_columns(i, blocks, w); });
  for (std::size_t l = 0; l < n_layers_; ++l) {
    if (!wait(i, w)) return false;
    for_own_parts(w, team_, rows_[l], [&](Rows rows) { forward(l, rows, batch, all, own(l, w)); });
  }
  if (!wait(i, w)) return false;
  for (offset_t t = w; t < batch.count(); t += team_.size()) loss_of(i, batch, t);
  if (!wait(i, w)) return false;
  if (w == 0 && !goes_on(batch)) team_.stop();
  for (std::size_t l = n_layers_; l-- > 0;) {
    Parameters& p = own(l, w);
    if (l > 0) {
      for_own_parts(w, team_, columns_[l], [&](Rows columns) {
        transpose_values(plan(l), columns, p.values.data(), p.transposed_values.data());
        pass_down(l, columns, batch, all, p);
      });
      if (!wait(i, w)) return false;
    }
    const float* below = l == 0 ? inputs_.data() : outputs_[l - 1].data();
    for_own_parts(w, team_, rows_[l], [&](Rows rows) {
      bias_gradients(kernels_, weights(l).n_rows, rows, batch, deltas_[l].data(), dbias_[l].data());
      if (optimizer_)
        Update(*optimizer_, step_ + i + 1)
            .biases(rows.last - rows.first, dbias_[l].data() + rows.first,
                    p.bias.data() + rows.first, state(p.bias_moment1, rows.first),
                    state(p.bias_moment2, rows.first), state(p.bias_frozen, rows.first));
      for (index_t b = 0; b < weights(l).n_blocks; ++b)
        update_synapses(l, b, rows, batch, deltas_[l].data(), below, i, w);
    });
  }
  return wait(i, w);
}

// ---- parts of both

void Trainer::forward(std::size_t l, Rows rows, Tiles tiles, Range<offset_t> which,
                      const Parameters& p) {
  const BlockedCsr& W = weights(l);
  const float* below = l == 0 ? inputs_.data() : outputs_[l - 1].data();
  float* to = outputs(l).data();
  forward_rows(kernels_, W, rows, p.values.data(), p.bias.data(), tiles, which, below, to);
  for (offset_t t = which.first; t < which.last && l + 1 < n_layers_; ++t)
    kernels_.activate(t_.activation, offset_t{rows.last - rows.first} * tiles.width(t),
                      to + tiles.at(t, W.n_rows) + offset_t{rows.first} * tiles.width(t));
}

// The delta of layer l - 1 from that of layer l.
void Trainer::pass_down(std::size_t l, Rows columns, Tiles tiles, Range<offset_t> which,
                        const Parameters& p) {
  const index_t n = weights(l).n_columns;
  input_gradients(kernels_, plan(l), columns, p.transposed_values.data(), tiles, which,
                  deltas_[l].data(), deltas_[l - 1].data());
  for (offset_t t = which.first; t < which.last; ++t) {
    const offset_t first = tiles.at(t, n) + offset_t{columns.first} * tiles.width(t);
    kernels_.activate_backward(t_.activation,
                               offset_t{columns.last - columns.first} * tiles.width(t),
                               outputs_[l - 1].data() + first, deltas_[l - 1].data() + first);
  }
}

void Trainer::loss_of(offset_t i, Tiles tiles, offset_t t) {
  const index_t n_out = weights(n_layers_ - 1).n_rows;
  const index_t size = tiles.size(t), ld = tiles.width(t);
  float* Z = deltas_.back().data() + tiles.at(t, n_out);
  offset_t position[max_tile];
  for (index_t s = 0; s < size; ++s)
    position[s] = t_.samples.position(i * t_.batch_size + t * tiles.step + s);
  if (t_.targets.plain()) {
    index_t labels[max_tile];
    for (index_t s = 0; s < size; ++s) labels[s] = t_.targets.labels[position[s]];
    losses_[t] = loss_and_gradient(kernels_, t_.loss, n_out, size, ld, tiles.n, labels, Z);
    return;
  }
  float *T = targets_.data() + tiles.at(t, n_out), *w = weights_.data() + tiles.at(t, 1);
  t_.targets.tile(n_out, position, size, ld, T, w);
  losses_[t] = loss_and_gradient(kernels_, t_.loss, n_out, size, ld, tiles.n, T, w, Z);
}

bool Trainer::goes_on(Tiles tiles) {
  double sum = 0.0;
  for (offset_t t = 0; t < tiles.count(); ++t) sum += losses_[t];
  return after_(sum);
}

void Trainer::update_synapses(std::size_t l, index_t block, Rows rows, Tiles tiles, const float* D,
                              const float* X, offset_t i, int w) {
  const BlockedCsr& W = weights(l);
  const offset_t first = W.begin(block)[rows.first];
  float* g = optimizer_ ? gradients_[w].data() : gradients_[l].data() + first;
  weight_gradients(kernels_, W, block, rows, tiles, D, X, g);
  if (!optimizer_) return;
  Parameters& p = parameters_[0][l];
  Update(*optimizer_, step_ + i + 1)
      .synapses(W.count(block, rows.first, rows.last), g, p.values.data() + first,
                state(p.moment1, first), state(p.moment2, first), state(p.frozen, first));
}

}  // namespace synaprune
