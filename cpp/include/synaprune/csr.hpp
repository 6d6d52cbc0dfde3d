// Layers as canonical CSR: the form in which they come, go and are cut.
#pragma once

#include <memory>

#include "synaprune/types.hpp"

namespace synaprune {

// Numbers that training changes, of one kind: a layer's synapses, or its biases.
struct Parameters {
  Buffer values;              // [n]
  std::vector<Buffer> state;  // of an optimizer, each [n]: how many, its entry in the table says
  Buffer frozen;              // [n], 1 where training changes nothing, else 0; or empty

  // Throws if an array is of another size.
  void check(const std::string& what, std::size_t n) const;
};

struct LayerParameters {
  Parameters synapses, biases;
};

// What training leaves as it is. Synapse k of row r (indptr[r] <= k < indptr[r+1]) comes from
// column indices[k].
struct Pattern {
  index_t n_out = 0;
  index_t n_in = 0;
  std::vector<offset_t> indptr;  // [n_out + 1]
  std::vector<index_t> indices;  // [nnz], ascending and unique in each row
  std::vector<float> initial;    // [nnz], w(0): travels with its synapse, never reset

  offset_t nnz() const { return static_cast<offset_t>(indices.size()); }
  bool row_is_empty(index_t r) const { return indptr[r + 1] == indptr[r]; }
};

// Values that nobody changes any more, so that copies of the list share them.
template <class T>
class SharedList {
 public:
  using Pointer = std::shared_ptr<const T>;
  class Iterator {
   public:
    explicit Iterator(typename std::vector<Pointer>::const_iterator at) : at_(at) {}
    const T& operator*() const { return **at_; }
    Iterator& operator++() { return ++at_, *this; }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    typename std::vector<Pointer>::const_iterator at_;
  };

  std::size_t size() const { return items_.size(); }
  const T& operator[](std::size_t i) const { return *items_[i]; }
  const T& front() const { return *items_.front(); }
  const T& back() const { return *items_.back(); }
  Iterator begin() const { return Iterator(items_.begin()); }
  Iterator end() const { return Iterator(items_.end()); }

  const Pointer& pointer(std::size_t i) const { return items_[i]; }
  void push_back(T value) { items_.push_back(std::make_shared<const T>(std::move(value))); }
  void share(Pointer item) { items_.push_back(std::move(item)); }
  void replace(std::size_t i, T value) { items_[i] = std::make_shared<const T>(std::move(value)); }

 private:
  std::vector<Pointer> items_;
};

using Patterns = SharedList<Pattern>;

// One layer of synapses from n_in neurons to n_out neurons, with the biases of the latter.
// Parameters of synapses stand in the order of `indices`.
struct Layer : Pattern, LayerParameters {};

// Whether an array `frozen` says so of entry k.
inline bool is_frozen(const Buffer& frozen, offset_t k) {
  return !frozen.empty() && frozen[k] != 0.0f;
}

// Throws std::invalid_argument naming `what` unless the arrays are canonical CSR: indptr starts at
// 0, never falls and ends at nnz; columns are in [0, n_in), ascending and unique in each row.
void check_canonical(const std::string& what, index_t n_out, index_t n_in, const offset_t* indptr,
                     offset_t n_indptr, const index_t* indices, offset_t nnz);

// Drops every synapse k with keep[k] == 0 from all per-synapse arrays, in place and in order.
// Returns how many were dropped.
offset_t compact(Layer& layer, const std::uint8_t* keep);

// counts[c] = number of synapses that leave column c.
std::vector<offset_t> column_counts(const Pattern& layer);

// "465-20-10" as numbers: living inputs, living hidden neurons per layer, all outputs. A hidden
// neuron lives while it has a synapse in and one out; an input while it has a synapse out.
std::vector<index_t> structure(const Patterns& layers);

template <class Layers>
offset_t count_synapses(const Layers& layers) {
  offset_t n = 0;
  for (const auto& layer : layers) n += layer.nnz();
  return n;
}

}  // namespace synaprune
