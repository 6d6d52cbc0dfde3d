// The bare kernels and their references, for tests: one call each on a whole CSR matrix.
#include <algorithm>

#include "convert.hpp"
#include "synaprune/csr.hpp"
#include "synaprune/kernels.hpp"
#include "synaprune/plan.hpp"
#include "synaprune/pointwise.hpp"

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
};

index_t columns_of(const char* name, const py::array_t<float>& X, bool pad) {
  const py::ssize_t n = X.shape(1);
  if (pad && n % lanes != 0)
    throw py::value_error(std::string(name) + " must have a multiple of " + std::to_string(lanes) +
                          " columns, got " + std::to_string(n));
  return static_cast<index_t>(n);
}

py::array spmm(const std::string& isa, const py::array& indptr, const py::array& indices,
               const py::array& values, const py::array& bias, const py::array& X) {
  const auto x = expect<float>("X", X, 2);
  const Matrix W(indptr, indices, x.shape(0));
  const auto v = expect<float>("values", values, 1);
  const auto b = expect<float>("bias", bias, 1);
  expect_size("values", v, W.indices.size());
  expect_size("bias", b, W.n_out);
  const bool naive = isa == "reference";
  const index_t n = columns_of("X", x, !naive);
  if (naive) {
    py::array_t<double> Y({static_cast<py::ssize_t>(W.n_out), static_cast<py::ssize_t>(n)});
    reference::spmm(W.n_out, n, W.indptr.data(), W.indices.data(), v.data(), b.data(), x.data(),
                    Y.mutable_data());
    return Y;
  }
  py::array_t<float> Y({static_cast<py::ssize_t>(W.n_out), static_cast<py::ssize_t>(n)});
  kernels_for(isa).spmm(0, W.n_out, n, W.indptr.data(), W.indices.data(), v.data(), b.data(),
                        x.data(), Y.mutable_data());
  return Y;
}

py::tuple grad_weights(const std::string& isa, const py::array& indptr, const py::array& indices,
                       const py::array& D, const py::array& X) {
  const auto x = expect<float>("X", X, 2);
  const auto d = expect<float>("D", D, 2);
  const Matrix W(indptr, indices, x.shape(0));
  if (d.shape(0) != W.n_out || d.shape(1) != x.shape(1))
    throw py::value_error("D must have a row per output and the columns of X, got " + describe(d));
  const bool naive = isa == "reference";
  const index_t n = columns_of("X", x, !naive);
  if (naive) {
    py::array_t<double> dvalues(W.indices.size()), dbias(W.n_out);
    reference::grad_weights(W.n_out, n, W.indptr.data(), W.indices.data(), d.data(), x.data(),
                            dvalues.mutable_data(), dbias.mutable_data());
    return py::make_tuple(dvalues, dbias);
  }
  py::array_t<float> dvalues(W.indices.size()), dbias(W.n_out);
  kernels_for(isa).grad_weights(0, W.n_out, n, W.indptr.data(), W.indices.data(), d.data(),
                                x.data(), dvalues.mutable_data(), dbias.mutable_data());
  return py::make_tuple(dvalues, dbias);
}

py::array grad_inputs(const std::string& isa, index_t n_in, const py::array& indptr,
                      const py::array& indices, const py::array& values, const py::array& D) {
  const Matrix W(indptr, indices, n_in);
  const auto v = expect<float>("values", values, 1);
  const auto d = expect<float>("D", D, 2);
  expect_size("values", v, W.indices.size());
  const bool naive = isa == "reference";
  const index_t n = columns_of("D", d, !naive);
  if (d.shape(0) != W.n_out)
    throw py::value_error("D must have a row per output, got " + describe(d));
  if (naive) {
    py::array_t<double> dX({static_cast<py::ssize_t>(n_in), static_cast<py::ssize_t>(n)});
    reference::grad_inputs(W.n_out, n_in, n, W.indptr.data(), W.indices.data(), v.data(), d.data(),
                           dX.mutable_data());
    return dX;
  }
  py::array_t<float> dX({static_cast<py::ssize_t>(n_in), static_cast<py::ssize_t>(n)});
  const Transpose t = transpose(n_in, to_vector<offset_t>("indptr", indptr),
                                to_vector<index_t>("indices", indices));
  kernels_for(isa).grad_inputs(0, n_in, n, t.indptr.data(), t.row.data(), t.synapse.data(),
                               v.data(), d.data(), dX.mutable_data());
  return dX;
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
  k.def("grad_weights", &grad_weights, py::arg("isa"), py::arg("indptr"), py::arg("indices"),
        py::arg("D"), py::arg("X"));
  k.def("grad_inputs", &grad_inputs, py::arg("isa"), py::arg("n_in"), py::arg("indptr"),
        py::arg("indices"), py::arg("values"), py::arg("D"));
  k.def("exp", &elementwise<exp_f>, py::arg("x"));
  k.def("tanh", &elementwise<tanh_f>, py::arg("x"));
  k.def("sigmoid", &elementwise<sigmoid_f>, py::arg("x"));
  k.attr("lanes") = lanes;
}

}  // namespace synaprune::bindings
