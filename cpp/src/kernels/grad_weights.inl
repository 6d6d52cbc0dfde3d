// g (+)= sum_s D[r, s] X[c, s] at the synapses (r, c) of one block of columns, for one tile.
//   in  W.begin[rows], W.end[rows], W.local[nnz]   see Block
//   in  D[rows, ld], X[columns of the block, ld]
//   out g[synapses of the rows in the block]   row by row; accumulate: added to, else
//       overwritten; caller allocates
// Handles rows [rows.first, rows.last). Work: 2·nnz·ld flops. Allocates nothing, throws nothing.
// A sum runs in `lanes` accumulators, one fused step a vector, then as a tree (lane_sums.inl).

// One synapse: its products in `lanes` sums, and these in `width`.
template <int n_vec>
static inline vec products(const vec* d, const float* x) {
  constexpr int per_lanes = lanes / width;
  vec acc[per_lanes];
  for (int v = 0; v < per_lanes; ++v) acc[v] = multiply(d[v], load(x + v * width));
  for (int v = per_lanes; v < n_vec; ++v)
    acc[v % per_lanes] = multiply_add(d[v], load(x + v * width), acc[v % per_lanes]);
  return fold_lanes(acc);
}

// lane_sums of product(0), product(stride), product(2 stride), … in lanes 0, stride, 2 stride, …
template <int stride, int half, class Product>
static inline vec sums_of(Product product, int first) {
  if constexpr (half == width) {
    return product(first);
  } else if constexpr (half < stride) {
    const vec both = sums_of<stride, 2 * half>(product, first);
    return add_halves<half>(both, both);
  } else {
    return add_halves<half>(sums_of<stride, 2 * half>(product, first),
                            sums_of<stride, 2 * half>(product, first + half));
  }
}

// The next n synapses of a row, at most width / stride.
template <int n_vec, int stride>
static inline void grad_tail(const vec* d, const float* X, const std::uint16_t* local, int n,
                             bool accumulate, float* g) {
  const auto product = [&](int lane) {
    const int j = lane / stride < n ? lane / stride : n - 1;
    return products<n_vec>(d, X + local[j] * static_cast<offset_t>(n_vec * width));
  };
  const vec sums = stride_lanes<stride>(sums_of<stride, 1>(product, 0));
  store_some(g, accumulate ? add(load_some(g, n), sums) : sums, n);
}

template <int n_vec>
static inline void grad_weights_tile(Rows rows, Block W, const float* D, const float* X,
                                     bool accumulate, float* g) {
  constexpr offset_t ld = n_vec * width;
  for (index_t r = rows.first; r < rows.last; ++r) {
    offset_t k = W.begin[r];
    if (k == W.end[r]) continue;
    const offset_t n = W.end[r] - k;
    const index_t full = W.full == nullptr || n < width ? 0 : full_rows(r, rows.last, W);
    if (full > 0) {
      grad_full_rows(full, ld, n, D + r * ld, X + W.local[k] * ld, accumulate, g);
      g += full * n;
      r += full - 1;
      continue;
    }
    vec d[n_vec];
    for (int v = 0; v < n_vec; ++v) d[v] = load(D + r * ld + v * width);
    for (int v = 0; v < n_vec && r + 3 < rows.last; ++v)
      SYNAPRUNE_PREFETCH_L1(D + (r + 3) * ld + v * width);
    for (; k + width <= W.end[r]; k += width, g += width) {
      const vec sums =
          sums_of<1, 1>([&](int j) { return products<n_vec>(d, X + W.local[k + j] * ld); }, 0);
      store(g, accumulate ? add(load(g), sums) : sums);
    }
    const auto rest = static_cast<int>(W.end[r] - k);
    if (rest > width / 2)
      grad_tail<n_vec, 1>(d, X, W.local + k, rest, accumulate, g);
    else if (rest > width / 4)
      grad_tail<n_vec, 2>(d, X, W.local + k, rest, accumulate, g);
    else if (rest > 0)
      grad_tail<n_vec, 4>(d, X, W.local + k, rest, accumulate, g);
    g += rest;
  }
}

static void grad_weights(Rows rows, index_t ld, Block W, const float* D, const float* X,
                         bool accumulate, float* g) {
  constexpr int per_lanes = lanes / width;
  const auto run = [&](auto tile) { tile(rows, W, D, X, accumulate, g); };
  if (ld == 1 * lanes) run(grad_weights_tile<1 * per_lanes>);
  if (ld == 2 * lanes) run(grad_weights_tile<2 * per_lanes>);
  if (ld == 3 * lanes) run(grad_weights_tile<3 * per_lanes>);
  if (ld == 4 * lanes) run(grad_weights_tile<4 * per_lanes>);
}
