#include <memory>
#include <optional>
#include <tuple>

#include "handle.hpp"
#include "synaprune/prune.hpp"

namespace synaprune::bindings {

namespace {

Layer to_layer(const py::tuple& t) {
  if (t.size() != 6)
    throw py::value_error("a layer is (n_in, indptr, indices, values, initial, bias)");
  Layer layer;
  try {
    layer.n_in = t[0].cast<index_t>();
  } catch (const py::cast_error&) {
    throw py::type_error("n_in of a layer must be an int, got " +
                         py::repr(t[0]).cast<std::string>());
  }
  layer.indptr = to_vector<offset_t>("indptr", t[1].cast<py::array>());
  layer.indices = to_vector<index_t>("indices", t[2].cast<py::array>());
  layer.values = to_vector<float>("values", t[3].cast<py::array>());
  layer.initial = to_vector<float>("initial", t[4].cast<py::array>());
  layer.bias = to_vector<float>("bias", t[5].cast<py::array>());
  layer.n_out = static_cast<index_t>(layer.bias.size());
  return layer;
}

py::tuple from_layer(const Layer& layer) {
  return py::make_tuple(layer.n_in, to_array(layer.indptr), to_array(layer.indices),
                        to_array(layer.values), to_array(layer.initial), to_array(layer.bias));
}

double train_epoch(Handle& handle, const py::array& X, const py::array& y, index_t batch_size,
                   const Optimizer& optimizer, int threads, const std::optional<py::array>& weights,
                   float smoothing, const std::optional<ImageShift>& shift) {
  const Inputs inputs = inputs_for(handle, X);
  const Targets targets = expect_targets(y, weights, smoothing, inputs.n, n_classes(handle));
  if (shift) expect_images(*shift, inputs.d);
  if (batch_size < 1)
    throw py::value_error("batch_size must be at least 1, got " + std::to_string(batch_size));
  expect_threads(threads);
  return handle.write([&](Network& n) {
    return n.train_epoch({inputs, targets, shift.value_or(ImageShift{})}, batch_size, optimizer,
                         threads, signal_pending);
  });
}

// None stands for samples that are not finite.
py::object evaluate(const Handle& handle, const py::array& X, const py::array& y, int threads) {
  const Inputs inputs = inputs_for(handle, X);
  const auto labels = expect_labels(y, inputs.n, n_classes(handle));
  const index_t* data = labels.data();
  expect_threads(threads);
  Evaluation e;
  const bool finite = handle.read(
      [&](const Network& n) { return n.evaluate(inputs, data, threads, signal_pending, e); });
  if (!finite) return py::none();
  return py::make_tuple(e.loss, e.n_correct);
}

py::object probabilities(const Handle& handle, const py::array& X, int threads) {
  const Inputs inputs = inputs_for(handle, X);
  const index_t n_out = handle.read([](const Network& n) { return n.n_outputs(); });
  py::array_t<float> out({static_cast<py::ssize_t>(inputs.n), static_cast<py::ssize_t>(n_out)});
  float* data = out.mutable_data();
  expect_threads(threads);
  const bool finite = handle.read(
      [&](const Network& n) { return n.probabilities(inputs, threads, signal_pending, data); });
  if (!finite) return py::none();
  return std::move(out);
}

py::object classify(const Handle& handle, const py::array& X, int threads) {
  const Inputs inputs = inputs_for(handle, X);
  py::array_t<index_t> out(inputs.n);
  index_t* data = out.mutable_data();
  expect_threads(threads);
  const bool finite = handle.read(
      [&](const Network& n) { return n.classify(inputs, threads, signal_pending, data); });
  if (!finite) return py::none();
  return std::move(out);
}

// The label of each sample, or None if X is not as the core takes it: another type, dtype, shape or
// layout, or numbers that are not finite. The way for calls that take a microsecond.
py::object labels(const Handle& handle, const py::object& X, const py::object& classes,
                  int threads) {
  const offset_t n_inputs = handle.read([](const Network& n) { return n.n_inputs(); });
  if (!is_inputs(X, n_inputs)) return py::none();
  const Inputs inputs = borrow_inputs(py::reinterpret_borrow<py::array>(X));
  py::array_t<index_t> codes(inputs.n);
  index_t* data = codes.mutable_data();
  expect_threads(threads);
  bool overflow = false;
  const bool finite = handle.read([&](const Network& n) {
    const bool read = n.classify(inputs, threads, signal_pending, data);
    for (offset_t i = 0; read && i < inputs.n; ++i) overflow |= data[i] < 0;
    return read;
  });
  if (!finite) return py::none();
  if (overflow)
    throw py::value_error("X holds values so large that the network's outputs overflow");
  return classes[codes];
}

py::tuple gradients(const Handle& handle, const py::array& X, const py::array& y, int threads,
                    const std::optional<py::array>& weights, float smoothing) {
  const Inputs inputs = inputs_for(handle, X);
  if (inputs.n > (1 << 24)) throw py::value_error("X is one batch here: at most 2^24 rows");
  const Targets targets = expect_targets(y, weights, smoothing, inputs.n, n_classes(handle));
  expect_threads(threads);
  const Gradients g =
      handle.read([&](const Network& n) { return n.gradients({inputs, targets}, threads); });
  py::list values, bias;
  for (const auto& v : g.values) values.append(to_array(v));
  for (const auto& b : g.bias) bias.append(to_array(b));
  return py::make_tuple(g.loss, values, bias);
}

py::tuple gradient_moments(const Handle& handle, const py::array& X, const py::array& y,
                           int threads, const std::optional<py::array>& weights, float smoothing) {
  const Inputs inputs = inputs_for(handle, X);
  const Targets targets = expect_targets(y, weights, smoothing, inputs.n, n_classes(handle));
  expect_threads(threads);
  const GradientMoments m = handle.read([&](const Network& n) {
    return n.gradient_moments({inputs, targets}, threads, signal_pending);
  });
  return py::make_tuple(to_array(m.mean), to_array(m.mean_square));
}

py::array_t<float> scores(Handle& handle, const std::string& criterion,
                          const std::optional<std::pair<py::array, py::array>>& moments) {
  const Criterion c = parse_criterion(criterion);
  GradientMoments m;
  if (moments) {
    m.mean = to_vector<float>("mean", moments->first);
    m.mean_square = to_vector<float>("mean_square", moments->second);
  }
  return to_array(handle.write([&](Network& n) { return n.score(c, m); }));
}

// None stands for no state: plain SGD, or no training yet.
py::object optimizer_state(const Handle& handle) {
  const OptimizerState state = handle.read([](const Network& n) { return n.optimizer_state(); });
  if (state.rows == 0) return py::none();
  const auto columns = static_cast<py::ssize_t>(state.moments.size()) / state.rows;
  const py::array_t<float> moments({static_cast<py::ssize_t>(state.rows), columns},
                                   state.moments.data());
  return py::make_tuple(state.kind == OptimizerKind::sgd ? "sgd" : "adam", state.step, moments);
}

void set_optimizer_state(
    Handle& handle, const std::optional<std::tuple<std::string, std::int64_t, py::array>>& given) {
  OptimizerState state;
  if (given) {
    const auto& [kind, step, array] = *given;
    const auto moments = expect<float>("moments", array, 2);
    state.kind = parse_optimizer_kind(kind);
    state.step = step;
    state.rows = moments.shape(0);
    state.moments.assign(moments.data(), moments.data() + moments.size());
  }
  handle.write([&](Network& n) { n.set_optimizer_state(state); });
}

// None stands for nothing frozen.
py::object frozen(const Handle& handle) {
  const auto all = handle.read([](const Network& n) { return n.frozen(); });
  if (all.empty()) return py::none();
  return to_array(all);
}

void set_frozen(Handle& handle, const std::optional<py::array>& given) {
  std::vector<std::uint8_t> all;
  if (given) all = to_vector<std::uint8_t>("frozen", *given);
  handle.write([&](Network& n) { n.set_frozen(all); });
}

}  // namespace

void bind_network(py::module_& m) {
  py::class_<Handle>(m, "Network")
      .def(py::init([](const std::vector<index_t>& sizes, const std::string& activation,
                       const std::string& loss, float init_scale, std::uint64_t seed) {
             return std::make_unique<Handle>(
                 Network(sizes, parse_activation(activation), parse_loss(loss), init_scale, seed));
           }),
           py::arg("sizes"), py::arg("activation"), py::arg("loss"), py::arg("init_scale"),
           py::arg("seed"))
      .def_static(
          "from_layers",
          [](const std::vector<py::tuple>& tuples, const std::string& activation,
             const std::string& loss, std::uint64_t rng_state) {
            std::vector<Layer> layers;
            for (const py::tuple& t : tuples) layers.push_back(to_layer(t));
            return std::make_unique<Handle>(Network(std::move(layers), parse_activation(activation),
                                                    parse_loss(loss), rng_state));
          },
          py::arg("layers"), py::arg("activation"), py::arg("loss"), py::arg("rng_state"))
      .def("copy",
           [](const Handle& h) {
             return h.read([](const Network& n) { return std::make_unique<Handle>(n); });
           })
      .def(
          "assign",
          [](Handle& h, const Handle& other) {
            Network copy = other.read([](const Network& n) { return n; });
            h.write([&](Network& n) { n = std::move(copy); });
          },
          py::arg("other"))
      .def("layers",
           [](const Handle& h) {
             py::list tuples;
             for (const Layer& layer : h.read([](const Network& n) { return n.layers(); }))
               tuples.append(from_layer(layer));
             return tuples;
           })
      .def_property(
          "input_transform",
          [](const Handle& h) {
            const auto [shift, scale] = h.read(
                [](const Network& n) { return std::pair(n.input_shift(), n.input_scale()); });
            return py::make_tuple(to_array(shift), to_array(scale));
          },
          [](Handle& h, const std::pair<py::array, py::array>& transform) {
            auto shift = to_vector<float>("shift", transform.first);
            auto scale = to_vector<float>("scale", transform.second);
            h.write([&](Network& n) { n.set_input_transform(std::move(shift), std::move(scale)); });
          })
      .def_property_readonly(
          "rng_state",
          [](const Handle& h) { return h.read([](const Network& n) { return n.rng().state; }); })
      .def_property("optimizer_state", &optimizer_state, &set_optimizer_state)
      .def_property("frozen", &frozen, &set_frozen)
      .def_property_readonly("structure",
                             [](const Handle& h) {
                               return py::tuple(py::cast(
                                   h.read([](const Network& n) { return structure(n.layers()); })));
                             })
      .def_property_readonly(
          "n_synapses",
          [](const Handle& h) {
            return h.read([](const Network& n) { return count_synapses(n.layers()); });
          })
      .def("train_epoch", &train_epoch, py::arg("X"), py::arg("y"), py::arg("batch_size"),
           py::arg("optimizer"), py::arg("threads"), py::arg("weights") = py::none(),
           py::arg("smoothing") = 0.0f, py::arg("shift") = py::none())
      .def("evaluate", &evaluate, py::arg("X"), py::arg("y"), py::arg("threads"))
      .def("probabilities", &probabilities, py::arg("X"), py::arg("threads"))
      .def("classify", &classify, py::arg("X"), py::arg("threads"))
      .def("labels", &labels, py::arg("X"), py::arg("classes"), py::arg("threads"))
      .def("gradients", &gradients, py::arg("X"), py::arg("y"), py::arg("threads"),
           py::arg("weights") = py::none(), py::arg("smoothing") = 0.0f)
      .def("gradient_moments", &gradient_moments, py::arg("X"), py::arg("y"), py::arg("threads"),
           py::arg("weights") = py::none(), py::arg("smoothing") = 0.0f)
      .def("score", &scores, py::arg("criterion"), py::arg("moments") = py::none())
      .def(
          "remove",
          [](Handle& h, const py::array& keep) {
            const auto mask = to_vector<std::uint8_t>("keep", keep);
            return h.write([&](Network& n) { return n.remove(mask); });
          },
          py::arg("keep"))
      .def(
          "cut",
          [](Handle& h, const py::array& given, offset_t n, offset_t skip, bool per_layer,
             float concentration) {
            auto ranks = to_vector<float>("scores", given);
            return h.write([&](Network& network) {
              return network.cut(std::move(ranks), n, skip, per_layer, concentration);
            });
          },
          py::arg("scores"), py::arg("n"), py::arg("skip") = 0, py::arg("per_layer") = false,
          py::arg("concentration") = 0.0f);
}

}  // namespace synaprune::bindings
