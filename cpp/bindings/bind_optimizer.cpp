#include "convert.hpp"
#include "synaprune/optimizer.hpp"

namespace synaprune::bindings {

namespace {

Optimizer make_optimizer(const std::string& name, double lr, const py::kwargs& others) {
  std::vector<Hyperparameter> given{{"lr", lr}};
  for (const auto& [key, value] : others)
    given.push_back({key.cast<std::string>(), value.cast<double>()});
  return Optimizer(name, given);
}

}  // namespace

void bind_optimizer(py::module_& m) {
  py::class_<Optimizer>(m, "Optimizer")
      .def(py::init(&make_optimizer), py::arg("name"), py::arg("lr"))
      .def_property_readonly("name", &Optimizer::name)
      .def_property_readonly("n_state", &Optimizer::n_state);
}

}  // namespace synaprune::bindings
