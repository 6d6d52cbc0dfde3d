#include "synaprune/linear.hpp"

#include "synaprune/parallel.hpp"

namespace synaprune {

namespace {

// Some features of a row-major [features, n] array, into tiles; the last is padded with 0.
void pack(Tiles tiles, offset_t n_features, Range<index_t> features, const float* from, float* to) {
  for (offset_t f = features.first; f < features.last; ++f)
    for (offset_t t = 0; t < tiles.count(); ++t) {
      const float* x = from + f * tiles.n + t * tiles.step;
      float* tile = to + tiles.at(t, n_features) + f * tiles.width(t);
      std::copy(x, x + tiles.size(t), tile);
      std::fill(tile + tiles.size(t), tile + tiles.width(t), 0.0f);
    }
}

void unpack(Tiles tiles, offset_t n_features, Range<index_t> features, const float* from,
            float* to) {
  for (offset_t f = features.first; f < features.last; ++f)
    for (offset_t t = 0; t < tiles.count(); ++t) {
      const float* tile = from + tiles.at(t, n_features) + f * tiles.width(t);
      std::copy(tile, tile + tiles.size(t), to + f * tiles.n + t * tiles.step);
    }
}

// This thread's share of n things.
Range<index_t> share(const Team& team, int w, index_t n) {
  const offset_t size = team.size();
  return {static_cast<index_t>(n * w / size), static_cast<index_t>(n * (w + 1) / size)};
}

// As many synapses for each.
Range<index_t> share_of(const Team& team, int w, const BlockedCsr& m) {
  if (team.size() == 1) return {0, m.n_rows};
  const auto before = row_work(m);
  const auto rows = split_evenly(team.size(), m.n_rows, [&](index_t r) { return before[r]; });
  return {rows[w], rows[w + 1]};
}

bool nothing() { return false; }

}  // namespace

Linear::Linear(index_t n_in, std::vector<offset_t> indptr, std::vector<index_t> indices,
               std::vector<float> values, std::vector<float> bias)
    : values_(std::move(values)), bias_(std::move(bias)) {
  const auto n_out = static_cast<index_t>(bias_.size());
  const auto nnz = static_cast<offset_t>(indices.size());
  check_canonical("W", n_out, n_in, indptr.data(), static_cast<offset_t>(indptr.size()),
                  indices.data(), nnz);
  if (static_cast<offset_t>(values_.size()) != nnz)
    throw std::invalid_argument("values must have " + std::to_string(nnz) + " entries, got " +
                                std::to_string(values_.size()));
  plan_ = plan_matrix(n_out, n_in, indptr.data(), indices.data());
  std::vector<float> blocks(values_.size());
  plan_.weights.to_blocks(values_.data(), blocks.data());
  values_ = std::move(blocks);
}

int Linear::threads_worth(offset_t n, int threads) const {
  constexpr offset_t worth_a_team = 1 << 19;  // synapse-samples, some 10 us
  return nnz() * padded(n) >= worth_a_team ? threads : 1;
}

// Each thread has rows of its own, and so lines of Y of its own.
void Linear::forward(const Kernels& kernels, const float* X, offset_t n, int threads, float* Y) {
  const Tiles tiles{n};
  Team team(threads_worth(n, threads));
  scratch_.resize(team.size());
  team.run([&](int w) {
    const auto rows = share_of(team, w, plan_.weights);
    for (offset_t t = 0; t < tiles.count(); ++t)
      forward_tile(kernels, X, tiles, t, rows, scratch_[w], Y);
  });
}

// A block of X at a time is laid out as a tile, where it is read by all of the rows.
void Linear::forward_tile(const Kernels& kernels, const float* X, Tiles tiles, offset_t t,
                          Range<index_t> rows, Scratch& scratch, float* Y) {
  const BlockedCsr& W = plan_.weights;
  const index_t ld = tiles.width(t), size = tiles.size(t);
  const bool whole = size == ld;
  if (!whole) scratch.above.resize(offset_t{n_out()} * ld);
  float* y = whole ? Y + t * tiles.step : scratch.above.data();
  for (index_t b = 0; b < W.n_blocks; ++b) {
    const offset_t first = W.first_column(b), last = W.last_column(b);
    const float* x = X + first * ld;
    if (tiles.n != ld) {  // else the array itself is one tile
      const auto floats = static_cast<std::size_t>((last - first) * ld);
      if (scratch.block.size() < floats) scratch.block.resize(floats);
      for (offset_t c = first; c < last; ++c) {
        float* to = scratch.block.data() + (c - first) * ld;
        std::copy_n(X + c * tiles.n + t * tiles.step, size, to);
        std::fill(to + size, to + ld, 0.0f);
      }
      x = scratch.block.data();
    }
    kernels.spmm(rows.first, rows.last, ld, W.begin(b), W.end(b), W.local.data(), values_.data(), x,
                 bias_.data(), b > 0, whole ? tiles.n : ld, y, nullptr);
  }
  for (offset_t r = rows.first; !whole && r < rows.last; ++r)
    std::copy_n(y + r * ld, size, Y + r * tiles.n + t * tiles.step);
}

void Linear::backward(const Kernels& kernels, const float* X, const float* D, offset_t n,
                      int threads, float* dvalues, float* dbias, float* dX) {
  const Tiles tiles{n};
  const bool as_it_lies = tiles.count() == 1 && tiles.width(0) == n;  // the arrays are tiles
  if (!as_it_lies) {
    below_.resize(tiles.floats(n_in()));
    d_below_.resize(tiles.floats(n_in()));
    d_above_.resize(tiles.floats(n_out()));
  }
  const float* x = as_it_lies ? X : below_.data();
  const float* d = as_it_lies ? D : d_above_.data();
  float* dx = as_it_lies ? dX : d_below_.data();
  transposed_values_.resize(nnz());
  d_values_.resize(nnz());
  if (n == 0) {  // no tile passes by to overwrite them
    std::fill(dvalues, dvalues + nnz(), 0.0f);
    std::fill(dbias, dbias + n_out(), 0.0f);
    return;
  }
  Team team(threads_worth(n, threads));
  const BlockedCsr& W = plan_.weights;
  team.run([&](int w) {
    if (!as_it_lies) {
      pack(tiles, n_in(), share(team, w, n_in()), X, below_.data());
      pack(tiles, n_out(), share(team, w, n_out()), D, d_above_.data());
      if (!team.meet(w, nothing)) return;
    }
    const auto columns = share_of(team, w, plan_.transposed);
    transpose_values(plan_, columns, values_.data(), transposed_values_.data());
    input_gradients(kernels, plan_, columns, transposed_values_.data(), tiles, {0, tiles.count()},
                    d, dx);
    if (!as_it_lies) unpack(tiles, n_in(), columns, dx, dX);
    const auto rows = share_of(team, w, W);
    bias_gradients(kernels, n_out(), rows, tiles, d, dbias);
    for (index_t b = 0; b < W.n_blocks; ++b)
      weight_gradients(kernels, W, b, rows, tiles, d, {x, 0, n_in()},
                       d_values_.data() + W.begin(b)[rows.first]);
    W.to_csr(d_values_.data(), dvalues, rows.first, rows.last);
  });
}

}  // namespace synaprune
