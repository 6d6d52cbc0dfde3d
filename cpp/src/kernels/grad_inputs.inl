// dX = Wt D, W given by its transpose, D and dX feature-major.
//   in  t_indptr[columns + 1], t_row[nnz], t_synapse[nnz]   synapses of each column, rows ascending
//   in  values[nnz] (CSR order), D[rows, ld]                ld a multiple of `lanes`
//   out dX[columns, ld]   overwritten; caller allocates; must not alias D
// Handles columns [col0, col1); writes only dX[col0:col1, :]. Work: 2·nnz·ld flops.
// Allocates nothing, throws nothing. A gather, so that columns can be shared among threads.

static void grad_inputs(index_t col0, index_t col1, index_t ld, const offset_t* t_indptr,
                        const index_t* t_row, const offset_t* t_synapse, const float* values,
                        const float* D, float* dX) {
  constexpr int n_vec = lanes / width;
  for (index_t c = col0; c < col1; ++c)
    for (index_t s = 0; s < ld; s += lanes) {
      vec acc[n_vec];
      for (int v = 0; v < n_vec; ++v) acc[v] = broadcast(0.0f);
      for (offset_t t = t_indptr[c]; t < t_indptr[c + 1]; ++t) {
        const vec w = broadcast(values[t_synapse[t]]);
        const float* d = D + static_cast<offset_t>(t_row[t]) * ld + s;
        for (int v = 0; v < n_vec; ++v) acc[v] = multiply_add(w, load(d + v * width), acc[v]);
      }
      float* x = dX + static_cast<offset_t>(c) * ld + s;
      for (int v = 0; v < n_vec; ++v) store(x + v * width, acc[v]);
    }
}
