// The Python module _core: one function a noun, each in its own bind_*.cpp.
#include "gil.hpp"

namespace synaprune::bindings {

void bind_arrays(py::module_& m);
void bind_build_info(py::module_& m);
void bind_explain(py::module_& m);
void bind_kernels(py::module_& m);
void bind_linear(py::module_& m);
void bind_network(py::module_& m);
void bind_optimizer(py::module_& m);
void bind_tables(py::module_& m);

namespace {

// Learns which thread is the main one, now and in forked children, where it is the one that forked.
void watch_main_thread() {
  const py::object main = py::module_::import("threading").attr("main_thread")();
  main_thread = main.attr("ident").cast<unsigned long>();
  const py::module_ os = py::module_::import("os");
  if (py::hasattr(os, "register_at_fork"))
    os.attr("register_at_fork")(py::arg("after_in_child") = py::cpp_function(
                                    [] { main_thread = PyThread_get_thread_ident(); }));
}

}  // namespace

}  // namespace synaprune::bindings

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  using namespace synaprune::bindings;
  synaprune::ProcessState::get();  // from here on it knows of forks
  watch_main_thread();
  m.doc() = "The C++ core of synaprune. Private: use the names in `synaprune`.";
  bind_arrays(m);
  bind_build_info(m);
  bind_tables(m);
  bind_kernels(m);
  bind_linear(m);
  bind_optimizer(m);
  bind_network(m);
  bind_explain(m);
}
