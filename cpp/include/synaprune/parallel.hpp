// The only file that knows threads: OpenMP, locks, atomics. Without OpenMP everything runs on one
// thread, and so does a process that was forked from one that had imported us.
//
// parallel_for and Team hand out disjoint pieces of work; results never depend on the number of
// threads, because each piece is computed the same way whoever computes it.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "synaprune/types.hpp"

#ifdef _OPENMP
#include <omp.h>
#if __has_include(<pthread.h>)
#include <pthread.h>
#define SYNAPRUNE_HAS_ATFORK
#endif
#endif

namespace synaprune {

#ifdef _OPENMP
inline constexpr bool has_openmp = true;
#else
inline constexpr bool has_openmp = false;
#endif

inline constexpr int max_threads = 1024;  // asking for more than a system has ends the process

// Readers (predict) may share a network, a writer (train, cut) has it alone.
using ReadWriteLock = std::shared_mutex;
using ReadGuard = std::shared_lock<ReadWriteLock>;
using WriteGuard = std::unique_lock<ReadWriteLock>;

template <class T>
using Atomic = std::atomic<T>;

// How many threads a call that may use `threads` gets. In a child that was forked after the first
// call of this, the runtime's threads may be gone while it believes in them, and a team would wait
// for them for ever.
inline int usable_threads(int threads) {
#ifdef SYNAPRUNE_HAS_ATFORK
  static std::atomic<bool> forked{false};
  static const int once = pthread_atfork(nullptr, nullptr, [] { forked = true; });
  static_cast<void>(once);
  if (forked) return 1;
#endif
  return has_openmp ? std::clamp(threads, 1, max_threads) : 1;
}

inline int default_threads() {
#ifdef _OPENMP
  return usable_threads(omp_get_max_threads());
#else
  return 1;
#endif
}

// Threads that go through many short steps together: barriers cost a fraction of a microsecond, so
// that steps of some microseconds can be shared.
class Team {
 public:
  explicit Team(int threads)
      : size_(usable_threads(threads)), flags_(new Flag[static_cast<std::size_t>(size_)]) {}

  // Calls worker(w) on up to `threads` threads at once, w = 0 on the calling one. The first
  // exception stops the team and is rethrown here when all have left.
  template <class F>
  void run(F&& worker) {
#ifdef _OPENMP
    if (size_ > 1) {
      std::exception_ptr error;
      std::mutex error_lock;
#pragma omp parallel num_threads(size_)
      {
#pragma omp single
        size_ = omp_get_num_threads();  // maybe fewer than asked for
        try {
          worker(omp_get_thread_num());
        } catch (...) {
          stop();
          const std::lock_guard<std::mutex> guard(error_lock);
          if (!error) error = std::current_exception();
        }
      }
      if (error) std::rethrow_exception(error);
      return;
    }
#endif
    worker(0);
  }

  int size() const { return size_; }

  // Thread w waits until all have come as far; meanwhile it calls idle(), which does a little
  // useful work and returns true, or false if there is none. Returns false once the team was
  // stopped. Nobody writes to another's flag: a barrier costs one transfer between cores.
  template <class Idle>
  bool meet(int w, Idle&& idle) {
    if (size_ == 1) return !stopped();
    const unsigned here = arrive(w);
    for (int other = 0; other < size_; ++other)
      if (!wait_for(other, here, idle)) return false;
    return !stopped();
  }

  // The halves of a meeting, for threads that go on at once: thread w tells that it has come to its
  // next point; a thread waits until another one has come to its n-th. Returns false if it has not
  // and the team was stopped; what was ready before is still ready.
  unsigned arrive(int w) {
    const unsigned here = flags_[w].arrived.load(std::memory_order_relaxed) + 1;
    flags_[w].arrived.store(here, std::memory_order_release);
    return here;
  }
  template <class Idle>
  bool wait_for(int other, unsigned n, Idle&& idle) {
    const auto arrived = [&] {
      return static_cast<int>(flags_[other].arrived.load(std::memory_order_acquire) - n) >= 0;
    };
    for (int spins = 0; !arrived();) {
      if (stopped()) return arrived();  // perhaps just before it stopped the team
      if (!idle()) relax(++spins);
    }
    return true;
  }

  void stop() { stopped_.store(true, std::memory_order_release); }
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

  // 0, 1, 2 … in turn to whoever asks: work that is dealt out piece by piece.
  offset_t next_ticket() { return ticket_.fetch_add(1, std::memory_order_relaxed); }

 private:
  static void relax(int spins) {
    if (spins > 2000) return std::this_thread::yield();  // the others may wait for this core
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }

  struct alignas(128) Flag {
    std::atomic<unsigned> arrived{0};  // points that a thread has come to
  };

  int size_;
  std::unique_ptr<Flag[]> flags_;
  alignas(128) std::atomic<bool> stopped_{false};
  alignas(128) std::atomic<offset_t> ticket_{0};
};

// Calls f(0) ... f(n_tasks - 1), each once, on up to `threads` threads. The first exception that a
// task throws is rethrown here when all have stopped; tasks not yet begun are then skipped.
template <class F>
void parallel_for(int threads, int n_tasks, F&& f) {
#ifdef _OPENMP
  if (threads > 1 && n_tasks > 1) {
    std::exception_ptr error;
    std::mutex error_lock;
    const int team = std::min(usable_threads(threads), n_tasks);
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

// Borders of `parts` ranges of about equal work, first 0, last n; work(i) is what comes before i.
// Ranges may be empty.
template <class Work>
std::vector<index_t> split_evenly(int parts, index_t n, Work&& work) {
  std::vector<index_t> borders{0};
  index_t i = 0;
  for (int p = 1; p < parts; ++p) {
    const auto goal = work(n) * p / parts;
    while (i < n && work(i) < goal) ++i;
    borders.push_back(i);
  }
  borders.push_back(n);
  return borders;
}

}  // namespace synaprune
