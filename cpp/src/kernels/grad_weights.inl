// g (+)= sum_s D[r, s] X[c, s] at the synapses (r, c) of one block of columns, for one tile.
//   in  begin[rows], end[rows], local[nnz]   as in spmm.inl
//   in  D[rows, ld], X[columns of the block, ld]
//   out g[synapses of rows row0 .. row1 in the block]   row by row; accumulate: added to, else
//       overwritten; caller allocates
// Handles rows [row0, row1). Work: 2·nnz·ld flops. Allocates nothing, throws nothing.
// A sum runs in `lanes` accumulators, which are then added as a binary tree, for `width` synapses
// at once: merge<half> adds the upper to the lower half of each group of 2·half lanes, and keeps
// what came of p in the lower half and what came of q in the upper one.

template <int half>
static inline vec lane_sums(const float* rows) {
  if constexpr (half == width)
    return fold_lanes(rows);
  else
    return merge<half>(lane_sums<2 * half>(rows), lane_sums<2 * half>(rows + half * lanes));
}

// One synapse: its products in `lanes` sums.
template <int n_vec>
static inline void products(const vec* d, const float* x, float* sums) {
  constexpr int per_lanes = lanes / width;
  vec acc[per_lanes];
  for (int v = 0; v < per_lanes; ++v) acc[v] = multiply(d[v], load(x + v * width));
  for (int v = per_lanes; v < n_vec; ++v)
    acc[v % per_lanes] = multiply_add(d[v], load(x + v * width), acc[v % per_lanes]);
  for (int v = 0; v < per_lanes; ++v) store(sums + v * width, acc[v]);
}

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
static inline index_t grad_full_rows(index_t r, index_t row1, const offset_t* begin,
                                     const offset_t* end, const std::uint16_t* local,
                                     const float* D, const float* X, bool accumulate, float* g) {
  constexpr offset_t ld = n_vec * width, piece = 64;
  const offset_t n = end[r] - begin[r];
  index_t rows = 0;
  while (four_full_rows(r + rows, row1, begin, end, local) &&
         end[r + rows] - begin[r + rows] == n && local[begin[r + rows]] == local[begin[r]])
    rows += 4;
  const float* x = X + local[begin[r]] * ld;
  for (offset_t first = 0; first < n; first += piece)
    for (offset_t q = 0; q < rows; q += 4)
      grad_four_full_rows<n_vec>(n, first, n - first < piece ? n : first + piece, D + (r + q) * ld,
                                 x, accumulate, g + q * n);
  return rows;
}

template <int n_vec>
static inline void grad_weights_tile(index_t row0, index_t row1, const offset_t* begin,
                                     const offset_t* end, const std::uint16_t* local,
                                     const float* D, const float* X, bool accumulate, float* g) {
  constexpr offset_t ld = n_vec * width;
  constexpr int capacity = 64;  // synapses whose lanes wait for their tree; stays in L1
  alignas(64) float waiting[capacity * lanes];
  offset_t n = 0;
  const auto add_up = [&](offset_t whole) {
    for (offset_t i = 0; i < whole; i += width) {
      const vec sums = lane_sums<1>(waiting + i * lanes);
      store(g + i, accumulate ? add(load(g + i), sums) : sums);
    }
    g += n;
    n = 0;
  };
  const auto add_up_rest = [&] {  // not a multiple of `width`, so that nothing behind is touched
    const offset_t whole = n / width * width;
    alignas(64) float last[width] = {};
    const offset_t rest = n - whole;
    if (rest > 0) store(last, lane_sums<1>(waiting + whole * lanes));
    for (offset_t i = 0; i < rest; ++i)
      g[whole + i] = accumulate ? g[whole + i] + last[i] : last[i];
    add_up(whole);
  };
  for (offset_t i = 0; i < capacity * lanes; i += width) store(waiting + i, broadcast(0.0f));
  for (index_t r = row0; r < row1; ++r) {
    offset_t k = begin[r];
    if (k == end[r]) continue;
    if (four_full_rows(r, row1, begin, end, local)) {
      add_up_rest();
      const offset_t count = end[r] - k;
      const index_t rows = grad_full_rows<n_vec>(r, row1, begin, end, local, D, X, accumulate, g);
      g += rows * count;
      r += rows - 1;
      continue;
    }
    vec d[n_vec];
    for (int v = 0; v < n_vec; ++v) d[v] = load(D + r * ld + v * width);
    while (k < end[r]) {
      const offset_t stop = end[r] - k < capacity - n ? end[r] : k + (capacity - n);
      float* to = waiting + n * lanes;
      n += stop - k;
      for (; k < stop; ++k, to += lanes) products<n_vec>(d, X + local[k] * ld, to);
      if (n == capacity) add_up(capacity);
    }
  }
  add_up_rest();
}

static void grad_weights(index_t row0, index_t row1, index_t ld, const offset_t* begin,
                         const offset_t* end, const std::uint16_t* local, const float* D,
                         const float* X, bool accumulate, float* g) {
  constexpr int per_lanes = lanes / width;
  const auto run = [&](auto tile) { tile(row0, row1, begin, end, local, D, X, accumulate, g); };
  if (ld == 1 * lanes) run(grad_weights_tile<1 * per_lanes>);
  if (ld == 2 * lanes) run(grad_weights_tile<2 * per_lanes>);
  if (ld == 3 * lanes) run(grad_weights_tile<3 * per_lanes>);
  if (ld == 4 * lanes) run(grad_weights_tile<4 * per_lanes>);
}

// sums[r] (+)= sum_s D[r, s], in the same order.
static void row_sums(index_t n_rows, index_t ld, const float* D, bool accumulate, float* sums) {
  constexpr int per_lanes = lanes / width;
  alignas(64) float waiting[width * lanes], result[width];
  for (index_t r = 0; r < n_rows; r += width) {
    const index_t n = n_rows - r < width ? n_rows - r : width;
    for (index_t j = 0; j < width; ++j) {
      const float* d = D + static_cast<offset_t>(r + (j < n ? j : 0)) * ld;
      for (int v = 0; v < per_lanes; ++v) {
        vec acc = load(d + v * width);
        for (index_t s = lanes; s < ld; s += lanes) acc = add(acc, load(d + s + v * width));
        store(waiting + j * lanes + v * width, acc);
      }
    }
    store(result, lane_sums<1>(waiting));
    for (index_t j = 0; j < n; ++j) sums[r + j] = accumulate ? sums[r + j] + result[j] : result[j];
  }
}
