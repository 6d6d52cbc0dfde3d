#include "convert.hpp"
#include "synaprune/prune.hpp"

namespace synaprune::bindings {

void bind_arrays(py::module_& m) {
  m.def(
      "all_finite",
      [](const py::array& a, int threads) {
        const auto checked = expect<float>("a", a, static_cast<int>(a.ndim()));
        const float* data = checked.data();
        const offset_t n = checked.size();
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
