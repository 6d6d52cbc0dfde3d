#include "convert.hpp"
#include "synaprune/optimizer.hpp"

namespace synaprune::bindings {

namespace {

Optimizer make_optimizer(const std::string& kind, float lr, float momentum, float beta1,
                         float beta2, float epsilon, float weight_decay, float l1) {
  Optimizer o;
  o.kind = parse_optimizer_kind(kind);
  o.lr = lr;
  o.momentum = momentum;
  o.beta1 = beta1;
  o.beta2 = beta2;
  o.epsilon = epsilon;
  o.weight_decay = weight_decay;
  o.l1 = l1;
  return o;
}

}  // namespace

void bind_optimizer(py::module_& m) {
  py::class_<Optimizer>(m, "Optimizer")
      .def(py::init(&make_optimizer), py::arg("kind"), py::arg("lr"), py::arg("momentum") = 0.0f,
           py::arg("beta1") = 0.9f, py::arg("beta2") = 0.999f, py::arg("epsilon") = 1e-8f,
           py::arg("weight_decay") = 0.0f, py::arg("l1") = 0.0f);
}

}  // namespace synaprune::bindings
