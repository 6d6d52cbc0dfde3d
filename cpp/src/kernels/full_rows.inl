// Rows that have the same columns without a gap, as in a network that is not pruned yet. An operand
// that is read serves several of them; sums run in the same order as those of any other row, but
// leave out the columns that are 0 in a whole tile (a third of MNIST's pixels, most of the columns
// of rare categories), which add 0 to each.

// How many rows from r on have the columns of row r, which has no gap; 0 if they are few.
static inline index_t full_rows(index_t r, index_t last, Block W) {
  const index_t rows = W.full[r] < last - r ? W.full[r] : last - r;
  return rows < few_full_rows ? 0 : rows;
}

constexpr int full_rows_at_once = 6, full_strip = full_sums / full_rows_at_once;

template <auto n>
struct Constant {
  static constexpr auto value = n;
};

// f(first row, Constant<rows>) for the rows in groups that share what they read.
template <int most, class F>
static inline void for_groups(index_t rows, F&& f) {
  index_t r = 0;
  for (; r + most <= rows; r += most) f(r, Constant<most>{});
  if constexpr (most > 3)
    for (; r + 3 <= rows; r += 3) f(r, Constant<3>{});
  for (; r < rows; ++r) f(r, Constant<1>{});
}

// Which of a tile's columns are not 0 in all samples, ascending.
struct LiveColumns {
  offset_t n;
  std::uint16_t at[most_full_columns];
};

// Of n columns, for so many rows; at least one. All of them, where a look at them does not pay.
static inline void find_live(index_t rows, offset_t n, offset_t ld, const float* X,
                             LiveColumns& live) {
  constexpr index_t worth_a_look = 8;
  const bool look = rows >= worth_a_look;
  offset_t count = 0;
  for (offset_t c = 0; c < n; ++c) {
    live.at[count] = static_cast<std::uint16_t>(c);
    bool zero = look && all_zero(load(X + c * ld));
    for (offset_t s = width; zero && s < ld; s += width) zero = all_zero(load(X + c * ld + s));
    count += !zero;
  }
  live.n = count > 0 ? count : 1;
}

// Neighbours among them, from one to before another.
struct LiveRuns {
  offset_t n;
  struct {
    std::uint16_t first, end;
  } at[most_full_columns];
};

static inline void find_runs(const LiveColumns& live, LiveRuns& runs) {
  runs.n = 0;
  for (offset_t i = 0, first = 0; i < live.n; ++i)
    if (i + 1 == live.n || live.at[i + 1] != live.at[i] + 1) {
      runs.at[runs.n++] = {live.at[first], static_cast<std::uint16_t>(live.at[i] + 1)};
      first = i + 1;
    }
}

