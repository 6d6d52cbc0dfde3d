// Batches of a small network: each thread has its own columns of the first layer, and the first one
// passes up and down what is above.
#include "synaprune/trainer.hpp"

namespace synaprune {

void Trainer::small_batches(int w) {
  const Rows own = own_groups(w);
  const bool bytes = t_.samples.X.is_uint8;
  const auto gather_own = [&](offset_t i) {
    if (!bytes) look_ahead(i + 1, w);
    for (index_t g = own.first; g < own.last && i < n_batches_; ++g)
      gather_columns(i, g, group(g), w);
  };
  gather_own(0);
  for (offset_t i = 0; i < n_batches_; ++i) {
    const Tiles batch = tiles(i);
    const auto batches = static_cast<unsigned>(i + 1);
    if (w == 0) before_();
    if (w == 0 && bytes) look_ahead(i + 1, w);
    for (index_t g = own.first; g < own.last; ++g) partial_sums(i, g, w);
    if (w == 0) {
      kernels_.will_write(deltas_[0].data(), batch.floats(weights(0).n_rows));
      for (int other = 1; other < team_.size(); ++other)
        if (!team_.wait_for(other, batches, [&] { return ask(w); })) return;
      add_partials(i);
      pass_above(i, w);
    } else {
      team_.arrive(w);
      gather_own(i + 1);
      if (bytes) look_ahead(i + 2, w);
      if (!team_.wait_for(0, batches, [&] { return ask(w); })) return;
      for (index_t g = own.first; g < own.last; ++g)
        kernels_.will_write(partial_[g].data(), batch.floats(weights(0).n_rows));
    }
    for (index_t g = own.first; g < own.last; ++g)
      update_synapses(0, group(g), all_rows(0), i, columns(i, g), w);
    if (w == 0) update_biases(0, all_rows(0), i);
    if (team_.stopped()) return;
    if (w == 0) gather_own(i + 1);
  }
}

// With one thread both, with two one each.
Range<index_t> Trainer::own_groups(int w) const {
  if (team_.size() == 1) return {0, n_groups()};
  return {w, w + 1};
}

// A thread that gathers ahead has two arrays in turn.
float* Trainer::inputs(offset_t i, index_t group) {
  const bool second = group > 0 && team_.size() > 1 && i % 2 == 1;
  return inputs_[2 * group + (second ? 1 : 0)].data();
}

Columns Trainer::columns(offset_t i, index_t g) {
  const index_t first = weights(0).first_column(groups_[g]);
  return {inputs(i, g), first, weights(0).first_column(groups_[g + 1]) - first};
}

// What a group's columns add to the first layer's sums.
void Trainer::partial_sums(offset_t i, index_t g, int w) {
  const Tiles batch = tiles(i);
  const BlockedCsr& W = weights(0);
  const Columns X = columns(i, g);
  for (index_t b = groups_[g]; b < groups_[g + 1]; ++b)
    for (offset_t t = 0; t < batch.count(); ++t)
      kernels_.spmm(0, W.n_rows, batch.width(t), W.begin(b), W.end(b), W.local.data(),
                    parameters_[0].values.data(), X.at(batch, t, W.first_column(b)), nullptr,
                    b > groups_[g], batch.width(t), partial_[g].data() + batch.at(t, W.n_rows),
                    &ahead_[w]);
}

// The first layer's sums: both groups', in order. The first group may have no block.
void Trainer::add_partials(offset_t i) {
  const Tiles batch = tiles(i);
  const index_t n_rows = weights(0).n_rows;
  const bool both = groups_[0] < groups_[1];
  for (offset_t t = 0; t < batch.count(); ++t) {
    const offset_t at = batch.at(t, n_rows);
    kernels_.add_sums(n_rows, batch.width(t), parameters_[0].bias.data(),
                      partial_[both ? 0 : 1].data() + at, both ? partial_[1].data() + at : nullptr,
                      outputs(0).data() + at);
  }
}

// All that is above the first layer's sums.
void Trainer::pass_above(offset_t i, int w) {
  const Tiles batch = tiles(i);
  activate(0, all_rows(0), batch);
  for (std::size_t l = 1; l < n_layers_; ++l) {
    forward(l, all_rows(l), batch, w);
    activate(l, all_rows(l), batch);
  }
  for (offset_t t = 0; t < batch.count(); ++t) loss_of(i, t);
  goes_on(i);
  for (std::size_t l = n_layers_; l-- > 1;) pass_down(l, {0, weights(l).n_columns}, batch, w);
  team_.arrive(w);
  for (std::size_t l = n_layers_; l-- > 1;) {
    update_biases(l, all_rows(l), i);
    update_synapses(l, all_blocks(l), all_rows(l), i, outputs_below(l), w);
  }
}

}  // namespace synaprune
