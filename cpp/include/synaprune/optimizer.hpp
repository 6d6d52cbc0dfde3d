// Optimizers: a table of them, and the step of one over arrays of parameters.
#pragma once

#include <memory>

#include "synaprune/csr.hpp"
#include "synaprune/kernels.hpp"

namespace synaprune {

// What a step works on: n parameters of one kind.
struct Step {
  offset_t n;
  const float* gradient;  // [n], of the mean loss
  float* w;               // [n], changed
  float* const* state;    // n_state arrays [n], changed
  bool penalized;         // weight decay and L1 apply: to synapses, not to biases
  std::int64_t t;         // updates so far with this state, this one included, from 1
};

// An optimizer with its hyperparameters: what optimizer.cpp has one class for each of.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual index_t n_state() const = 0;  // arrays that it remembers of each parameter
  virtual void step(const Kernels& kernels, const Step& step) const = 0;
};

struct Hyperparameter {
  std::string name;
  double value;
};

// One of the table's optimizers, with hyperparameters.
class Optimizer {
 public:
  // Those not given have the table's defaults. Throws std::invalid_argument for an unknown name.
  Optimizer(const std::string& name, const std::vector<Hyperparameter>& given);

  const std::string& name() const { return name_; }
  index_t n_state() const { return rule_->n_state(); }
  // Where frozen is not null and holds a 1, nothing changes.
  void step(const Kernels& kernels, const Step& step, const float* frozen) const;

 private:
  std::string name_;
  std::shared_ptr<const Rule> rule_;
};

// Names of the optimizers, and the most state arrays that one of a name may have; throws
// std::invalid_argument if there is none.
std::vector<std::string> optimizer_names();
index_t most_state(const std::string& name);

}  // namespace synaprune
