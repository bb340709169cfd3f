// planner/space.h -- every uniform choice worth asking about, as expressions on meshes.
//
// N = p r u t: samples, a ring (or gathered keys), Ulysses, tensor parallelism, from slow links to
// fast.  The MLP follows the tokens of attention, or is tensor-parallel over the innermost axes.
// Weights are kept whole or sharded over all axes that do not split them.  Each choice with and
// without recomputation.  Beyond 16 ranks a ring or gather deals its tokens in zigzag only: blocks
// send the same bytes and leave causal work uneven.  A ring that crosses nodes may be a double one, whose inner axis with
// those inside it fills an island of fast links.
#pragma once

#include "models/catalog.h"

#include <string>
#include <vector>

namespace ithaca {

struct Choice {
  Half attention_half, mlp_half;
  Mesh mesh;
  bool recompute = false;
  bool one_half() const { return attention_half == mlp_half; }  ///< serves both
  std::string attention() const { return text_of(attention_half); }
  std::string mlp() const { return text_of(mlp_half); }
  std::string expression() const { return one_half() ? attention() : attention() + " | " + mlp(); }
};

/// Choices for `gpus` ranks, `node_gpus` of them joined by fast links (0: all), and `batch` samples.  They may still be
/// impossible for a shape: pricing says so.
std::vector<Choice> choices(int gpus, std::int64_t batch, std::int64_t node_gpus = 0);

}  // namespace ithaca
