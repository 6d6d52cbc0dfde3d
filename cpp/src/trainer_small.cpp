// A batch of a small network: each thread takes its own columns up, all of what is above up and
// down, and its own columns down.
#include "synaprune/trainer.hpp"

namespace synaprune {

bool Trainer::small_batch(offset_t i, int w) {
  const Tiles batch = tiles(i);
  look_ahead(i + 1, w);
  if (w == 0) before_();
  // The last batch may be smaller: its columns lie elsewhere, where others may still read.
  if (batch.n < t_.batch_size && !wait(w)) return false;
  for_own_parts(w, team_, shares_, [&](Rows groups) {
    // The others have read these lines: to get them back takes as long as a gather.
    for (index_t g = groups.first; g < groups.last; ++g)
      kernels_.will_write(partial(i, g), batch.floats(weights(0).n_rows));
    gather_columns(i, groups, w);
    for (index_t g = groups.first; g < groups.last; ++g) partial_sums(i, g, w);
  });
  if (!wait(w)) return false;
  add_partials(i, w);
  activate(0, all_rows(0), batch, w);
  for (std::size_t l = 1; l < n_layers_; ++l) {
    forward(l, all_rows(l), batch, w);
    activate(l, all_rows(l), batch, w);
  }
  for (offset_t t = 0; t < batch.count(); ++t) loss_of(i, t, w);
  if (w == 0) goes_on(i);
  for (std::size_t l = n_layers_; l-- > 0;) {
    if (l > 0) pass_down(l, {0, weights(l).n_columns}, batch, w);
    update_biases(l, all_rows(l), i, w);
    if (l > 0 && (optimizer_ || w == 0)) update_synapses(l, all_blocks(l), all_rows(l), i, w);
  }
  for_own_parts(w, team_, shares_, [&](Rows groups) {
    update_synapses(0, {groups_[groups.first], groups_[groups.last]}, all_rows(0), i, w);
  });
  return !team_.stopped();
}

void Trainer::gather_columns(offset_t i, Rows groups, int w) {
  const Tiles batch = tiles(i);
  const BlockedCsr& W = weights(0);
  const index_t first = W.first_column(groups_[groups.first]);
  const index_t last = W.first_column(groups_[groups.last]);
  if (first == last) return;
  const InputView view{t_.plan.inputs.data() + first, last - first, t_.shift, t_.scale};
  char* scratch = moved_.empty() ? nullptr : reinterpret_cast<char*>(moved_[w].data());
  for (offset_t t = 0; t < batch.count(); ++t)
    gather(kernels_, t_.samples, i * t_.batch_size + t * batch.step, batch.size(t), view, false,
           scratch, inputs_.data() + batch.at(t, W.n_columns) + offset_t{first} * batch.width(t),
           &ahead_[w]);
}

// What a group's columns add to the first layer's sums.
void Trainer::partial_sums(offset_t i, index_t group, int w) {
  const Tiles batch = tiles(i);
  const BlockedCsr& W = weights(0);
  for (index_t b = groups_[group]; b < groups_[group + 1]; ++b)
    for (offset_t t = 0; t < batch.count(); ++t) {
      const index_t ld = batch.width(t);
      kernels_.spmm(0, W.n_rows, ld, W.begin(b), W.end(b), W.local.data(),
                    passes_[0].parameters[0].values.data(),
                    inputs_.data() + batch.at(t, W.n_columns) + offset_t{W.first_column(b)} * ld,
                    nullptr, b > groups_[group], ld, partial(i, group) + batch.at(t, W.n_rows),
                    &ahead_[w]);
    }
}

// The first layer's sums: all groups', in order.
void Trainer::add_partials(offset_t i, int w) {
  const Tiles batch = tiles(i);
  const index_t n_rows = weights(0).n_rows;
  for (offset_t t = 0; t < batch.count(); ++t)
    kernels_.add_sums(n_rows, batch.width(t), static_cast<index_t>(groups_.size()) - 1,
                      tiles(0).floats(n_rows), own(w).parameters[0].bias.data(),
                      partial(i, 0) + batch.at(t, n_rows),
                      outputs(0, w).data() + batch.at(t, n_rows));
}

}  // namespace synaprune
