// Y (+)= W X for one block of W's columns and one tile of samples; see BlockedCsr and Tiles.
//   in  W.begin[rows], W.end[rows], W.local[nnz]   see Block
//   in  values[synapses of the rows in the block]   row by row
//   in  X[columns of the block, ld]  ld = 16, 32, 48 or 64 samples side by side
//   in  bias[rows] or null
//   i/o Y[rows, ld]   rows y_ld floats apart; accumulate: Y += sum; else overwritten with
//                     bias + sum; must not alias X
// Handles rows [rows.first, rows.last) and writes only those of Y. Work: 2·nnz·ld flops.
// Allocates nothing, throws nothing. A row's sum over a block starts at zero and runs in CSR order,
// one fused step a synapse; blocks are added in order. So bits do not depend on the tile.

template <int n_vec>
static inline void finish_row(const vec* acc, float bias, bool accumulate, float* y) {
  const vec b = broadcast(bias);
  for (int v = 0; v < n_vec; ++v)
    store(y + v * width, add(accumulate ? load(y + v * width) : b, acc[v]));
}

#include "full_rows.inl"

template <int n_vec>
static inline void spmm_row(offset_t n, const std::uint16_t* local, const float* w, const float* X,
                            float bias, bool accumulate, float* y) {
  constexpr offset_t ld = n_vec * width;
  vec acc[n_vec];
  for (int v = 0; v < n_vec; ++v) acc[v] = broadcast(0.0f);
  for (offset_t k = 0; k < n; ++k) {
    const vec wv = broadcast(w[k]);
    const float* x = X + local[k] * ld;
    for (int v = 0; v < n_vec; ++v) acc[v] = multiply_add(wv, load(x + v * width), acc[v]);
  }
  finish_row<n_vec>(acc, bias, accumulate, y);
}

template <int n_vec>
static inline void spmm_tile(Rows rows, Block W, const float* values, const float* X,
                             const float* bias, bool accumulate, offset_t y_ld, float* Y) {
  constexpr offset_t ld = n_vec * width;
  const offset_t begin = W.begin[rows.first];
  const auto one = [&](index_t r) {
    const offset_t k = W.begin[r], n = W.end[r] - k;
    if (!accumulate || n > 0)
      spmm_row<n_vec>(n, W.local + k, values + (k - begin), X, bias ? bias[r] : 0.0f, accumulate,
                      Y + r * y_ld);
  };
  if (W.full == nullptr) {
    for (index_t r = rows.first; r < rows.last; ++r) one(r);
    return;
  }
  LiveColumns live;
  LiveRuns runs;
  for (index_t r = rows.first; r < rows.last;) {
    const index_t full = full_rows(r, rows.last, W);
    if (full == 0) {
      one(r++);
      continue;
    }
    const offset_t k = W.begin[r], n = W.end[r] - k;
    const float* columns = X + W.local[k] * ld;
    find_live(full, n, ld, columns, live);
    const auto run = [&](auto all_live) {
      for_groups<full_rows_at_once>(full, [&](offset_t first, auto group) {
        spmm_full_rows<decltype(group)::value, n_vec, decltype(all_live)::value>(
            n, runs, values + (k - begin) + first * n, columns, bias ? bias + r + first : nullptr,
            accumulate, y_ld, Y + (r + first) * y_ld);
      });
    };
    if (live.n == n) {
      run(Constant<true>{});
    } else {
      find_runs(live, runs);
      run(Constant<false>{});
    }
    r += full;
  }
}

static void spmm(Rows rows, index_t ld, Block W, const float* values, const float* X,
                 const float* bias, bool accumulate, offset_t y_ld, float* Y) {
  constexpr int per_lanes = lanes / width;
  const auto run = [&](auto tile) { tile(rows, W, values, X, bias, accumulate, y_ld, Y); };
  if (ld == 1 * lanes) run(spmm_tile<1 * per_lanes>);
  if (ld == 2 * lanes) run(spmm_tile<2 * per_lanes>);
  if (ld == 3 * lanes) run(spmm_tile<3 * per_lanes>);
  if (ld == 4 * lanes) run(spmm_tile<4 * per_lanes>);
}

// The same for one sample: X[columns of the block], Y[rows]. Equal bits.
static void spmv(Rows rows, Block W, const float* values, const float* X, const float* bias,
                 bool accumulate, float* Y) {
  const float* w = values;
  for (index_t r = rows.first; r < rows.last; ++r) {
    float sum = 0.0f;
    for (offset_t k = W.begin[r]; k < W.end[r]; ++k) sum = multiply_add(*w++, X[W.local[k]], sum);
    Y[r] = (accumulate ? Y[r] : bias ? bias[r] : 0.0f) + sum;
  }
}
