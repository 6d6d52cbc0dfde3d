// The core's tables: their names, and what an entry does, for Python and for tests.
#include <algorithm>

#include "convert.hpp"
#include "synaprune/losses.hpp"
#include "synaprune/optimizer.hpp"
#include "synaprune/prune.hpp"

namespace synaprune::bindings {

namespace {

py::array_t<float> activate(const std::string& name, const py::array& x) {
  const auto in = expect<float>("x", x, 1);
  const ActivationKernel& f = kernels().activation(parse_activation(name));
  py::array_t<float> out(in.size());
  std::copy_n(in.data(), in.size(), out.mutable_data());
  f.forward(in.size(), out.mutable_data());
  return out;
}

py::array_t<float> slope(const std::string& name, const py::array& x) {
  const auto in = expect<float>("x", x, 1);
  const ActivationKernel& f = kernels().activation(parse_activation(name));
  py::array_t<float> y = activate(name, x), out(in.size());
  std::fill_n(out.mutable_data(), in.size(), 1.0f);
  f.backward(in.size(), in.data(), y.data(), out.mutable_data());
  return out;
}

}  // namespace

void bind_tables(py::module_& m) {
  m.attr("ACTIVATIONS") = py::tuple(py::cast(activation_names()));
  m.attr("LOSSES") = py::tuple(py::cast(loss_names()));
  std::vector<std::string> of_numbers;
  for (const std::string& name : loss_names())
    if (is_regression(parse_loss(name))) of_numbers.push_back(name);
  m.attr("REGRESSION_LOSSES") = py::tuple(py::cast(of_numbers));
  m.attr("OPTIMIZERS") = py::tuple(py::cast(optimizer_names()));
  m.attr("CRITERIA") = py::tuple(py::cast(criterion_names()));
  std::vector<std::string> with_gradients, with_curvature;
  for (const std::string& name : criterion_names()) {
    if (needs_gradients(parse_criterion(name))) with_gradients.push_back(name);
    if (needs_curvature(parse_criterion(name))) with_curvature.push_back(name);
  }
  m.attr("GRADIENT_CRITERIA") = py::tuple(py::cast(with_gradients));
  m.attr("CURVATURE_CRITERIA") = py::tuple(py::cast(with_curvature));
  m.def("activate", &activate, py::arg("activation"), py::arg("x"));
  m.def("activation_slope", &slope, py::arg("activation"), py::arg("x"));
}

}  // namespace synaprune::bindings