// spmm of rows that have all of n columns, the live ones in runs, or all live; w, bias and Y are
// those of the first row.
template <int n_rows, int n_vec, bool all_live>
SYNAPRUNE_NOINLINE static void spmm_full_rows(offset_t n, const LiveRuns& runs, const float* w,
                                              const float* X, const float* bias, bool accumulate,
                                              offset_t y_ld, float* Y) {
  constexpr offset_t ld = n_vec * width;
  constexpr int strip = n_vec < full_strip ? n_vec : full_strip;
  for (int first = 0; first < n_vec; first += strip) {
    vec acc[n_rows][strip];
    for (int j = 0; j < n_rows; ++j)
      for (int v = 0; v < strip; ++v) acc[j][v] = broadcast(0.0f);
    const auto run = [&](offset_t begin, offset_t end) {
      const float* x = X + begin * ld + first * width;
      for (offset_t c = begin; c < end; ++c, x += ld) {
        vec xv[strip];
        for (int v = 0; v < strip; ++v) xv[v] = load(x + v * width);
        for (int j = 0; j < n_rows; ++j) {
          const vec wv = broadcast(w[j * n + c]);
          for (int v = 0; v < strip; ++v) acc[j][v] = multiply_add(wv, xv[v], acc[j][v]);
        }
      }
    };
    if constexpr (all_live)
      run(0, n);
    else
      for (offset_t i = 0; i < runs.n; ++i) run(runs.at[i].first, runs.at[i].end);
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

// grad_weights of rows at n_vec * width columns: D is that of the first row, x_samples [ld, n_vec *
// width] holds the columns sample by sample, and the sums go to g [n_rows, n_vec * width], rows
// g_ld apart. What lane_sums adds up side by side comes one after the other here, lanes i and i + 8
// at once; the branches of its tree wait as in a binary counter.
template <int n_rows, int n_vec>
SYNAPRUNE_NOINLINE static void grad_full_strip(offset_t ld, const float* D, const float* x_samples,
                                               bool accumulate, offset_t g_ld, float* g) {
  constexpr int depth = 3, half = lanes / 2;
  static_assert(half == 1 << depth);
  static constexpr int order[half] = {0, 4, 2, 6, 1, 5, 3, 7};
  vec waiting[depth][n_rows][n_vec], sum[n_rows][n_vec];
  const auto pair = [&](int first, auto put) {
    vec acc[2][n_rows][n_vec];
    const auto step = [&](int lane, offset_t s) {
      vec x[n_vec];
      for (int v = 0; v < n_vec; ++v) x[v] = load(x_samples + (s * n_vec + v) * width);
      for (int j = 0; j < n_rows; ++j) {
        const vec d = broadcast(D[j * ld + s]);
        for (int v = 0; v < n_vec; ++v) acc[lane][j][v] = multiply_add(d, x[v], acc[lane][j][v]);
      }
    };
    for (int j = 0; j < n_rows; ++j)
      for (int v = 0; v < n_vec; ++v) acc[0][j][v] = acc[1][j][v] = broadcast(0.0f);
    for (offset_t s = first; s < ld; s += lanes) {
      step(0, s);
      step(1, s + half);
    }
    for (int j = 0; j < n_rows; ++j)
      for (int v = 0; v < n_vec; ++v) put(j, v, add(acc[0][j][v], acc[1][j][v]));
  };
  for (int i = 0; i < half / 2; ++i) {
    pair(order[2 * i], [&](int j, int v, const vec& a) { waiting[0][j][v] = a; });
    pair(order[2 * i + 1],
         [&](int j, int v, const vec& a) { sum[j][v] = add(waiting[0][j][v], a); });
    int level = 1;
    for (; (i << 1 >> level) % 2 == 1; ++level)
      for (int j = 0; j < n_rows; ++j)
        for (int v = 0; v < n_vec; ++v) sum[j][v] = add(waiting[level][j][v], sum[j][v]);
    if (i + 1 < half / 2)
      for (int j = 0; j < n_rows; ++j)
        for (int v = 0; v < n_vec; ++v) waiting[level][j][v] = sum[j][v];
  }
  for (int j = 0; j < n_rows; ++j)
    for (int v = 0; v < n_vec; ++v) {
      float* to = g + j * g_ld + v * width;
      store(to, accumulate ? add(load(to), sum[j][v]) : sum[j][v]);
    }
}

// Where the sums of live columns go: `count` columns of a row of g from `column` on, in turn the
// next of the sums where `live` has a bit, and 0.
struct Place {
  std::uint16_t column, sum;
  int count;
  unsigned live;
};

// The places of live columns i .. i + m, and of what lies between them and after; returns how many.
static inline offset_t find_places(const LiveColumns& live, offset_t n, offset_t i, offset_t m,
                                   Place* places) {
  const offset_t first = i == 0 ? 0 : live.at[i], end = i + m == live.n ? n : live.at[i + m];
  offset_t count = 0, sum = 0;
  for (offset_t c = first; c < end; c += width) {
    Place& place = places[count++];
    place = {static_cast<std::uint16_t>(c), static_cast<std::uint16_t>(sum),
             static_cast<int>(end - c < width ? end - c : width), 0};
    for (; sum < m && live.at[i + sum] < c + width; ++sum)
      place.live |= 1u << (live.at[i + sum] - c);
  }
  return count;
}

// Sums [n_rows, ld] of live columns to g [n_rows, n].
template <int n_rows, int ld>
static inline void put(const Place& place, const float* sums, offset_t n, bool accumulate,
                       float* g) {
  for (int j = 0; j < n_rows; ++j) {
    const vec sum = spread(sums + j * ld + place.sum, place.live);
    float* to = g + j * n + place.column;
    if (place.count == width)
      store(to, accumulate ? add(load(to), sum) : sum);
    else
      store_some(to, accumulate ? add(load_some(to, place.count), sum) : sum, place.count);
  }
}

// Live columns i .. i + m.
template <int n_vec>
static inline void grad_full_columns(index_t rows, offset_t ld, offset_t n, const LiveColumns& live,
                                     offset_t i, offset_t m, const float* D, const float* X,
                                     bool accumulate, float* g) {
  alignas(64) float x_samples[max_tile * n_vec * width];
  for (offset_t c = 0; c < n_vec * width; c += width) {
    const char* columns[width];
    for (offset_t j = 0; j < width; ++j) {
      const offset_t column = live.at[i + (c + j < m ? c + j : m - 1)];
      columns[j] = reinterpret_cast<const char*>(X + column * ld);
    }
    transpose_rows(columns, ld, n_vec * width, x_samples + c);
  }
  Place places[most_full_columns / width + 1];
  const offset_t n_places = find_places(live, n, i, m, places);
  bool in_place = n_places == n_vec;
  for (offset_t p = 0; p < n_places; ++p)
    in_place &= places[p].live == (1u << (width - 1) << 1) - 1;
  for_groups<full_sums / 2 / n_vec>(rows, [&](offset_t r, auto count) {
    constexpr int n_rows = decltype(count)::value;
    if (in_place)
      return grad_full_strip<n_rows, n_vec>(ld, D + r * ld, x_samples, accumulate, n,
                                            g + r * n + live.at[i]);
    alignas(64) float sums[n_rows * n_vec * width + width];  // `spread` reads on
    grad_full_strip<n_rows, n_vec>(ld, D + r * ld, x_samples, false, n_vec * width, sums);
    for (offset_t p = 0; p < n_places; ++p)
      put<n_rows, n_vec * width>(places[p], sums, n, accumulate, g + r * n);
  });
}

// grad_weights of rows that have all of n columns; D, X and g as of the first row and column.
static inline void grad_full_rows(index_t rows, offset_t ld, offset_t n, const float* D,
                                  const float* X, bool accumulate, float* g) {
  LiveColumns live;
  find_live(rows, n, ld, X, live);
  const auto run = [&](auto n_vec, offset_t first, offset_t m) {
    grad_full_columns<decltype(n_vec)::value>(rows, ld, n, live, first, m, D, X, accumulate, g);
  };
  const offset_t vecs = (live.n + width - 1) / width;
  const offset_t strips = (vecs + full_strip - 1) / full_strip;
  offset_t first = 0;
  for (offset_t i = 0; i < strips; ++i) {
    const offset_t end = vecs * (i + 1) / strips * width, m = (end < live.n ? end : live.n) - first;
    const offset_t n_vec = (m + width - 1) / width;
    if (n_vec == 1) run(Constant<1>{}, first, m);
    if (n_vec == 2) run(Constant<2>{}, first, m);
    if constexpr (full_strip > 2) {
      if (n_vec == 3) run(Constant<3>{}, first, m);
      if (n_vec == 4) run(Constant<4>{}, first, m);
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
