// The words that the whole core shares: index types, arrays, errors and the random generator.
#pragma once

#include <cfloat>
#include <chrono>
#include <cstdint>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace synaprune {

// Sums and roundings are written for numbers that are kept in the precision of their type; x87
// registers keep more, and the exponential would be wrong by tens of percent.
static_assert(FLT_EVAL_METHOD == 0, "compile for a CPU with single-precision registers");

using index_t = std::int32_t;   // a row, a column, a class
using offset_t = std::int64_t;  // a position among synapses, or in a dense array

// Memory that begins on a pair of cache lines, so that a wide load of a tile's row never touches
// two and no pair is shared by what two threads write.
template <class T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t line{128};

  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), line)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, line); }
  template <class U>
  bool operator==(const LineAllocator<U>&) const {
    return true;
  }
  template <class U>
  bool operator!=(const LineAllocator<U>&) const {
    return false;
  }
};

using Buffer = std::vector<float, LineAllocator<float>>;  // dense arrays that passes work on

// [first, last): tiles, rows, columns, blocks.
template <class T>
struct Range {
  T first, last;
};

// A call was told to stop between two batches (Ctrl-C).
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// Asked between batches, now and then; true means stop (the call then throws Interrupted).
using ShouldStop = std::function<bool()>;

// Asks at most every 20 ms; throws Interrupted if the answer is yes.
class StopCheck {
 public:
  explicit StopCheck(const ShouldStop& should_stop) : should_stop_(should_stop) {}
  void operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (!should_stop_ || now - last_ < std::chrono::milliseconds(20)) return;
    last_ = now;
    if (should_stop_()) throw Interrupted();
  }

 private:
  const ShouldStop& should_stop_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// The position of the entry of a table that is called `name`; throws std::invalid_argument, naming
// all entries, if there is none.
template <class Table>
int find_entry(const char* what, const Table& table, const std::string& name) {
  std::string known;
  int i = 0;
  for (const auto& entry : table) {
    if (name == entry.name) return i;
    known += (known.empty() ? "'" : ", '") + std::string(entry.name) + "'";
    ++i;
  }
  throw std::invalid_argument(std::string(what) + " must be one of " + known + ", got '" + name +
                              "'");
}

template <class Table>
std::vector<std::string> entry_names(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return names;
}

// SplitMix64 (Steele, Lea, Flood 2014): one word of state, so that saving and rolling back is
// exact.
struct Rng {
  std::uint64_t state = 0;

  std::uint64_t next() {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, 1), a multiple of 2^-24, exact in float32.
  float uniform() { return static_cast<float>(next() >> 40) * 0x1.0p-24f; }
  // Uniform in [0, n) for n <= 2^32; the bias is below n / 2^32.
  std::uint64_t below(std::uint64_t n) { return ((next() >> 32) * n) >> 32; }
  // The same for any n; the bias is below n / 2^64.
  std::uint64_t below_any(std::uint64_t n) { return next() % n; }
};

}  // namespace synaprune
