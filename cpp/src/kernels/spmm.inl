// Y (+)= W X for one block of W's columns and one tile of samples; see BlockedCsr and Tiles.
//   in  W.begin[rows], W.end[rows], W.local[nnz], values[nnz]   see Block
//   in  X[columns of the block, ld]  ld = 16, 32, 48 or 64 samples side by side
//   in  bias[rows] or null
//   i/o Y[rows, ld]   rows y_ld floats apart; accumulate: Y += sum; else overwritten with
//                     bias + sum; must not alias X
// Handles rows [rows.first, rows.last) and writes only those of Y. Work: 2·nnz·ld flops.
// Allocates nothing, throws nothing. A row's sum over a block starts at zero and runs in CSR order,
// one fused step a synapse; blocks are added in order. So bits do not depend on the tile.

template <int n_vec>
static inline void finish_row(const vec* acc, const float* bias, bool accumulate, index_t r,
                              offset_t y_ld, float* Y) {
  float* y = Y + r * y_ld;
  const vec b = broadcast(bias ? bias[r] : 0.0f);
  for (int v = 0; v < n_vec; ++v)
    store(y + v * width, add(accumulate ? load(y + v * width) : b, acc[v]));
}

template <int n_vec>
static inline void spmm_row(index_t r, Block W, const float* values, const float* X,
                            const float* bias, bool accumulate, offset_t y_ld, float* Y) {
  constexpr offset_t ld = n_vec * width;
  const offset_t stop = W.end[r];
  vec acc[n_vec];
  for (int v = 0; v < n_vec; ++v) acc[v] = broadcast(0.0f);
  for (offset_t k = W.begin[r]; k < stop; ++k) {
    const vec w = broadcast(values[k]);
    const float* x = X + W.local[k] * ld;
    for (int v = 0; v < n_vec; ++v) acc[v] = multiply_add(w, load(x + v * width), acc[v]);
  }
  finish_row<n_vec>(acc, bias, accumulate, r, y_ld, Y);
}

// Rows r .. r + 3 that have all of n columns: what is read of X serves all four.
template <int n_vec>
static inline void spmm_four_full_rows(index_t r, offset_t n, const offset_t* begin,
                                       const float* values, const float* X, const float* bias,
                                       bool accumulate, offset_t y_ld, float* Y) {
  constexpr offset_t ld = n_vec * width;
  constexpr int strip = n_vec < full_strip ? n_vec : full_strip;
  const float *w0 = values + begin[r], *w1 = values + begin[r + 1], *w2 = values + begin[r + 2],
              *w3 = values + begin[r + 3];
  vec acc[4][n_vec];
  for (int first = 0; first < n_vec; first += strip) {
    for (int j = 0; j < 4; ++j)
      for (int v = first; v < first + strip; ++v) acc[j][v] = broadcast(0.0f);
    for (offset_t c = 0; c < n; ++c) {
      const float* x = X + c * ld;
      const vec w[4] = {broadcast(w0[c]), broadcast(w1[c]), broadcast(w2[c]), broadcast(w3[c])};
      for (int v = first; v < first + strip; ++v) {
        const vec xv = load(x + v * width);
        for (int j = 0; j < 4; ++j) acc[j][v] = multiply_add(w[j], xv, acc[j][v]);
      }
    }
  }
  for (int j = 0; j < 4; ++j) finish_row<n_vec>(acc[j], bias, accumulate, r + j, y_ld, Y);
}

// Whether rows r .. r + 3 have the same columns, first to last without a gap.
static inline bool four_full_rows(index_t r, index_t last, Block W) {
  if (r + 4 > last) return false;
  const offset_t n = W.end[r] - W.begin[r];
  for (index_t j = r; j < r + 4; ++j)
    if (W.end[j] - W.begin[j] != n || n == 0 || W.local[W.begin[j]] != W.local[W.begin[r]] ||
        W.local[W.end[j] - 1] - W.local[W.begin[j]] != n - 1)
      return false;
  return true;
}

template <int n_vec>
static inline void spmm_tile(Rows rows, Block W, const float* values, const float* X,
                             const float* bias, bool accumulate, offset_t y_ld, float* Y) {
  constexpr offset_t ld = n_vec * width;
  for (index_t r = rows.first; r < rows.last;) {
    if (four_full_rows(r, rows.last, W)) {
      spmm_four_full_rows<n_vec>(r, W.end[r] - W.begin[r], W.begin, values,
                                 X + W.local[W.begin[r]] * ld, bias, accumulate, y_ld, Y);
      r += 4;
    } else {
      if (!accumulate || W.begin[r] != W.end[r])
        spmm_row<n_vec>(r, W, values, X, bias, accumulate, y_ld, Y);
      ++r;
    }
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
  for (index_t r = rows.first; r < rows.last; ++r) {
    float sum = 0.0f;
    for (offset_t k = W.begin[r]; k < W.end[r]; ++k)
      sum = multiply_add(values[k], X[W.local[k]], sum);
    Y[r] = (accumulate ? Y[r] : bias ? bias[r] : 0.0f) + sum;
  }
}
