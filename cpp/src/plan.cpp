#include "synaprune/plan.hpp"

#include <algorithm>
#include <numeric>

#include "synaprune/tuning.hpp"

namespace synaprune {

namespace {

// Columns of a block: as many as a near cache holds of a tile (160 columns of 64 floats are 40 KB);
// more where so few synapses of a row would share a block that starting the row costs more than
// what does not fit.
index_t block_width(index_t n_rows, index_t n_columns, offset_t nnz) {
  using namespace tuning;
  if (nnz == 0) return std::max(n_columns, 1);
  const double density = static_cast<double>(nnz) / (static_cast<double>(n_rows) * n_columns);
  const double wanted =
      std::max(min_row_synapses / density, std::min(good_row_synapses / density, wide_block));
  return static_cast<index_t>(std::clamp(wanted, narrow_block, widest_block));
}

// Appends the borders of as few blocks as may be, of about equal width, up to column `last`.
void add_borders(index_t width, index_t last, std::vector<index_t>& borders) {
  const index_t first = borders.back();
  const offset_t n = last - first, n_blocks = (n + width - 1) / width;
  for (offset_t b = 1; b <= n_blocks; ++b)
    borders.push_back(static_cast<index_t>(first + n * b / n_blocks));
}

// Columns of the first layer at which groups of them begin, one for each of `parts` shares of all
// that training costs: the first share has all that is above, too, and so the fewest columns.
// counts[n_in]: synapses of each input; the columns are those that have some.
std::vector<index_t> group_borders(const Patterns& layers, const std::vector<offset_t>& counts,
                                   index_t parts) {
  std::vector<double> cost;
  for (const offset_t n : counts)
    if (n > 0) cost.push_back(tuning::column_cost + static_cast<double>(n));
  const auto n_columns = static_cast<index_t>(cost.size());
  double above = 0.0;
  for (std::size_t l = 0; l < layers.size(); ++l)
    above += tuning::neuron_above_cost * layers[l].n_out +
             (l > 0 ? tuning::synapse_above_cost * static_cast<double>(layers[l].nnz()) : 0.0);
  const double all = std::accumulate(cost.begin(), cost.end(), above);
  std::vector<index_t> borders;
  index_t c = 0;
  double before = above;
  for (index_t part = 1; part < parts; ++part) {
    for (const double goal = all * part / parts; c < n_columns && before < goal;)
      before += cost[c++];
    borders.push_back(c);
  }
  return borders;
}

// An empty matrix with its columns in blocks; returns the block of each column.
std::vector<index_t> set_columns(index_t n_rows, index_t n_columns, offset_t nnz,
                                 const std::vector<index_t>& borders, BlockedCsr& m) {
  m.n_rows = n_rows;
  m.n_columns = n_columns;
  const index_t width = block_width(n_rows, n_columns, nnz);
  m.columns = {0};
  for (const index_t border : borders) add_borders(width, border, m.columns);
  add_borders(width, n_columns, m.columns);
  if (m.columns.size() == 1) m.columns.push_back(0);
  m.n_blocks = static_cast<index_t>(m.columns.size()) - 1;
  std::vector<index_t> block_of(n_columns);
  for (index_t b = 0; b < m.n_blocks; ++b)
    std::fill(block_of.begin() + m.columns[b], block_of.begin() + m.columns[b + 1], b);
  m.starts.assign(static_cast<std::size_t>(m.n_blocks) * n_rows + 1, 0);
  m.local.resize(nnz);
  return block_of;
}

// Calls f(r, how many rows are full from row r on) for n rows, the last one first.
template <class F>
void for_full_rows(index_t n, const offset_t* begin, const std::uint16_t* local, F&& f) {
  constexpr offset_t least = 4;  // synapses of a row, below which it gains nothing
  index_t full = 0;
  for (index_t r = n; r-- > 0;) {
    const offset_t k = begin[r], count = begin[r + 1] - k;
    const bool has_gap =
        count < least || count > most_full_columns || local[k + count - 1] - local[k] != count - 1;
    const bool as_next =
        full > 0 && begin[r + 2] - begin[r + 1] == count && local[begin[r + 1]] == local[k];
    full = has_gap ? 0 : as_next ? full + 1 : 1;
    f(r, full);
  }
}

void set_full_rows(BlockedCsr& m) {
  bool some = false;
  for (index_t b = 0; b < m.n_blocks; ++b)
    for_full_rows(m.n_rows, m.begin(b), m.local.data(),
                  [&](index_t, index_t full) { some |= full >= few_full_rows; });
  if (!some) return;
  m.full.resize(static_cast<std::size_t>(m.n_blocks) * m.n_rows);
  for (index_t b = 0; b < m.n_blocks; ++b)
    find_full_rows(m.n_rows, m.begin(b), m.local.data(), m.full.data() + offset_t{b} * m.n_rows);
}

// Straight from blocks to blocks: an array of positions besides would be the largest of all.
void add_transpose(LayerPlan& plan) {
  const BlockedCsr& W = plan.weights;
  if (W.nnz() > offset_t{0xFFFFFFFF})
    throw std::invalid_argument("a layer can have at most 2^32 - 1 synapses, got " +
                                std::to_string(W.nnz()));
  BlockedCsr& T = plan.transposed;
  const auto block_of = set_columns(W.n_columns, W.n_rows, W.nnz(), {}, T);
  for (index_t b = 0; b < W.n_blocks; ++b)
    for (index_t r = 0; r < W.n_rows; ++r) {
      offset_t* counts = T.starts.data() + offset_t{block_of[r]} * T.n_rows + W.first_column(b) + 1;
      for (offset_t k = W.begin(b)[r]; k < W.end(b)[r]; ++k) ++counts[W.local[k]];
    }
  std::partial_sum(T.starts.begin(), T.starts.end(), T.starts.begin());
  plan.source.resize(W.nnz());
  for (index_t block = 0; block < T.n_blocks; ++block) {
    std::vector<offset_t> next(T.begin(block), T.begin(block) + T.n_rows);
    for (index_t r = T.first_column(block); r < T.last_column(block); ++r)
      for (index_t b = 0; b < W.n_blocks; ++b)
        for (offset_t k = W.begin(b)[r]; k < W.end(b)[r]; ++k) {
          const offset_t to = next[W.first_column(b) + W.local[k]]++;
          T.local[to] = static_cast<std::uint16_t>(r - T.first_column(block));
          plan.source[to] = static_cast<std::uint32_t>(k);
        }
  }
  set_full_rows(T);
}

// As many groups as threads may share, where each has enough to do.
index_t n_groups(offset_t nnz) {
  index_t n = 2;
  while (n < tuning::most_groups && nnz >= 2 * n * tuning::group_synapses) n *= 2;
  return n;
}

// The blocks that begin at some borders, with the first and the end.
std::vector<index_t> blocks_at(const BlockedCsr& m, const std::vector<index_t>& borders) {
  std::vector<index_t> blocks{0};
  for (const index_t border : borders) {
    index_t b = blocks.back();
    while (b < m.n_blocks && m.columns[b] < border) ++b;
    blocks.push_back(b);
  }
  blocks.push_back(m.n_blocks);
  return blocks;
}

// Each array of parameters, turned by f(from, to).
template <class F>
Parameters turned(const Parameters& given, F&& f) {
  Parameters result;
  const auto turn = [&](const Buffer& from) {
    Buffer to(from.size());
    if (!from.empty()) f(from.data(), to.data());
    return to;
  };
  result.values = turn(given.values);
  for (const Buffer& state : given.state) result.state.push_back(turn(state));
  result.frozen = turn(given.frozen);
  return result;
}

}  // namespace

LayerParameters LayerPlan::to_plan(const LayerParameters& csr) const {
  return {turned(csr.synapses, [&](const float* from, float* to) { weights.to_blocks(from, to); }),
          turned(csr.biases, [&](const float* from, float* to) {
            for (const index_t r : neurons) *to++ = from[r];
          })};
}

LayerParameters LayerPlan::to_csr(const LayerParameters& planned) const {
  return {turned(planned.synapses, [&](const float* from, float* to) { weights.to_csr(from, to); }),
          turned(planned.biases, [&](const float* from, float* to) {
            for (const index_t r : neurons) to[r] = *from++;
          })};
}

// Calls f(position in CSR order, position in block order, count) for each row of each block.
template <class F>
void BlockedCsr::for_runs(index_t row0, index_t row1, F&& f) const {
  offset_t k = 0;
  for (index_t b = 0; b < n_blocks; ++b) k += count(b, 0, row0);
  for (index_t r = row0; r < row1; ++r)
    for (index_t b = 0; b < n_blocks; ++b) {
      const offset_t n = count(b, r, r + 1);
      f(k, begin(b)[r], n);
      k += n;
    }
}

index_t BlockedCsr::last_of_piece(index_t block, index_t row, index_t last,
                                  offset_t synapses) const {
  const offset_t* starts_here = begin(block);
  const auto after =
      std::upper_bound(starts_here + row + 1, starts_here + last + 1, starts_here[row] + synapses);
  return std::max(row + 1, static_cast<index_t>(after - starts_here) - 1);
}

void BlockedCsr::to_blocks(const float* csr, float* blocks) const {
  for_runs(0, n_rows, [&](offset_t k, offset_t at, offset_t n) {
    std::copy(csr + k, csr + k + n, blocks + at);
  });
}

void BlockedCsr::to_csr(const float* blocks, float* csr, index_t row0, index_t row1) const {
  for_runs(row0, row1, [&](offset_t k, offset_t at, offset_t n) {
    std::copy(blocks + at, blocks + at + n, csr + k);
  });
}

BlockedCsr block_columns(index_t n_rows, index_t n_columns, const offset_t* indptr,
                         const index_t* indices, const std::vector<index_t>& borders,
                         const index_t* position) {
  BlockedCsr m;
  const auto block_of = set_columns(n_rows, n_columns, indptr[n_rows], borders, m);
  const auto column = [&](offset_t k) { return position ? position[indices[k]] : indices[k]; };
  for (index_t r = 0; r < n_rows; ++r)
    for (offset_t k = indptr[r]; k < indptr[r + 1]; ++k)
      ++m.starts[static_cast<offset_t>(block_of[column(k)]) * n_rows + r + 1];
  std::partial_sum(m.starts.begin(), m.starts.end(), m.starts.begin());
  for (index_t r = 0; r < n_rows; ++r)
    for (offset_t k = indptr[r]; k < indptr[r + 1];) {
      const index_t b = block_of[column(k)], last = m.last_column(b);
      for (offset_t to = m.begin(b)[r]; k < indptr[r + 1] && column(k) < last; ++k, ++to)
        m.local[to] = static_cast<std::uint16_t>(column(k) - m.first_column(b));
    }
  set_full_rows(m);
  return m;
}

void find_full_rows(index_t n, const offset_t* begin, const std::uint16_t* local, index_t* full) {
  for_full_rows(n, begin, local, [full](index_t r, index_t rows) { full[r] = rows; });
}

std::vector<offset_t> prefix_work(const BlockedCsr& m) {
  std::vector<offset_t> work(static_cast<std::size_t>(m.n_rows) + 1, 0);
  for (index_t r = 0; r < m.n_rows; ++r) {
    work[r + 1] = work[r] + 1;
    for (index_t b = 0; b < m.n_blocks; ++b) work[r + 1] += m.count(b, r, r + 1);
  }
  return work;
}

std::vector<index_t> positions_of(const std::vector<index_t>& some, index_t n) {
  std::vector<index_t> positions(n, -1);
  for (std::size_t i = 0; i < some.size(); ++i) positions[some[i]] = static_cast<index_t>(i);
  return positions;
}

LayerPlan plan_matrix(index_t n_rows, index_t n_columns, const offset_t* indptr,
                      const index_t* indices) {
  LayerPlan plan;
  plan.rows.resize(n_rows);
  std::iota(plan.rows.begin(), plan.rows.end(), index_t{0});
  plan.neurons = plan.rows;
  plan.weights = block_columns(n_rows, n_columns, indptr, indices);
  add_transpose(plan);
  return plan;
}

Plan make_plan(const Patterns& layers, const Patterns* layers_before, const Plan* before) {
  Plan plan;
  // The first layer's groups follow from the sizes of all.
  bool same_below = before != nullptr && layers_before->size() == layers.size();
  for (std::size_t l = 0; same_below && l < layers.size(); ++l)
    same_below = layers[l].nnz() == (*layers_before)[l].nnz();
  std::vector<offset_t> counts = column_counts(layers[0]);
  std::vector<index_t> position(counts.size(), 0);  // of each neuron below in its plan
  for (index_t c = 0; c < layers[0].n_in; ++c)
    if (counts[c] > 0) {
      position[c] = static_cast<index_t>(plan.inputs.size());
      plan.inputs.push_back(c);
    }
  auto n_below = static_cast<index_t>(plan.inputs.size());
  same_below = same_below && plan.inputs == before->inputs;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Pattern& layer = layers[l];
    // A hidden neuron is computed if anything reads it, or if it holds synapses (so that values
    // keep their order); all outputs are.
    const auto read = l + 1 < layers.size() ? column_counts(layers[l + 1])
                                            : std::vector<offset_t>(layer.n_out, 1);
    LayerPlan p;
    std::vector<offset_t> indptr{0};
    std::vector<index_t> others;
    std::vector<index_t> position_here(layer.n_out, 0);
    for (index_t r = 0; r < layer.n_out; ++r) {
      if (read[r] == 0 && layer.row_is_empty(r)) {
        others.push_back(r);
        continue;
      }
      position_here[r] = static_cast<index_t>(p.rows.size());
      p.rows.push_back(r);
      indptr.push_back(layer.indptr[r + 1]);
    }
    const auto n_rows = static_cast<index_t>(p.rows.size());
    const bool same_rows = before != nullptr && p.rows == before->layers[l].rows;
    if (same_below && same_rows && layers.pointer(l) == layers_before->pointer(l)) {
      plan.layers.share(before->layers.pointer(l));
      if (l == 0) plan.groups = before->groups;
    } else {
      p.neurons = p.rows;
      p.neurons.insert(p.neurons.end(), others.begin(), others.end());
      const auto borders =
          l == 0 ? group_borders(layers, counts, n_groups(layer.nnz())) : std::vector<index_t>{};
      p.weights = block_columns(n_rows, n_below, indptr.data(), layer.indices.data(), borders,
                                position.data());
      if (l == 0) plan.groups = blocks_at(p.weights, borders);
      if (l > 0) add_transpose(p);
      plan.layers.push_back(std::move(p));
    }
    position = std::move(position_here);
    n_below = n_rows;
    same_below = same_rows;
  }
  return plan;
}

}  // namespace synaprune
