// What compilers and processors call differently: prefetching, pausing, denormals, CPU features.
#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

#if defined(__x86_64__) || defined(_M_X64) || (defined(__i386__) && defined(__SSE2__))
#include <xmmintrin.h>
#define SYNAPRUNE_X86
#endif

namespace synaprune {

// A processor feature that code may be compiled for, by the compiler's name for it.
#if defined(__GNUC__) && defined(SYNAPRUNE_X86)
#define SYNAPRUNE_CPU_HAS(feature) __builtin_cpu_supports(feature)
#else
#define SYNAPRUNE_CPU_HAS(feature) false
#endif

// A function of its own, with all registers to itself.
#if defined(_MSC_VER)
#define SYNAPRUNE_NOINLINE __declspec(noinline)
#else
#define SYNAPRUNE_NOINLINE __attribute__((noinline))
#endif

// Asks for the cache line of p: for the second-level cache, for the first, or to be written.
#if defined(__GNUC__)
#define SYNAPRUNE_PREFETCH_L2(p) __builtin_prefetch(p, 0, 2)
#define SYNAPRUNE_PREFETCH_L1(p) __builtin_prefetch(p, 0, 3)
#define SYNAPRUNE_PREFETCH_WRITE(p) __builtin_prefetch(p, 1, 3)
#elif defined(SYNAPRUNE_X86)
#define SYNAPRUNE_PREFETCH_L2(p) _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1)
#define SYNAPRUNE_PREFETCH_L1(p) _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0)
#define SYNAPRUNE_PREFETCH_WRITE(p) SYNAPRUNE_PREFETCH_L1(p)
#else
#define SYNAPRUNE_PREFETCH_L2(p) static_cast<void>(p)
#define SYNAPRUNE_PREFETCH_L1(p) static_cast<void>(p)
#define SYNAPRUNE_PREFETCH_WRITE(p) static_cast<void>(p)
#endif

// Tells the processor that a loop waits for another thread.
inline void pause() {
#if defined(SYNAPRUNE_X86)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ __volatile__("yield");
#endif
}

// Denormal numbers count as 0 on this thread while it lives: they cost a hundred times as much, and
// moments of idle synapses decay into them. Results are those of all ISA levels alike. What the
// thread did before comes back. With `flush` false they count again, for code of others in between.
class FlushDenormals {
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
#if defined(SYNAPRUNE_X86)
  explicit FlushDenormals(bool flush = true) : before_(_mm_getcsr()) {
    constexpr unsigned bits = 0x8040u;  // FTZ and DAZ
    _mm_setcsr(flush ? before_ | bits : before_ & ~bits);
  }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__) && defined(__GNUC__)
  explicit FlushDenormals(bool flush = true) {
    constexpr auto bit = std::uint64_t{1} << 24;  // FZ
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(before_));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(flush ? before_ | bit : before_ & ~bit));
  }
  ~FlushDenormals() { __asm__ __volatile__("msr fpcr, %0" : : "r"(before_)); }

 private:
  std::uint64_t before_;
#else
  explicit FlushDenormals(bool = true) {}
  ~FlushDenormals() {}
#endif
};

}  // namespace synaprune
