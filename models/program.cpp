#include "models/program.h"

#include <array>
#include <fmt/format.h>

namespace ithaca {

const char* name_of(Role role) {
  constexpr std::array names{"activation", "weight", "gradient", "weight_gradient"};
  return names[static_cast<std::size_t>(role)];
}

const char* name_of(Phase phase) {
  constexpr std::array names{"fwd", "recompute", "bwd", "update"};
  return names[static_cast<std::size_t>(phase)];
}

const char* name_of(const Op& op) {
  constexpr std::array names{"einsum",       "add",           "bias",
                             "bias_grad",    "norm",          "norm_grad",
                             "act",          "act_grad",      "rope",
                             "split_qkv",    "join_qkv",      "attend",
                             "attend_grad",  "merge",         "cast",
                             "move",         "shift",         "slice",
                             "put",          "copy",          "embed",
                             "embed_grad",   "row_max",       "sum_exp",
                             "pick",         "token_loss",    "token_loss_grad",
                             "squared_norm", "clip",          "adam",
                             "multiply",     "multiply_grad", "rotation_table",
                             "log_softmax"};
  static_assert(names.size() == std::variant_size_v<Op>);
  return names[op.index()];
}

int holder_of(const KeyHolder& keys, const Mesh& mesh, int rank) {
  for (const Hops& hops : keys) rank = mesh.neighbour(rank, hops.axis, -hops.back);
  return rank;
}

Program retype(Program program, DType dtype) {
  for (Value& value : program.values_)
    if (value.type.dtype != DType::i64) value.type.dtype = dtype;
  return program;
}

}  // namespace ithaca
