// planner/space.h -- every uniform choice worth asking about, as expressions on meshes.
//
// N = p r u t: samples, a ring (or gathered keys), Ulysses, tensor parallelism, from slow links to
// fast.  The MLP follows the tokens of attention, or is tensor-parallel over the innermost axes.
// Weights are kept whole or sharded over all axes that do not split them.  Each choice with and
// without recomputation.  Beyond 16 ranks a ring or gather deals its tokens in zigzag only: blocks
// send the same bytes and leave causal work uneven.
#pragma once

#include "models/catalog.h"

#include <string>
#include <vector>

namespace ithaca {

struct Choice {
  std::string attention, mlp;  ///< halves of the expression
  Mesh mesh;
  bool recompute = false;
  std::string expression() const { return attention == mlp ? attention : attention + " | " + mlp; }
};

/// Choices for `gpus` ranks and `batch` samples.  They may still be impossible for a shape: pricing
/// says so.
std::vector<Choice> choices(int gpus, std::int64_t batch);

}  // namespace ithaca
