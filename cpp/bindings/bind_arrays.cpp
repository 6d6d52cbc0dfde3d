#include "convert.hpp"
#include "gil.hpp"
#include "synaprune/passes.hpp"
#include "synaprune/prune.hpp"

namespace synaprune::bindings {

namespace {

ImageShift make_image_shift(index_t height, index_t width, index_t pixels, float probability,
                            std::uint64_t seed) {
  if (height < 1 || width < 1 || height > (1 << 15) || width > (1 << 15))
    throw py::value_error("height and width must be from 1 to 32768, got " +
                          std::to_string(height) + " and " + std::to_string(width));
  if (pixels < 0 || pixels > std::min(height, width))
    throw py::value_error("pixels must be from 0 to the smaller side, got " +
                          std::to_string(pixels));
  if (!(probability >= 0.0f && probability <= 1.0f))
    throw py::value_error("probability must be in [0, 1], got " + std::to_string(probability));
  return {height, width, pixels, probability, seed, 0};
}

void add(const py::array& source, py::array& target) {
  const auto from = expect<float>("source", source, 1);
  const auto to = expect<float>("target", target, 1);
  expect_size("source", source, to.size());
  if (!target.writeable()) throw py::value_error("target must be writeable");
  auto* sum = static_cast<float*>(target.mutable_data());
  without_gil([&, n = static_cast<offset_t>(to.size())] {
    const FlushDenormals flush;
    synaprune::add(n, from.data(), sum);
  });
}

}  // namespace

void bind_arrays(py::module_& m) {
  py::class_<ImageShift>(m, "ImageShift")
      .def(py::init(&make_image_shift), py::arg("height"), py::arg("width"), py::arg("pixels"),
           py::arg("probability"), py::arg("seed") = 0);

  m.def("add", &add, py::arg("source"), py::arg("target"));
  m.def(
      "all_finite",
      [](const py::array& a, int threads) {
        const auto checked = expect<float>("a", a, static_cast<int>(a.ndim()));
        const float* data = checked.data();
        const offset_t n = checked.size();
        expect_threads(threads);
        return without_gil([&] { return all_finite(data, n, threads); });
      },
      py::arg("a"), py::arg("threads") = 1);
  m.def(
      "keep_all_but_lowest",
      [](const py::array& scores, offset_t n, offset_t skip) {
        const auto s = to_vector<float>("scores", scores);
        return to_array(without_gil([&] { return keep_all_but_lowest(s, n, skip); }));
      },
      py::arg("scores"), py::arg("n"), py::arg("skip") = 0);
}

}  // namespace synaprune::bindings
