// Y (+)= W X for one block of W's columns and one tile of samples; see BlockedCsr and Tiles.
//   in  begin[rows], end[rows]       row r's synapses in the block are begin[r] .. end[r]
//   in  local[nnz], values[nnz]      column within the block, weight
//   in  X[columns of the block, ld]  ld = 16, 32, 48 or 64 samples side by side
//   in  bias[rows] or null
//   i/o Y[rows, ld]   rows y_ld floats apart; accumulate: Y += sum; else overwritten with
//                     bias + sum; must not alias X
//   i/o ahead        asked for on the way; or null
// Handles rows [row0, row1); writes only Y[row0:row1, :]. Work: 2·nnz·ld flops.
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
static inline void spmm_row(index_t r, const offset_t* begin, const offset_t* end,
                            const std::uint16_t* local, const float* values, const float* X,
                            const float* bias, bool accumulate, offset_t y_ld, float* Y) {
  constexpr offset_t ld = n_vec * width;
  const offset_t stop = end[r];
  vec acc[n_vec];
  for (int v = 0; v < n_vec; ++v) acc[v] = broadcast(0.0f);
  for (offset_t k = begin[r]; k < stop; ++k) {
    const vec w = broadcast(values[k]);
    const float* x = X + local[k] * ld;
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
static inline bool four_full_rows(index_t r, index_t row1, const offset_t* begin,
                                  const offset_t* end, const std::uint16_t* local) {
  if (r + 4 > row1) return false;
  const offset_t n = end[r] - begin[r];
  for (index_t j = r; j < r + 4; ++j)
    if (end[j] - begin[j] != n || n == 0 || local[begin[j]] != local[begin[r]] ||
        local[end[j] - 1] - local[begin[j]] != n - 1)
      return false;
  return true;
}

template <int n_vec>
static inline void spmm_tile(index_t row0, index_t row1, const offset_t* begin, const offset_t* end,
                             const std::uint16_t* local, const float* values, const float* X,
                             const float* bias, bool accumulate, offset_t y_ld, float* Y,
                             Ahead* ahead) {
  constexpr offset_t ld = n_vec * width;
  for (index_t r = row0; r < row1;) {
    if (four_full_rows(r, row1, begin, end, local)) {
      spmm_four_full_rows<n_vec>(r, end[r] - begin[r], begin, values, X + local[begin[r]] * ld,
                                 bias, accumulate, y_ld, Y);
      for (int j = 0; j < 4; ++j) ask(ahead);
      r += 4;
    } else {
      if (!accumulate || begin[r] != end[r])
        spmm_row<n_vec>(r, begin, end, local, values, X, bias, accumulate, y_ld, Y);
      ask(ahead);
      ++r;
    }
  }
}

static void spmm(index_t row0, index_t row1, index_t ld, const offset_t* begin, const offset_t* end,
                 const std::uint16_t* local, const float* values, const float* X, const float* bias,
                 bool accumulate, offset_t y_ld, float* Y, Ahead* ahead) {
  constexpr int per_lanes = lanes / width;
  const auto run = [&](auto tile) {
    tile(row0, row1, begin, end, local, values, X, bias, accumulate, y_ld, Y, ahead);
  };
  if (ld == 1 * lanes) run(spmm_tile<1 * per_lanes>);
  if (ld == 2 * lanes) run(spmm_tile<2 * per_lanes>);
  if (ld == 3 * lanes) run(spmm_tile<3 * per_lanes>);
  if (ld == 4 * lanes) run(spmm_tile<4 * per_lanes>);
}

// The same for one sample: X[columns of the block], Y[rows]. Equal bits.
static void spmv(index_t row0, index_t row1, const offset_t* begin, const offset_t* end,
                 const std::uint16_t* local, const float* values, const float* X, const float* bias,
                 bool accumulate, float* Y) {
  for (index_t r = row0; r < row1; ++r) {
    float sum = 0.0f;
    for (offset_t k = begin[r]; k < end[r]; ++k) sum = multiply_add(values[k], X[local[k]], sum);
    Y[r] = (accumulate ? Y[r] : bias ? bias[r] : 0.0f) + sum;
  }
}
