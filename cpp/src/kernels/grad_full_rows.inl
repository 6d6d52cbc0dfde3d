// grad_weights.inl where rows are full, as in a network that is not pruned yet: the same sums in
// the same order, with operands that serve several synapses.

// Four rows that have all of n columns, of which first .. last: in squares of 4 x 4, whose operands
// serve four times.
template <int n_vec>
static inline void grad_four_full_rows(offset_t n, offset_t first, offset_t last, const float* D,
                                       const float* X, bool accumulate, float* g) {
  constexpr offset_t ld = n_vec * width;
  constexpr int per_lanes = lanes / width;
  alignas(64) float sums[16 * lanes], square[16];
  for (offset_t c = first; c < last; c += 4) {
    const offset_t m = last - c < 4 ? last - c : 4;
    for (int part = 0; part < per_lanes; ++part) {
      vec acc[4][4];
      for (int v = part; v < n_vec; v += per_lanes) {
        vec d[4];
        for (int j = 0; j < 4; ++j) d[j] = load(D + j * ld + v * width);
        for (int i = 0; i < 4; ++i) {
          const vec x = load(X + (c + (i < m ? i : 0)) * ld + v * width);
          for (int j = 0; j < 4; ++j)
            acc[j][i] = v == part ? multiply(d[j], x) : multiply_add(d[j], x, acc[j][i]);
        }
      }
      for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 4; ++i) store(sums + (4 * j + i) * lanes + part * width, acc[j][i]);
    }
    for (int i = 0; i < 16; i += width) store(square + i, lane_sums<1>(sums + i * lanes));
    for (offset_t j = 0; j < 4; ++j) {
      float* to = g + j * n + c;
      if (m == 4 && !accumulate)
        std::memcpy(to, square + 4 * j, 4 * sizeof(float));
      else
        for (offset_t i = 0; i < m; ++i)
          to[i] = accumulate ? to[i] + square[4 * j + i] : square[4 * j + i];
    }
  }
}

// All full rows from r on, four at a time; returns how many. Columns pass by in pieces that stay in
// L1 for all of the rows.
template <int n_vec>
static inline index_t grad_full_rows(index_t r, index_t last, Block W, const float* D,
                                     const float* X, bool accumulate, float* g) {
  constexpr offset_t ld = n_vec * width, piece = 64;
  const offset_t n = W.end[r] - W.begin[r];
  index_t rows = 0;
  while (four_full_rows(r + rows, last, W) && W.end[r + rows] - W.begin[r + rows] == n &&
         W.local[W.begin[r + rows]] == W.local[W.begin[r]])
    rows += 4;
  const float* x = X + W.local[W.begin[r]] * ld;
  for (offset_t first = 0; first < n; first += piece)
    for (offset_t q = 0; q < rows; q += 4)
      grad_four_full_rows<n_vec>(n, first, n - first < piece ? n : first + piece, D + (r + q) * ld,
                                 x, accumulate, g + q * n);
  return rows;
}
