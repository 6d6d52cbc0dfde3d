#include <cmath>
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
  layer.synapses.values = to_buffer("values", t[3].cast<py::array>());
  layer.initial = to_vector<float>("initial", t[4].cast<py::array>());
  layer.biases.values = to_buffer("bias", t[5].cast<py::array>());
  layer.n_out = static_cast<index_t>(layer.biases.values.size());
  return layer;
}

Pattern to_mask(const std::tuple<index_t, index_t, py::array, py::array>& t) {
  Pattern mask;
  std::tie(mask.n_out, mask.n_in, std::ignore, std::ignore) = t;
  mask.indptr = to_vector<offset_t>("indptr", std::get<2>(t));
  mask.indices = to_vector<index_t>("indices", std::get<3>(t));
  return mask;
}

py::tuple from_layer(const Layer& layer) {
  return py::make_tuple(layer.n_in, to_array(layer.indptr), to_array(layer.indices),
                        to_array(layer.synapses.values), to_array(layer.initial),
                        to_array(layer.biases.values));
}

// The shards that X holds: (rows of the whole data set, its shards, the first one here, the one
// after the last one here).
Shards expect_shards(const std::tuple<offset_t, index_t, index_t, index_t>& given, offset_t n,
                     index_t batch_size) {
  const auto [n_rows, n_shards, first, last] = given;
  const auto power_of_two = [](index_t k) { return k > 0 && (k & (k - 1)) == 0; };
  if (!(power_of_two(n_shards) && first >= 0 && first < last && last <= n_shards &&
        power_of_two(last - first) && first % (last - first) == 0))
    throw py::value_error("shards must be a branch of a binary tree, got " + std::to_string(first) +
                          " up to " + std::to_string(last) + " of " + std::to_string(n_shards));
  constexpr offset_t most = offset_t{1} << 32;
  const Shards shards{n_rows, n_shards, first, last};
  if (n_rows < 1 || n_rows > most || shards.border(last) - shards.border(first) != n)
    throw py::value_error("X must have the rows of its shards, got " + std::to_string(n) + " of " +
                          std::to_string(n_rows));
  if (batch_size % n_shards != 0)
    throw py::value_error("batch_size must be a multiple of " + std::to_string(n_shards) +
                          ", the shards, got " + std::to_string(batch_size));
  return shards;
}

double train_epoch(Handle& handle, const py::array& X, const py::array& y, index_t batch_size,
                   const Optimizer& optimizer, int threads, const std::optional<py::array>& weights,
                   float smoothing, const std::optional<ImageShift>& shift,
                   std::optional<float> max_norm, float dropout,
                   const std::optional<std::tuple<offset_t, offset_t, std::uint64_t>>& part,
                   const std::optional<std::tuple<offset_t, index_t, index_t, index_t>>& shards,
                   const std::optional<py::function>& sum) {
  Write writing(handle);
  const Inputs inputs = expect_inputs(X, writing.network().n_inputs());
  const CheckedTargets y_checked =
      expect_targets(y, weights, smoothing, inputs.n, writing.network());
  if (shift) expect_images(*shift, inputs.d);
  if (batch_size < 1)
    throw py::value_error("batch_size must be at least 1, got " + std::to_string(batch_size));
  expect_threads(threads);
  if (max_norm && !(*max_norm > 0.0f))
    throw py::value_error("max_norm must be above 0, got " + std::to_string(*max_norm));
  if (!(dropout >= 0.0f && dropout < 1.0f))
    throw py::value_error("dropout must be in [0, 1), got " + std::to_string(dropout));
  EpochPart some{0, inputs.n, 0};
  if (part) {
    std::tie(some.first, some.last, some.rng_state) = *part;
    if (some.first < 0 || some.first >= some.last || some.last > inputs.n)
      throw py::value_error("part must be samples from 0 to " + std::to_string(inputs.n) +
                            ", got " + std::to_string(some.first) + " to " +
                            std::to_string(some.last));
  }
  std::optional<Shards> here;
  if (shards) here = expect_shards(*shards, inputs.n, batch_size);
  if (sum && !shards) throw py::value_error("sum goes with shards");
  if (part && shards) throw py::value_error("part does not go with shards");
  GradientHook hook;
  if (sum || max_norm)
    hook = [&](const GradientView& g) {
      if (sum) with_gil([&] { (*sum)(borrowed_array(g.data, g.n + gradient_marks)); });
      if (max_norm) clip_by_norm(g, *max_norm);
    };
  const TrainingData data{inputs, y_checked.targets, shift.value_or(ImageShift{}), {dropout}};
  const double loss = writing.run([&](Network& n) {
    return n.train_epoch(data, batch_size, optimizer, threads, signal_pending, hook,
                         part ? &some : nullptr, here ? &*here : nullptr);
  });
  if (std::isfinite(loss)) writing.publish();
  return loss;
}

