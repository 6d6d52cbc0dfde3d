// The one door between numpy and the core: checks of dtype, shape and layout, and the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "synaprune/inputs.hpp"
#include "synaprune/targets.hpp"
#include "synaprune/types.hpp"

namespace synaprune::bindings {

namespace py = pybind11;

inline std::string describe(const py::array& a) {
  std::string text = py::str(a.dtype()).cast<std::string>() + " array of shape (";
  for (py::ssize_t i = 0; i < a.ndim(); ++i)
    text += (i ? ", " : "") + std::to_string(a.shape(i)) + (a.ndim() == 1 ? "," : "");
  return text + ")";
}

inline bool is_c_ordered(const py::array& a, int ndim) {
  constexpr int wanted = int{py::array::c_style} | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};
  return a.ndim() == ndim && (a.flags() & wanted) == wanted;
}

// A C-ordered array of exactly T with `ndim` axes, borrowed as it is.
template <class T>
py::array_t<T> expect(const char* name, const py::array& a, int ndim) {
  if (!py::isinstance<py::array_t<T>>(a))
    throw py::type_error(std::string(name) + " must be " +
                         py::str(py::dtype::of<T>()).cast<std::string>() + ", got " + describe(a));
  if (!is_c_ordered(a, ndim))
    throw py::value_error(std::string(name) + " must be aligned and C-ordered with " +
                          std::to_string(ndim) + " axes, got " + describe(a));
  return py::reinterpret_borrow<py::array_t<T>>(a);
}

inline void expect_size(const char* name, const py::array& a, offset_t size) {
  if (a.size() != size)
    throw py::value_error(std::string(name) + " must have " + std::to_string(size) +
                          " entries, got " + std::to_string(a.size()));
}

template <class T>
std::vector<T> to_vector(const char* name, const py::array& a) {
  const auto typed = expect<T>(name, a, 1);
  return std::vector<T>(typed.data(), typed.data() + typed.size());
}

template <class T>
py::array_t<T> to_array(const std::vector<T>& v) {
  return py::array_t<T>(static_cast<py::ssize_t>(v.size()), v.data());
}

inline Inputs borrow_inputs(const py::array& X) {
  Inputs inputs;
  inputs.is_uint8 = py::isinstance<py::array_t<std::uint8_t>>(X);
  inputs.data = X.data();
  inputs.n = X.shape(0);
  inputs.d = X.shape(1);
  return inputs;
}

// Whether X holds samples of n_features features as the core takes them: float32 or uint8,
// C-ordered, at least one.
inline bool is_inputs(const py::object& X, offset_t n_features) {
  if (!py::isinstance<py::array_t<float>>(X) && !py::isinstance<py::array_t<std::uint8_t>>(X))
    return false;
  const auto a = py::reinterpret_borrow<py::array>(X);
  return is_c_ordered(a, 2) && a.shape(0) > 0 && a.shape(1) == n_features;
}

// The same, or an error that says what is expected.
inline Inputs expect_inputs(const py::array& X, offset_t n_features) {
  if (py::isinstance<py::array_t<std::uint8_t>>(X))
    expect<std::uint8_t>("X", X, 2);
  else
    expect<float>("X", X, 2);
  if (!is_inputs(X, n_features))
    throw py::value_error("X must have at least one row and " + std::to_string(n_features) +
                          " columns, got " + describe(X));
  return borrow_inputs(X);
}

// Class numbers, one a sample, in [0, n_classes).
inline py::array_t<index_t> expect_labels(const py::array& y, offset_t n, index_t n_classes) {
  auto labels = expect<index_t>("y", y, 1);
  expect_size("y", labels, n);
  const index_t* data = labels.data();
  for (offset_t i = 0; i < n; ++i)
    if (data[i] < 0 || data[i] >= n_classes)
      throw py::value_error("y must hold class numbers from 0 to " + std::to_string(n_classes - 1) +
                            ", got " + std::to_string(data[i]));
  return labels;
}

// What samples should be taken for: class numbers (int32) or probabilities (float32, one row each),
// weights (None: 1 each) and smoothing. Borrows.
inline Targets expect_targets(const py::array& y, const std::optional<py::array>& weights,
                              float smoothing, offset_t n, index_t n_classes) {
  Targets targets;
  if (py::isinstance<py::array_t<float>>(y) && y.ndim() == 2) {
    targets.soft = expect<float>("y", y, 2).data();
    if (y.shape(0) != n || y.shape(1) != n_classes)
      throw py::value_error("y must have shape (" + std::to_string(n) + ", " +
                            std::to_string(n_classes) + "), got " + describe(y));
  } else {
    targets.labels = expect_labels(y, n, n_classes).data();
  }
  if (weights) {
    targets.weights = expect<float>("weights", *weights, 1).data();
    expect_size("weights", *weights, n);
  }
  if (!(smoothing >= 0.0f && smoothing < 1.0f))
    throw py::value_error("smoothing must be in [0, 1), got " + std::to_string(smoothing));
  targets.smoothing = smoothing;
  return targets;
}

inline void expect_images(const ImageShift& shift, offset_t n_features) {
  if (shift.pixels > 0 && offset_t{shift.height} * shift.width != n_features)
    throw py::value_error("height * width must be the number of columns, " +
                          std::to_string(n_features) + ", got " + std::to_string(shift.height) +
                          " * " + std::to_string(shift.width));
}

// Runs f without the GIL. If Python asked to stop meanwhile, its exception goes on from here.
template <class F>
auto without_gil(F&& f) {
  try {
    const py::gil_scoped_release released;
    return f();
  } catch (const Interrupted&) {
    throw py::error_already_set();
  }
}

// A pending signal, such as Ctrl-C. Python acts on signals in the main thread only.
inline bool signal_pending() {
  const py::gil_scoped_acquire acquired;
  return PyErr_CheckSignals() != 0;
}

}  // namespace synaprune::bindings
