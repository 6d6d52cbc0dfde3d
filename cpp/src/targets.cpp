#include "synaprune/targets.hpp"

#include <algorithm>
#include <numeric>

namespace synaprune {

void Targets::tile(index_t n_out, const offset_t* positions, index_t size, index_t ld, float* T,
                   float* w) const {
  const index_t n_classes = std::max(n_out, 2);
  const float spread = smoothing / static_cast<float>(n_classes);
  for (index_t r = 0; r < n_out; ++r, T += ld) {
    const index_t c = n_out == 1 ? 1 : r;
    for (index_t s = 0; s < size; ++s) {
      if (numbers) {
        T[s] = numbers[positions[s] * n_out + r];
        continue;
      }
      const float t =
          soft ? soft[positions[s] * n_classes + c] : static_cast<float>(labels[positions[s]] == c);
      T[s] = (1.0f - smoothing) * t + spread;
    }
    std::fill(T + size, T + ld, 0.0f);
  }
  for (index_t s = 0; s < size; ++s) w[s] = weights ? weights[positions[s]] : 1.0f;
  std::fill(w + size, w + ld, 0.0f);
}

TargetTile::TargetTile(const Targets& targets, index_t n_out, offset_t first, index_t size,
                       index_t ld)
    : size_(size), T_(static_cast<std::size_t>(n_out) * ld) {
  offset_t positions[max_tile];
  std::iota(positions, positions + size, first);
  targets.tile(n_out, positions, size, ld, T_.data(), weights_);
}

TileTargets TargetTile::view() const {
  TileTargets targets{size_};
  targets.T = T_.data();
  targets.weights = weights_;
  return targets;
}

}  // namespace synaprune
