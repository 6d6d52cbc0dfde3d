// What is done to each number of a tile or of a layer, as plain loops for the compiler to widen.

// Y[n_rows, ld] = bias + parts[0] + parts[1] + …, in this order; each part is [n_rows, ld].
static void add_sums(index_t n_rows, index_t ld, const float* bias, const float* const* parts,
                     index_t n_parts, float* Y) {
  for (index_t r = 0; r < n_rows; ++r) {
    const vec b = broadcast(bias[r]);
    for (offset_t s = static_cast<offset_t>(r) * ld; s < static_cast<offset_t>(r + 1) * ld;
         s += width) {
      vec y = add(b, load(parts[0] + s));
      for (index_t p = 1; p < n_parts; ++p) y = add(y, load(parts[p] + s));
      store(Y + s, y);
    }
  }
}

// tile[n_columns, ld] *= scale, or 0 where a hash of the sample's key and the column, of 31 bits,
// is below a number; the hash mixes 32 bits twice (after Wellons' search of such functions, 2018).
static void drop_inputs(index_t n_columns, index_t ld, const index_t* columns,
                        const std::uint32_t* keys, std::uint32_t below, float scale, float* tile) {
  for (index_t c = 0; c < n_columns; ++c) {
    const std::uint32_t column = static_cast<std::uint32_t>(columns[c]) * 0x9E3779B9U;
    float* x = tile + static_cast<offset_t>(c) * ld;
    for (index_t s = 0; s < ld; ++s) {
      std::uint32_t h = keys[s] ^ column;
      h = (h ^ (h >> 16)) * 0x7FEB352DU;
      h = (h ^ (h >> 15)) * 0x846CA68BU;
      h = (h ^ (h >> 16)) >> 1;
      x[s] *= static_cast<std::int32_t>(h) < static_cast<std::int32_t>(below) ? 0.0f : scale;
    }
  }
}

// Whether none of n floats is a NaN or an infinity: x - x is 0 for finite x and NaN otherwise, and
// a NaN survives the sum.
static bool all_finite(const float* data, offset_t n) {
  constexpr offset_t block = 1024;
  for (offset_t i = 0; i < n; i += block) {
    const offset_t end = n - i < block ? n : i + block;
    float sum[4 * lanes] = {};
    offset_t k = i;
    for (; k + 4 * lanes <= end; k += 4 * lanes)
      for (int j = 0; j < 4 * lanes; ++j) sum[j] += data[k + j] - data[k + j];
    for (; k < end; ++k) sum[0] += data[k] - data[k];
    for (const float s : sum)
      if (!(s == 0.0f)) return false;
  }
  return true;
}

// Z[n_out, ld] = e^(z - largest), per sample: largest[ld] of its outputs, sum[ld] of the results.
static void softmax(index_t n_out, index_t ld, float* Z, float* largest, float* sum) {
  for (index_t s = 0; s < ld; ++s) largest[s] = Z[s];
  for (index_t s = 0; s < ld; ++s) sum[s] = 0.0f;
  for (index_t r = 1; r < n_out; ++r) {
    const float* z = Z + static_cast<offset_t>(r) * ld;
    for (index_t s = 0; s < ld; ++s) largest[s] = largest[s] < z[s] ? z[s] : largest[s];
  }
  for (index_t r = 0; r < n_out; ++r) {
    float* z = Z + static_cast<offset_t>(r) * ld;
    for (index_t s = 0; s < ld; ++s) {
      z[s] = exp_of(z[s] - largest[s]);
      sum[s] += z[s];
    }
  }
}

// A step of SGD down g, with the penalties added: w -= lr g, or w -= lr m with m = momentum m + g.
//   i/o w[n], m[n] or null
static void sgd_step(offset_t n, float lr, float momentum, float decay, float l1, const float* g,
                     float* w, float* m) {
  const auto slope = [&](offset_t k) {
    const float sign = static_cast<float>(w[k] > 0.0f) - static_cast<float>(w[k] < 0.0f);
    return g[k] + decay * w[k] + l1 * sign;
  };
  if (m != nullptr)
    for (offset_t k = 0; k < n; ++k) {
      m[k] = momentum * m[k] + slope(k);
      w[k] -= lr * m[k];
    }
  else if (decay != 0.0f || l1 != 0.0f)
    for (offset_t k = 0; k < n; ++k) w[k] -= lr * slope(k);
  else
    for (offset_t k = 0; k < n; ++k) w[k] -= lr * g[k];
}

// What softmax left, Z[n_out, ld] and sum[ld], becomes the gradient of `mean` times the sum of the
// samples' cross-entropies; 0 behind the last of `batch` samples.
static void softmax_gradient(index_t n_out, index_t batch, index_t ld, const index_t* labels,
                             float mean, const float* sum, float* Z) {
  float factor[max_tile];
  index_t label[max_tile];
  for (index_t s = 0; s < ld; ++s) factor[s] = mean / sum[s];
  for (index_t s = 0; s < ld; ++s) label[s] = s < batch ? labels[s] : -1;
  for (index_t r = 0; r < n_out; ++r, Z += ld)
    for (index_t s = 0; s < ld; ++s) {
      const float z = Z[s] * factor[s] - (label[s] == r ? mean : 0.0f);
      Z[s] = label[s] < 0 ? 0.0f : z;
    }
}

// Per sample: best[ld], the first row of the largest output; with one output, whether it is > 0;
// -1 where an output is infinite or NaN. Z[n_out, ld]; ld <= max_tile.
static void classify(index_t n_out, index_t ld, const float* Z, index_t* best) {
  float largest[max_tile], finite[max_tile];  // finite stays 0 unless an output is not
  for (index_t s = 0; s < ld; ++s) {
    largest[s] = n_out == 1 ? 0.0f : Z[s];
    finite[s] = Z[s] * 0.0f;
    best[s] = n_out == 1 && Z[s] > 0.0f;
  }
  for (index_t r = 1; r < n_out; ++r) {
    const float* z = Z + static_cast<offset_t>(r) * ld;
    for (index_t s = 0; s < ld; ++s) {
      const bool better = z[s] > largest[s];
      largest[s] = better ? z[s] : largest[s];
      best[s] = better ? r : best[s];
      finite[s] += z[s] * 0.0f;
    }
  }
  for (index_t s = 0; s < ld; ++s) best[s] = finite[s] == 0.0f ? best[s] : -1;
}
