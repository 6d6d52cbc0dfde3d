// Rows that have the same columns without a gap, as in a network that is not pruned yet. An operand
// that is read serves several of them; sums run in the same order as those of any other row.

// How many rows from r on have the columns of row r, which has no gap; 0 if they are few.
static inline index_t full_rows(index_t r, index_t last, Block W) {
  const index_t rows = W.full[r] < last - r ? W.full[r] : last - r;
  return rows < few_full_rows ? 0 : rows;
}

constexpr int full_rows_at_once = 6, full_strip = full_sums / full_rows_at_once;

template <int n>
struct Count {
  static constexpr int value = n;
};

// f(first row, Count<rows>) for the rows in groups that share what they read.
template <class F>
static inline void for_groups(index_t rows, F&& f) {
  index_t r = 0;
  for (; r + full_rows_at_once <= rows; r += full_rows_at_once) f(r, Count<full_rows_at_once>{});
  for (; r + 3 <= rows; r += 3) f(r, Count<3>{});
  for (; r < rows; ++r) f(r, Count<1>{});
}

// spmm of rows that have all of n columns; w, bias and Y are those of the first row.
template <int n_rows, int n_vec>
static inline void spmm_full_rows(offset_t n, const float* w, const float* X, const float* bias,
                                  bool accumulate, offset_t y_ld, float* Y) {
  constexpr offset_t ld = n_vec * width;
  constexpr int strip = n_vec < full_strip ? n_vec : full_strip;
  for (int first = 0; first < n_vec; first += strip) {
    vec acc[n_rows][strip];
    for (int j = 0; j < n_rows; ++j)
      for (int v = 0; v < strip; ++v) acc[j][v] = broadcast(0.0f);
    const float* x = X + first * width;
    for (offset_t c = 0; c < n; ++c, x += ld) {
      vec xv[strip];
      for (int v = 0; v < strip; ++v) xv[v] = load(x + v * width);
      for (int j = 0; j < n_rows; ++j) {
        const vec wv = broadcast(w[j * n + c]);
        for (int v = 0; v < strip; ++v) acc[j][v] = multiply_add(wv, xv[v], acc[j][v]);
      }
    }
    for (int j = 0; j < n_rows; ++j)
      finish_row<strip>(acc[j], bias ? bias[j] : 0.0f, accumulate, Y + j * y_ld + first * width);
  }
}

// What `width` rows of n floats hold, n a multiple of 4: row j in lane j of n vectors, to_ld apart.
static inline void transpose_rows(const char* const* rows, offset_t n, offset_t to_ld, float* to) {
  for (offset_t i = 0; i < n; i += 4) {
    vec four[4];
    for (int j = 0; j < 4; ++j)
      four[j] = load_fours(rows + j, i * static_cast<offset_t>(sizeof(float)));
    transpose_fours(four);
    for (int j = 0; j < 4; ++j) store(to + (i + j) * to_ld, four[j]);
  }
}

// grad_weights of rows that have all of n columns, for m <= n_vec * width of them: D and g are
// those of the first row, x_samples [ld, n_vec * width] holds the columns sample by sample. What
// lane_sums adds up side by side comes one after the other here, lanes i and i + 8 at once; the
// branches of its tree wait as in a binary counter.
template <int n_rows, int n_vec>
static inline void grad_full_strip(offset_t ld, offset_t n, offset_t m, const float* D,
                                   const float* x_samples, bool accumulate, float* g) {
  constexpr int depth = 3, half = lanes / 2;
  static_assert(half == 1 << depth);
  static constexpr int order[half] = {0, 4, 2, 6, 1, 5, 3, 7};
  vec waiting[depth][n_rows][n_vec], sum[n_rows][n_vec];
  for (int i = 0; i < half; ++i) {
    vec acc[2][n_rows][n_vec];
    const auto step = [&](int lane, offset_t s, auto combine) {
      vec x[n_vec];
      for (int v = 0; v < n_vec; ++v) x[v] = load(x_samples + (s * n_vec + v) * width);
      for (int j = 0; j < n_rows; ++j) {
        const vec d = broadcast(D[j * ld + s]);
        for (int v = 0; v < n_vec; ++v) acc[lane][j][v] = combine(d, x[v], acc[lane][j][v]);
      }
    };
    const auto first = [](const vec& d, const vec& x, const vec&) { return multiply(d, x); };
    const auto next = [](const vec& d, const vec& x, const vec& z) {
      return multiply_add(d, x, z);
    };
    step(0, order[i], first);
    step(1, order[i] + half, first);
    for (offset_t s = order[i] + lanes; s < ld; s += lanes) {
      step(0, s, next);
      step(1, s + half, next);
    }
    for (int j = 0; j < n_rows; ++j)
      for (int v = 0; v < n_vec; ++v) sum[j][v] = add(acc[0][j][v], acc[1][j][v]);
    int level = 0;
    for (; (i >> level) % 2 == 1; ++level)
      for (int j = 0; j < n_rows; ++j)
        for (int v = 0; v < n_vec; ++v) sum[j][v] = add(waiting[level][j][v], sum[j][v]);
    if (i + 1 < half)
      for (int j = 0; j < n_rows; ++j)
        for (int v = 0; v < n_vec; ++v) waiting[level][j][v] = sum[j][v];
  }
  for (int j = 0; j < n_rows; ++j)
    for (int v = 0; v < n_vec; ++v) {
      float* to = g + j * n + v * width;
      const offset_t left = m - v * width;
      if (left >= width)
        store(to, accumulate ? add(load(to), sum[j][v]) : sum[j][v]);
      else if (left > 0) {
        const auto some = static_cast<int>(left);
        store_some(to, accumulate ? add(load_some(to, some), sum[j][v]) : sum[j][v], some);
      }
    }
}

