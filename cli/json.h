// cli/json.h -- parts of the contract for scripts, see reports/json.h.
#pragma once

#include "planner/price.h"
#include "reports/json.h"

namespace ithaca {

/// {"mlp_tiles": 2 or "auto", "loss_tiles", "offload", "optimizer_offload", "weights_offload", "bucket_elements",
/// "comm_chunks"}
inline Json levers_json(const Levers& l) {
  const auto tiles = [](std::int64_t n) { return n == 0 ? Json("auto") : Json(n); };
  return {{"mlp_tiles", tiles(l.mlp_tiles)},
          {"loss_tiles", tiles(l.loss_tiles)},
          {"offload", l.offload},
          {"optimizer_offload", l.optimizer_offload},
          {"weights_offload", l.weights_offload},
          {"bucket_elements", l.bucket_elements},
          {"comm_chunks", l.comm_chunks}};
}

}  // namespace ithaca