// Others see the network after each layer, so that two of one layer are held, but not of all.
void rewire(Handle& handle, const py::array& X, const py::array& y, double share, double candidates,
            offset_t n_samples, const std::optional<py::array>& weights, float smoothing) {
  Write writing(handle);
  const Inputs inputs = expect_inputs(X, writing.network().n_inputs());
  const CheckedTargets checked = expect_targets(y, weights, smoothing, inputs.n, writing.network());
  if (n_samples < 1)
    throw py::value_error("n_samples must be at least 1, got " + std::to_string(n_samples));
  if (!(share >= 0.0 && share <= 1.0))
    throw py::value_error("share must be in [0, 1], got " + std::to_string(share));
  if (!(candidates == 0.0 || candidates >= 1.0))
    throw py::value_error("candidates must be 0 or at least 1, got " + std::to_string(candidates));
  std::vector<Positions> growth;
  if (candidates > 0.0)
    growth = writing.run([&](Network& n) {
      return n.draw_growth({inputs, checked.targets}, share, candidates, n_samples, signal_pending);
    });
  const std::size_t n_layers = writing.network().n_layers();
  for (std::size_t l = 0; l < n_layers; ++l) {
    writing.run([&](Network& n) {
      n.exchange(l, growth.empty() ? n.draw_growth(l, share) : std::move(growth[l]));
    });
    writing.publish_and_go_on();
  }
}

// None stands for samples that are not finite.
py::object evaluate(const Handle& handle, const py::array& X, const py::array& y, int threads) {
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  const CheckedTargets checked = expect_targets(y, std::nullopt, 0.0f, inputs.n, *net);
  if (checked.targets.soft) throw py::type_error("y must be int32, got " + describe(y));
  expect_threads(threads);
  Evaluation e;
  const bool finite = without_gil(
      [&] { return net->evaluate(inputs, checked.targets, threads, signal_pending, e); });
  if (!finite) return py::none();
  return py::make_tuple(e.loss, e.n_correct);
}

py::object outputs(const Handle& handle, const py::array& X, int threads) {
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  py::array_t<float> out(
      {static_cast<py::ssize_t>(inputs.n), static_cast<py::ssize_t>(net->n_outputs())});
  float* data = out.mutable_data();
  expect_threads(threads);
  const bool finite =
      without_gil([&] { return net->outputs(inputs, threads, signal_pending, data); });
  if (!finite) return py::none();
  return out;
}

py::object classify(const Handle& handle, const py::array& X, int threads) {
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  py::array_t<index_t> out(inputs.n);
  index_t* data = out.mutable_data();
  expect_threads(threads);
  const bool finite =
      without_gil([&] { return net->classify(inputs, threads, signal_pending, data); });
  if (!finite) return py::none();
  return out;
}

