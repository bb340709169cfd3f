#include "sim/reserved.h"

#include "models/error.h"
#include "models/wire.h"
#include "sim/memory.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace ithaca {
namespace {

using Address = CachingAllocator::Address;
constexpr Address none = -1;
using Buffers = std::vector<Address>;  ///< by value of a program

struct DeviceFull {};

/// A program with what dies at each of its steps.
struct Lives {
  explicit Lives(const Program& program) : p(program), life(lifetimes(p)), dying(p.steps().size()) {
    for (ValueId v = 0; v < p.values().size(); ++v)
      if (const std::int64_t dies = life[v].dies; dies >= 0 && dies < std::ssize(dying))
        dying[static_cast<std::size_t>(dies)].push_back(v);
  }
  const Program& p;
  std::vector<Lifetime> life;
  std::vector<std::vector<ValueId>> dying;
};

/// What a parameter holds between the programs.
struct Kept {
  Address stored = none, grad = none, master = none, m = none, v = none;
};

class Replay {
 public:
  Replay(const MicroBatch& micro, const Update& update, const AllocatorPolicy& policy)
      : micro_(micro),
        update_(update),
        allocator_(policy),
        forward_(micro.program),
        step_(update.program),
        kept_(micro.parameters.size()) {
    for (const Step& s : micro.program.steps())
      require(s.times == 1 && s.tiles == 1, "layers are written out");
  }

  ReservedMemory run() && {
    try {
      begin();
      for (int step = 0; step < 2; ++step) {
        micro_batch();
        update();
      }
    } catch (const DeviceFull&) {
      result_.fits = false;
    }
    result_.requested_peak_bytes = allocator_.requested().peak;
    return result_;
  }

 private:
  Address take(std::int64_t bytes) {
    if (bytes == 0) return none;
    const std::optional<Address> at = allocator_.allocate(bytes);
    if (allocator_.reserved().now > result_.peak_bytes) {
      result_.peak_bytes = allocator_.reserved().now;
      result_.allocated_at_peak_bytes = allocator_.allocated().now;
    }
    if (!at) throw DeviceFull{};
    return *at;
  }
  Address take(const Program& p, ValueId v) {
    return v == no_value || p[v].on_host ? none : take(local_bytes(p.type(v), p.mesh()));
  }
  void give_back(Address& at) {
    if (at != none) allocator_.free(std::exchange(at, none));
  }

  void begin() {
    for (std::size_t i = 0; i < kept_.size(); ++i)
      kept_[i].stored = take(micro_.program, micro_.parameters[i].stored);
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      kept_[i].master = take(update_.program, update_.slots[i].master.in);
      kept_[i].m = take(update_.program, update_.slots[i].m.in);
      kept_[i].v = take(update_.program, update_.slots[i].v.in);
    }
  }

  void micro_batch() {
    Buffers at(micro_.program.values().size(), none);
    for (std::size_t i = 0; i < kept_.size(); ++i)
      hand_over(kept_[i].stored, at, micro_.parameters[i].stored);
    run(forward_, at);
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      take_back(kept_[i].stored, at, micro_.parameters[i].stored);
      take_back(kept_[i].grad, at, micro_.parameters[i].grad);
    }
    for (Address& left : at) give_back(left);
  }

  void update() {
    Buffers at(update_.program.values().size(), none);
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      const UpdateSlot& slot = update_.slots[i];
      const bool from_master = slot.stored.in == no_value;  // written over the old weight
      hand_over(kept_[i].stored, at, from_master ? slot.stored.out : slot.stored.in);
      require(slot.grad == no_value || kept_[i].grad != none || update_.program[slot.grad].on_host,
              "a gradient waits for its update");
      hand_over(kept_[i].grad, at, slot.grad);
      hand_over(kept_[i].master, at, slot.master.in);
      hand_over(kept_[i].m, at, slot.m.in);
      hand_over(kept_[i].v, at, slot.v.in);
    }
    run(step_, at);
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      const UpdateSlot& slot = update_.slots[i];
      take_back(kept_[i].stored, at, slot.stored.out);
      take_back(kept_[i].master, at, slot.master.out);
      take_back(kept_[i].m, at, slot.m.out);
      take_back(kept_[i].v, at, slot.v.out);
      give_back(kept_[i].grad);  // of weights that are not trained
    }
    for (Address& left : at) give_back(left);
  }

  static void hand_over(Address& kept, Buffers& at, ValueId v) {
    if (v != no_value) at[v] = std::exchange(kept, none);
  }
  static void take_back(Address& kept, Buffers& at, ValueId v) {
    if (v == no_value) return;
    require(kept == none, "what comes back was handed over");
    kept = std::exchange(at[v], none);
  }

  void run(const Lives& lives, Buffers& at) {
    for (const ValueId v : lives.p.inputs())
      if (at[v] == none) at[v] = take(lives.p, v);
    bool loss_known = false;
    for (std::size_t i = 0; i < lives.p.steps().size(); ++i) {
      const Step& s = lives.p.steps()[i];
      for (const ValueId v : s.out) make(lives, at, v);
      const Scratch scratch = scratch_of(lives.p, s);
      std::array held{take(scratch.send_bytes), take(scratch.receive_bytes),
                      take(scratch.kernel_bytes)};
      if (std::holds_alternative<TokenLoss>(s.op) && !std::exchange(loss_known, true)) {
        result_.at_loss_bytes = allocator_.reserved().now;
        result_.allocated_at_loss_bytes = allocator_.allocated().now;
      }
      for (Address& address : held) give_back(address);
      for (const ValueId v : lives.dying[i]) give_back(at[v]);
    }
  }

  void make(const Lives& lives, Buffers& at, ValueId v) {
    if (at[v] != none) return;
    const ValueId source = lives.life[v].takes_over;
    at[v] = source == no_value ? take(lives.p, v) : std::exchange(at[source], none);
  }

  const MicroBatch& micro_;
  const Update& update_;
  CachingAllocator allocator_;
  Lives forward_, step_;
  std::vector<Kept> kept_;
  ReservedMemory result_;
};

}  // namespace

ReservedMemory reserved_memory(const MicroBatch& micro, const Update& update,
                               const AllocatorPolicy& policy) {
  return Replay(micro, update, policy).run();
}

}  // namespace ithaca
