// `Network` as Python holds it: snapshots that are read, and writers that take turns.
#pragma once

#include <memory>
#include <optional>

#include "convert.hpp"
#include "gil.hpp"

namespace synaprune::bindings {

// Python code may call from several threads. A reader checks its arguments against a snapshot and
// then works on that one, whatever others do meanwhile.
class Handle {
 public:
  using Snapshot = std::shared_ptr<const Network>;

  explicit Handle(Network network) : Handle(std::make_shared<const Network>(std::move(network))) {}
  explicit Handle(Snapshot network) : all_(std::move(network)) {}

  Snapshot snapshot() const { return all_.get(); }

 private:
  friend class Write;
  Snapshots<Network> all_;
};

// A writer's turn with a copy of the network, which others see once it is published. What fails
// before that changes nothing.
class Write {
 public:
  explicit Write(Handle& handle) {
    without_gil([&] {
      turn_.emplace(handle.all_, [] {
        if (signal_pending()) throw Interrupted();
      });
      next_ = std::make_shared<Network>(turn_->before());
    });
  }

  Network& network() { return *next_; }

  // Runs f(network) without the GIL.
  template <class F>
  auto run(F&& f) {
    return without_gil([&] { return f(*next_); });
  }

  // If a signal handler on this very thread has written meanwhile, what it wrote stays.
  void publish() { turn_->publish(std::move(next_)); }

  // Then works on a copy of that.
  void publish_and_go_on() {
    publish();
    without_gil([&] { next_ = std::make_shared<Network>(turn_->before()); });
  }

 private:
  std::optional<Snapshots<Network>::Turn> turn_;
  std::shared_ptr<Network> next_;
};

// Changes a handle's network by f(network), run without the GIL; returns what f returns.
template <class F>
auto write(Handle& handle, F&& f) {
  Write writing(handle);
  if constexpr (std::is_void_v<std::invoke_result_t<F, Network&>>) {
    writing.run(f);
    writing.publish();
  } else {
    auto result = writing.run(f);
    writing.publish();
    return result;
  }
}

}  // namespace synaprune::bindings