// Columns first .. first + m of n.
template <int n_vec>
static inline void grad_full_columns(index_t rows, offset_t ld, offset_t n, offset_t first,
                                     offset_t m, const float* D, const float* X, bool accumulate,
                                     float* g) {
  alignas(64) float x_samples[max_tile * n_vec * width];
  for (offset_t c = 0; c < n_vec * width; c += width) {
    const char* columns[width];
    for (offset_t j = 0; j < width; ++j) {
      const offset_t column = first + (c + j < m ? c + j : m - 1);
      columns[j] = reinterpret_cast<const char*>(X + column * ld);
    }
    transpose_rows(columns, ld, n_vec * width, x_samples + c);
  }
  const auto group = [&](auto count, offset_t r) {
    grad_full_strip<decltype(count)::value, n_vec>(ld, n, m, D + r * ld, x_samples, accumulate,
                                                   g + r * n + first);
  };
  constexpr int at_once = full_sums / 2 / n_vec;
  index_t r = 0;
  for (; r + at_once <= rows; r += at_once) group(Count<at_once>{}, r);
  for (; r < rows; ++r) group(Count<1>{}, r);
}

// grad_weights of rows that have all of n columns; D, X and g as of the first row and column.
static inline void grad_full_rows(index_t rows, offset_t ld, offset_t n, const float* D,
                                  const float* X, bool accumulate, float* g) {
  const auto run = [&](auto n_vec, offset_t first, offset_t m) {
    grad_full_columns<decltype(n_vec)::value>(rows, ld, n, first, m, D, X, accumulate, g);
  };
  const offset_t vecs = (n + width - 1) / width, strips = (vecs + full_strip - 1) / full_strip;
  offset_t first = 0;
  for (offset_t i = 0; i < strips; ++i) {
    const offset_t end = vecs * (i + 1) / strips * width, m = (end < n ? end : n) - first;
    const offset_t n_vec = (m + width - 1) / width;
    if (n_vec == 1) run(Count<1>{}, first, m);
    if (n_vec == 2) run(Count<2>{}, first, m);
    if constexpr (full_strip > 2) {
      if (n_vec == 3) run(Count<3>{}, first, m);
      if (n_vec == 4) run(Count<4>{}, first, m);
    }
    first += m;
  }
}

// to[c * n + i] = from[place[i] + c] for c < n_columns and i < n; n_columns >= 4, n >= lanes.
static void transpose_full(offset_t n_columns, offset_t n, const float* from,
                           const std::uint32_t* place, float* to) {
  constexpr offset_t line = 16;  // floats
  for (offset_t i = 0; i < n; i += width) {
    if (i + width > n) i = n - width;  // again, and the same
    const char* rows[width];
    for (offset_t j = 0; j < width; ++j) {
      rows[j] = reinterpret_cast<const char*>(from + place[i + j]);
      const float* soon = from + place[i + 2 * width + j < n ? i + 2 * width + j : n - 1];
      for (offset_t c = 0; c < n_columns + line; c += line) SYNAPRUNE_PREFETCH_L1(soon + c);
    }
    transpose_rows(rows, n_columns / 4 * 4, n, to + i);
    for (offset_t c = n_columns / 4 * 4; c < n_columns; ++c)
      for (offset_t j = i; j < i + width; ++j) to[c * n + j] = from[place[j] + c];
  }
}
