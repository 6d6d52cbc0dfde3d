// A batch of a small network: each thread takes its own columns up, its own samples up and down,
// and its own columns down.
#include "synaprune/trainer.hpp"

namespace synaprune {

bool Trainer::small_batch(offset_t i, int w) {
  asked_[w] = 0;
  if (w == 0) before_();
  // The last batch may be smaller: its columns lie elsewhere, where others may still read.
  if (tiles(i).n < t_.batch_size && !wait(i, w)) return false;
  for_own_parts(w, team_, blocks_, [&](Rows blocks) {
    gather_columns(i, blocks, w);
    partial_sums(i, blocks);
  });
  if (!wait(i, w)) return false;
  const offset_t n_tiles = upper_tiles(i).count();
  for (offset_t t = w; t < n_tiles; t += team_.size()) up_and_down(i, t, w);
  if (!wait(i, w)) return false;
  if (w == 0 && !goes_on(upper_tiles(i))) team_.stop();
  update_own(i, w);
  for_own_parts(w, team_, blocks_, [&](Rows blocks) {
    for (index_t b = blocks.first; b < blocks.last; ++b)
      update_synapses(0, b, {0, weights(0).n_rows}, tiles(i), first_delta_.data(), inputs_.data(),
                      i, w);
  });
  return !team_.stopped();
}

void Trainer::gather_columns(offset_t i, Rows blocks, int w) {
  const Tiles batch = tiles(i);
  const BlockedCsr& W = weights(0);
  const index_t first = W.first_column(blocks.first), last = W.first_column(blocks.last);
  if (first == last) return;
  const InputView view{t_.plan.inputs.data() + first, last - first, t_.shift, t_.scale};
  char* scratch = moved_.empty() ? nullptr : reinterpret_cast<char*>(moved_[w].data());
  for (offset_t t = 0; t < batch.count(); ++t) {
    const offset_t sample = i * t_.batch_size + t * batch.step;
    gather(kernels_, t_.samples, sample, batch.size(t), sample + t_.batch_size, view, false,
           scratch, inputs_.data() + batch.at(t, W.n_columns) + offset_t{first} * batch.width(t));
  }
}

void Trainer::partial_sums(offset_t i, Rows blocks) {
  const Tiles batch = tiles(i);
  const BlockedCsr& W = weights(0);
  for (index_t b = blocks.first; b < blocks.last; ++b)
    for (offset_t t = 0; t < batch.count(); ++t) {
      const index_t ld = batch.width(t);
      const offset_t column = W.first_column(b);
      kernels_.spmm(0, W.n_rows, ld, W.begin(b), W.end(b), W.local.data(),
                    parameters_[0][0].values.data(),
                    inputs_.data() + batch.at(t, W.n_columns) + column * ld, nullptr, false, ld,
                    partial(b, batch) + batch.at(t, W.n_rows));
    }
}

// While waiting: the thread's columns of one more sample of the next batch come near.
bool Trainer::ask_ahead(offset_t i, int w) {
  const offset_t next = (i + 1) * t_.batch_size + asked_[w];
  if (asked_[w] >= t_.batch_size || next >= t_.samples.X.n) return false;
  const BlockedCsr& W = weights(0);
  const index_t first = W.first_column(blocks_[w]), last = W.first_column(blocks_[w + 1]);
  if (first == last) return false;
  const char* row = t_.samples[next];
  const auto& inputs = t_.plan.inputs;
  ++asked_[w];
  come_near(row + t_.samples.X.offset(inputs[first]),
            row + t_.samples.X.offset(inputs[last - 1] + 1));
  return true;
}

// The first layer's sums of one upper tile, a part of one of the batch's tiles.
void Trainer::add_partials(offset_t i, offset_t t, const float* bias) {
  const Tiles batch = tiles(i), upper = upper_tiles(i);
  const BlockedCsr& W = weights(0);
  const offset_t tile = t * upper.step / batch.step, from = t * upper.step % batch.step;
  kernels_.add_blocks(W.n_rows, upper.width(t), batch.width(tile), W.n_blocks,
                      batch.floats(W.n_rows), bias,
                      partial(0, batch) + batch.at(tile, W.n_rows) + from,
                      outputs(0).data() + upper.at(t, W.n_rows));
}

void Trainer::up_and_down(offset_t i, offset_t t, int w) {
  const Tiles batch = tiles(i), upper = upper_tiles(i);
  const index_t n_rows = weights(0).n_rows, width = upper.width(t);
  add_partials(i, t, own(0, w).bias.data());
  if (n_layers_ > 1)
    kernels_.activate(t_.activation, offset_t{n_rows} * width,
                      outputs_[0].data() + upper.at(t, n_rows));
  for (std::size_t l = 1; l < n_layers_; ++l)
    forward(l, {0, weights(l).n_rows}, upper, {t, t + 1}, own(l, w));
  loss_of(i, upper, t);
  for (std::size_t l = n_layers_; l-- > 1;)
    pass_down(l, {0, weights(l).n_columns}, upper, {t, t + 1}, own(l, w));
  tile_gradients(i, t);
  const offset_t tile = t * upper.step / batch.step, to = t * upper.step % batch.step;
  const float* delta = deltas_[0].data() + upper.at(t, n_rows);
  for (index_t r = 0; r < n_rows; ++r, delta += width)
    std::copy(delta, delta + width,
              first_delta_.data() + batch.at(tile, n_rows) + offset_t{r} * batch.width(tile) + to);
}

// Of one tile: all biases, and the synapses above the first layer.
void Trainer::tile_gradients(offset_t i, offset_t t) {
  const Tiles upper = upper_tiles(i);
  const index_t ld = upper.width(t);
  float* g = tile_gradients_[t].data();
  for (std::size_t l = 0; l < n_layers_; ++l) {
    const BlockedCsr& W = weights(l);
    const float* D = deltas_[l].data() + upper.at(t, W.n_rows);
    kernels_.row_sums(W.n_rows, ld, D, false, g);
    g += W.n_rows;
    for (index_t b = 0; l > 0 && b < W.n_blocks; ++b) {
      kernels_.grad_weights(
          0, W.n_rows, ld, W.begin(b), W.end(b), W.local.data(), D,
          outputs_[l - 1].data() + upper.at(t, W.n_columns) + offset_t{W.first_column(b)} * ld,
          false, g);
      g += W.count(b, 0, W.n_rows);
    }
  }
}

// Every thread adds up all tiles' gradients and updates its own copy.
void Trainer::update_own(offset_t i, int w) {
  if (!optimizer_ && w != 0) return;  // gradients are kept once
  Buffer& sum = own_gradients_[w];
  sum = tile_gradients_[0];
  for (offset_t t = 1; t < upper_tiles(i).count(); ++t)
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += tile_gradients_[t][k];
  const float* g = sum.data();
  for (std::size_t l = 0; l < n_layers_; ++l) {
    const BlockedCsr& W = weights(l);
    Parameters& p = own(l, w);
    if (!optimizer_) {
      std::copy(g, g + W.n_rows, dbias_[l].begin());
      g += W.n_rows;
      if (l > 0) std::copy(g, g + W.nnz(), gradients_[l].begin());
      g += l > 0 ? W.nnz() : 0;
      continue;
    }
    const Update update(*optimizer_, step_ + i + 1);
    update.biases(W.n_rows, g, p.bias.data(), state(p.bias_moment1), state(p.bias_moment2),
                  state(p.bias_frozen));
    g += W.n_rows;
    if (l == 0) continue;
    update.synapses(W.nnz(), g, p.values.data(), state(p.moment1), state(p.moment2),
                    state(p.frozen));
    g += W.nnz();
    transpose_values(plan(l), {0, plan(l).transposed.n_rows}, p.values.data(),
                     p.transposed_values.data());
  }
}

}  // namespace synaprune
