#include <memory>

#include "convert.hpp"
#include "synaprune/linear.hpp"
#include "synaprune/parallel.hpp"

namespace synaprune::bindings {

namespace {

// A matrix with its lock: calls take turns, since they share scratch memory.
struct LinearHandle {
  Linear linear;
  ReadWriteLock lock;
};

// [rows, n], n alike in all arrays of a call.
py::array_t<float> expect_columns(const char* name, const py::array& a, offset_t rows,
                                  offset_t n = -1) {
  auto checked = expect<float>(name, a, 2);
  if (checked.shape(0) != rows || checked.shape(1) < 1 || (n >= 0 && checked.shape(1) != n))
    throw py::value_error(std::string(name) + " must have shape (" + std::to_string(rows) + ", " +
                          (n < 0 ? "samples" : std::to_string(n)) + "), got " + describe(checked));
  return checked;
}

py::array_t<float> forward(LinearHandle& h, const py::array& X, int threads,
                           const py::object& out) {
  const auto x = expect_columns("X", X, h.linear.n_in());
  const py::ssize_t n = x.shape(1);
  py::array_t<float> Y = out.is_none()
                             ? py::array_t<float>({static_cast<py::ssize_t>(h.linear.n_out()), n})
                             : expect_columns("out", out.cast<py::array>(), h.linear.n_out(), n);
  const float* from = x.data();
  float* to = Y.mutable_data();  // raises if `out` is read-only
  without_gil([&] {
    const WriteGuard guard(h.lock);
    h.linear.forward(kernels(), from, n, threads, to);
  });
  return Y;
}

py::tuple backward(LinearHandle& h, const py::array& X, const py::array& D, int threads) {
  const auto x = expect_columns("X", X, h.linear.n_in());
  const py::ssize_t n = x.shape(1);
  const auto d = expect_columns("D", D, h.linear.n_out(), n);
  py::array_t<float> dvalues(h.linear.nnz()), dbias(h.linear.n_out());
  py::array_t<float> dX({static_cast<py::ssize_t>(h.linear.n_in()), n});
  const float *from = x.data(), *delta = d.data();
  float *dv = dvalues.mutable_data(), *db = dbias.mutable_data(), *dx = dX.mutable_data();
  without_gil([&] {
    const WriteGuard guard(h.lock);
    h.linear.backward(kernels(), from, delta, n, threads, dv, db, dx);
  });
  return py::make_tuple(dvalues, dbias, dX);
}

}  // namespace

void bind_linear(py::module_& m) {
  py::class_<LinearHandle>(m, "Linear")
      .def(py::init([](index_t n_in, const py::array& indptr, const py::array& indices,
                       const py::array& values, const py::array& bias) {
             return std::unique_ptr<LinearHandle>(new LinearHandle{
                 Linear(n_in, to_vector<offset_t>("indptr", indptr),
                        to_vector<index_t>("indices", indices), to_vector<float>("values", values),
                        to_vector<float>("bias", bias)),
                 {}});
           }),
           py::arg("n_in"), py::arg("indptr"), py::arg("indices"), py::arg("values"),
           py::arg("bias"))
      .def("forward", &forward, py::arg("X"), py::arg("threads"), py::arg("out") = py::none())
      .def("backward", &backward, py::arg("X"), py::arg("D"), py::arg("threads"));
}

}  // namespace synaprune::bindings
