// Losses: a table of them, what a user sees of the outputs, and the ends of a pass on one tile.
#pragma once

#include "synaprune/kernels.hpp"

namespace synaprune {

// The position of a loss in the table.
enum class Loss : int {};

// What the outputs of one tile of `batch` samples, [n_out, ld], are compared with: a class of each
// sample, in [0, n_out), or {0, 1} with one output; or a number for each output: probabilities, or
// of a regression the targets.
struct TileTargets {
  index_t batch;
  const index_t* labels = nullptr;  // [batch], or:
  const float* T = nullptr;         // [n_out, ld]
  const float* weights = nullptr;   // [ld], with T: factors on the losses, 0 from `batch` on
};

std::vector<std::string> loss_names();
// Whether targets are any numbers, and outputs are the logits as they are.
bool is_regression(Loss loss);
Loss parse_loss(const std::string& name);
// Throws std::invalid_argument if the loss does not go with so many outputs.
void check_loss(Loss loss, index_t n_out);

// Turns logits Z [n_out, ld] into what a user sees, in place: probabilities, or predicted numbers.
void finish_outputs(const Kernels& kernels, Loss loss, index_t n_out, index_t ld, float* Z);

// Sum of the losses of a tile. Z holds the logits and is overwritten with nothing of use.
double loss_of(const Kernels& kernels, Loss loss, index_t n_out, index_t ld,
               const TileTargets& targets, float* Z);

// The same; Z is overwritten with the gradient of the mean loss over n samples, 0 from `batch` on.
double loss_and_gradient(const Kernels& kernels, Loss loss, index_t n_out, index_t ld, offset_t n,
                         const TileTargets& targets, float* Z);

}  // namespace synaprune
