// The only file that knows threads: OpenMP or std::thread, locks, atomics, forks. Without either
// everything runs on one thread, and so does a process that was forked.
//
// Teams hand out disjoint pieces of work; results never depend on the number of threads, because
// each piece is computed the same way whoever computes it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "synaprune/portable.hpp"
#include "synaprune/tuning.hpp"
#include "synaprune/types.hpp"

#if defined(_OPENMP) && !defined(SYNAPRUNE_STD_THREADS)
#include <omp.h>
#define SYNAPRUNE_OMP
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define SYNAPRUNE_ATFORK
#endif

namespace synaprune {

#if defined(SYNAPRUNE_OMP)
inline constexpr const char* thread_runtime = "openmp";
#elif defined(SYNAPRUNE_STD_THREADS)
inline constexpr const char* thread_runtime = "std";
#else
inline constexpr const char* thread_runtime = "none";
#endif

inline constexpr int max_threads = 1024;  // asking for more than a system has ends the process

template <class T>
using Atomic = std::atomic<T>;

// ---- processes

// Processors that the process may use by its quota (cgroups), at least 1; and whether it was forked
// from another one and never began a program of its own. See processes.cpp.
int cpu_quota();
bool forked_without_exec();

// One lock for the moments in which pointers are read and swapped, held around every fork, so that
// a child finds it free and what it guards whole.
struct ProcessState {
  std::mutex lock;
  std::condition_variable changed;
  unsigned forks = 0;  // that led from the process that first asked to this one
  bool single_threaded = false;

  static ProcessState& get() {
    static ProcessState& state = *new ProcessState;  // threads may outlive static objects
    static const bool once = [] {
      state.single_threaded = forked_without_exec();
#if defined(SYNAPRUNE_ATFORK)
      pthread_atfork([] { state.lock.lock(); }, [] { state.lock.unlock(); },
                     [] {
                       new (&state.changed) std::condition_variable;  // whom it woke is gone
                       ++state.forks;
                       state.single_threaded = true;  // OpenMP's threads are gone, unknown to it
                       state.lock.unlock();
                     });
#endif
      return true;
    }();
    static_cast<void>(once);
    return state;
  }
};

// A value of which threads read snapshots while others make the next one. Readers take a pointer
// and never wait. Writers take turns; one that writes while this thread has its turn already (a
// signal handler during a training) is let in, and the outer one then finds its snapshot
// superseded.
template <class T>
class Snapshots {
 public:
  using Pointer = std::shared_ptr<const T>;

  explicit Snapshots(Pointer first) : current_(std::move(first)) {}

  Pointer get() const {
    const std::lock_guard<std::mutex> guard(ProcessState::get().lock);
    return current_;
  }

  // A writer's turn, from construction to destruction.
  class Turn {
   public:
    // Waits for it; meanwhile idle() is called now and then, and may throw.
    template <class Idle>
    Turn(Snapshots& all, Idle&& idle) : all_(all) {
      ProcessState& process = ProcessState::get();
      std::unique_lock<std::mutex> guard(process.lock);
      const auto me = std::this_thread::get_id();
      const auto free = [&] {
        return all_.depth_ == 0 || all_.owner_ == me || all_.forks_ != process.forks;
      };
      while (!free()) {
        process.changed.wait_for(guard, std::chrono::milliseconds(20));
        if (free()) break;
        guard.unlock();
        idle();
        guard.lock();
      }
      if (all_.forks_ != process.forks) all_.depth_ = 0;  // the writer stayed with the parent
      all_.owner_ = me;
      all_.forks_ = process.forks;
      ++all_.depth_;
      before_ = all_.current_;
    }
    ~Turn() {
      ProcessState& process = ProcessState::get();
      {
        const std::lock_guard<std::mutex> guard(process.lock);
        if (all_.depth_ > 0) --all_.depth_;
      }
      process.changed.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    const T& before() const { return *before_; }

    // Makes `next` the current value. Returns false, and changes nothing, if a write within this
    // turn has superseded what before() tells.
    bool publish(Pointer next) {
      const std::lock_guard<std::mutex> guard(ProcessState::get().lock);
      if (all_.current_ != before_) return false;
      all_.current_.swap(next);
      before_ = all_.current_;
      return true;  // the old value dies with `next`, after the lock is free
    }

   private:
    Snapshots& all_;
    Pointer before_;
  };

