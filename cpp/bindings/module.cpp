// The Python module _core: one function a noun, each in its own bind_*.cpp.
#include <pybind11/pybind11.h>

#include "synaprune/parallel.hpp"

namespace synaprune::bindings {
void bind_arrays(pybind11::module_& m);
void bind_build_info(pybind11::module_& m);
void bind_explain(pybind11::module_& m);
void bind_kernels(pybind11::module_& m);
void bind_linear(pybind11::module_& m);
void bind_network(pybind11::module_& m);
void bind_optimizer(pybind11::module_& m);
}  // namespace synaprune::bindings

PYBIND11_MODULE(_core, m) {
  using namespace synaprune::bindings;
  synaprune::usable_threads(1);  // from here on it knows of forks
  m.doc() = "The C++ core of synaprune. Private: use the names in `synaprune`.";
  bind_arrays(m);
  bind_build_info(m);
  bind_kernels(m);
  bind_linear(m);
  bind_optimizer(m);
  bind_network(m);
  bind_explain(m);
}
