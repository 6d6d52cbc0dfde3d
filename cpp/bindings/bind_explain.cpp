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
  const auto rows = static_cast<py::ssize_t>(v.size()) / columns;
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
  return py::make_tuple(to_matrix(a.lost, net->n_classes()), to_matrix(a.won, net->n_classes()));
}

py::tuple paths(const Handle& handle, const std::vector<py::array>& factors) {
  std::vector<std::vector<float>> given;
  for (const py::array& f : factors) given.push_back(to_vector<float>("factors", f));
  const auto net = handle.snapshot();
  const PathEnergy e = without_gil([&] { return path_energy(net->layers(), given); });
  py::list below, above;
  for (const auto& level : e.below) below.append(to_array(level));
  for (const auto& level : e.above) above.append(to_matrix(level, net->n_outputs()));
  return py::make_tuple(below, above);
}

}  // namespace

void bind_explain(py::module_& m) {
  m.def("activations", &activations, py::arg("network"), py::arg("X"), py::arg("layer"),
        py::arg("threads"), py::arg("sums") = false);
  m.def("ablate", &ablate, py::arg("network"), py::arg("X"), py::arg("y"), py::arg("layer"),
        py::arg("part"), py::arg("threads"));
  m.def("path_energy", &paths, py::arg("network"), py::arg("factors"));
}

}  // namespace synaprune::bindings
