// tile[i, s] = (X[rows[s], columns[i]] - shift[columns[i]]) * scale[columns[i]], feature-major.
//   in  rows[ld]   the start of each sample: row_bytes bytes of uint8 (bytes) or float32
//   in  ahead[ld]  samples that will be wanted soon: asked for, so that they come near; or null
//   in  columns[n_columns]   ascending;  shift, scale   one per column of X
//   out tile[n_columns, ld]  overwritten; caller allocates; ld a multiple of `lanes`
// With check, reads all columns of float32 samples and returns whether all are finite; else true.
// Allocates nothing, throws nothing. `width` samples by `width` words of four bytes are transposed
// in registers; pieces of a row without a wanted column are skipped. A few samples at a time are
// read from end to end, which is what memory is fast at; requests for those ahead go out between
// the transpositions, since many at once would stall.

// Stores the wanted columns of one piece, `per_word` to a word; bit c of `wanted` is column c.
// Returns the next column's place.
template <bool bytes, bool shifted>
static inline float* store_columns(const vec* words, std::uint64_t wanted, const float* shift,
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
  return to;
}

template <bool bytes, bool shifted, bool check>
static inline bool gather_as(const char* const* rows, const char* const* ahead, offset_t row_bytes,
                             const index_t* columns, index_t n_columns, const float* shift,
                             const float* scale, index_t ld, float* tile) {
  constexpr offset_t per_piece = (bytes ? 4 : 1) * width;  // columns that one transposition brings
  constexpr offset_t piece_bytes = width * sizeof(float);
  // Pieces of a row at a time: bytes are few, so that the tile is what matters, and is written
  // piece by piece.
  constexpr offset_t most = bytes ? 1 : 64;
  const offset_t n_pieces = (row_bytes + piece_bytes - 1) / piece_bytes;
  vec finite = broadcast(0.0f);  // stays 0 while all is
  for (offset_t piece0 = 0; piece0 < n_pieces && (check || n_columns > 0); piece0 += most) {
    const offset_t piece1 = n_pieces - piece0 < most ? n_pieces : piece0 + most;
    std::uint64_t wanted[most];  // bit c: column c of the piece
    index_t n = 0;
    for (offset_t p = piece0; p < piece1; ++p) {
      wanted[p - piece0] = 0;
      for (; n < n_columns && columns[n] < (p + 1) * per_piece; ++n)
        wanted[p - piece0] |= std::uint64_t{1} << (columns[n] - p * per_piece);
    }
    for (index_t s = 0; s < ld; s += width) {
      float* to = tile + s;
      for (offset_t p = piece0; p < piece1; ++p) {
        const std::uint64_t mask = wanted[p - piece0];
        if (mask == 0 && !check) continue;
        const offset_t at = p * piece_bytes;
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
        if (check)
          for (int j = 0; j < width; ++j) finite = add(finite, subtract(words[j], words[j]));
        if (mask == 0) continue;
        transpose(words);
        to = store_columns<bytes, shifted>(words, mask, shift + p * per_piece,
                                           scale + p * per_piece, ld, to);
      }
    }
    columns += n;
    n_columns -= n;
    tile += static_cast<offset_t>(n) * ld;
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
  const auto floats =
      check ? (shifted ? gather_as<false, true, true> : gather_as<false, false, true>)
            : (shifted ? gather_as<false, true, false> : gather_as<false, false, false>);
  const auto as =
      bytes ? (shifted ? gather_as<true, true, false> : gather_as<true, false, false>) : floats;
  return as(rows, ahead, row_bytes, columns, n_columns, shift, scale, ld, tile);
}
