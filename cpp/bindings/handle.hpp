// `Network` as Python holds it, and what its methods check alike.
#pragma once

#include "convert.hpp"
#include "synaprune/network.hpp"
#include "synaprune/parallel.hpp"

namespace synaprune::bindings {

// A network with its lock. Python code may call from several threads: readers share, a writer is
// alone. The lock is only ever taken without the GIL, so the two cannot wait for each other.
class Handle {
 public:
  explicit Handle(Network network) : network_(std::move(network)) {}

  template <class F>
  auto read(F&& f) const {
    return without_gil([&] {
      const ReadGuard guard(lock_);
      return f(network_);
    });
  }

  template <class F>
  auto write(F&& f) {
    return without_gil([&] {
      const WriteGuard guard(lock_);
      return f(network_);
    });
  }

 private:
  Network network_;
  mutable ReadWriteLock lock_;
};

inline int expect_threads(int threads) {
  if (threads < 1)
    throw py::value_error("threads must be at least 1, got " + std::to_string(threads));
  return threads;
}

inline index_t n_classes(const Handle& handle) {
  const index_t n_out = handle.read([](const Network& n) { return n.n_outputs(); });
  return n_out == 1 ? 2 : n_out;
}

inline Inputs inputs_for(const Handle& handle, const py::array& X) {
  return expect_inputs(X, handle.read([](const Network& n) { return n.n_inputs(); }));
}

}  // namespace synaprune::bindings
