// models/parameter.h -- a weight of a program: where it is kept, what becomes of its gradient.
#pragma once

#include "models/strategy.h"

#include <string>
#include <vector>

namespace ithaca {

struct Parameter {
  std::string name;         ///< "wq"; in a step "layers.3.wq"
  ValueId stored;           ///< as kept between steps
  ValueId grad = no_value;  ///< as one micro-batch leaves it; no_value when it is not trained
  ValueId sum = no_value;   ///< an input: gradients so far, of micro-batches before or a buffer's
  int layer = -1;           ///< which layer of the program has it, -1: none
  std::int64_t times = 1;   ///< how many equal layers have one such
  bool trained = true;
  WeightRow row = {};  ///< of the table it was kept by; `flat` is empty for gains and biases
};

/// How the optimizer keeps the weight: its slice, and the moments'.
Type state_type(const Program&, const Parameter&);

}  // namespace ithaca
