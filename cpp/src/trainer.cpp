#include "synaprune/trainer.hpp"

#include <cmath>

#include "synaprune/prefetch.hpp"

namespace synaprune {

namespace {

offset_t n_synapses(const Model& model) {
  offset_t n = 0;
  for (std::size_t l = 0; l < model.n_layers(); ++l) n += model.weights(l).nnz();
  return n;
}

bool is_small(const TrainingTask& t) {
  const offset_t batch = padded(t.batches.largest), n = t.model.weights(0).nnz();
  const offset_t above = n_synapses(t.model) - n;
  return n * batch <= tuning::small_lower && above * batch <= tuning::small_upper && above <= n;
}

std::vector<index_t> groups_of(const Model& model, bool small) {
  if (small) return model.plan.groups;
  return {0, model.weights(0).n_blocks};
}

int threads_worth(const TrainingTask& t, bool small, int threads) {
  const offset_t n = n_synapses(t.model);
  if (n * padded(t.batches.largest) < tuning::worth_barriers ||
      n * t.samples.X.n < tuning::worth_a_team)
    return 1;
  const BlockedCsr& W = t.model.weights(0);
  const auto groups = static_cast<int>(t.model.plan.groups.size()) - 1;
  return std::min(threads, small ? groups : std::max(W.n_rows, W.n_blocks));
}

}  // namespace

Batches in_batches(offset_t n, offset_t size) {
  Batches batches;
  for (offset_t first = 0; first < n; first += size) batches.borders.push_back(first);
  batches.borders.push_back(n);
  batches.largest = batches.size = size;
  batches.n = n;
  return batches;
}

GradientLayout::GradientLayout(const Model& model, bool with_synapses) {
  const auto take = [this](offset_t size) {
    const offset_t first = n;
    n += padded(size);
    return first;
  };
  for (std::size_t l = 0; l < model.n_layers(); ++l) {
    const BlockedCsr& W = model.weights(l);
    synapses.push_back(take(with_synapses ? W.nnz() : 0));
    biases.push_back(take(W.n_rows));
  }
}

Trainer::Trainer(const TrainingTask& task, const UpdateRule* rule, int threads)
    : t_(task),
      rule_(rule),
      n_layers_(task.model.n_layers()),
      small_(is_small(task)),
      groups_(groups_of(task.model, small_)),
      team_(threads_worth(task, small_, threads)),
      forward_(task.model, kernels_, task.batches.largest),
      backward_(task.model, kernels_, task.batches.largest, team_.size()),
      layout_(task.model, whole()),
      gradient_(layout_.n + gradient_marks) {
  const Tiles batch{t_.batches.largest, max_tile};
  const BlockedCsr& W = weights(0);
  const auto shares = [&](const BlockedCsr& m) {
    const auto prefix = prefix_work(m);
    return split_evenly(team_.size(), m.n_rows, [&](index_t r) { return prefix[r]; });
  };
  blocks_ = split_evenly(team_.size(), W.n_blocks, [](index_t b) { return offset_t{b}; });
  for (index_t g = 0; g < n_groups(); ++g) {
    const offset_t n = W.columns[groups_[g + 1]] - W.columns[groups_[g]];
    inputs_.emplace_back(batch.floats(n));
    inputs_.emplace_back(small_ && team_.size() > 1 ? batch.floats(n) : 0);
    if (small_) partial_.emplace_back(batch.floats(W.n_rows));
  }
  if (t_.samples.shift.pixels > 0)
    moved_.resize(team_.size(), Buffer(max_tile * t_.samples.X.row_bytes() / sizeof(float) + 1));
  losses_.resize(batch.count());
  if (!t_.targets.plain()) {
    targets_.resize(batch.floats(weights(n_layers_ - 1).n_rows));
    sample_weights_.resize(batch.floats(1));
  }
  offset_t largest_block = 0;
  for (std::size_t l = 0; l < n_layers_; ++l) {
    const BlockedCsr& m = weights(l);
    rows_.push_back(shares(m));
    columns_.push_back(l > 0 ? shares(t_.model.plan.layers[l].transposed) : std::vector<index_t>{});
    for (index_t b = 0; b < m.n_blocks; ++b)
      largest_block = std::max(largest_block, m.count(b, 0, m.n_rows));
  }
  if (!whole())
    of_block_.resize(team_.size(), Buffer(std::min(largest_block, tuning::gradient_piece)));
  for (offset_t waiting = 1; waiting < t_.batches.parts; waiting *= 2)
    part_sums_.emplace_back(gradient_.size());
}

void Trainer::run(const std::function<void()>& before, const std::function<bool(double)>& after) {
  before_ = before;
  after_ = after;
  team_.run([&](int w) { small_ ? column_group_batches(w) : row_batches(w); });
}

// ---- schedules

void Trainer::column_group_batches(int w) {
  const Rows own = own_groups(w);
  const bool alone = team_.size() == 1;
  const unsigned signals = whole() ? 3 : 1;  // of each thread, a batch
  const auto gather_own = [&](offset_t i) {
    for (index_t g = own.first; g < own.last && i < t_.batches.n_parts(); ++g)
      gather(i, g, group(g), w);
  };
  gather_own(0);
  for (offset_t i = 0; i < t_.batches.n_parts(); ++i) {
    const auto here = static_cast<unsigned>(i) * signals + 1;
    if (w == 0) before_();
    for (index_t g = own.first; g < own.last; ++g) partial_sums(i, g);
    if (w == 0) {
      if (!alone)
        prefetch_to_write(backward_.delta(forward_, 0), forward_.tiles().floats(weights(0).n_rows));
      for (int other = 1; other < team_.size(); ++other)
        if (!team_.wait(other, here)) return;
      forward_.set_batch(tiles(i).n);
      add_partial_sums(i);
      for (std::size_t l = 1; l < n_layers_; ++l)
        forward_.layer(l, all_rows(l), forward_.outputs(l - 1));
      for (offset_t t = 0; t < tiles(i).count(); ++t) loss_of_tile(i, t);
      finish_loss(i);
      for (std::size_t l = n_layers_; l-- > 1;)
        backward_.step(forward_, l, {0, weights(l).n_columns});
      team_.signal(w);
      for (std::size_t l = n_layers_; l-- > 1;) {
        bias_gradient(l, all_rows(l), i);
        synapse_gradient(l, all_blocks(l), all_rows(l), i, outputs_below(l), w);
      }
    } else {
      team_.signal(w);
      gather_own(i + 1);
      if (!team_.wait(0, here)) return;
      for (index_t g = own.first; g < own.last; ++g)
        prefetch_to_write(partial_[g].data(), tiles(i).floats(weights(0).n_rows));
    }
    for (index_t g = own.first; g < own.last; ++g)
      synapse_gradient(0, group(g), all_rows(0), i, columns(i, g), w);
    if (w == 0) bias_gradient(0, all_rows(0), i);
    if (whole()) {
      if (!team_.barrier(w)) return;
      if (w == 0) finish_batch(i);
      if (!team_.barrier(w)) return;
      for (index_t g = own.first; g < own.last; ++g) update(0, group(g), all_rows(0), i);
      for (std::size_t l = 0; l < n_layers_ && w == 0; ++l) {
        if (l > 0) update(l, all_blocks(l), all_rows(l), i);
        update_biases(l, all_rows(l), i);
      }
    }
    if (team_.stopped()) return;
    if (w == 0) gather_own(i + 1);
  }
}

void Trainer::row_batches(int w) {
  for (offset_t i = 0; i < t_.batches.n_parts(); ++i)
    if (!row_batch(i, w)) return;
}

bool Trainer::row_batch(offset_t i, int w) {
  const Tiles batch = tiles(i);
  if (w == 0) {
    before_();
    forward_.set_batch(batch.n);
  }
  for_own_parts(w, team_, blocks_, [&](Rows blocks) { gather(i, 0, blocks, w); });
  for (std::size_t l = 0; l < n_layers_; ++l) {
    if (!team_.barrier(w)) return false;
    for_own_parts(w, team_, rows_[l], [&](Rows rows) {
      in_pieces(i, l, w, [&](Range<offset_t> some) {
        forward_.layer(l, rows, l == 0 ? inputs(i, 0) : forward_.outputs(l - 1), some);
      });
    });
  }
  if (!team_.barrier(w)) return false;
  for (offset_t t = w; t < batch.count(); t += team_.size()) loss_of_tile(i, t);
  if (!team_.barrier(w)) return false;
  if (w == 0) finish_loss(i);
  for (std::size_t l = n_layers_; l-- > 0;) {
    if (l > 0) {
      for_own_parts(w, team_, columns_[l], [&](Rows columns) {
        in_pieces(i, l, w,
                  [&](Range<offset_t> some) { backward_.step(forward_, l, columns, some, w); });
      });
      if (!team_.barrier(w)) return false;
    }
    for_own_parts(w, team_, rows_[l], [&](Rows rows) {
      bias_gradient(l, rows, i);
      synapse_gradient(l, all_blocks(l), rows, i, l == 0 ? columns(i, 0) : outputs_below(l), w);
    });
  }
  if (whole()) {
    if (!team_.barrier(w)) return false;
    if (w == 0) finish_batch(i);
    if (!team_.barrier(w)) return false;
    for (std::size_t l = 0; l < n_layers_; ++l)
      for_own_parts(w, team_, rows_[l], [&](Rows rows) {
        update(l, all_blocks(l), rows, i);
        update_biases(l, rows, i);
      });
  }
  return team_.barrier(w);
}

// Calls f(some tiles) until it was called for all of a batch: a large one takes long. What is left
// unfinished when the training is to stop, no one sees.
template <class F>
void Trainer::in_pieces(offset_t i, std::size_t l, int w, F&& f) {
  const offset_t n = tiles(i).count(), of_tile = std::max<offset_t>(weights(l).nnz(), 1) * max_tile;
  const offset_t step = std::max<offset_t>(tuning::interruptible / of_tile, 1);
  for (offset_t t = 0; t < n; t += step) {
    if (w == 0 && t > 0) before_();
    if (t > 0 && team_.stopped()) return;
    f({t, std::min(t + step, n)});
  }
}

// A thread's groups: neighbours, the same share of them for each.
Rows Trainer::own_groups(int w) const {
  const index_t n = n_groups(), size = team_.size();
  return {n * w / size, n * (w + 1) / size};
}

// ---- steps

// A thread that gathers ahead has two arrays in turn.
float* Trainer::inputs(offset_t i, index_t g) {
  const bool second = !inputs_[2 * g + 1].empty() && i % 2 == 1;
  return inputs_[2 * g + (second ? 1 : 0)].data();
}

Columns Trainer::columns(offset_t i, index_t g) {
  const index_t first = weights(0).columns[groups_[g]];
  return {inputs(i, g), first, weights(0).columns[groups_[g + 1]] - first};
}

// Some of a group's columns.
void Trainer::gather(offset_t i, index_t g, Rows blocks, int w) {
  const Tiles batch = tiles(i);
  const InputView view = t_.model.view(blocks);
  if (view.n_columns == 0) return;
  const BlockedCsr& W = weights(0);
  const index_t begin = W.columns[groups_[g]], end = W.columns[groups_[g + 1]];
  const offset_t column = W.columns[blocks.first] - begin;
  char* scratch = moved_.empty() ? nullptr : reinterpret_cast<char*>(moved_[w].data());
  for (offset_t t = 0; t < batch.count(); ++t) {
    const offset_t next = first(i, t) + batch.size(t);
    synaprune::gather(kernels_, t_.samples, first(i, t), batch.size(t), next, view, false, scratch,
                      inputs(i, g) + batch.at(t, end - begin) + column * batch.width(t));
  }
}

// What a group's columns add to the first layer's sums.
void Trainer::partial_sums(offset_t i, index_t g) {
  const Tiles batch = tiles(i);
  const BlockedCsr& W = weights(0);
  const Columns X = columns(i, g);
  forward_blocks(
      kernels_, W, all_rows(0), group(g), t_.model.parameters[0].synapses.values.data(), nullptr,
      batch, {0, batch.count()},
      [&](offset_t t, index_t b) { return X.at(batch, t, W.first_column(b)); },
      [&](offset_t t) {
        return Target{partial_[g].data() + batch.at(t, W.n_rows), batch.width(t)};
      });
}

// The first layer's sums, those of all groups that have a block, in order; and what it gives.
void Trainer::add_partial_sums(offset_t i) {
  const Tiles batch = tiles(i);
  const index_t n_rows = weights(0).n_rows;
  for (offset_t t = 0; t < batch.count(); ++t) {
    const offset_t at = batch.at(t, n_rows);
    partials_.clear();
    for (index_t g = 0; g < n_groups(); ++g)
      if (groups_[g] < groups_[g + 1]) partials_.push_back(partial_[g].data() + at);
    kernels_.add_sums(n_rows, batch.width(t), t_.model.parameters[0].biases.values.data(),
                      partials_.data(), static_cast<index_t>(partials_.size()),
                      forward_.sums(0) + at);
  }
  forward_.activate(0, all_rows(0));
}

void Trainer::loss_of_tile(offset_t i, offset_t t) {
  const Tiles batch = tiles(i);
  const index_t n_out = weights(n_layers_ - 1).n_rows;
  const index_t size = batch.size(t), ld = batch.width(t);
  float* Z = backward_.delta(forward_, n_layers_ - 1) + batch.at(t, n_out);
  const offset_t n = rule_ ? t_.batches.n_samples(i) : t_.samples.X.n;
  offset_t position[max_tile];
  for (index_t s = 0; s < size; ++s) position[s] = t_.samples.position(first(i, t) + s);
  TileTargets targets{size};
  index_t labels[max_tile];
  if (t_.targets.plain()) {
    for (index_t s = 0; s < size; ++s) labels[s] = t_.targets.labels[position[s]];
    targets.labels = labels;
  } else {
    float *T = targets_.data() + batch.at(t, n_out), *u = sample_weights_.data() + batch.at(t, 1);
    t_.targets.tile(n_out, position, size, ld, T, u);
    targets.T = T;
    targets.weights = u;
  }
  losses_[t] = loss_and_gradient(kernels_, t_.loss, n_out, ld, n, targets, Z);
}

void Trainer::finish_loss(offset_t i) {
  double sum = 0.0;
  for (offset_t t = 0; t < tiles(i).count(); ++t) sum += losses_[t];
  if (t_.batches.parts == 0) {
    if (!after_(sum)) team_.stop();
    return;
  }
  gradient_[layout_.n] = static_cast<float>(sum);
  gradient_[layout_.n + 1] = 0.0f;
  add_parts(i, &gradient_[layout_.n], 1);
}

void Trainer::bias_gradient(std::size_t l, Rows rows, offset_t i) {
  float* g = bias_gradient_of(l);
  if (tiles(i).n == 0) std::fill(g + rows.first, g + rows.last, 0.0f);
  synaprune::bias_gradients(kernels_, weights(l).n_rows, rows, tiles(i),
                            backward_.delta(forward_, l), !rule_ && i > 0, g);
  add_parts(i, g + rows.first, rows.last - rows.first);
  if (!whole()) update_biases(l, rows, i);
}

void Trainer::synapse_gradient(std::size_t l, Rows blocks, Rows rows, offset_t i, Columns below,
                               int w) {
  const BlockedCsr& W = weights(l);
  for (index_t b = blocks.first; b < blocks.last; ++b)
    for (index_t row = rows.first; row < rows.last;) {
      const Rows some_rows{
          row, whole() ? rows.last : W.last_of_piece(b, row, rows.last, tuning::gradient_piece)};
      float* g =
          whole() ? gradient_.data() + layout_.synapses[l] + W.begin(b)[row] : of_block_[w].data();
      const offset_t n = W.count(b, some_rows.first, some_rows.last);
      if (tiles(i).n == 0) std::fill_n(g, n, 0.0f);
      in_pieces(i, l, w, [&](Range<offset_t> some) {
        weight_gradients(kernels_, W, b, some_rows, tiles(i), some, backward_.delta(forward_, l),
                         below, (!rule_ && i > 0) || some.first > 0, g);
      });
      add_parts(i, g, n);
      if (!whole()) update_block(l, b, some_rows, i, g);
      row = some_rows.last;
    }
}

// Adds n gradients of part i to those of the parts before it that make up a branch of the tree with
// it, and leaves the sum there; if more parts come, also where the next branch will find it. As in
// a binary counter: part 1 completes 0 + 1; part 3 completes 2 + 3, and (0 + 1) + (2 + 3).
void Trainer::add_parts(offset_t i, float* gradient, offset_t n) {
  if (t_.batches.parts == 0) return;
  const offset_t part = i % t_.batches.parts, first = gradient - gradient_.data();
  std::size_t d = 0;
  for (; (part >> d) % 2 == 1; ++d) add(n, part_sums_[d].data() + first, gradient);
  if (!t_.batches.completes(i)) std::copy_n(gradient, n, part_sums_[d].data() + first);
}

void clip_by_norm(const GradientView& g, float most) {
  double squares = 0.0;
  for (offset_t k = 0; k < g.n; ++k) squares += static_cast<double>(g.data[k]) * g.data[k];
  const double norm = std::sqrt(squares);
  if (!(norm > most)) return;  // a NaN stays one
  const auto factor = static_cast<float>(most / norm);
  for (offset_t k = 0; k < g.n; ++k) g.data[k] *= factor;
}

// What comes between the gradient of a whole batch and the update.
void Trainer::finish_batch(offset_t i) {
  if (!rule_ || !t_.batches.completes(i)) return;
  if (rule_->hook) rule_->hook({gradient_.data(), layout_.n});
  if (t_.batches.parts > 0 && !after_(gradient_[layout_.n])) team_.stop();
}

void Trainer::update(std::size_t l, Rows blocks, Rows rows, offset_t i) {
  if (!rule_ || !t_.batches.completes(i)) return;
  for (index_t b = blocks.first; b < blocks.last; ++b)
    update_block(l, b, rows, i, synapse_gradients(l) + weights(l).begin(b)[rows.first]);
}

namespace {

// A step of n parameters from the `first` one on.
void step_of(const UpdateRule& rule, const Kernels& kernels, Parameters& p, offset_t first,
             offset_t n, const float* gradient, bool penalized, offset_t batch) {
  constexpr std::size_t most = 4;
  float* state[most] = {};
  for (std::size_t s = 0; s < p.state.size() && s < most; ++s) state[s] = p.state[s].data() + first;
  rule.optimizer.step(kernels,
                      {n, gradient, p.values.data() + first, state, penalized, rule.t + batch + 1},
                      p.frozen.empty() ? nullptr : p.frozen.data() + first);
}

}  // namespace

void Trainer::update_block(std::size_t l, index_t block, Rows rows, offset_t i,
                           const float* gradient) {
  const BlockedCsr& W = weights(l);
  step_of(*rule_, kernels_, rule_->parameters[l].synapses, W.begin(block)[rows.first],
          W.count(block, rows.first, rows.last), gradient, true, t_.batches.batch(i));
}

void Trainer::update_biases(std::size_t l, Rows rows, offset_t i) {
  if (!rule_ || !t_.batches.completes(i)) return;
  step_of(*rule_, kernels_, rule_->parameters[l].biases, rows.first, rows.last - rows.first,
          bias_gradients(l) + rows.first, false, t_.batches.batch(i));
}

}  // namespace synaprune
