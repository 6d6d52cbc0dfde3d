// What the parts of a network do: functions of a `Network`.
#include "handle.hpp"
#include "synaprune/explain.hpp"

namespace synaprune::bindings {

namespace {

std::size_t expect_layer(const Handle& handle, index_t layer) {
  const auto n = handle.read([](const Network& net) { return net.layers().size(); });
  if (layer < 0 || layer >= static_cast<index_t>(n))
    throw py::value_error("layer must be from 0 to " + std::to_string(n - 1) + ", got " +
                          std::to_string(layer));
  return layer;
}

template <class T>
py::array_t<T> to_matrix(const std::vector<T>& v, offset_t columns) {
  const auto rows = static_cast<py::ssize_t>(v.size()) / columns;
  return py::array_t<T>({rows, static_cast<py::ssize_t>(columns)}, v.data());
}

py::object activations(const Handle& handle, const py::array& X, index_t layer, int threads) {
  const Inputs inputs = inputs_for(handle, X);
  const std::size_t l = expect_layer(handle, layer);
  expect_threads(threads);
  const index_t n = handle.read([&](const Network& net) { return net.layers()[l].n_out; });
  py::array_t<float> out({static_cast<py::ssize_t>(inputs.n), static_cast<py::ssize_t>(n)});
  float* data = out.mutable_data();
  const bool finite = handle.read([&](const Network& net) {
    return net.activations(inputs, l, threads, signal_pending, data);
  });
  if (!finite) return py::none();
  return std::move(out);
}

py::object ablate(const Handle& handle, const py::array& X, const py::array& y, index_t layer,
                  const std::string& part, int threads) {
  const Inputs inputs = inputs_for(handle, X);
  const index_t classes = n_classes(handle);
  const auto labels = expect_labels(y, inputs.n, classes);
  const index_t* data = labels.data();
  const std::size_t l = expect_layer(handle, layer);
  const Part parts = parse_part(part);
  expect_threads(threads);
  Ablation a;
  const bool finite = handle.read([&](const Network& net) {
    return net.ablate(inputs, data, l, parts, threads, signal_pending, a);
  });
  if (!finite) return py::none();
  return py::make_tuple(to_matrix(a.lost, classes), to_matrix(a.won, classes));
}

py::tuple paths(const Handle& handle, const std::vector<py::array>& factors) {
  std::vector<std::vector<float>> given;
  for (const py::array& f : factors) given.push_back(to_vector<float>("factors", f));
  const auto [e, n_out] = handle.read([&](const Network& net) {
    return std::pair(path_energy(net.layers(), given), net.n_outputs());
  });
  py::list below, above;
  for (const auto& level : e.below) below.append(to_array(level));
  for (const auto& level : e.above) above.append(to_matrix(level, n_out));
  return py::make_tuple(below, above);
}

}  // namespace

void bind_explain(py::module_& m) {
  m.def("activations", &activations, py::arg("network"), py::arg("X"), py::arg("layer"),
        py::arg("threads"));
  m.def("ablate", &ablate, py::arg("network"), py::arg("X"), py::arg("y"), py::arg("layer"),
        py::arg("part"), py::arg("threads"));
  m.def("path_energy", &paths, py::arg("network"), py::arg("factors"));
}

}  // namespace synaprune::bindings
