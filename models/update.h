// models/update.h -- once per optimizer step: gradients to where the optimizer wants them, AdamW, weights back to
// where they are stored.
//
// ZeRO-0 to 3 and HSDP differ in nothing but the axes of each weight's row: a sum becomes copies (all-reduce) or a
// shard (reduce-scatter), a shard of new weights becomes copies again (all-gather).
#pragma once

#include "models/layer.h"
#include "models/recipe.h"

#include <span>
#include <vector>

namespace ithaca {

struct UpdateOptions {
  Recipe recipe = recipes().front();
  std::optional<DType> reduction = {};  ///< of gradients on the wire, else as they come
  double clip_norm = 0;                 ///< largest norm of all gradients together; 0: no clipping
  bool on_host = false;                 ///< states live in host memory, where AdamW runs
  std::int64_t bucket_elements = 0;     ///< as StepOptions has it
  /// As the papers of long-context training use it; the rate is no matter of cost.
  Adam adam{1e-3, 0.9, 0.95, 1e-8, 0.1};
};

/// What one parameter brings into the update and takes out of it.
struct UpdateSlot {
  struct Ends {
    ValueId in = no_value, out = no_value;
  };
  ValueId grad = no_value;
  Ends stored;  ///< as programs of micro-batches use it; no `in` when it is made from the master
  Ends master, m, v;  ///< as the optimizer keeps them; no master: none
};

struct Update {
  Program program;
  ValueId t = no_value;             ///< an input: the number of the step, from 1
  ValueId squared_norm = no_value;  ///< an output when gradients are clipped
  std::vector<UpdateSlot> slots;    ///< by parameter; all no_value for one that is not trained
};

/// `micro_batch` is the program the parameters belong to.
Update update_program(const Program& micro_batch, std::span<const Parameter>, const UpdateOptions&);

/// A gradient that lies as micro-batches leave it, brought to where the optimizer keeps its states.
ValueId reduce_gradient(Builder&, ValueId gradient, Type state, const WeightRow&);

}  // namespace ithaca
