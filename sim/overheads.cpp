#include "sim/overheads.h"

namespace ithaca {

Overheads overheads(const Count& count) {
  Overheads o;
  for (const Event& event : count.events) {
    o.communicator_bytes = 1'600'000'000;
    if (event.wire == Wire::all_to_all) o.all_to_all_bytes = 3'280'000'000;
  }
  return o;
}

}  // namespace ithaca
