// tile[i, s] = (X[rows[s], columns[i]] - shift[columns[i]]) * scale[columns[i]], feature-major.
//   in  rows[ld]   the start of each sample: row_bytes bytes of uint8 (bytes) or float32
//   in  ahead[ld]  samples that will be wanted soon: asked for, so that they come near; or null
//   in  columns[n_columns]   ascending;  shift, scale   one per column of X
//   out tile[n_columns, ld]  overwritten; caller allocates; ld a multiple of `lanes`
// Allocates nothing, throws nothing. `width` samples by `width` words of four bytes are transposed
// in registers; pieces of a row without a wanted column are skipped. Requests for memory go out
// between the transpositions, since more than a few at a time would stall.

// Stores the wanted columns of one piece, `per_word` to a word; bit c of `wanted` is column c.
template <bool bytes, bool shifted>
static inline void store_columns(const vec* words, std::uint64_t wanted, const float* shift,
                                 const float* scale, index_t ld, float* to) {
  constexpr int per_word = bytes ? 4 : 1;
  for (int w = 0; w < width; ++w, wanted >>= per_word)
    for (int k = 0; k < per_word; ++k) {
      if (!(wanted >> k & 1)) continue;
      const int c = w * per_word + k;
      vec x = bytes ? byte_of(words[w], k) : words[w];
      if (shifted) x = subtract(x, broadcast(shift[c]));
      store(to, multiply(x, broadcast(scale[c])));
      to += ld;
    }
}

template <bool bytes, bool shifted>
static inline void gather_as(const char* const* rows, const char* const* ahead, offset_t row_bytes,
                             const index_t* columns, index_t n_columns, const float* shift,
                             const float* scale, index_t ld, float* tile) {
  constexpr unsigned per_piece = (bytes ? 4 : 1) * width;  // columns that one transposition brings
  constexpr offset_t piece_bytes = width * sizeof(float);
  for (index_t i = 0; i < n_columns;) {
    const unsigned piece = static_cast<unsigned>(columns[i]) / per_piece;
    const unsigned first = piece * per_piece;
    const offset_t at = piece * piece_bytes;
    float* to = tile + static_cast<offset_t>(i) * ld;
    std::uint64_t wanted = 0;
    for (; i < n_columns && static_cast<unsigned>(columns[i]) - first < per_piece; ++i)
      wanted |= std::uint64_t{1} << (static_cast<unsigned>(columns[i]) - first);
    for (index_t s = 0; s < ld; s += width) {
      vec words[width];
      if (at + piece_bytes <= row_bytes) {
        for (int j = 0; j < width; ++j)
          words[j] = load(reinterpret_cast<const float*>(rows[s + j] + at));
      } else {  // the row ends here: what lies behind it may not be read
        alignas(64) char rest[piece_bytes] = {};
        for (int j = 0; j < width; ++j) {
          std::memcpy(rest, rows[s + j] + at, static_cast<std::size_t>(row_bytes - at));
          words[j] = load(reinterpret_cast<const float*>(rest));
        }
      }
      if (ahead)
        for (int j = 0; j < width; ++j) come_near(ahead[s + j] + at);
      transpose(words);
      store_columns<bytes, shifted>(words, wanted, shift + first, scale + first, ld, to + s);
    }
  }
}

static void gather(bool bytes, const char* const* rows, const char* const* ahead,
                   offset_t row_bytes, const index_t* columns, index_t n_columns,
                   const float* shift, const float* scale, index_t ld, float* tile) {
  bool shifted = false;  // x - 0 is x
  for (index_t i = 0; i < n_columns; ++i) shifted |= shift[columns[i]] != 0.0f;
  const auto as = bytes ? (shifted ? gather_as<true, true> : gather_as<true, false>)
                        : (shifted ? gather_as<false, true> : gather_as<false, false>);
  as(rows, ahead, row_bytes, columns, n_columns, shift, scale, ld, tile);
}
