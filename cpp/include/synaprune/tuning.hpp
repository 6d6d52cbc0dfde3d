// Constants that were measured: on two cores of a Xeon with AVX-512, by `python -m bench.tune`,
// which finds them again. They decide what is fast, and (the blocks and groups of columns) in which
// order sums run; results are right for any of them.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune::tuning {

// Blocks of columns. A narrow one is what a near cache holds of a tile (160 columns of 64 floats
// are 40 KB); it is wider where so few synapses of a row would share it that starting the row costs
// more than what does not fit.
inline constexpr double narrow_block = 160.0, wide_block = 272.0, widest_block = 65536.0;
inline constexpr double min_row_synapses = 20.0, good_row_synapses = 38.0;

// Rows whose weights stay in the second cache while several tiles pass by, in synapses of 6 bytes.
inline constexpr offset_t panel_synapses = 1 << 17;
// Weights that are transposed and then used, while they are in it, too.
inline constexpr offset_t transposed_piece = 1 << 14;

// Column groups of a small network's first layer: the fewest synapses of one, and the most groups.
inline constexpr offset_t group_synapses = 2048;
inline constexpr index_t most_groups = 8;
// Costs in training, in synapses of the first layer: of a column, of a neuron and a synapse above.
inline constexpr double column_cost = 2.0, neuron_above_cost = 10.0, synapse_above_cost = 1.5;

// In synapse-samples: the most that a small network has in its first layer, and above it.
inline constexpr offset_t small_lower = 1 << 22, small_upper = 1 << 17;

// Grain sizes. What pays for starting threads, in synapse-samples (and, to predict, bytes read),
// some 100 us; for one product of a SparseLinear, some 10 us; for the barriers of a batch.
inline constexpr offset_t worth_a_team = 1 << 20, worth_a_team_once = 1 << 19;
inline constexpr offset_t worth_barriers = 1 << 14;
// Samples of a batch in which the gradient of a whole data set is added up.
inline constexpr offset_t gradient_batch = 4096;
// In synapse-samples: what is computed of a layer before a training asks again whether to stop,
// some 50 ms.
inline constexpr offset_t interruptible = 1 << 28;
// Synapses whose gradients a thread keeps before it updates them: more than a row of a block has.
inline constexpr offset_t gradient_piece = 1 << 20;
// Floats of a piece that a thread checks.
inline constexpr offset_t worth_a_piece = 1 << 20;

// Waiting for another thread: so many pauses, then so many yields, then naps of so many
// microseconds.
inline constexpr int pauses = 400, yields = 2000, nap_us = 50;

}  // namespace synaprune::tuning
