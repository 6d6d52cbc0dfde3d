// The only file that knows threads: OpenMP, locks. Without OpenMP everything runs on one thread.
//
// parallel_for hands out disjoint pieces of work; results never depend on the number of threads,
// because each piece is computed the same way whoever computes it.
#pragma once

#include <algorithm>
#include <exception>
#include <mutex>
#include <shared_mutex>

#include "synaprune/types.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace synaprune {

#ifdef _OPENMP
inline constexpr bool has_openmp = true;
inline int default_threads() { return omp_get_max_threads(); }
#else
inline constexpr bool has_openmp = false;
inline int default_threads() { return 1; }
#endif

inline constexpr int max_threads = 1024;  // asking for more than a system has ends the process

// Readers (predict) may share a network, a writer (train, cut) has it alone.
using ReadWriteLock = std::shared_mutex;
using ReadGuard = std::shared_lock<ReadWriteLock>;
using WriteGuard = std::unique_lock<ReadWriteLock>;

// Calls f(0) ... f(n_tasks - 1), each once, on up to `threads` threads. The first exception that a
// task throws is rethrown here when all have stopped; tasks not yet begun are then skipped.
template <class F>
void parallel_for(int threads, int n_tasks, F&& f) {
#ifdef _OPENMP
  if (threads > 1 && n_tasks > 1) {
    std::exception_ptr error;
    std::mutex error_lock;
    const int team = std::min({threads, n_tasks, max_threads});
#pragma omp parallel for num_threads(team) schedule(dynamic)
    for (int i = 0; i < n_tasks; ++i) {
      try {
        bool failed;
        {
          const std::lock_guard<std::mutex> guard(error_lock);
          failed = error != nullptr;
        }
        if (!failed) f(i);
      } catch (...) {
        const std::lock_guard<std::mutex> guard(error_lock);
        if (!error) error = std::current_exception();
      }
    }
    if (error) std::rethrow_exception(error);
    return;
  }
#endif
  static_cast<void>(threads);
  for (int i = 0; i < n_tasks; ++i) f(i);
}

// Splits rows into about `parts` blocks of equal synapses: returns block borders, first 0, last
// n_rows. One block where the whole is not worth sharing.
inline std::vector<index_t> split_rows(int parts, const std::vector<offset_t>& indptr,
                                       offset_t work_per_synapse) {
  constexpr offset_t worth_sharing = 1 << 22;  // multiply-adds, some hundred microseconds
  const auto n_rows = static_cast<index_t>(indptr.size() - 1);
  const offset_t nnz = indptr.back();
  std::vector<index_t> borders{0};
  if (parts > 1 && nnz * work_per_synapse >= worth_sharing) {
    index_t row = 0;
    for (int p = 1; p < parts; ++p) {
      const offset_t goal = nnz / parts * p;
      while (row < n_rows && indptr[row] < goal) ++row;
      if (row > borders.back() && row < n_rows) borders.push_back(row);
    }
  }
  borders.push_back(n_rows);
  return borders;
}

}  // namespace synaprune
