#include "runtime/run.h"

#include "models/error.h"
#include "models/wire.h"
#include "runtime/dependencies.h"
#include "runtime/exchange.h"
#include "runtime/ledger.h"
#include "runtime/order.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

/// Memory of a device for as long as this lives.
class Arena {
 public:
  Arena(Device& device, std::int64_t bytes) : device_(device), begin_(device.allocate(bytes)) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { device_.release(begin_); }
  std::byte* at(std::int64_t offset) const { return begin_ + offset; }

 private:
  Device& device_;
  std::byte* begin_;
};

class Execution {
 public:
  Execution(const Runnable& runnable, Device& device, Communicator& communicator)
      : p_(runnable.program),
        device_(device),
        communicator_(communicator),
        plan_(runnable.plan),
        waits_(runnable.waits),
        fingerprint_(runnable.fingerprint),
        arena_(device, std::max<std::int64_t>(plan_.arena_bytes, 1)),
        host_(static_cast<std::size_t>(plan_.host_arena_bytes)),
        ledger_(plan_.arena_bytes),
        host_ledger_(plan_.host_arena_bytes),
        uses_left_(count_uses()),
        holds_left_(p_.values().size()),
        taken_over_(p_.values().size()),
        sent_before_(communicator.sent_bytes()) {
    for (const Program::Hold& hold : p_.holds()) ++holds_left_[hold.value];
  }

  RankResult run(const Inputs& input) {
    for (const ValueId v : p_.inputs()) load(v, input(v));
    observe();
    device_.synchronize();
    communicator_.agree(fingerprint_);  // all begin together: what they prepare is no step
    for (std::uint32_t i = 0; i < p_.steps().size(); ++i) step(i);
    device_.synchronize();
    for (const ValueId v : p_.outputs()) keep(v);
    result_.peak_live_bytes = ledger_.peak_bytes();
    result_.peak_host_bytes = host_ledger_.peak_bytes();
    result_.sent_bytes_to = communicator_.sent_bytes();
    std::ranges::transform(result_.sent_bytes_to, sent_before_, result_.sent_bytes_to.begin(),
                           std::minus<>{});
    return std::move(result_);
  }

 private:
  std::int64_t bytes(ValueId v) const { return local_bytes(p_.type(v), p_.mesh()); }
  std::byte* at(ValueId v) {
    return p_[v].on_host ? host_.data() + plan_.offset[v] : arena_.at(plan_.offset[v]);
  }
  Ledger& ledger_of(ValueId v) { return p_[v].on_host ? host_ledger_ : ledger_; }
  void observe() {
    ledger_.observe();
    host_ledger_.observe();
  }

  /// How often each value is read; what stays to the end is read once more after it.
  std::vector<int> count_uses() const {
    std::vector<int> uses(p_.values().size());
    for (const Step& s : p_.steps())
      for (const ValueId v : s.in) ++uses[v];
    for (const ValueId v : p_.outputs()) ++uses[v];
    const auto end = static_cast<std::int64_t>(p_.steps().size());
    for (const ValueId v : p_.inputs()) uses[v] += plan_.lifetime[v].dies == end ? 1 : 0;
    return uses;
  }

  void load(ValueId v, const std::vector<std::byte>& slice) {
    require(std::ssize(slice) == bytes(v), "an input is not of the bytes of its type");
    ledger_of(v).take(plan_.offset[v], bytes(v));
    if (p_[v].on_host)
      std::ranges::copy(slice, at(v));
    else
      device_.upload(at(v), slice.data(), bytes(v));
  }

  void keep(ValueId v) {
    std::vector<std::byte>& host = result_.outputs[v];
    host.resize(static_cast<std::size_t>(bytes(v)));
    if (p_[v].on_host)
      std::copy_n(at(v), host.size(), host.data());
    else
      device_.download(host.data(), at(v), bytes(v));
  }

  std::int64_t sent_bytes() const {
    const std::vector<std::int64_t>& sent = communicator_.sent_bytes();
    return std::accumulate(sent.begin(), sent.end(), std::int64_t{0});
  }

  void step(std::uint32_t i) {
    const Step& s = p_.steps()[i];
    const Lane lane = lane_of(p_, s);
    const std::int64_t scratch_bytes = scratch_of(p_, s).bytes();
    for (const ValueId v : s.out) take(v);
    ledger_.take(plan_.scratch[i], scratch_bytes);
    observe();
    for (const std::uint32_t other : waits_[i]) device_.wait(lane, done_[other]);
    const double begin_s = device_.now_s(lane);
    const std::int64_t sent_before = sent_bytes();
    execute(i, lane);
    result_.spans.push_back({communicator_.rank(), i, lane, begin_s, device_.now_s(lane)});
    result_.sent_bytes_by_step.push_back(sent_bytes() - sent_before);
    done_.push_back(device_.record(lane));
    ledger_.give_back(plan_.scratch[i], scratch_bytes);
    for (const ValueId v : s.in) {
      --uses_left_[v];
      end_unless_needed(v);
    }
    for (const ValueId v : s.out) end_unless_needed(v);
  }

