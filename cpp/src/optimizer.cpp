// The optimizers. To add one, write its class and its entry in the table at the end.
#include "synaprune/optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "synaprune/math.hpp"

namespace synaprune {

namespace {

// Hyperparameters of a rule, by name.
class Values {
 public:
  Values(const std::vector<Hyperparameter>& defaults, const std::vector<Hyperparameter>& given)
      : all_(defaults) {
    for (const Hyperparameter& one : given)
      all_[find_entry("hyperparameter", all_, one.name)].value = one.value;
  }
  float operator[](const char* name) const {
    return static_cast<float>(all_[find_entry("hyperparameter", all_, name)].value);
  }

 private:
  std::vector<Hyperparameter> all_;
};

float sign(float x) { return static_cast<float>(static_cast<int>(x > 0.0f) - (x < 0.0f)); }

// Added to the gradient: weight_decay * w + l1 * sign(w).
struct Penalties {
  float decay, l1;

  explicit Penalties(const Values& v) : decay(v["weight_decay"]), l1(v["l1"]) {}
  Penalties on(const Step& step) const { return step.penalized ? *this : Penalties(); }
  float gradient(const Step& step, offset_t k) const {
    return step.gradient[k] + decay * step.w[k] + l1 * sign(step.w[k]);
  }

 private:
  Penalties() : decay(0.0f), l1(0.0f) {}
};

// m = momentum m + g, w -= lr m; without momentum w -= lr g, and no state.
class Sgd : public Rule {
 public:
  explicit Sgd(const Values& v) : lr_(v["lr"]), momentum_(v["momentum"]), penalties_(v) {}

  index_t n_state() const override { return momentum_ != 0.0f ? 1 : 0; }
  void step(const Kernels& kernels, const Step& s) const override {
    const Penalties p = penalties_.on(s);
    kernels.sgd_step(s.n, lr_, momentum_, p.decay, p.l1, s.gradient, s.w,
                     n_state() ? s.state[0] : nullptr);
  }

 private:
  float lr_, momentum_;
  Penalties penalties_;
};

// Kingma & Ba 2015, with their correction of the moments' bias.
class Adam : public Rule {
 public:
  explicit Adam(const Values& v)
      : lr_(v["lr"]),
        beta1_(v["beta1"]),
        beta2_(v["beta2"]),
        epsilon_(v["epsilon"]),
        penalties_(v) {}

  index_t n_state() const override { return 2; }
  void step(const Kernels&, const Step& s) const override {
    const Penalties p = penalties_.on(s);
    const auto correct1 = static_cast<float>(1.0 - power(static_cast<double>(beta1_), s.t));
    const auto correct2 = static_cast<float>(1.0 - power(static_cast<double>(beta2_), s.t));
    float *m = s.state[0], *v = s.state[1];
    for (offset_t k = 0; k < s.n; ++k) {
      const float g = p.gradient(s, k);
      m[k] = beta1_ * m[k] + (1.0f - beta1_) * g;
      v[k] = beta2_ * v[k] + (1.0f - beta2_) * g * g;
      s.w[k] -= lr_ * (m[k] / correct1) / (std::sqrt(v[k] / correct2) + epsilon_);
    }
  }

 private:
  float lr_, beta1_, beta2_, epsilon_;
  Penalties penalties_;
};

template <class R>
std::shared_ptr<const Rule> make(const Values& values) {
  return std::make_shared<const R>(values);
}

struct Entry {
  const char* name;
  index_t most_state;
  std::shared_ptr<const Rule> (*make)(const Values& values);
  std::vector<Hyperparameter> defaults;
};

const std::vector<Entry>& table() {
  static const std::vector<Entry> entries{
      {"sgd", 1, make<Sgd>, {{"lr", 0.05}, {"momentum", 0.0}, {"weight_decay", 0.0}, {"l1", 0.0}}},
      {"adam",
       2,
       make<Adam>,
       {{"lr", 0.001},
        {"beta1", 0.9},
        {"beta2", 0.999},
        {"epsilon", 1e-8},
        {"weight_decay", 0.0},
        {"l1", 0.0}}},
  };
  return entries;
}

const Entry& entry(const std::string& name) {
  return table()[find_entry("optimizer", table(), name)];
}

}  // namespace

Optimizer::Optimizer(const std::string& name, const std::vector<Hyperparameter>& given)
    : name_(name), rule_(entry(name).make(Values(entry(name).defaults, given))) {}

void Optimizer::step(const Kernels& kernels, const Step& step, const float* frozen) const {
  if (!frozen) return rule_->step(kernels, step);
  constexpr offset_t some = 256;
  constexpr index_t most = 3;  // arrays: the parameters and at most two of state
  const index_t n_arrays = 1 + n_state();
  for (offset_t first = 0; first < step.n; first += some) {
    Step part = step;
    part.n = std::min(some, step.n - first);
    part.gradient += first;
    part.w += first;
    float* arrays[most] = {part.w};
    for (index_t a = 1; a < n_arrays; ++a) arrays[a] = step.state[a - 1] + first;
    part.state = arrays + 1;
    float before[most][some];
    for (index_t a = 0; a < n_arrays; ++a) std::copy_n(arrays[a], part.n, before[a]);
    rule_->step(kernels, part);
    for (index_t a = 0; a < n_arrays; ++a)
      for (offset_t k = 0; k < part.n; ++k)
        if (frozen[first + k] != 0.0f) arrays[a][k] = before[a][k];
  }
}

std::vector<std::string> optimizer_names() { return entry_names(table()); }

index_t most_state(const std::string& name) { return entry(name).most_state; }

}  // namespace synaprune
