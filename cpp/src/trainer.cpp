#include "synaprune/trainer.hpp"

#include "synaprune/pointwise.hpp"

namespace synaprune {

namespace {

// In synapse-samples: the most that a small network may have in its first layer, and above it; what
// pays for starting threads; what pays for the meetings of a batch.
constexpr offset_t small_lower = 1 << 22, small_upper = 1 << 17;
constexpr offset_t worth_a_team = 1 << 20, worth_meeting = 1 << 14;

offset_t n_synapses(const Plan& plan) {
  offset_t n = 0;
  for (const LayerPlan& p : plan.layers) n += p.weights.nnz();
  return n;
}

bool is_small(const TrainingTask& t) {
  const offset_t batch = padded(t.batch_size), n = t.plan.layers.front().weights.nnz();
  const offset_t above = n_synapses(t.plan) - n;
  return n * batch <= small_lower && above * batch <= small_upper && above <= n;
}

int threads_worth(const TrainingTask& t, bool small, int threads) {
  const offset_t n = n_synapses(t.plan);
  if (n * padded(t.batch_size) < worth_meeting || n * t.samples.X.n < worth_a_team) return 1;
  const BlockedCsr& W = t.plan.layers.front().weights;
  return std::min(threads, small ? 2 : std::max(W.n_rows, W.n_blocks));
}

std::vector<index_t> groups_of(const Plan& plan, bool small) {
  const index_t n_blocks = plan.layers.front().weights.n_blocks;
  if (small) return {0, plan.first_half, n_blocks};
  return {0, n_blocks};
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
      groups_(groups_of(task.plan, small_)),
      team_(threads_worth(task, small_, threads)) {
  const Tiles batch = tiles(0);
  const BlockedCsr& W = weights(0);
  const auto shares = [&](const BlockedCsr& m) {
    const auto before = row_work(m);
    return split_evenly(team_.size(), m.n_rows, [&](index_t r) { return before[r]; });
  };
  blocks_ = split_evenly(team_.size(), W.n_blocks, [](index_t b) { return offset_t{b}; });
  for (index_t g = 0; g < n_groups(); ++g) {
    const offset_t n = W.first_column(groups_[g + 1]) - W.first_column(groups_[g]);
    inputs_.emplace_back(batch.floats(n));
    inputs_.emplace_back(g > 0 && team_.size() > 1 ? batch.floats(n) : 0);
    if (small_) partial_.emplace_back(batch.floats(W.n_rows));
  }
  if (t_.samples.shift.pixels > 0)
    moved_.resize(team_.size(), Buffer(max_tile * t_.samples.X.row_bytes() / sizeof(float) + 1));
  next_.resize(team_.size());
  for (auto& rows : next_) rows.resize(t_.batch_size);
  ahead_.resize(team_.size());
  losses_.resize(batch.count());
  if (!t_.targets.plain()) {
    targets_.resize(batch.floats(weights(n_layers_ - 1).n_rows));
    weights_.resize(batch.floats(1));
  }
  offset_t largest_block = 0;
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
  }
  if (optimizer) gradients_.resize(team_.size(), Buffer(largest_block));
}

void Trainer::run(const std::function<void()>& before, const std::function<bool(double)>& after) {
  before_ = before;
  after_ = after;
  parameters_.resize(n_layers_);
  for (std::size_t l = 0; l < n_layers_; ++l) parameters_[l].read(t_.layers[l], plan(l));
  const auto exchange = [&] {  // training works on the network's own values
    for (std::size_t l = 0; l < n_layers_; ++l) t_.values[l].swap(parameters_[l].values);
  };
  const auto finish = [&] {
    for (std::size_t l = 0; l < n_layers_; ++l) parameters_[l].write(plan(l), t_.layers[l]);
    exchange();
  };
  exchange();
  try {
    team_.run([&](int w) {
      if (small_) return small_batches(w);
      for (offset_t i = 0; i < n_batches_; ++i)
        if (!large_batch(i, w)) return;
    });
  } catch (...) {
    finish();
    throw;
  }
  finish();
}

// ---- a batch of a large network: own rows up, own columns down

bool Trainer::large_batch(offset_t i, int w) {
  const Tiles batch = tiles(i);
  look_ahead(i + 1, w);
  if (w == 0) before_();
  for_own_parts(w, team_, blocks_, [&](Rows blocks) { gather_columns(i, 0, blocks, w); });
  for (std::size_t l = 0; l < n_layers_; ++l) {
    if (!wait(w)) return false;
    for_own_parts(w, team_, rows_[l], [&](Rows rows) {
      forward(l, rows, batch, w);
      activate(l, rows, batch);
    });
  }
  if (!wait(w)) return false;
  for (offset_t t = w; t < batch.count(); t += team_.size()) loss_of(i, t);
  if (!wait(w)) return false;
  if (w == 0) goes_on(i);
  for (std::size_t l = n_layers_; l-- > 0;) {
    if (l > 0) {
      for_own_parts(w, team_, columns_[l], [&](Rows columns) { pass_down(l, columns, batch, w); });
      if (!wait(w)) return false;
    }
    for_own_parts(w, team_, rows_[l], [&](Rows rows) {
      update_biases(l, rows, i);
      update_synapses(l, all_blocks(l), rows, i, l == 0 ? columns(i, 0) : outputs_below(l), w);
    });
  }
  return wait(w);
}

// ---- parts of both

// Asks for a few lines of the next batch; returns whether any were left.
bool Trainer::ask(int w) {
  if (ahead_[w].done()) return false;
  kernels_.ask(&ahead_[w]);
  return true;
}

// What a thread gathers of batch i is asked for while it computes what comes before: on both passes
// over its synapses, and while it waits.
void Trainer::look_ahead(offset_t i, int w) {
  const BlockedCsr& W = weights(0);
  Rows blocks{0, 0};
  if (small_) {
    const Rows groups = own_groups(w);
    blocks = {groups_[groups.first], groups_[groups.last]};
  } else {
    blocks = {blocks_[w], blocks_[w + 1]};
  }
  const offset_t n = i < n_batches_ ? tiles(i).n : 0;
  offset_t times = 2 * tiles(0).count() * W.n_rows * (blocks.last - blocks.first);
  for (std::size_t l = 1; l < n_layers_ && w == 0; ++l)
    times += offset_t{2} * weights(l).n_rows + weights(l).n_columns;
  synaprune::look_ahead(t_.samples, i * t_.batch_size, n, view(blocks), times, next_[w].data(),
                        ahead_[w]);
}

InputView Trainer::view(Rows blocks) const {
  const index_t first = weights(0).first_column(blocks.first);
  return {t_.plan.inputs.data() + first, weights(0).first_column(blocks.last) - first, t_.shift,
          t_.scale};
}

// Some of a group's columns.
void Trainer::gather_columns(offset_t i, index_t g, Rows blocks, int w) {
  const Tiles batch = tiles(i);
  const BlockedCsr& W = weights(0);
  const InputView seen = view(blocks);
  if (seen.n_columns == 0) return;
  const index_t begin = W.first_column(groups_[g]), end = W.first_column(groups_[g + 1]);
  const offset_t column = W.first_column(blocks.first) - begin;
  char* scratch = moved_.empty() ? nullptr : reinterpret_cast<char*>(moved_[w].data());
  for (offset_t t = 0; t < batch.count(); ++t)
    gather(kernels_, t_.samples, i * t_.batch_size + t * batch.step, batch.size(t), seen, false,
           scratch, inputs(i, g) + batch.at(t, end - begin) + column * batch.width(t), ahead_[w],
           t * batch.step);
}

void Trainer::forward(std::size_t l, Rows rows, Tiles tiles, int w) {
  const float* below = l == 0 ? inputs_[0].data() : outputs_[l - 1].data();
  forward_rows(kernels_, weights(l), rows, parameters_[l].values.data(), parameters_[l].bias.data(),
               tiles, {0, tiles.count()}, below, outputs(l).data(), &ahead_[w]);
}

void Trainer::activate(std::size_t l, Rows rows, Tiles tiles) {
  for (offset_t t = 0; t < tiles.count() && l + 1 < n_layers_; ++t)
    kernels_.activate(
        t_.activation, offset_t{rows.last - rows.first} * tiles.width(t),
        outputs(l).data() + tiles.at(t, weights(l).n_rows) + offset_t{rows.first} * tiles.width(t));
}

void Trainer::loss_of(offset_t i, offset_t t) {
  const Tiles batch = tiles(i);
  const index_t n_out = weights(n_layers_ - 1).n_rows;
  const index_t size = batch.size(t), ld = batch.width(t);
  float* Z = deltas_.back().data() + batch.at(t, n_out);
  const offset_t first = i * t_.batch_size + t * batch.step;
  if (t_.targets.plain()) {
    index_t labels[max_tile];
    for (index_t s = 0; s < size; ++s)
      labels[s] = t_.targets.labels[t_.samples.position(first + s)];
    losses_[t] = loss_and_gradient(kernels_, t_.loss, n_out, size, ld, batch.n, labels, Z);
    return;
  }
  offset_t position[max_tile];
  for (index_t s = 0; s < size; ++s) position[s] = t_.samples.position(first + s);
  float *T = targets_.data() + batch.at(t, n_out), *u = weights_.data() + batch.at(t, 1);
  t_.targets.tile(n_out, position, size, ld, T, u);
  losses_[t] = loss_and_gradient(kernels_, t_.loss, n_out, size, ld, batch.n, T, u, Z);
}

void Trainer::goes_on(offset_t i) {
  double sum = 0.0;
  for (offset_t t = 0; t < tiles(i).count(); ++t) sum += losses_[t];
  if (!after_(sum)) team_.stop();
}

// The delta of layer l - 1 from that of layer l.
void Trainer::pass_down(std::size_t l, Rows columns, Tiles tiles, int w) {
  const index_t n = weights(l).n_columns;
  Parameters& p = parameters_[l];
  transpose_values(plan(l), columns, p.values.data(), p.transposed_values.data());
  input_gradients(kernels_, plan(l), columns, p.transposed_values.data(), tiles, {0, tiles.count()},
                  deltas_[l].data(), deltas_[l - 1].data(), &ahead_[w]);
  for (offset_t t = 0; t < tiles.count(); ++t) {
    const offset_t first = tiles.at(t, n) + offset_t{columns.first} * tiles.width(t);
    kernels_.activate_backward(t_.activation,
                               offset_t{columns.last - columns.first} * tiles.width(t),
                               outputs_[l - 1].data() + first, deltas_[l - 1].data() + first);
  }
}

void Trainer::update_biases(std::size_t l, Rows rows, offset_t i) {
  Parameters& p = parameters_[l];
  float* g = dbias_[l].data();
  bias_gradients(kernels_, weights(l).n_rows, rows, tiles(i), deltas_[l].data(), g);
  if (!optimizer_) return;
  const index_t r = rows.first;
  Update(kernels_, *optimizer_, step_ + i + 1)
      .biases(rows.last - r, g + r, p.bias.data() + r, state(p.bias_moment1, r),
              state(p.bias_moment2, r), state(p.bias_frozen, r));
}

void Trainer::update_synapses(std::size_t l, Rows blocks, Rows rows, offset_t i, Columns below,
                              int w) {
  const BlockedCsr& W = weights(l);
  Parameters& p = parameters_[l];
  for (index_t b = blocks.first; b < blocks.last; ++b) {
    const offset_t first = W.begin(b)[rows.first];
    float* g = optimizer_ ? gradients_[w].data() : gradients_[l].data() + first;
    weight_gradients(kernels_, W, b, rows, tiles(i), deltas_[l].data(), below, g, &ahead_[w]);
    if (!optimizer_) continue;
    Update(kernels_, *optimizer_, step_ + i + 1)
        .synapses(W.count(b, rows.first, rows.last), g, p.values.data() + first,
                  state(p.moment1, first), state(p.moment2, first), state(p.frozen, first));
  }
}

}  // namespace synaprune
