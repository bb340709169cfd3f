// Odysseus (Fang 2024, github.com/feifeibear/Odysseus-Transformer): tensor parallelism with a split sequence around
// attention; the MLP stays on its slice of the sequence and its weights travel instead.  Per layer: 3 all-gathers
// and 2 reduce-scatters of [b L d], 2 all-gathers and 1 reduce-scatter of the MLP weights.
#include "models/strategy.h"

namespace ithaca {

Strategy odysseus(const HeadAxes& t) {
  Strategy s = tp_sp(t) | local(t.all(), Deal::blocks, zero3(t.all()));
  s.mlp.weights.serve_backward = false;
  return s;
}

}  // namespace ithaca
