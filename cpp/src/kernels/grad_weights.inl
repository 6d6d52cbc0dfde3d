// g (+)= sum_s D[r, s] X[c, s] at the synapses (r, c) of one block of columns, for one tile.
//   in  begin[rows], end[rows], local[nnz]   as in spmm.inl
//   in  D[rows, ld], X[columns of the block, ld]
//   out g[synapses of rows row0 .. row1 in the block]   row by row; accumulate: added to, else
//       overwritten; caller allocates
// Handles rows [row0, row1). Work: 2·nnz·ld flops. Allocates nothing, throws nothing.
// A sum runs in `lanes` accumulators, one fused step a vector, then as a tree (lane_sums.inl).

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