 private:
  Pointer current_;
  std::thread::id owner_;  // of the turn
  int depth_ = 0;          // turns of the owner, one inside the other
  unsigned forks_ = 0;
};

// Things to work with that are kept between calls: each call borrows one of its own.
template <class T>
class Pool {
 public:
  std::unique_ptr<T> take() {
    const std::lock_guard<std::mutex> guard(ProcessState::get().lock);
    if (free_.empty()) return nullptr;
    std::unique_ptr<T> thing = std::move(free_.back());
    free_.pop_back();
    return thing;
  }
  void give_back(std::unique_ptr<T> thing) {
    const std::lock_guard<std::mutex> guard(ProcessState::get().lock);
    free_.push_back(std::move(thing));
  }

 private:
  std::vector<std::unique_ptr<T>> free_;
};

// What a thread does that may not return to a runtime that shuts down.
[[noreturn]] inline void sleep_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

// ---- teams

// How many threads a call that may use `threads` gets.
inline int usable_threads(int threads) {
#if defined(SYNAPRUNE_OMP) || defined(SYNAPRUNE_STD_THREADS)
  if (!ProcessState::get().single_threaded) return std::clamp(threads, 1, max_threads);
#endif
  static_cast<void>(threads);
  return 1;
}

// OMP_NUM_THREADS, if it is set; else the processors that the process may run on, as affinity and
// quota have it.
inline int default_threads() {
#if defined(SYNAPRUNE_OMP)
  const int threads = omp_get_max_threads();  // knows the affinity
  return usable_threads(std::getenv("OMP_NUM_THREADS") ? threads : std::min(threads, cpu_quota()));
#else
  return usable_threads(
      std::min(static_cast<int>(std::thread::hardware_concurrency()), cpu_quota()));
#endif
}

// How many of `threads`, the calling one among them, the system lets run at once: OpenMP ends the
// process where it lets fewer. What this thread's last team had is there already.
inline int startable_threads(int threads) {
#if defined(SYNAPRUNE_OMP) || defined(SYNAPRUNE_STD_THREADS)
  static thread_local int there = 1;
  if (threads > there) {
    std::mutex gate;
    std::vector<std::thread> others;
    others.reserve(static_cast<std::size_t>(threads));
    gate.lock();
    try {
      while (there + static_cast<int>(others.size()) < threads)
        others.emplace_back([&gate] { const std::lock_guard<std::mutex> wait(gate); });
    } catch (const std::system_error&) {  // no more of them
    }
    gate.unlock();
    for (std::thread& other : others) other.join();
    threads = there + static_cast<int>(others.size());
  }
  if (threads > 1) there = threads;
#endif
  return threads;
}

// Threads that go through many short steps together: barriers cost a fraction of a microsecond, so
// that steps of some microseconds can be shared.
class Team {
 public:
  explicit Team(int threads)
      : size_(startable_threads(usable_threads(threads))),
        flags_(new Flag[static_cast<std::size_t>(size_)]) {}

