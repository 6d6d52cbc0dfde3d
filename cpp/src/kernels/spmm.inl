// Y = W X + b, W sparse (CSR), X and Y feature-major.
//   in  indptr[rows + 1], indices[nnz], values[nnz]   canonical CSR
//   in  bias[rows], X[columns, ld]                    ld a multiple of `lanes`
//   out Y[rows, ld]   overwritten; caller allocates; must not alias X
// Handles rows [row0, row1); writes only Y[row0:row1, :]. Work: 2·nnz·ld flops.
// Allocates nothing, throws nothing. Each output is summed in CSR order, one fused step a synapse.

template <int n_vec>
static inline void spmm_strip(const offset_t begin, const offset_t end, const index_t ld,
                              const index_t* indices, const float* values, const float bias,
                              const float* X, float* y) {
  vec acc[n_vec];
  for (int v = 0; v < n_vec; ++v) acc[v] = broadcast(bias);
  for (offset_t k = begin; k < end; ++k) {
    const vec w = broadcast(values[k]);
    const float* x = X + static_cast<offset_t>(indices[k]) * ld;
    for (int v = 0; v < n_vec; ++v) acc[v] = multiply_add(w, load(x + v * width), acc[v]);
  }
  for (int v = 0; v < n_vec; ++v) store(y + v * width, acc[v]);
}

static void spmm(index_t row0, index_t row1, index_t ld, const offset_t* indptr,
                 const index_t* indices, const float* values, const float* bias, const float* X,
                 float* Y) {
  constexpr int per_lanes = lanes / width;
  constexpr int wide = per_lanes * (width >= 8 ? 4 : 2);  // accumulators that fit the registers
  for (index_t r = row0; r < row1; ++r) {
    float* y = Y + static_cast<offset_t>(r) * ld;
    index_t s = 0;
    for (; s + wide * width <= ld; s += wide * width)
      spmm_strip<wide>(indptr[r], indptr[r + 1], ld, indices, values, bias[r], X + s, y + s);
    for (; s < ld; s += lanes)
      spmm_strip<per_lanes>(indptr[r], indptr[r + 1], ld, indices, values, bias[r], X + s, y + s);
  }
}
