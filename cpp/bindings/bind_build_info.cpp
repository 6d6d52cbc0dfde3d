#include "convert.hpp"
#include "synaprune/kernels.hpp"
#include "synaprune/parallel.hpp"

namespace synaprune::bindings {

void bind_build_info(py::module_& m) {
  m.attr("__version__") = SYNAPRUNE_VERSION;
  m.def("build_info", [] {
    py::dict info;
    info["version"] = SYNAPRUNE_VERSION;
    info["thread_runtime"] = thread_runtime;
    info["threads"] = default_threads();
    info["isa"] = kernels().isa;
    info["available_isa"] = available_isa();
#if defined(__clang__)
    info["compiler"] = "clang " __clang_version__;
#elif defined(__GNUC__)
    info["compiler"] = "gcc " __VERSION__;
#elif defined(_MSC_VER)
    info["compiler"] = "msvc " + std::to_string(_MSC_VER);
#else
    info["compiler"] = "unknown";
#endif
    return info;
  });
  m.def("default_threads", &default_threads);
  m.def("set_isa", &set_isa, py::arg("isa"));
}

}  // namespace synaprune::bindings
