// g (+)= sum_s D[r, s] X[c, s] at the synapses (r, c) of one block of columns, for one tile.
//   in  begin[rows], end[rows], local[nnz]   as in spmm.inl
//   in  D[rows, ld], X[columns of the block, ld]
//   out g[synapses of rows row0 .. row1 in the block]   row by row; accumulate: added to, else
//       overwritten; caller allocates
//   i/o ahead   asked for on the way; or null
// Handles rows [row0, row1). Work: 2·nnz·ld flops. Allocates nothing, throws nothing.
// A sum runs in `lanes` accumulators, one fused step a vector, then as a tree (lane_sums.inl).

// One synapse: its products in `lanes` sums.
template <int n_vec>
static inline void products(const vec* d, const float* x, vec* acc) {
  constexpr int per_lanes = lanes / width;
  for (int v = 0; v < per_lanes; ++v) acc[v] = multiply(d[v], load(x + v * width));
  for (int v = per_lanes; v < n_vec; ++v)
    acc[v % per_lanes] = multiply_add(d[v], load(x + v * width), acc[v % per_lanes]);
}

// lane_sums of the products of `width` synapses of one row, without a detour through memory.
template <int n_vec, int half>
static inline vec row_of_sums(const vec* d, const float* X, const std::uint16_t* local) {
  if constexpr (half == width) {
    vec acc[lanes / width];
    products<n_vec>(d, X + local[0] * static_cast<offset_t>(n_vec * width), acc);
    return fold_lanes(acc);
  } else {
    return merge<half>(row_of_sums<n_vec, 2 * half>(d, X, local),
                       row_of_sums<n_vec, 2 * half>(d, X, local + half));
  }
}

template <int n_vec>
static inline void grad_weights_tile(index_t row0, index_t row1, const offset_t* begin,
                                     const offset_t* end, const std::uint16_t* local,
                                     const float* D, const float* X, bool accumulate, float* g,
                                     Ahead* ahead) {
  constexpr offset_t ld = n_vec * width;
  alignas(64) float waiting[width * lanes] = {}, sums[width];
  float* place[width];  // in g, of those that wait to be `width`
  int n = 0;
  const auto add_up = [&] {
    store(sums, lane_sums<1>(waiting));
    for (int i = 0; i < n; ++i) *place[i] = accumulate ? *place[i] + sums[i] : sums[i];
    n = 0;
  };
  for (index_t r = row0; r < row1; ++r) {
    offset_t k = begin[r];
    if (k == end[r]) continue;
    if (four_full_rows(r, row1, begin, end, local)) {
      const offset_t count = end[r] - k;
      const index_t rows =
          grad_full_rows<n_vec>(r, row1, begin, end, local, D, X, accumulate, g, ahead);
      g += rows * count;
      r += rows - 1;
      continue;
    }
    ask(ahead);
    vec d[n_vec];
    for (int v = 0; v < n_vec; ++v) d[v] = load(D + r * ld + v * width);
    for (int v = 0; v < n_vec && r + 3 < row1; ++v) come_near_to_read(D + (r + 3) * ld + v * width);
    for (; k + width <= end[r]; k += width, g += width) {
      const vec row = row_of_sums<n_vec, 1>(d, X, local + k);
      store(g, accumulate ? add(load(g), row) : row);
    }
    for (; k < end[r]; ++k) {
      vec acc[lanes / width];
      products<n_vec>(d, X + local[k] * ld, acc);
      for (int v = 0; v < lanes / width; ++v) store(waiting + n * lanes + v * width, acc[v]);
      place[n++] = g++;
      if (n == width) add_up();
    }
  }
  add_up();
}

static void grad_weights(index_t row0, index_t row1, index_t ld, const offset_t* begin,
                         const offset_t* end, const std::uint16_t* local, const float* D,
                         const float* X, bool accumulate, float* g, Ahead* ahead) {
  constexpr int per_lanes = lanes / width;
  const auto run = [&](auto tile) {
    tile(row0, row1, begin, end, local, D, X, accumulate, g, ahead);
  };
  if (ld == 1 * lanes) run(grad_weights_tile<1 * per_lanes>);
  if (ld == 2 * lanes) run(grad_weights_tile<2 * per_lanes>);
  if (ld == 3 * lanes) run(grad_weights_tile<3 * per_lanes>);
  if (ld == 4 * lanes) run(grad_weights_tile<4 * per_lanes>);
}
