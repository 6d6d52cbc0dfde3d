#include "synaprune/linear.hpp"

#include "synaprune/parallel.hpp"

namespace synaprune {

namespace {

// Features [first, last) of a row-major [features, n] array, into tiles; the last is padded with 0.
void pack(Tiles tiles, offset_t n_features, index_t first, index_t last, const float* from,
          float* to) {
  for (offset_t f = first; f < last; ++f)
    for (offset_t t = 0; t < tiles.count(); ++t) {
      const float* x = from + f * tiles.n + t * tiles.step;
      float* tile = to + tiles.at(t, n_features) + f * tiles.width(t);
      std::copy(x, x + tiles.size(t), tile);
      std::fill(tile + tiles.size(t), tile + tiles.width(t), 0.0f);
    }
}

void unpack(Tiles tiles, offset_t n_features, index_t first, index_t last, const float* from,
            float* to) {
  for (offset_t f = first; f < last; ++f)
    for (offset_t t = 0; t < tiles.count(); ++t) {
      const float* tile = from + tiles.at(t, n_features) + f * tiles.width(t);
      std::copy(tile, tile + tiles.size(t), to + f * tiles.n + t * tiles.step);
    }
}

// Calls f(first, last) for this thread's share of n things.
template <class F>
void share(const Team& team, int w, index_t n, F&& f) {
  const offset_t size = team.size();
  f(static_cast<index_t>(n * w / size), static_cast<index_t>(n * (w + 1) / size));
}

// As many synapses for each.
Range<index_t> share_of(const Team& team, int w, const BlockedCsr& m) {
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

void Linear::forward(const Kernels& kernels, const float* X, offset_t n, int threads, float* Y) {
  const Tiles tiles{n};
  Team team(threads_worth(n, threads));
  scratch_.resize(team.size());
  if (tiles.count() < team.size()) below_.resize(tiles.floats(n_in()));
  team.run([&](int w) {
    if (tiles.count() >= team.size()) {  // by samples: nothing passes between threads
      for (offset_t t = w; t < tiles.count(); t += team.size())
        forward_tile(kernels, X, tiles, t, 0, n_out(), scratch_[w], Y);
      return;
    }
    share(team, w, n_in(),
          [&](index_t first, index_t last) { pack(tiles, n_in(), first, last, X, below_.data()); });
    if (!team.meet(w, nothing)) return;
    const auto rows = share_of(team, w, plan_.weights);
    for (offset_t t = 0; t < tiles.count(); ++t)
      forward_tile(kernels, nullptr, tiles, t, rows.first, rows.last, scratch_[w], Y);
  });
}

// Some rows of one tile, from X as it lies (a block at a time) or, without X, from below_.
void Linear::forward_tile(const Kernels& kernels, const float* X, Tiles tiles, offset_t t,
                          index_t row0, index_t row1, Scratch& scratch, float* Y) {
  const BlockedCsr& W = plan_.weights;
  const index_t ld = tiles.width(t), size = tiles.size(t);
  const bool whole = size == ld;
  if (!whole) scratch.above.resize(offset_t{n_out()} * ld);
  float* y = whole ? Y + t * tiles.step : scratch.above.data();
  const offset_t y_ld = whole ? tiles.n : ld;
  for (index_t b = 0; b < W.n_blocks; ++b) {
    const offset_t first = W.first_column(b), last = W.last_column(b);
    const float* x = below_.data() + tiles.at(t, n_in()) + first * ld;
    if (X && tiles.n == ld) {  // one tile is laid out like the array
      x = X + first * ld;
    } else if (X) {
      scratch.block.resize(offset_t{W.width} * ld);
      for (offset_t c = first; c < last; ++c) {
        float* to = scratch.block.data() + (c - first) * ld;
        std::copy_n(X + c * tiles.n + t * tiles.step, size, to);
        std::fill(to + size, to + ld, 0.0f);
      }
      x = scratch.block.data();
    }
    kernels.spmm(row0, row1, ld, W.begin(b), W.end(b), W.local.data(), values_.data(), x,
                 bias_.data(), b > 0, y_ld, y);
  }
  for (offset_t r = row0; !whole && r < row1; ++r)
    std::copy_n(y + r * ld, size, Y + r * tiles.n + t * tiles.step);
}

void Linear::backward(const Kernels& kernels, const float* X, const float* D, offset_t n,
                      int threads, float* dvalues, float* dbias, float* dX) {
  const Tiles tiles{n};
  below_.resize(tiles.floats(n_in()));
  d_below_.resize(tiles.floats(n_in()));
  d_above_.resize(tiles.floats(n_out()));
  transposed_values_.resize(nnz());
  d_values_.resize(nnz());
  Team team(threads_worth(n, threads));
  const BlockedCsr& W = plan_.weights;
  team.run([&](int w) {
    share(team, w, n_in(),
          [&](index_t first, index_t last) { pack(tiles, n_in(), first, last, X, below_.data()); });
    share(team, w, n_out(), [&](index_t first, index_t last) {
      pack(tiles, n_out(), first, last, D, d_above_.data());
    });
    if (!team.meet(w, nothing)) return;
    const auto columns = share_of(team, w, plan_.transposed);
    transpose_values(plan_, columns, values_.data(), transposed_values_.data());
    input_gradients(kernels, plan_, columns, transposed_values_.data(), tiles, {0, tiles.count()},
                    d_above_.data(), d_below_.data());
    unpack(tiles, n_in(), columns.first, columns.last, d_below_.data(), dX);
    const auto rows = share_of(team, w, W);
    bias_gradients(kernels, n_out(), rows, tiles, d_above_.data(), dbias);
    for (index_t b = 0; b < W.n_blocks; ++b)
      weight_gradients(kernels, W, b, rows, tiles, d_above_.data(), below_.data(),
                       d_values_.data() + W.begin(b)[rows.first]);
    W.to_csr(d_values_.data(), dvalues, rows.first, rows.last);
  });
}

}  // namespace synaprune
