// dvalues[k] = sum_s D[row(k), s] X[indices[k], s] at the synapses, dbias[r] = sum_s D[r, s].
//   in  indptr[rows + 1], indices[nnz]   canonical CSR
//   in  D[rows, ld], X[columns, ld]      feature-major, ld a multiple of `lanes`
//   out dvalues[nnz], dbias[rows]        overwritten; caller allocates
// Handles rows [row0, row1); writes only their synapses and biases. Work: 2·nnz·ld flops.
// Allocates nothing, throws nothing. A sum runs in `lanes` accumulators, then as a binary tree.

static inline float lane_sum(const vec* acc) {
  float t[lanes];
  for (int v = 0; v < lanes / width; ++v) store(t + v * width, acc[v]);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) t[j] += t[j + half];
  return t[0];
}

static void grad_weights(index_t row0, index_t row1, index_t ld, const offset_t* indptr,
                         const index_t* indices, const float* D, const float* X, float* dvalues,
                         float* dbias) {
  constexpr int n_vec = lanes / width;
  const vec one = broadcast(1.0f);
  for (index_t r = row0; r < row1; ++r) {
    const float* d = D + static_cast<offset_t>(r) * ld;
    vec acc[n_vec];
    for (int v = 0; v < n_vec; ++v) acc[v] = broadcast(0.0f);
    for (index_t s = 0; s < ld; s += lanes)
      for (int v = 0; v < n_vec; ++v) acc[v] = multiply_add(one, load(d + s + v * width), acc[v]);
    dbias[r] = lane_sum(acc);
    for (offset_t k = indptr[r]; k < indptr[r + 1]; ++k) {
      const float* x = X + static_cast<offset_t>(indices[k]) * ld;
      for (int v = 0; v < n_vec; ++v) acc[v] = broadcast(0.0f);
      for (index_t s = 0; s < ld; s += lanes)
        for (int v = 0; v < n_vec; ++v)
          acc[v] = multiply_add(load(d + s + v * width), load(x + s + v * width), acc[v]);
      dvalues[k] = lane_sum(acc);
    }
  }
}
