// What the parts of a network do: functions of a `Network`.
#include "handle.hpp"
#include "synaprune/explain.hpp"

namespace synaprune::bindings {

namespace {

std::size_t expect_layer(const Network& net, index_t layer) {
  if (layer < 0 || layer >= static_cast<index_t>(net.n_layers()))
    throw py::value_error("layer must be from 0 to " + std::to_string(net.n_layers() - 1) +
                          ", got " + std::to_string(layer));
  return layer;
}

template <class T>
py::array_t<T> to_matrix(const std::vector<T>& v, offset_t columns) {
  const auto rows = static_cast<py::ssize_t>(v.size()) / std::max<offset_t>(columns, 1);
  return py::array_t<T>({rows, static_cast<py::ssize_t>(columns)}, v.data());
}

py::object activations(const Handle& handle, const py::array& X, index_t layer, int threads,
                       bool sums) {
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  const std::size_t l = expect_layer(*net, layer);
  expect_threads(threads);
  py::array_t<float> out(
      {static_cast<py::ssize_t>(inputs.n), static_cast<py::ssize_t>(net->patterns()[l].n_out)});
  float* data = out.mutable_data();
  const bool finite =
      without_gil([&] { return net->activations(inputs, l, sums, threads, signal_pending, data); });
  if (!finite) return py::none();
  return out;
}

py::object ablate(const Handle& handle, const py::array& X, const py::array& y, index_t layer,
                  const std::string& part, int threads) {
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  const CheckedTargets checked = expect_targets(y, std::nullopt, 0.0f, inputs.n, *net);
  if (checked.targets.soft) throw py::type_error("y must be int32, got " + describe(y));
  const std::size_t l = expect_layer(*net, layer);
  const Part parts = parse_part(part);
  expect_threads(threads);
  Ablation a;
  const bool finite = without_gil(
      [&] { return net->ablate(inputs, checked.targets, l, parts, threads, signal_pending, a); });
  if (!finite) return py::none();
  if (net->is_regression()) return to_array(a.loss);
  static_assert(sizeof(Change) == 4 * sizeof(offset_t));
  return py::array_t<offset_t>({static_cast<py::ssize_t>(a.changes.size()), py::ssize_t{4}},
                               reinterpret_cast<const offset_t*>(a.changes.data()));
}

std::vector<std::vector<float>> to_factors(const std::vector<py::array>& factors) {
  std::vector<std::vector<float>> given;
  for (const py::array& f : factors) given.push_back(to_vector<float>("factors", f));
  return given;
}

py::list below(const Handle& handle, const std::vector<py::array>& factors) {
  const auto given = to_factors(factors);
  const auto net = handle.snapshot();
  const auto levels =
      without_gil([&] { return energy_below(net->layers(), given, signal_pending); });
  py::list arrays;
  for (const auto& level : levels) arrays.append(to_array(level));
  return arrays;
}

// The last of the layers is the one below the level of the ends: as many as there are factors.
py::list above(const Handle& handle, const std::vector<py::array>& factors, const py::array& ends) {
  const auto given = to_factors(factors);
  const auto net = handle.snapshot();
  if (given.empty() || given.size() > net->n_layers())
    throw py::value_error("factors must be from 1 to " + std::to_string(net->n_layers()) +
                          " arrays, got " + std::to_string(given.size()));
  std::vector<Layer> layers = net->layers();
  layers.resize(given.size());
  const auto typed = expect<double>("ends", ends, 2);
  expect_shape("ends", ends, layers.back().n_out, ends.shape(1));
  const offset_t columns = typed.shape(1);
  const double* data = typed.data();
  const auto levels =
      without_gil([&] { return energy_above(layers, given, data, columns, signal_pending); });
  py::list arrays;
  for (const auto& level : levels) arrays.append(to_matrix(level, columns));
  return arrays;
}

}  // namespace

void bind_explain(py::module_& m) {
  m.def("activations", &activations, py::arg("network"), py::arg("X"), py::arg("layer"),
        py::arg("threads"), py::arg("sums") = false);
  m.def("ablate", &ablate, py::arg("network"), py::arg("X"), py::arg("y"), py::arg("layer"),
        py::arg("part"), py::arg("threads"));
  m.def("energy_below", &below, py::arg("network"), py::arg("factors"));
  m.def("energy_above", &above, py::arg("network"), py::arg("factors"), py::arg("ends"));
}

}  // namespace synaprune::bindings