  /// A value that takes over the buffer of an operand takes it from the operand, which is then
  /// gone.
  void take(ValueId v) {
    const ValueId source = plan_.lifetime[v].takes_over;
    if (source != no_value) {
      require(uses_left_[source] == 1, "a buffer is taken over that is still in use");
      give_back(source);
      taken_over_[source] = true;
    }
    ledger_of(v).take(plan_.offset[v], bytes(v));
  }
  /// With a value go those it held.
  void end_unless_needed(ValueId v) {
    if (uses_left_[v] > 0 || holds_left_[v] > 0) return;
    if (!taken_over_[v]) give_back(v);
    for (const Program::Hold& hold : p_.holds()) {
      if (hold.with != v) continue;
      --holds_left_[hold.value];
      end_unless_needed(hold.value);
    }
  }
  void give_back(ValueId v) { ledger_of(v).give_back(plan_.offset[v], bytes(v)); }

  void execute(std::uint32_t i, Lane lane) {
    const Step& s = p_.steps()[i];
    std::visit(
        match{[&](const Move&) { move(i, lane); }, [&](const Shift& op) { shift(s, op, lane); },
              [&](const Copy& op) { copy(s, op); }, [&](const auto&) { compute(s, lane); }},
        s.op);
  }

  void compute(const Step& s, Lane lane) {
    std::vector<const std::byte*> in;
    std::vector<std::byte*> out;
    for (const ValueId v : s.in) in.push_back(at(v));
    for (const ValueId v : s.out) out.push_back(at(v));
    device_.compute(p_, s, communicator_.rank(), in, out, lane);
  }

  void copy(const Step& s, const Copy& op) {
    const std::int64_t n = bytes(s.in[0]);
    if (op.to_host)
      device_.download(at(s.out[0]), at(s.in[0]), n);
    else
      device_.upload(at(s.out[0]), at(s.in[0]), n);
    (op.to_host ? result_.to_host_bytes : result_.from_host_bytes) += n;
  }

  void move(std::uint32_t i, Lane lane) {
    const Step& s = p_.steps()[i];
    const Type& first = p_.type(s.in[0]);
    std::vector<Cargo> cargo;
    for (std::size_t j = 0; j < s.in.size(); ++j) {
      const Type &from = p_.type(s.in[j]), &to = p_.type(s.out[j]);
      cargo.push_back(
          {exchange_of(from, to, p_.mesh(), communicator_.rank()), at(s.in[j]), at(s.out[j])});
    }
    MoveScratch buffers;
    if (const Scratch scratch = scratch_of(p_, s); scratch.bytes() > 0) {
      buffers.send = arena_.at(plan_.scratch[i]);
      buffers.receive = buffers.send + scratch.send_bytes;
    }
    Mover(device_, communicator_, {first.dtype, first.maximum}, lane)(cargo, buffers);
  }

  void shift(const Step& s, const Shift& op, Lane lane) {
    const int me = communicator_.rank();
    std::vector<Parcel> parcels;
    for (std::size_t j = 0; j < s.in.size(); ++j)
      parcels.push_back({at(s.in[j]), at(s.out[j]), bytes(s.in[j])});
    communicator_.shift({p_.mesh().group(me, {op.axis}), p_.mesh().coordinate(me, op.axis)},
                        parcels, op.by, lane);
  }

  const Program& p_;
  Device& device_;
  Communicator& communicator_;
  const MemoryPlan& plan_;
  const std::vector<std::vector<std::uint32_t>>& waits_;
  std::uint64_t fingerprint_;
  Arena arena_;
  std::vector<std::byte> host_;
  Ledger ledger_, host_ledger_;
  std::vector<int> uses_left_, holds_left_;  ///< by value
  std::vector<bool> taken_over_;
  std::vector<std::int64_t> sent_before_;
  std::vector<Device::Event> done_;  ///< by step
  RankResult result_;
};

RankResult agree_and_run(const Runnable& r, Device& device, Communicator& communicator,
                         const Inputs& input) {
  if (r.program.mesh().ranks() != communicator.ranks())
    throw EnvironmentError(fmt::format("the program is for {} ranks, the communicator has {}",
                                       r.program.mesh().ranks(), communicator.ranks()));
  communicator.agree(r.fingerprint);
  return Execution(r, device, communicator).run(input);
}

bool runs(const Program& p) {
  return std::ranges::all_of(p.steps(),
                             [](const Step& step) { return step.times == 1 && step.tiles == 1; });
}

}  // namespace

Runnable::Runnable(Program made)
    : program(std::move(made)),
      plan(memory(program)),
      waits(dependencies(program, plan)),
      fingerprint(ithaca::fingerprint(program)) {
  require(runs(program), "a step that stands for several layers is priced, not run");
  check_order(call_orders(program));
}

RankResult run_rank(const Runnable& runnable, Device& device, Communicator& communicator,
                    const Inputs& input) {
  try {
    return agree_and_run(runnable, device, communicator, input);
  } catch (const std::exception& error) {
    communicator.abort(error.what());
    throw;
  } catch (...) {
    communicator.abort("an error without a name");
    throw;
  }
}

}  // namespace ithaca