  // Calls worker(w) on up to `threads` threads at once, w = 0 on the calling one, each with
  // denormals flushed. The first exception stops the team and is rethrown here when all have left.
  template <class F>
  void run(F&& worker) {
    if (size_ == 1) {
      const FlushDenormals flush;
      return worker(0);
    }
#if defined(SYNAPRUNE_OMP) || defined(SYNAPRUNE_STD_THREADS)
    std::exception_ptr error;
    std::mutex error_lock;
    const auto guarded = [&](int w) {
      const FlushDenormals flush;
      try {
        worker(w);
      } catch (...) {
        stop();
        const std::lock_guard<std::mutex> guard(error_lock);
        if (!error) error = std::current_exception();
      }
    };
#if defined(SYNAPRUNE_OMP)
#pragma omp parallel num_threads(size_)
    {
#pragma omp single
      size_ = omp_get_num_threads();  // maybe fewer than asked for
      guarded(omp_get_thread_num());
    }
#else
    std::vector<std::thread> others;
    others.reserve(static_cast<std::size_t>(size_));
    try {
      for (int w = 1; w < size_; ++w) others.emplace_back(guarded, w);
      guarded(0);
    } catch (...) {  // one that could be started a moment ago: those there wait for it
      stop();
      error = std::current_exception();
    }
    for (std::thread& other : others) other.join();
#endif
    if (error) std::rethrow_exception(error);
#endif
  }

  int size() const { return size_; }

  // A barrier: thread w waits until all have come as far. Returns false once the team was stopped.
  // Nobody writes to another's flag: a barrier costs one transfer between cores.
  bool barrier(int w) {
    if (size_ == 1) return !stopped();
    const unsigned here = signal(w);
    for (int other = 0; other < size_; ++other)
      if (!wait(other, here)) return false;
    return !stopped();
  }

  // The halves of a barrier, for threads that go on at once: thread w tells that it has come to its
  // next point; a thread waits until another one has come to its n-th. Returns false if the team
  // was stopped first.
  unsigned signal(int w) {
    const unsigned here = flags_[w].arrived.load(std::memory_order_relaxed) + 1;
    flags_[w].arrived.store(here, std::memory_order_release);
    return here;
  }
  bool wait(int other, unsigned n) {
    const auto arrived = [&] {
      return static_cast<int>(flags_[other].arrived.load(std::memory_order_acquire) - n) >= 0;
    };
    for (int tries = 0; !arrived();) {
      if (stopped()) return false;
      give_way(tries);
    }
    return true;
  }

  void stop() { stopped_.store(true, std::memory_order_release); }
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

  // 0, 1, 2 … in turn to whoever asks: work that is dealt out piece by piece.
  offset_t next_ticket() { return ticket_.fetch_add(1, std::memory_order_relaxed); }

 private:
  // The thread that is waited for may need this core, or be asleep itself.
  static void give_way(int& tries) {
    using namespace tuning;
    if (tries < pauses + yields) ++tries;
    if (tries <= pauses) return pause();
    if (tries < pauses + yields) return std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(nap_us));
  }

  struct alignas(128) Flag {
    std::atomic<unsigned> arrived{0};  // points that a thread has come to
  };

  int size_;
  std::unique_ptr<Flag[]> flags_;
  alignas(128) std::atomic<bool> stopped_{false};
  alignas(128) std::atomic<offset_t> ticket_{0};
};

// Borders of `parts` ranges of about equal work, first 0, last n; prefix(i) is the work before i.
// Ranges may be empty.
template <class Prefix>
std::vector<index_t> split_evenly(int parts, index_t n, Prefix&& prefix) {
  std::vector<index_t> borders{0};
  index_t i = 0;
  for (int p = 1; p < parts; ++p) {
    const auto goal = prefix(n) * p / parts;
    while (i < n && prefix(i) < goal) ++i;
    borders.push_back(i);
  }
  borders.push_back(n);
  return borders;
}

// The part of a thread among [borders[p], borders[p + 1]); a team may be smaller than there are
// parts. Calls f(range).
template <class F>
void for_own_parts(int w, const Team& team, const std::vector<index_t>& borders, F&& f) {
  for (int part = w; part + 1 < static_cast<int>(borders.size()); part += team.size())
    f(Range<index_t>{borders[part], borders[part + 1]});
}

}  // namespace synaprune
