// The one door between numpy and the core: checks of dtype, shape and layout.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "synaprune/inputs.hpp"
#include "synaprune/network.hpp"
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
  constexpr int aligned = 0x0100;  // NPY_ARRAY_ALIGNED
  constexpr int wanted = int{py::array::c_style} | aligned;
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

inline void expect_shape(const char* name, const py::array& a, offset_t rows, offset_t columns) {
  if (a.shape(0) != rows || a.shape(1) != columns)
    throw py::value_error(std::string(name) + " must have shape (" + std::to_string(rows) + ", " +
                          std::to_string(columns) + "), got " + describe(a));
}

template <class T>
std::vector<T> to_vector(const char* name, const py::array& a) {
  const auto typed = expect<T>(name, a, 1);
  return std::vector<T>(typed.data(), typed.data() + typed.size());
}

template <class T, class A>
py::array_t<T> to_array(const std::vector<T, A>& v) {
  return py::array_t<T>(static_cast<py::ssize_t>(v.size()), v.data());
}

// A view of memory that stays whose it is: for calls during which it is there.
inline py::array_t<float> borrowed_array(float* data, offset_t n) {
  return py::array_t<float>(static_cast<py::ssize_t>(n), data, py::capsule(data, [](void*) {}));
}

inline Buffer to_buffer(const char* name, const py::array& a) {
  const auto typed = expect<float>(name, a, 1);
  return Buffer(typed.data(), typed.data() + typed.size());
}

inline int expect_threads(int threads) {
  if (threads < 1)
    throw py::value_error("threads must be at least 1, got " + std::to_string(threads));
  return threads;
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

// Class numbers, one a sample, in [0, n_classes): a copy, so that nobody changes them once they are
// checked.
inline std::vector<index_t> expect_labels(const py::array& y, offset_t n, index_t n_classes) {
  std::vector<index_t> labels = to_vector<index_t>("y", y);
  expect_size("y", y, n);
  for (const index_t label : labels)
    if (label < 0 || label >= n_classes)
      throw py::value_error("y must hold class numbers from 0 to " + std::to_string(n_classes - 1) +
                            ", got " + std::to_string(label));
  return labels;
}

// What samples should be taken for: class numbers (int32) or probabilities (float32, one row each),
// of a regression numbers (float32, one row each); weights (None: 1 each) and smoothing. All but
// class numbers are borrowed.
struct CheckedTargets {
  std::vector<index_t> labels;
  Targets targets;
};

inline CheckedTargets expect_targets(const py::array& y, const std::optional<py::array>& weights,
                                     float smoothing, offset_t n, const Network& net) {
  CheckedTargets checked;
  Targets& targets = checked.targets;
  const index_t n_classes = net.n_classes();
  if (net.is_regression()) {
    targets.numbers = expect<float>("y", y, 2).data();
    expect_shape("y", y, n, net.n_outputs());
  } else if (py::isinstance<py::array_t<float>>(y) && y.ndim() == 2) {
    targets.soft = expect<float>("y", y, 2).data();
    expect_shape("y", y, n, n_classes);
  } else {
    checked.labels = expect_labels(y, n, n_classes);
    targets.labels = checked.labels.data();  // a vector keeps its memory when it is moved
  }
  if (weights) {
    targets.weights = expect<float>("weights", *weights, 1).data();
    expect_size("weights", *weights, n);
  }
  if (smoothing != 0.0f && net.is_regression())
    throw py::value_error("smoothing must be 0 for a regression, got " + std::to_string(smoothing));
  if (!(smoothing >= 0.0f && smoothing < 1.0f))
    throw py::value_error("smoothing must be in [0, 1), got " + std::to_string(smoothing));
  targets.smoothing = smoothing;
  return checked;
}

inline void expect_images(const ImageShift& shift, offset_t n_features) {
  if (shift.pixels > 0 && offset_t{shift.height} * shift.width != n_features)
    throw py::value_error("height * width must be the number of columns, " +
                          std::to_string(n_features) + ", got " + std::to_string(shift.height) +
                          " * " + std::to_string(shift.width));
}

}  // namespace synaprune::bindings
