#include <algorithm>
#include <memory>

#include "convert.hpp"
#include "gil.hpp"
#include "synaprune/linear.hpp"

namespace synaprune::bindings {

namespace {

// A matrix with the memory of calls before; calls from several threads have their own.
struct LinearHandle {
  const Linear linear;
  Pool<Linear::Workspace> workspaces;

  // Runs f(workspace) without the GIL.
  template <class F>
  void run(F&& f) {
    without_gil([&] {
      std::unique_ptr<Linear::Workspace> work = workspaces.take();
      if (!work) work = std::make_unique<Linear::Workspace>();
      f(*work);
      workspaces.give_back(std::move(work));
    });
  }
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

bool overlap(const py::array_t<float>& a, const py::array_t<float>& b) {
  return a.data() < b.data() + b.size() && b.data() < a.data() + a.size();
}

py::array_t<float> forward(LinearHandle& h, const py::array& X, int threads,
                           const py::object& out) {
  const auto x = expect_columns("X", X, h.linear.n_in());
  const py::ssize_t n = x.shape(1), rows = h.linear.n_out();
  expect_threads(threads);
  py::array_t<float> Y = out.is_none() ? py::array_t<float>({rows, n})
                                       : expect_columns("out", out.cast<py::array>(), rows, n);
  float* result = Y.mutable_data();                    // raises if `out` is read-only
  const bool aside = !out.is_none() && overlap(x, Y);  // as numpy does: compute, then copy
  const float* from = x.data();
  h.run([&](Linear::Workspace& work) {
    Buffer copy(static_cast<std::size_t>(aside ? rows * n : 0));
    h.linear.forward(kernels(), from, n, threads, work, aside ? copy.data() : result);
    if (aside) std::copy(copy.begin(), copy.end(), result);
  });
  return Y;
}

py::tuple backward(LinearHandle& h, const py::array& X, const py::array& D, int threads) {
  const auto x = expect_columns("X", X, h.linear.n_in());
  const py::ssize_t n = x.shape(1);
  const auto d = expect_columns("D", D, h.linear.n_out(), n);
  expect_threads(threads);
  py::array_t<float> dvalues(h.linear.nnz()), dbias(h.linear.n_out());
  py::array_t<float> dX({static_cast<py::ssize_t>(h.linear.n_in()), n});
  const float *from = x.data(), *delta = d.data();
  float *dv = dvalues.mutable_data(), *db = dbias.mutable_data(), *dx = dX.mutable_data();
  h.run([&](Linear::Workspace& work) {
    h.linear.backward(kernels(), from, delta, n, threads, work, dv, db, dx);
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
