#include "synaprune/trainer.hpp"

#include "synaprune/pointwise.hpp"

namespace synaprune {

namespace {

// In synapse-samples: the most that a small network may have above its first layer; what pays for
// starting threads; what pays for the meetings of a batch. In floats: partial sums of a small one.
constexpr offset_t small_upper = 1 << 15, worth_a_team = 1 << 20, worth_meeting = 1 << 14;
constexpr offset_t small_partials = 1 << 17;

offset_t n_synapses(const Plan& plan) {
  offset_t n = 0;
  for (const LayerPlan& p : plan.layers) n += p.weights.nnz();
  return n;
}

// As many as there may be threads; each costs a sum that others read.
index_t n_groups(const BlockedCsr& first_layer) {
  return std::min<index_t>(first_layer.n_blocks, 2);
}

bool is_small(const TrainingTask& t) {
  const BlockedCsr& W = t.plan.layers.front().weights;
  const offset_t upper = n_synapses(t.plan) - W.nnz();
  const offset_t batch = padded(t.batch_size);
  return upper * batch <= small_upper && n_groups(W) * batch * W.n_rows <= small_partials;
}

int threads_worth(const TrainingTask& t, bool small, int threads) {
  const offset_t n = n_synapses(t.plan);
  if (n * padded(t.batch_size) < worth_meeting || n * t.samples.X.n < worth_a_team) return 1;
  const BlockedCsr& W = t.plan.layers.front().weights;
  return std::min(threads, small ? n_groups(W) : std::max(W.n_rows, W.n_blocks));
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
  const auto evenly = [](int parts, index_t n) {
    return split_evenly(parts, n, [](index_t i) { return offset_t{i}; });
  };
  const auto by_work = [&](const BlockedCsr& m) {
    const auto before = row_work(m);
    return split_evenly(team_.size(), m.n_rows, [&](index_t r) { return before[r]; });
  };
  groups_ = evenly(small_ ? n_groups(W) : W.n_blocks, W.n_blocks);
  shares_ = evenly(team_.size(), static_cast<index_t>(groups_.size()) - 1);
  inputs_.resize(batch.floats(W.n_columns));
  if (t_.samples.shift.pixels > 0)
    moved_.resize(team_.size(), Buffer(max_tile * t_.samples.X.row_bytes() / sizeof(float) + 1));
  next_.resize(team_.size(), std::vector<const char*>(t_.batch_size));
  ahead_.resize(team_.size());
  offset_t largest_block = 0;
  Pass pass;
  for (std::size_t l = 0; l < n_layers_; ++l) {
    const BlockedCsr& m = weights(l);
    pass.parameters.emplace_back();
    pass.outputs.emplace_back(batch.floats(m.n_rows));
    pass.deltas.emplace_back(batch.floats(m.n_rows));
    pass.dbias.emplace_back(m.n_rows);
    rows_.push_back(by_work(m));
    columns_.push_back(l > 0 ? by_work(plan(l).transposed) : std::vector<index_t>{});
    if (!optimizer) gradients_.emplace_back(m.nnz());
    for (index_t b = 0; b < m.n_blocks; ++b)
      largest_block = std::max(largest_block, m.count(b, 0, m.n_rows));
  }
  if (!t_.targets.plain()) {
    pass.targets.resize(batch.floats(weights(n_layers_ - 1).n_rows));
    pass.weights.resize(batch.floats(1));
  }
  pass.losses.resize(batch.count());
  passes_.resize(small_ ? team_.size() : 1, pass);
  if (optimizer) gradients_.resize(team_.size(), Buffer(largest_block));
  if (small_) partial_.resize(2 * (groups_.size() - 1) * batch.floats(W.n_rows));
}

void Trainer::run(const std::function<void()>& before, const std::function<bool(double)>& after) {
  before_ = before;
  after_ = after;
  for (Pass& pass : passes_)
    for (std::size_t l = 0; l < n_layers_; ++l) {
      if (&pass != &passes_[0] && l > 0) pass.parameters[l].values = t_.values[l];
      pass.parameters[l].read(t_.layers[l], plan(l));
    }
  std::vector<Parameters>& first = passes_[0].parameters;  // works on the network's own values
  const auto exchange = [&] {
    for (std::size_t l = 0; l < n_layers_; ++l) t_.values[l].swap(first[l].values);
  };
  const auto finish = [&] {
    for (std::size_t l = 0; l < n_layers_; ++l) first[l].write(plan(l), t_.layers[l]);
    exchange();
  };
  exchange();
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
    const Buffer& dbias = passes_[0].dbias[l];
    g.values.emplace_back(weights(l).nnz());
    weights(l).to_csr(gradients_[l].data(), g.values[l].data());
    g.bias.emplace_back(t_.layers[l].n_out);
    for (std::size_t r = 0; r < dbias.size(); ++r) g.bias[l][plan(l).rows[r]] = dbias[r];
  }
  return g;
}

// ---- a batch of a large network: own rows up, own columns down

bool Trainer::large_batch(offset_t i, int w) {
  const Tiles batch = tiles(i);
  look_ahead(i + 1, w);
  if (w == 0) before_();
  for_own_parts(w, team_, shares_, [&](Rows groups) { gather_columns(i, groups, w); });
  for (std::size_t l = 0; l < n_layers_; ++l) {
    if (!wait(w)) return false;
    for_own_parts(w, team_, rows_[l], [&](Rows rows) {
      forward(l, rows, batch, w);
      activate(l, rows, batch, w);
    });
  }
  if (!wait(w)) return false;
  for (offset_t t = w; t < batch.count(); t += team_.size()) loss_of(i, t, w);
  if (!wait(w)) return false;
  if (w == 0) goes_on(i);
  for (std::size_t l = n_layers_; l-- > 0;) {
    if (l > 0) {
      for_own_parts(w, team_, columns_[l], [&](Rows columns) { pass_down(l, columns, batch, w); });
      if (!wait(w)) return false;
    }
    for_own_parts(w, team_, rows_[l], [&](Rows rows) {
      update_biases(l, rows, i, w);
      update_synapses(l, all_blocks(l), rows, i, w);
    });
  }
  return wait(w);
}

// ---- parts of both

bool Trainer::wait(int w) {
  Ahead& ahead = ahead_[w];
  return team_.meet(w, [&] {
    if (ahead.done()) return false;
    kernels_.ask(&ahead);
    return true;
  });
}

// What a thread gathers of a batch is asked for while the one before it is computed: on both passes
// over its synapses, and while it waits.
void Trainer::look_ahead(offset_t i, int w) {
  const BlockedCsr& W = weights(0);
  const index_t first = W.first_column(groups_[shares_[w]]);
  const index_t last = W.first_column(groups_[shares_[w + 1]]);
  Ahead& ahead = ahead_[w] = {};
  if (i == n_batches_ || first == last) return;
  const auto& columns = t_.plan.inputs;
  const Inputs& X = t_.samples.X;
  const offset_t n = tiles(i).n;
  for (offset_t s = 0; s < n; ++s) next_[w][s] = t_.samples[i * t_.batch_size + s];
  offset_t times = 2 * W.n_rows * W.n_blocks * tiles(i).count() / team_.size();
  for (std::size_t l = 1; l < n_layers_; ++l) times += 2 * weights(l).n_rows + weights(l).n_columns;
  if (!X.is_uint8) times = 0;
  ahead.begin(next_[w].data(), n, X.offset(columns[first]), X.offset(columns[last - 1] + 1), times);
}

void Trainer::forward(std::size_t l, Rows rows, Tiles tiles, int w) {
  const Parameters& p = own(w).parameters[l];
  forward_rows(kernels_, weights(l), rows, p.values.data(), p.bias.data(), tiles,
               {0, tiles.count()}, below(l, w), outputs(l, w).data(), &ahead_[w]);
}

void Trainer::activate(std::size_t l, Rows rows, Tiles tiles, int w) {
  for (offset_t t = 0; t < tiles.count() && l + 1 < n_layers_; ++t)
    kernels_.activate(t_.activation, offset_t{rows.last - rows.first} * tiles.width(t),
                      outputs(l, w).data() + tiles.at(t, weights(l).n_rows) +
                          offset_t{rows.first} * tiles.width(t));
}

void Trainer::loss_of(offset_t i, offset_t t, int w) {
  const Tiles batch = tiles(i);
  Pass& pass = own(w);
  const index_t n_out = weights(n_layers_ - 1).n_rows;
  const index_t size = batch.size(t), ld = batch.width(t);
  float* Z = pass.deltas.back().data() + batch.at(t, n_out);
  const offset_t first = i * t_.batch_size + t * batch.step;
  if (t_.targets.plain()) {
    index_t labels[max_tile];
    for (index_t s = 0; s < size; ++s)
      labels[s] = t_.targets.labels[t_.samples.position(first + s)];
    pass.losses[t] = loss_and_gradient(kernels_, t_.loss, n_out, size, ld, batch.n, labels, Z);
    return;
  }
  offset_t position[max_tile];
  for (index_t s = 0; s < size; ++s) position[s] = t_.samples.position(first + s);
  float *T = pass.targets.data() + batch.at(t, n_out), *u = pass.weights.data() + batch.at(t, 1);
  t_.targets.tile(n_out, position, size, ld, T, u);
  pass.losses[t] = loss_and_gradient(kernels_, t_.loss, n_out, size, ld, batch.n, T, u, Z);
}

void Trainer::goes_on(offset_t i) {
  double sum = 0.0;
  for (offset_t t = 0; t < tiles(i).count(); ++t) sum += passes_[0].losses[t];
  if (!after_(sum)) team_.stop();
}

// The delta of layer l - 1 from that of layer l.
void Trainer::pass_down(std::size_t l, Rows columns, Tiles tiles, int w) {
  const index_t n = weights(l).n_columns;
  Pass& pass = own(w);
  Parameters& p = pass.parameters[l];
  transpose_values(plan(l), columns, p.values.data(), p.transposed_values.data());
  input_gradients(kernels_, plan(l), columns, p.transposed_values.data(), tiles, {0, tiles.count()},
                  pass.deltas[l].data(), pass.deltas[l - 1].data(), &ahead_[w]);
  for (offset_t t = 0; t < tiles.count(); ++t) {
    const offset_t first = tiles.at(t, n) + offset_t{columns.first} * tiles.width(t);
    kernels_.activate_backward(
        t_.activation, offset_t{columns.last - columns.first} * tiles.width(t),
        pass.outputs[l - 1].data() + first, pass.deltas[l - 1].data() + first);
  }
}

void Trainer::update_biases(std::size_t l, Rows rows, offset_t i, int w) {
  Pass& pass = own(w);
  Parameters& p = pass.parameters[l];
  float* g = pass.dbias[l].data();
  bias_gradients(kernels_, weights(l).n_rows, rows, tiles(i), pass.deltas[l].data(), g);
  if (!optimizer_) return;
  const index_t r = rows.first;
  Update(*optimizer_, step_ + i + 1)
      .biases(rows.last - r, g + r, p.bias.data() + r, state(p.bias_moment1, r),
              state(p.bias_moment2, r), state(p.bias_frozen, r));
}

void Trainer::update_synapses(std::size_t l, Rows blocks, Rows rows, offset_t i, int w) {
  const BlockedCsr& W = weights(l);
  Parameters& p = (l == 0 ? passes_[0] : own(w)).parameters[l];
  for (index_t b = blocks.first; b < blocks.last; ++b) {
    const offset_t first = W.begin(b)[rows.first];
    float* g = optimizer_ ? gradients_[w].data() : gradients_[l].data() + first;
    weight_gradients(kernels_, W, b, rows, tiles(i), own(w).deltas[l].data(), below(l, w), g,
                     &ahead_[w]);
    if (!optimizer_) continue;
    Update(*optimizer_, step_ + i + 1)
        .synapses(W.count(b, rows.first, rows.last), g, p.values.data() + first,
                  state(p.moment1, first), state(p.moment2, first), state(p.frozen, first));
  }
}

}  // namespace synaprune
