#include "synaprune/types.hpp"

namespace synaprune {

namespace {

[[noreturn]] void unknown(const char* what, const std::string& name, const char* known) {
  throw std::invalid_argument(std::string(what) + " must be one of " + known + ", got '" + name +
                              "'");
}

}  // namespace

Activation parse_activation(const std::string& name) {
  if (name == "relu") return Activation::relu;
  if (name == "sigmoid") return Activation::sigmoid;
  if (name == "tanh") return Activation::tanh;
  unknown("activation", name, "'relu', 'sigmoid', 'tanh'");
}

Loss parse_loss(const std::string& name) {
  if (name == "softmax") return Loss::softmax;
  if (name == "sigmoid") return Loss::sigmoid;
  if (name == "squared") return Loss::squared;
  unknown("loss", name, "'softmax', 'sigmoid', 'squared'");
}

Criterion parse_criterion(const std::string& name) {
  if (name == "wsf") return Criterion::wsf;
  if (name == "magnitude") return Criterion::magnitude;
  if (name == "magnitude_increase") return Criterion::magnitude_increase;
  if (name == "movement_magnitude") return Criterion::movement_magnitude;
  if (name == "fisher") return Criterion::fisher;
  if (name == "wsf_fisher") return Criterion::wsf_fisher;
  if (name == "taylor") return Criterion::taylor;
  if (name == "random") return Criterion::random;
  unknown("criterion", name,
          "'wsf', 'magnitude', 'magnitude_increase', 'movement_magnitude', 'fisher', 'wsf_fisher', "
          "'taylor', 'random'");
}

}  // namespace synaprune
