// The kernels at a named level and their references, for tests: a whole CSR matrix at once.
#include <algorithm>

#include "convert.hpp"
#include "synaprune/linear.hpp"
#include "synaprune/passes.hpp"

namespace synaprune::bindings {

namespace {

struct Matrix {
  py::array_t<offset_t> indptr;
  py::array_t<index_t> indices;
  index_t n_out;

  Matrix(const py::array& indptr_, const py::array& indices_, offset_t n_in)
      : indptr(expect<offset_t>("indptr", indptr_, 1)),
        indices(expect<index_t>("indices", indices_, 1)),
        n_out(static_cast<index_t>(indptr.size() - 1)) {
    if (n_out < 0) throw py::value_error("W is not canonical CSR: indptr is empty");
    check_canonical("W", n_out, static_cast<index_t>(n_in), indptr.data(), indptr.size(),
                    indices.data(), indices.size());
  }

  Linear linear(offset_t n_in, const float* values, const float* bias) const {
    const offset_t* p = indptr.data();
    const index_t* i = indices.data();
    return Linear(static_cast<index_t>(n_in), {p, p + indptr.size()}, {i, i + indices.size()},
                  {values, values + indices.size()}, {bias, bias + n_out});
  }
};

template <class T>
py::array_t<T> matrix_of(offset_t rows, offset_t columns) {
  return py::array_t<T>({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(columns)});
}

py::array spmm(const std::string& isa, const py::array& indptr, const py::array& indices,
               const py::array& values, const py::array& bias, const py::array& X) {
  const auto x = expect<float>("X", X, 2);
  const Matrix W(indptr, indices, x.shape(0));
  const auto v = expect<float>("values", values, 1);
  const auto b = expect<float>("bias", bias, 1);
  expect_size("values", v, W.indices.size());
  expect_size("bias", b, W.n_out);
  const auto n = static_cast<index_t>(x.shape(1));
  if (isa == "reference") {
    auto Y = matrix_of<double>(W.n_out, n);
    reference::spmm(W.n_out, n, W.indptr.data(), W.indices.data(), v.data(), b.data(), x.data(),
                    Y.mutable_data());
    return Y;
  }
  auto Y = matrix_of<float>(W.n_out, n);
  Linear::Workspace work;
  W.linear(x.shape(0), v.data(), b.data())
      .forward(kernels_for(isa), x.data(), n, 1, work, Y.mutable_data());
  return Y;
}

// dvalues, dbias, dX
py::tuple gradients(const std::string& isa, const py::array& indptr, const py::array& indices,
                    const py::array& values, const py::array& X, const py::array& D) {
  const auto x = expect<float>("X", X, 2);
  const auto d = expect<float>("D", D, 2);
  const Matrix W(indptr, indices, x.shape(0));
  const auto v = expect<float>("values", values, 1);
  expect_size("values", v, W.indices.size());
  if (d.shape(0) != W.n_out || d.shape(1) != x.shape(1))
    throw py::value_error("D must have a row per output and the columns of X, got " + describe(d));
  const auto n = static_cast<index_t>(x.shape(1));
  const auto n_in = static_cast<index_t>(x.shape(0));
  if (isa == "reference") {
    py::array_t<double> dvalues(W.indices.size()), dbias(W.n_out);
    auto dX = matrix_of<double>(n_in, n);
    reference::grad_weights(W.n_out, n, W.indptr.data(), W.indices.data(), d.data(), x.data(),
                            dvalues.mutable_data(), dbias.mutable_data());
    reference::grad_inputs(W.n_out, n_in, n, W.indptr.data(), W.indices.data(), v.data(), d.data(),
                           dX.mutable_data());
    return py::make_tuple(dvalues, dbias, dX);
  }
  py::array_t<float> dvalues(W.indices.size()), dbias(W.n_out);
  auto dX = matrix_of<float>(n_in, n);
  const std::vector<float> bias(W.n_out);
  Linear::Workspace work;
  W.linear(n_in, v.data(), bias.data())
      .backward(kernels_for(isa), x.data(), d.data(), n, 1, work, dvalues.mutable_data(),
                dbias.mutable_data(), dX.mutable_data());
  return py::make_tuple(dvalues, dbias, dX);
}

// What gather makes of all samples at once.
py::array gather_all(const std::string& isa, const py::array& X, const py::array& order,
                     const py::array& columns, const py::array& shift, const py::array& scale,
                     const std::optional<ImageShift>& move, float dropout, std::uint64_t seed) {
  const Inputs inputs = expect_inputs(X, X.ndim() == 2 ? X.shape(1) : 0);
  const auto rows = to_vector<offset_t>("order", order);
  const auto c = to_vector<index_t>("columns", columns);
  const auto a = to_vector<float>("shift", shift);
  const auto b = to_vector<float>("scale", scale);
  const auto n_columns = static_cast<index_t>(c.size());
  expect_size("shift", shift, inputs.d);
  expect_size("scale", scale, inputs.d);
  for (const offset_t row : rows)
    if (row < 0 || row >= inputs.n) throw py::value_error("order must hold positions of rows of X");
  if (!std::is_sorted(c.begin(), c.end()) || (n_columns && (c.front() < 0 || c.back() >= inputs.d)))
    throw py::value_error("columns must ascend and be columns of X");
  const bool shifted = std::any_of(a.begin(), a.end(), [](float x) { return x != 0.0f; });
  const InputView view{c.data(), n_columns, shifted ? a.data() : nullptr, b.data()};
  const Tiles tiles{static_cast<offset_t>(rows.size())};
  auto out = matrix_of<float>(n_columns, tiles.n);
  std::vector<float> tile(static_cast<offset_t>(n_columns) * max_tile);
  const ImageShift images = move.value_or(ImageShift{});
  expect_images(images, inputs.d);
  std::vector<float> scratch(max_tile * inputs.d);
  for (offset_t t = 0; t < tiles.count(); ++t) {
    gather(kernels_for(isa), {inputs, rows.data(), images, {dropout, seed}}, t * max_tile,
           tiles.size(t), inputs.n, view, false, reinterpret_cast<char*>(scratch.data()),
           tile.data());
    for (index_t i = 0; i < n_columns; ++i)
      std::copy_n(tile.data() + static_cast<offset_t>(i) * tiles.width(t), tiles.size(t),
                  out.mutable_data(i, t * max_tile));
  }
  return out;
}

template <float (*f)(float)>
py::array_t<float> elementwise(const py::array& x) {
  const auto in = expect<float>("x", x, 1);
  py::array_t<float> out(in.size());
  std::transform(in.data(), in.data() + in.size(), out.mutable_data(), f);
  return out;
}

}  // namespace

void bind_kernels(py::module_& m) {
  py::module_ k = m.def_submodule("kernels", "Bare kernels at a named ISA level, or 'reference'.");
  k.def("spmm", &spmm, py::arg("isa"), py::arg("indptr"), py::arg("indices"), py::arg("values"),
        py::arg("bias"), py::arg("X"));
  k.def("gradients", &gradients, py::arg("isa"), py::arg("indptr"), py::arg("indices"),
        py::arg("values"), py::arg("X"), py::arg("D"));
  k.def("gather", &gather_all, py::arg("isa"), py::arg("X"), py::arg("order"), py::arg("columns"),
        py::arg("shift"), py::arg("scale"), py::arg("move") = py::none(), py::arg("dropout") = 0.0f,
        py::arg("seed") = 0);
  k.def("exp", &elementwise<exp_f>, py::arg("x"));
  k.def("tanh", &elementwise<tanh_f>, py::arg("x"));
  k.def("sigmoid", &elementwise<sigmoid_f>, py::arg("x"));
}

}  // namespace synaprune::bindings
