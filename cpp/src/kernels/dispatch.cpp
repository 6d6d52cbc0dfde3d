// The only file that knows which instruction-set levels there are. CMake says which were compiled.
#include <cstdlib>

#include "synaprune/kernels.hpp"
#include "synaprune/parallel.hpp"
#include "synaprune/portable.hpp"

namespace synaprune {

namespace baseline {
extern const Kernels table;
}
#ifdef SYNAPRUNE_WITH_AVX2
namespace avx2 {
extern const Kernels table;
}
#endif
#ifdef SYNAPRUNE_WITH_AVX512
namespace avx512 {
extern const Kernels table;
}
#endif

namespace {

std::vector<const Kernels*> runnable() {
  std::vector<const Kernels*> levels{&baseline::table};
#ifdef SYNAPRUNE_WITH_AVX2
  if (SYNAPRUNE_CPU_HAS("avx2") && SYNAPRUNE_CPU_HAS("fma")) levels.push_back(&avx2::table);
#endif
#ifdef SYNAPRUNE_WITH_AVX512
  if (SYNAPRUNE_CPU_HAS("avx512f") && SYNAPRUNE_CPU_HAS("avx512vl") &&
      SYNAPRUNE_CPU_HAS("avx512dq") && SYNAPRUNE_CPU_HAS("avx512bw"))
    levels.push_back(&avx512::table);
#endif
  return levels;
}

const Kernels& choose() {
  const char* forced = std::getenv("SYNAPRUNE_ISA");
  if (forced == nullptr || *forced == '\0') return *runnable().back();
  try {
    return kernels_for(forced);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string("SYNAPRUNE_ISA: ") + error.what());
  }
}

}  // namespace

std::vector<std::string> available_isa() {
  std::vector<std::string> names;
  for (const Kernels* level : runnable()) names.emplace_back(level->isa);
  return names;
}

const Kernels& kernels_for(const std::string& isa) {
  std::string known;
  for (const Kernels* level : runnable()) {
    if (isa == level->isa) return *level;
    known += (known.empty() ? "'" : ", '") + std::string(level->isa) + "'";
  }
  throw std::invalid_argument("isa must be one of " + known + " on this machine, got '" + isa +
                              "'");
}

namespace {

const Kernels& first_choice() {
  static const Kernels& chosen = choose();
  return chosen;
}

Atomic<const Kernels*> set_by_user{nullptr};

}  // namespace

const Kernels& kernels() {
  const Kernels* set = set_by_user;
  return set ? *set : first_choice();
}

namespace {

std::vector<ActivationKernel> activations() {  // alike at all levels, but for what is compiled
  const Kernels& k = baseline::table;
  return {k.activations, k.activations + k.n_activations};
}

}  // namespace

std::vector<std::string> activation_names() { return entry_names(activations()); }

Activation parse_activation(const std::string& name) {
  return Activation{find_entry("activation", activations(), name)};
}

void set_isa(const std::string& isa) { set_by_user = isa.empty() ? nullptr : &kernels_for(isa); }

}  // namespace synaprune