// The label of each sample, or None if X is not as the core takes it: another type, dtype, shape or
// layout, or numbers that are not finite. The way for calls that take a microsecond.
py::object labels(const Handle& handle, const py::object& X, const py::object& classes,
                  int threads) {
  const auto net = handle.snapshot();
  if (!is_inputs(X, net->n_inputs())) return py::none();
  const Inputs inputs = borrow_inputs(py::reinterpret_borrow<py::array>(X));
  py::array_t<index_t> codes(inputs.n);
  index_t* data = codes.mutable_data();
  expect_threads(threads);
  if (!py::isinstance<py::array>(classes) ||
      static_cast<index_t>(py::len(classes)) != net->n_classes())
    throw py::value_error("classes must be an array of " + std::to_string(net->n_classes()) +
                          " labels, got " + py::repr(classes).cast<std::string>());
  bool overflow = false;
  const bool finite = without_gil([&] {
    const bool read = net->classify(inputs, threads, signal_pending, data);
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
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  const CheckedTargets checked = expect_targets(y, weights, smoothing, inputs.n, *net);
  expect_threads(threads);
  const Gradients g = without_gil(
      [&] { return net->gradients({inputs, checked.targets}, threads, signal_pending); });
  py::list values, bias;
  for (const auto& v : g.values) values.append(to_array(v));
  for (const auto& b : g.bias) bias.append(to_array(b));
  return py::make_tuple(g.loss, values, bias);
}

py::tuple gradient_moments(const Handle& handle, const py::array& X, const py::array& y,
                           int threads, const std::optional<py::array>& weights, float smoothing) {
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  const CheckedTargets checked = expect_targets(y, weights, smoothing, inputs.n, *net);
  expect_threads(threads);
  const GradientMoments m = without_gil(
      [&] { return net->gradient_moments({inputs, checked.targets}, threads, signal_pending); });
  return py::make_tuple(to_array(m.mean), to_array(m.mean_square));
}

FisherOptions expect_fisher(index_t block, double damping) {
  if (block < 1 || block > 4096)
    throw py::value_error("block must be from 1 to 4096, got " + std::to_string(block));
  if (!(damping > 0.0 && damping <= 1e6))
    throw py::value_error("damping must be above 0 and at most 1e6, got " +
                          std::to_string(damping));
  return {block, damping};
}

py::array_t<float> curvature(const Handle& handle, const py::array& X, const py::array& y,
                             int threads, const std::optional<py::array>& weights, float smoothing,
                             index_t block, double damping) {
  const auto net = handle.snapshot();
  const Inputs inputs = expect_inputs(X, net->n_inputs());
  const CheckedTargets checked = expect_targets(y, weights, smoothing, inputs.n, *net);
  expect_threads(threads);
  const FisherOptions options = expect_fisher(block, damping);
  return to_array(without_gil(
      [&] { return net->curvature({inputs, checked.targets}, options, threads, signal_pending); }));
}

void compensate(Handle& handle, const py::array& given, const py::array& X, const py::array& y,
                int threads, const std::optional<py::array>& weights, float smoothing,
                index_t block, double damping) {
  Write writing(handle);
  const auto keep = to_vector<std::uint8_t>("keep", given);
  const Inputs inputs = expect_inputs(X, writing.network().n_inputs());
  const CheckedTargets checked = expect_targets(y, weights, smoothing, inputs.n, writing.network());
  expect_threads(threads);
  const FisherOptions options = expect_fisher(block, damping);
  writing.run([&](Network& n) {
    n.compensate(keep, {inputs, checked.targets}, options, threads, signal_pending);
  });
  writing.publish();
}

py::array_t<float> scores(Handle& handle, const std::string& criterion,
                          const std::optional<std::pair<py::array, py::array>>& moments,
                          const std::optional<py::array>& curvature) {
  const Criterion c = parse_criterion(criterion);
  GradientMoments m;
  if (moments) {
    m.mean = to_vector<float>("mean", moments->first);
    m.mean_square = to_vector<float>("mean_square", moments->second);
  }
  std::vector<float> curvatures;
  if (curvature) curvatures = to_vector<float>("curvature", *curvature);
  return to_array(write(handle, [&](Network& n) { return n.score(c, m, curvatures); }));
}

// None stands for no state: plain SGD, or no training yet.
py::object optimizer_state(const Handle& handle) {
  const OptimizerState state = handle.snapshot()->optimizer_state();
  if (state.rows == 0) return py::none();
  const auto columns = static_cast<py::ssize_t>(state.moments.size()) / state.rows;
  const py::array_t<float> moments({static_cast<py::ssize_t>(state.rows), columns},
                                   state.moments.data());
  return py::make_tuple(state.name, state.step, moments);
}

void set_optimizer_state(
    Handle& handle, const std::optional<std::tuple<std::string, std::int64_t, py::array>>& given) {
  OptimizerState state;
  if (given) {
    const auto& [name, step, array] = *given;
    const auto moments = expect<float>("moments", array, 2);
    state.name = name;
    state.step = step;
    state.rows = moments.shape(0);
    state.moments.assign(moments.data(), moments.data() + moments.size());
  }
  write(handle, [&](Network& n) { n.set_optimizer_state(state); });
}

// None stands for nothing frozen.
py::object frozen(const Handle& handle) {
  const auto all = handle.snapshot()->frozen();
  if (all.empty()) return py::none();
  return to_array(all);
}

void set_frozen(Handle& handle, const std::optional<py::array>& given) {
  std::vector<std::uint8_t> all;
  if (given) all = to_vector<std::uint8_t>("frozen", *given);
  write(handle, [&](Network& n) { n.set_frozen(all); });
}

void assign(Handle& handle, const Handle& other) {
  const auto net = other.snapshot();
  write(handle, [&](Network& n) { n = *net; });
}

py::tuple input_transform(const Handle& handle) {
  const auto net = handle.snapshot();
  return py::make_tuple(to_array(net->input_shift()), to_array(net->input_scale()));
}

void set_input_transform(Handle& handle, const std::pair<py::array, py::array>& transform) {
  auto shift = to_vector<float>("shift", transform.first);
  auto scale = to_vector<float>("scale", transform.second);
  write(handle, [&](Network& n) { n.set_input_transform(std::move(shift), std::move(scale)); });
}

py::list layers(const Handle& handle) {
  py::list tuples;
  for (const Layer& layer : handle.snapshot()->layers()) tuples.append(from_layer(layer));
  return tuples;
}

py::tuple structure_of(const Handle& handle) {
  return py::tuple(py::cast(structure(handle.snapshot()->patterns())));
}

offset_t cut(Handle& handle, const py::array& given, offset_t n, offset_t skip, bool per_layer,
             float structured_bias) {
  auto scores = to_vector<float>("scores", given);
  return write(handle, [&](Network& network) {
    return network.cut(std::move(scores), n, skip, per_layer, structured_bias);
  });
}

py::array_t<std::uint8_t> kept_by_cut(const Handle& handle, const py::array& given, offset_t n,
                                      offset_t skip, bool per_layer, float structured_bias) {
  auto scores = to_vector<float>("scores", given);
  const auto net = handle.snapshot();
  return to_array(without_gil(
      [&] { return net->kept_by_cut(std::move(scores), n, skip, per_layer, structured_bias); }));
}

offset_t remove(Handle& handle, const py::array& keep) {
  const auto mask = to_vector<std::uint8_t>("keep", keep);
  return write(handle, [&](Network& n) { return n.remove(mask); });
}

}  // namespace

void bind_network(py::module_& m) {
  const FisherOptions fisher;
  py::class_<Handle>(m, "Network")
      .def(py::init([](const std::vector<index_t>& sizes, const std::string& activation,
                       const std::string& loss, float init_scale, std::uint64_t seed,
                       const std::optional<std::vector<offset_t>>& counts) {
             const Activation a = parse_activation(activation);
             const Loss b = parse_loss(loss);
             return without_gil([&] {
               return std::make_unique<Handle>(Network(sizes, a, b, init_scale, seed,
                                                       counts.value_or(std::vector<offset_t>{})));
             });
           }),
           py::arg("sizes"), py::arg("activation"), py::arg("loss"), py::arg("init_scale"),
           py::arg("seed"), py::arg("counts") = py::none())
      .def_static(
          "from_masks",
          [](const std::vector<std::tuple<index_t, index_t, py::array, py::array>>& tuples,
             const std::string& activation, const std::string& loss, float init_scale,
             std::uint64_t seed) {
            std::vector<Pattern> masks;
            for (const auto& t : tuples) masks.push_back(to_mask(t));
            return std::make_unique<Handle>(Network(std::move(masks), parse_activation(activation),
                                                    parse_loss(loss), init_scale, seed));
          },
          py::arg("masks"), py::arg("activation"), py::arg("loss"), py::arg("init_scale"),
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
      .def("copy", [](const Handle& h) { return std::make_unique<Handle>(h.snapshot()); })
      .def("assign", &assign, py::arg("other"))
      .def("layers", &layers)
      .def_property("input_transform", &input_transform, &set_input_transform)
      .def_property_readonly("rng_state", [](const Handle& h) { return h.snapshot()->rng().state; })
      .def_property("optimizer_state", &optimizer_state, &set_optimizer_state)
      .def_property("frozen", &frozen, &set_frozen)
      .def_property_readonly("structure", &structure_of)
      .def_property_readonly("n_synapses",
                             [](const Handle& h) { return h.snapshot()->n_synapses(); })
      .def("train_epoch", &train_epoch, py::arg("X"), py::arg("y"), py::arg("batch_size"),
           py::arg("optimizer"), py::arg("threads"), py::arg("weights") = py::none(),
           py::arg("smoothing") = 0.0f, py::arg("shift") = py::none(),
           py::arg("max_norm") = py::none(), py::arg("dropout") = 0.0f,
           py::arg("part") = py::none(), py::arg("shards") = py::none(),
           py::arg("sum") = py::none())
      .def_property_readonly("n_gradient",
                             [](const Handle& h) { return h.snapshot()->n_gradient(); })
      .def("rewire", &rewire, py::arg("X"), py::arg("y"), py::arg("share"), py::arg("candidates"),
           py::arg("n_samples"), py::arg("weights") = py::none(), py::arg("smoothing") = 0.0f)
      .def("evaluate", &evaluate, py::arg("X"), py::arg("y"), py::arg("threads"))
      .def("outputs", &outputs, py::arg("X"), py::arg("threads"))
      .def("classify", &classify, py::arg("X"), py::arg("threads"))
      .def("labels", &labels, py::arg("X"), py::arg("classes"), py::arg("threads"))
      .def("gradients", &gradients, py::arg("X"), py::arg("y"), py::arg("threads"),
           py::arg("weights") = py::none(), py::arg("smoothing") = 0.0f)
      .def("gradient_moments", &gradient_moments, py::arg("X"), py::arg("y"), py::arg("threads"),
           py::arg("weights") = py::none(), py::arg("smoothing") = 0.0f)
      .def("curvature", &curvature, py::arg("X"), py::arg("y"), py::arg("threads"),
           py::arg("weights") = py::none(), py::arg("smoothing") = 0.0f,
           py::arg("block") = fisher.block, py::arg("damping") = fisher.damping)
      .def("compensate", &compensate, py::arg("keep"), py::arg("X"), py::arg("y"),
           py::arg("threads"), py::arg("weights") = py::none(), py::arg("smoothing") = 0.0f,
           py::arg("block") = fisher.block, py::arg("damping") = fisher.damping)
      .def("score", &scores, py::arg("criterion"), py::arg("moments") = py::none(),
           py::arg("curvature") = py::none())
      .def("kept_by_cut", &kept_by_cut, py::arg("scores"), py::arg("n"), py::arg("skip") = 0,
           py::arg("per_layer") = false, py::arg("structured_bias") = 0.0f)
      .def("remove", &remove, py::arg("keep"))
      .def("cut", &cut, py::arg("scores"), py::arg("n"), py::arg("skip") = 0,
           py::arg("per_layer") = false, py::arg("structured_bias") = 0.0f);
}

}  // namespace synaprune::bindings
