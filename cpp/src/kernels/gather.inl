// tile[i, s] = (X[rows[s], columns[i]] - shift[columns[i]]) * scale[columns[i]], feature-major.
//   in  rows[ld]            the start of each sample: row_bytes bytes of uint8 (bytes) or float32
//   in  soon[n_soon]        n_soon <= ld samples that are read next: prefetched column by column
//                           where those of rows are read
//   in  columns[n_columns]  ascending
//   in  shift, scale        one per column of X; shift is null if all are 0
//   out tile[n_columns, ld] overwritten; caller allocates; ld a multiple of `lanes`
//
// With check, reads all columns of float32 samples and returns whether all are finite; else true.
//
// Allocates nothing, throws nothing. Pieces of 16 columns of `width` samples are transposed in
// registers; those without a wanted column are skipped. Floats are many: a few samples at a time
// are read from end to end. Bytes are few: a piece of all samples is transposed, then written
// column by column.

// Words [at, at + 4 n_words) of `width` samples, transposed: words[w] holds word w of each.
template <int n_words>
static inline void transpose_piece(const char* const* rows, offset_t at, offset_t row_bytes,
                                   vec* words) {
  constexpr offset_t word = sizeof(float), piece = n_words * word;
  char rest[width][piece];
  const char* starts[width];
  if (at + piece > row_bytes) {  // the row ends here: what lies behind it may not be read
    for (int j = 0; j < width; ++j) {
      std::memset(rest[j], 0, piece);
      std::memcpy(rest[j], rows[j] + at, static_cast<std::size_t>(row_bytes - at));
      starts[j] = rest[j];
    }
    rows = starts;
    at = 0;
  }
  for (int j = 0; j < 4; ++j)
    for (int w = 0; w < n_words; w += 4) words[w + j] = load_fours(rows + j, at + w * word);
  for (int w = 0; w < n_words; w += 4) transpose_fours(words + w);
}

template <bool shifted>
static inline vec transformed(vec x, const float* shift, const float* scale, index_t column) {
  if (shifted) x = subtract(x, broadcast(shift[column]));
  return multiply(x, broadcast(scale[column]));
}

template <bool shifted>
static inline bool gather_bytes(const char* const* rows, const char* const* soon, index_t n_soon,
                                offset_t row_bytes, const index_t* columns, index_t n_columns,
                                const float* shift, const float* scale, index_t ld, float* tile) {
  constexpr offset_t n = 16, line = 64;  // columns of a piece, of a cache line
  offset_t asked = -1;                   // the line that is asked for of each sample soon read
  index_t next = n_soon;                 // the next sample that it is asked for of
  const auto ask = [&](index_t last) {
    for (; next < last; ++next) SYNAPRUNE_PREFETCH_L2(soon[next] + asked);
  };
  const index_t* const end = columns + n_columns;
  alignas(64) float words[4 * max_tile];
  while (columns != end) {
    const offset_t first = *columns / n * n;
    if (first / line * line != asked) {
      ask(n_soon);
      asked = first / line * line;
      next = 0;
    }
    ask(next + ld / 4 < n_soon ? next + ld / 4 : n_soon);  // as evenly as its four pieces
    for (index_t s = 0; s < ld; s += width) {
      vec piece[4];
      transpose_piece<4>(rows + s, first, row_bytes, piece);
      for (int w = 0; w < 4; ++w) store(words + w * max_tile + s, piece[w]);
    }
    for (; columns != end && *columns < first + n; ++columns, tile += ld) {
      const index_t c = *columns;
      const auto byte = static_cast<unsigned>(c - first);
      const float* word = words + byte / 4 * max_tile;
      const auto which = byte_number(byte % 4);
      for (index_t s = 0; s < ld; s += width)
        store(tile + s, transformed<shifted>(byte_of(load(word + s), which), shift, scale, c));
    }
  }
  ask(n_soon);
  return true;
}

template <bool shifted, bool check>
static inline bool gather_floats(const char* const* rows, const char* const* soon, index_t n_soon,
                                 offset_t row_bytes, const index_t* columns, index_t n_columns,
                                 const float* shift, const float* scale, index_t ld, float* tile) {
  constexpr int n = 16;  // columns of a piece
  const index_t* const end = columns + n_columns;
  const auto n_words = static_cast<index_t>(row_bytes / sizeof(float));
  vec finite[4];  // stay 0 while all is; four, since a sum waits for the one before
  for (vec& sum : finite) sum = broadcast(0.0f);
  for (index_t s = 0; s < ld; s += width) {
    const index_t* wanted = columns;
    float* to = tile + s;
    for (index_t first = 0; first < n_words; first += n) {
      if (!check) {
        if (wanted == end) break;
        first = *wanted / n * n;
      }
      const offset_t at = first * static_cast<offset_t>(sizeof(float));
      for (index_t j = s; j < s + width && j < n_soon; ++j) SYNAPRUNE_PREFETCH_L2(soon[j] + at);
      const bool some = wanted != end && *wanted < first + n;
      if (check && !some && first + n <= n_words) {
        for (int j = 0; j < width; ++j)
          for (int w = 0; w < n; w += width) {
            const vec x = load(reinterpret_cast<const float*>(rows[s + j] + at) + w);
            finite[j % 4] = multiply_add(x, broadcast(0.0f), finite[j % 4]);
          }
        continue;
      }
      vec words[n];
      transpose_piece<n>(rows + s, at, row_bytes, words);
      if (check)
        for (int w = 0; w < n; ++w)
          finite[w % 4] = multiply_add(words[w], broadcast(0.0f), finite[w % 4]);
      for (; wanted != end && *wanted < first + n; ++wanted, to += ld)
        store(to, transformed<shifted>(words[*wanted - first], shift, scale, *wanted));
    }
  }
  float lane[width];
  store(lane, add(add(finite[0], finite[1]), add(finite[2], finite[3])));
  bool all = true;
  for (int j = 0; j < width; ++j) all &= lane[j] == 0.0f;
  return all;
}

static bool gather(bool bytes, const char* const* rows, const char* const* soon, index_t n_soon,
                   offset_t row_bytes, const index_t* columns, index_t n_columns,
                   const float* shift, const float* scale, index_t ld, bool check, float* tile) {
  const auto of_bytes = shift ? gather_bytes<true> : gather_bytes<false>;
  const auto checked = shift ? gather_floats<true, true> : gather_floats<false, true>;
  const auto unchecked = shift ? gather_floats<true, false> : gather_floats<false, false>;
  const auto as = bytes ? of_bytes : check ? checked : unchecked;
  return as(rows, soon, n_soon, row_bytes, columns, n_columns, shift, scale, ld, tile);
}
