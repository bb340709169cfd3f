#include "runtime/order.h"

#include "models/error.h"
#include "models/wire.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string_view>

namespace ithaca {
namespace {

class Player {
 public:
  explicit Player(const CallOrders& orders) : orders_(orders), next_(orders.size()) {}

  void play() {
    for (std::size_t rank = 0; rank < orders_.size(); ++rank) waiting_.push_back(rank);
    while (!waiting_.empty()) {
      const std::size_t rank = waiting_.back();
      waiting_.pop_back();
      if (!done(rank) && all_have_come(*next(rank))) end(next(rank)->group);
    }
    for (std::size_t rank = 0; rank < orders_.size(); ++rank)
      if (!done(rank)) throw_stuck(rank);
  }

 private:
  bool done(std::size_t rank) const { return next_[rank] == orders_[rank].size(); }
  const CollectiveCall* next(std::size_t rank) const { return &orders_[rank][next_[rank]]; }

  bool is_at(int member, const CollectiveCall& call) const {
    const auto rank = static_cast<std::size_t>(member);
    return rank < orders_.size() && !done(rank) && next(rank)->id == call.id &&
           next(rank)->group == call.group;
  }
  bool all_have_come(const CollectiveCall& call) const {
    return std::ranges::all_of(call.group, [&](int member) { return is_at(member, call); });
  }
  void end(const std::vector<int>& group) {
    for (const int member : group) {
      ++next_[static_cast<std::size_t>(member)];
      waiting_.push_back(static_cast<std::size_t>(member));
    }
  }
  [[noreturn]] void throw_stuck(std::size_t rank) const {
    const CollectiveCall& call = *next(rank);
    const auto absent = std::ranges::find_if(call.group, [&](int m) { return !is_at(m, call); });
    throw EnvironmentError(fmt::format(
        "order of collectives: rank {} would wait for ever in collective {} of ranks {} for rank "
        "{}",
        rank, call.id, fmt::join(call.group, ","), absent == call.group.end() ? -1 : *absent));
  }

  const CallOrders& orders_;
  std::vector<std::size_t> next_;     ///< by rank, its next call
  std::vector<std::size_t> waiting_;  ///< ranks whose next call may be able to end
};

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).
class Hash {
 public:
  Hash& operator<<(std::string_view text) {
    for (const char c : text) byte(static_cast<unsigned char>(c));
    byte(0);
    return *this;
  }
  template <class T>
  requires std::is_integral_v<T> || std::is_enum_v<T> Hash& operator<<(T value) {
    for (auto bits = static_cast<std::uint64_t>(value), i = std::uint64_t{0}; i < 8;
         ++i, bits >>= 8)
      byte(bits & 0xff);
    return *this;
  }
  Hash& operator<<(double value) { return *this << std::bit_cast<std::uint64_t>(value); }
  Hash& operator<<(Axis axis) { return *this << axis.id; }
  Hash& operator<<(const KeyHolder& keys) {
    *this << keys.size();
    for (const Hops& hops : keys) *this << hops.axis << hops.back;
    return *this;
  }
  std::uint64_t value() const { return hash_; }

 private:
  void byte(std::uint64_t b) { hash_ = (hash_ ^ b) * 0x100000001b3U; }
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

void add(Hash& hash, const Op& op) {
  hash << op.index();
  std::visit(
      match{[&](const Normalize& o) { hash << o.kind; },
            [&](const NormalizeGrad& o) { hash << o.kind; },
            [&](const Activate& o) { hash << o.kind; },
            [&](const ActivateGrad& o) { hash << o.kind; },
            [&](const Rope& o) { hash << o.theta << o.inverse; },
            [&](const RotationTable& o) { hash << o.theta; },
            [&](const Attend& o) { hash << to_string(o.mask) << o.keys << o.kernel; },
            [&](const AttendGrad& o) { hash << to_string(o.mask) << o.keys << o.kernel; },
            [&](const Shift& o) { hash << o.axis << o.by; },
            [&](const Slice& o) { hash << o.dim << o.begin << o.count << o.parts; },
            [&](const Put& o) { hash << o.dim << o.begin << o.count << o.parts; },
            [&](const Copy& o) { hash << o.to_host; },
            [&](const ClipFactor& o) { hash << o.max_norm; },
            [&](const Adam& o) { hash << o.rate << o.beta1 << o.beta2 << o.epsilon << o.decay; },
            [](const auto&) {}},
      op);
}

}  // namespace

CallOrders call_orders(const Program& p) {
  CallOrders orders(static_cast<std::size_t>(p.mesh().ranks()));
  for (std::size_t i = 0; i < p.steps().size(); ++i) {
    const Traffic t = traffic_of(p, p.steps()[i]);
    if (t.wire == Wire::none) continue;
    for (int rank = 0; rank < p.mesh().ranks(); ++rank) {
      std::vector<int> group = p.mesh().group(rank, t.axes);
      std::ranges::sort(group);
      orders[static_cast<std::size_t>(rank)].push_back({std::move(group), i});
    }
  }
  return orders;
}

void check_order(const CallOrders& orders) {
  Player(orders).play();
}

std::uint64_t fingerprint(const Program& p) {
  Hash hash;
  for (const Mesh::Extent& extent : p.mesh().extents()) hash << extent.name << extent.ranks;
  for (const Value& value : p.values())
    hash << value.name << to_string(value.type, p.mesh()) << value.role;
  for (const Step& step : p.steps()) {
    add(hash, step.op);
    hash << step.phase << step.in.size();
    for (const ValueId v : step.in) hash << v;
    for (const ValueId v : step.out) hash << v;
  }
  for (const ValueId v : p.inputs()) hash << v;
  for (const ValueId v : p.outputs()) hash << v;
  return hash.value();
}

}  // namespace ithaca
