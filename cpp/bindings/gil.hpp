// The GIL and signals: how a call leaves Python and comes back.
#pragma once

#include <pybind11/pybind11.h>

#include "synaprune/network.hpp"
#include "synaprune/parallel.hpp"

namespace synaprune::bindings {

namespace py = pybind11;

// The thread on which Python runs signal handlers; see module.cpp.
inline Atomic<unsigned long> main_thread{0};

inline bool on_main_thread() { return PyThread_get_thread_ident() == main_thread; }

inline bool finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

// Gives the GIL to others while it lives. A thread that comes back while the interpreter shuts down
// would be ended from within, through frames that do not expect it: it sleeps instead, as newer
// versions of Python have it, and ends with the process.
class GilRelease {
 public:
  GilRelease() : state_(PyEval_SaveThread()) {}
  ~GilRelease() {
    if (!on_main_thread() && finalizing()) sleep_for_ever();
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {  // the forced unwinding of a thread that must exit
      sleep_for_ever();
    }
  }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  PyThreadState* state_;
};

// Runs f without the GIL. If Python asked to stop meanwhile, its exception goes on from here.
template <class F>
auto without_gil(F&& f) {
  try {
    const GilRelease released;
    return f();
  } catch (const Interrupted&) {
    throw py::error_already_set();
  }
}

// Runs handlers of pending signals, such as Ctrl-C, and returns whether one raised. Python does so
// on the main thread alone: others never wait for the GIL. No lock is held here, so that a handler
// may do what it likes.
inline bool signal_pending() {
  if (!on_main_thread()) return false;
  const FlushDenormals as_usual(false);
  const py::gil_scoped_acquire acquired;
  return PyErr_CheckSignals() != 0;
}

// Calls a Python function from where the GIL is free, on the thread that gave it away; what it
// raises goes on as a C++ exception.
template <class F>
auto with_gil(F&& f) {
  const FlushDenormals as_usual(false);
  const py::gil_scoped_acquire acquired;
  return f();
}

}  // namespace synaprune::bindings
