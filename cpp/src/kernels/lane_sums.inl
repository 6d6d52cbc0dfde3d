// Sums of `lanes` numbers as a binary tree, for `width` rows of them at once: add_halves<half> adds
// the upper to the lower half of each group of 2·half lanes, and keeps what came of p in the lower
// half and what came of q in the upper one. So row i ends in lane i, at every level in the same
// order.
//   in  rows[width, lanes]

template <int half>
static inline vec lane_sums(const float* rows) {
  if constexpr (half == width) {
    vec acc[lanes / width];
    for (int v = 0; v < lanes / width; ++v) acc[v] = load(rows + v * width);
    return fold_lanes(acc);
  } else {
    return add_halves<half>(lane_sums<2 * half>(rows), lane_sums<2 * half>(rows + half * lanes));
  }
}

// sums[r] (+)= sum_s D[r, s] in `lanes` accumulators, then as a tree.
//   in  D[n_rows, ld]
//   out sums[n_rows]   accumulate: added to, else overwritten; caller allocates
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
