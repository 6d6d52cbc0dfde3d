#include "synaprune/linear.hpp"

#include "synaprune/parallel.hpp"

namespace synaprune {

namespace {

// Some features of a row-major [features, n] array, into tiles; the last is padded with 0.
void pack(Tiles tiles, offset_t n_features, Rows features, const float* from, float* to) {
  for (offset_t f = features.first; f < features.last; ++f)
    for (offset_t t = 0; t < tiles.count(); ++t) {
      const float* x = from + f * tiles.n + t * tiles.step;
      float* tile = to + tiles.at(t, n_features) + f * tiles.width(t);
      std::copy(x, x + tiles.size(t), tile);
      std::fill(tile + tiles.size(t), tile + tiles.width(t), 0.0f);
    }
}

void unpack(Tiles tiles, offset_t n_features, Rows features, const float* from, float* to) {
  for (offset_t f = features.first; f < features.last; ++f)
    for (offset_t t = 0; t < tiles.count(); ++t) {
      const float* tile = from + tiles.at(t, n_features) + f * tiles.width(t);
      std::copy(tile, tile + tiles.size(t), to + f * tiles.n + t * tiles.step);
    }
}

// This thread's share of n things.
Rows share(const Team& team, int w, index_t n) {
  const offset_t size = team.size();
  return {static_cast<index_t>(n * w / size), static_cast<index_t>(n * (w + 1) / size)};
}

// As many synapses for each.
Rows share_of(const Team& team, int w, const BlockedCsr& m) {
  if (team.size() == 1) return {0, m.n_rows};
  const auto prefix = prefix_work(m);
  const auto rows = split_evenly(team.size(), m.n_rows, [&](index_t r) { return prefix[r]; });
  return {rows[w], rows[w + 1]};
}

}  // namespace

Linear::Linear(index_t n_in, const std::vector<offset_t>& indptr,
               const std::vector<index_t>& indices, const std::vector<float>& values,
               std::vector<float> bias)
    : values_(values.size()), bias_(std::move(bias)) {
  const auto n_out = static_cast<index_t>(bias_.size());
  const auto nnz = static_cast<offset_t>(indices.size());
  check_canonical("W", n_out, n_in, indptr.data(), static_cast<offset_t>(indptr.size()),
                  indices.data(), nnz);
  if (static_cast<offset_t>(values.size()) != nnz)
    throw std::invalid_argument("values must have " + std::to_string(nnz) + " entries, got " +
                                std::to_string(values.size()));
  plan_ = plan_matrix(n_out, n_in, indptr.data(), indices.data());
  plan_.weights.to_blocks(values.data(), values_.data());
}

int Linear::threads_worth(offset_t n, int threads) const {
  return nnz() * padded(n) >= tuning::worth_a_team_once ? threads : 1;
}

// Each thread has rows of its own, and so lines of Y of its own.
void Linear::forward(const Kernels& kernels, const float* X, offset_t n, int threads,
                     Workspace& work, float* Y) const {
  const Tiles tiles{n};
  Team team(threads_worth(n, threads));
  work.block.resize(team.size());
  work.tile.resize(team.size());
  team.run([&](int w) {
    const auto rows = share_of(team, w, plan_.weights);
    for (offset_t t = 0; t < tiles.count(); ++t)
      forward_tile(kernels, X, tiles, t, rows, work.block[w], work.tile[w], Y);
  });
}

// A block of X at a time is laid out as a tile, where it is read by all of the rows.
void Linear::forward_tile(const Kernels& kernels, const float* X, Tiles tiles, offset_t t,
                          Rows rows, Buffer& block, Buffer& tile, float* Y) const {
  const BlockedCsr& W = plan_.weights;
  const index_t ld = tiles.width(t), size = tiles.size(t);
  const bool whole = size == ld;
  if (!whole) tile.resize(offset_t{n_out()} * ld);
  const Target target =
      whole ? Target{Y + t * tiles.step, tiles.n} : Target{tile.data(), offset_t{ld}};
  const auto lay_out = [&](offset_t, index_t b) -> const float* {
    const offset_t first = W.first_column(b), last = W.last_column(b);
    if (tiles.n == ld) return X + first * ld;  // the array itself is one tile
    const auto floats = static_cast<std::size_t>((last - first) * ld);
    if (block.size() < floats) block.resize(floats);
    for (offset_t c = first; c < last; ++c) {
      float* to = block.data() + (c - first) * ld;
      std::copy_n(X + c * tiles.n + t * tiles.step, size, to);
      std::fill(to + size, to + ld, 0.0f);
    }
    return block.data();
  };
  forward_blocks(kernels, W, rows, {0, W.n_blocks}, values_.data(), bias_.data(), tiles, {t, t + 1},
                 lay_out, [&](offset_t) { return target; });
  for (offset_t r = rows.first; !whole && r < rows.last; ++r)
    std::copy_n(target.Y + r * ld, size, Y + r * tiles.n + t * tiles.step);
}

void Linear::backward(const Kernels& kernels, const float* X, const float* D, offset_t n,
                      int threads, Workspace& work, float* dvalues, float* dbias, float* dX) const {
  const Tiles tiles{n};
  if (n == 0) {  // no tile passes by to overwrite them
    std::fill(dvalues, dvalues + nnz(), 0.0f);
    std::fill(dbias, dbias + n_out(), 0.0f);
    return;
  }
  const bool as_it_lies = tiles.count() == 1 && tiles.width(0) == n;  // the arrays are tiles
  if (!as_it_lies) {
    work.below.resize(tiles.floats(n_in()));
    work.d_below.resize(tiles.floats(n_in()));
    work.d_above.resize(tiles.floats(n_out()));
  }
  const float* x = as_it_lies ? X : work.below.data();
  const float* d = as_it_lies ? D : work.d_above.data();
  float* dx = as_it_lies ? dX : work.d_below.data();
  work.d_values.resize(nnz());
  Team team(threads_worth(n, threads));
  work.piece.resize(team.size());
  const offset_t floats = transposed_floats(plan_);
  for (Buffer& piece : work.piece) piece.resize(floats);
  const BlockedCsr& W = plan_.weights;
  team.run([&](int w) {
    if (!as_it_lies) {
      pack(tiles, n_in(), share(team, w, n_in()), X, work.below.data());
      pack(tiles, n_out(), share(team, w, n_out()), D, work.d_above.data());
      if (!team.barrier(w)) return;
    }
    const auto columns = share_of(team, w, plan_.transposed);
    input_gradients(kernels, plan_, columns, values_.data(), tiles, {0, tiles.count()}, d,
                    work.piece[w].data(), dx);
    if (!as_it_lies) unpack(tiles, n_in(), columns, dx, dX);
    const auto rows = share_of(team, w, W);
    bias_gradients(kernels, n_out(), rows, tiles, d, false, dbias);
    for (index_t b = 0; b < W.n_blocks; ++b)
      weight_gradients(kernels, W, b, rows, tiles, {0, tiles.count()}, d, {x, 0, n_in()}, false,
                       work.d_values.data() + W.begin(b)[rows.first]);
    W.to_csr(work.d_values.data(), dvalues, rows.first, rows.last);
  });
}

}  // namespace synaprune
