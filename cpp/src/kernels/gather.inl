// tile[i, s] = (X[rows[s], columns[i]] - shift[columns[i]]) * scale[columns[i]], feature-major.
//   in  rows[ld]   the start of each sample: row_bytes bytes of uint8 (bytes) or float32
//   in  ahead[ld]  samples that will be wanted soon: asked for, so that they come near; or null
//   in  columns[n_columns]   ascending;  shift, scale   one per column of X
//   out tile[n_columns, ld]  overwritten; caller allocates; ld a multiple of `lanes`
// With check, reads all columns of float32 samples and returns whether all are finite; else true.
// Allocates nothing, throws nothing. `width` samples by `width` words of four bytes are transposed
// in registers; pieces of a row without a wanted column are skipped. Floats are many: a few samples
// at a time are read from end to end, which is what memory is fast at. Bytes are few: a piece of
// all samples is transposed, then written column by column. Requests for samples ahead go out
// between the transpositions, since many at once would stall.

// A piece of `width` samples, transposed: words[w] holds word w of each.
static inline void transpose_piece(const char* const* rows, const char* const* ahead, offset_t at,
                                   offset_t row_bytes, vec* words) {
  constexpr offset_t piece_bytes = width * sizeof(float);
  if (at + piece_bytes <= row_bytes) {
    for (int j = 0; j < width; ++j) words[j] = load(reinterpret_cast<const float*>(rows[j] + at));
  } else {  // the row ends here: what lies behind it may not be read
    alignas(64) char rest[piece_bytes] = {};
    for (int j = 0; j < width; ++j) {
      std::memcpy(rest, rows[j] + at, static_cast<std::size_t>(row_bytes - at));
      words[j] = load(reinterpret_cast<const float*>(rest));
    }
  }
  if (ahead)
    for (int j = 0; j < width; ++j) come_near(ahead[j] + at);
  transpose(words);
}

// Bit c: column c of the piece from `first` on is among the next columns, which it passes.
static inline std::uint64_t wanted_columns(offset_t first, offset_t n, const index_t*& columns,
                                           const index_t* end) {
  std::uint64_t wanted = 0;
  for (; columns != end && *columns < first + n; ++columns)
    wanted |= std::uint64_t{1} << (*columns - first);
  return wanted;
}

template <bool shifted>
static inline vec transformed(vec x, float shift, float scale) {
  if (shifted) x = subtract(x, broadcast(shift));
  return multiply(x, broadcast(scale));
}

template <bool shifted>
static inline bool gather_bytes(const char* const* rows, const char* const* ahead,
                                offset_t row_bytes, const index_t* columns, index_t n_columns,
                                const float* shift, const float* scale, index_t ld, float* tile) {
  constexpr offset_t n = 4 * width;  // columns of a piece
  const index_t* const end = columns + n_columns;
  alignas(64) float words[max_tile * width];
  while (columns != end) {
    const offset_t first = *columns / n * n;
    std::uint64_t wanted = wanted_columns(first, n, columns, end);
    for (index_t s = 0; s < ld; s += width) {
      vec piece[width];
      transpose_piece(rows + s, ahead ? ahead + s : nullptr, first, row_bytes, piece);
      for (int w = 0; w < width; ++w) store(words + w * max_tile + s, piece[w]);
    }
    for (int w = 0; w < width; ++w, wanted >>= 4)
      for (int k = 0; k < 4; ++k) {
        if (!(wanted >> k & 1)) continue;
        const offset_t c = first + 4 * w + k;
        for (index_t s = 0; s < ld; s += width)
          store(tile + s, transformed<shifted>(byte_of(load(words + w * max_tile + s), k), shift[c],
                                               scale[c]));
        tile += ld;
      }
  }
  return true;
}

template <bool shifted, bool check>
static inline bool gather_floats(const char* const* rows, const char* const* ahead,
                                 offset_t row_bytes, const index_t* columns, index_t n_columns,
                                 const float* shift, const float* scale, index_t ld, float* tile) {
  constexpr offset_t piece_bytes = width * sizeof(float), most = 64;  // pieces of a row at a time
  const index_t* const end = columns + n_columns;
  const offset_t n_pieces = (row_bytes + piece_bytes - 1) / piece_bytes;
  vec finite = broadcast(0.0f);  // stays 0 while all is
  for (offset_t piece0 = 0; piece0 < n_pieces && (check || columns != end); piece0 += most) {
    const offset_t piece1 = n_pieces - piece0 < most ? n_pieces : piece0 + most;
    const index_t* const before = columns;
    std::uint64_t wanted[most];
    for (offset_t p = piece0; p < piece1; ++p)
      wanted[p - piece0] = wanted_columns(p * width, width, columns, end);
    for (index_t s = 0; s < ld; s += width) {
      float* to = tile + s;
      for (offset_t p = piece0; p < piece1; ++p) {
        const std::uint64_t mask = wanted[p - piece0];
        if (mask == 0 && !check) continue;
        vec words[width];
        transpose_piece(rows + s, ahead ? ahead + s : nullptr, p * piece_bytes, row_bytes, words);
        if (check)
          for (int w = 0; w < width; ++w) finite = add(finite, subtract(words[w], words[w]));
        for (int w = 0; w < width; ++w)
          if (mask >> w & 1) {
            store(to, transformed<shifted>(words[w], shift[p * width + w], scale[p * width + w]));
            to += ld;
          }
      }
    }
    tile += (columns - before) * static_cast<offset_t>(ld);
  }
  float lane[width];
  store(lane, finite);
  bool all = true;
  for (int j = 0; j < width; ++j) all &= lane[j] == 0.0f;
  return all;
}

static bool gather(bool bytes, const char* const* rows, const char* const* ahead,
                   offset_t row_bytes, const index_t* columns, index_t n_columns,
                   const float* shift, const float* scale, index_t ld, bool check, float* tile) {
  bool shifted = false;  // x - 0 is x
  for (index_t i = 0; i < n_columns; ++i) shifted |= shift[columns[i]] != 0.0f;
  const auto of_bytes = shifted ? gather_bytes<true> : gather_bytes<false>;
  const auto checked = shifted ? gather_floats<true, true> : gather_floats<false, true>;
  const auto unchecked = shifted ? gather_floats<true, false> : gather_floats<false, false>;
  const auto as = bytes ? of_bytes : check ? checked : unchecked;
  return as(rows, ahead, row_bytes, columns, n_columns, shift, scale, ld, tile);
}
