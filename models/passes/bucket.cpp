#include "models/passes/bucket.h"

#include "models/passes/rewriter.h"
#include "models/wire.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ithaca {
namespace {

/// What messages must have in common to be one.
struct Kind {
  Wire wire;
  AxisList axes;
  DType dtype;
  bool maximum;
  Phase phase;
  Role role;
  bool operator==(const Kind&) const = default;
};

struct Message {
  std::size_t at;  ///< where its step is
  Kind kind;
  std::int64_t elements;
  std::size_t values;
  bool is_given;     ///< its operands are inputs
  std::size_t read;  ///< the first step that misses a result
};

struct Bucket {
  Kind kind;
  std::vector<std::size_t> members;  ///< steps
  std::int64_t elements;
  std::size_t values;
  std::size_t read;  ///< the first step that misses a result
  bool last = true;  ///< it goes with its last member, else with its first
  bool open = true;
};

/// Where in the program values are made and missed.
class Uses {
 public:
  explicit Uses(const Program& p) : p_(p), made_(p.values().size()), missed_(p.values().size()) {
    std::ranges::fill(missed_, p.steps().size());
    for (std::size_t i = 0; i < p.steps().size(); ++i)
      for (const ValueId v : p.steps()[i].out) made_[v] = true;
    for (std::size_t i = p.steps().size(); i-- > 0;) {
      const Step& step = p.steps()[i];
      const std::size_t missed = waits(step) ? missed_[step.out[0]] : i;
      for (const ValueId v : step.in) missed_[v] = std::min(missed_[v], missed);
    }
  }
  bool is_made(ValueId v) const { return made_[v]; }
  std::size_t missed(ValueId v) const { return missed_[v]; }

 private:
  /// What finishes a gradient can wait as long as nothing reads it.
  bool waits(const Step& step) const {
    const bool finishes = std::holds_alternative<Cast>(step.op) ||
                          std::holds_alternative<Add>(step.op) ||
                          std::holds_alternative<Copy>(step.op);
    return finishes && p_[step.out[0]].role == Role::weight_gradient;
  }
  const Program& p_;
  std::vector<bool> made_;
  std::vector<std::size_t> missed_;
};

std::optional<Message> message_of(const Program& p, std::size_t at, const Uses& uses) {
  const Step& step = p.steps()[at];
  if (!std::holds_alternative<Move>(step.op)) return std::nullopt;
  const Traffic t = traffic_of(p, step);
  if (t.wire == Wire::none) return std::nullopt;
  const Value& sent = p[step.in[0]];
  const Kind kind{t.wire, t.axes, sent.type.dtype, sent.type.maximum, step.phase, sent.role};
  Message m{at, kind, t.elements, step.in.size(), true, p.steps().size()};
  for (const ValueId v : step.in) m.is_given &= !uses.is_made(v);
  for (const ValueId v : step.out) m.read = std::min(m.read, uses.missed(v));
  return m;
}

bool joins(Bucket& b, const Message& m, std::int64_t most) {
  const bool full = b.elements + m.elements > most || b.values + m.values > Ids::static_capacity;
  if (!b.open || b.kind != m.kind || full) return false;
  const bool waits = b.last && b.read > m.at;
  const bool comes_early = (!b.last || b.members.size() == 1) && m.is_given;
  if (!waits && !comes_early) return false;
  b.last = waits;
  b.members.push_back(m.at);
  b.elements += m.elements;
  b.values += m.values;
  b.read = std::min(b.read, m.read);
  return true;
}

bool same_layer(const Step& a, const Step& b) {
  return a.layer == b.layer && a.times == b.times && a.tiles == b.tiles;
}

std::vector<Bucket> buckets_of(const Program& p, std::int64_t most) {
  const Uses uses(p);
  std::vector<Bucket> buckets;
  std::size_t first_open = 0;
  for (std::size_t i = 0; i < p.steps().size(); ++i) {
    if (i > 0 && !same_layer(p.steps()[i - 1], p.steps()[i])) first_open = buckets.size();
    const std::optional<Message> m = message_of(p, i, uses);
    if (!m) continue;
    bool joined = false;
    for (std::size_t b = first_open; b < buckets.size() && !joined; ++b) {
      joined = joins(buckets[b], *m, most);
      if (!joined && buckets[b].kind == m->kind) buckets[b].open = false;
    }
    if (!joined) buckets.push_back({m->kind, {i}, m->elements, m->values, m->read});
  }
  std::erase_if(buckets, [](const Bucket& b) { return b.members.size() == 1; });
  return buckets;
}

/// Writes the steps in their new order.
class Emission {
 public:
  Emission(Program p, const std::vector<Bucket>& buckets)
      : at_(p.steps().size(), nullptr), pending_(p.values().size()), writer_(std::move(p)) {
    for (const Bucket& b : buckets)
      for (const std::size_t member : b.members) at_[member] = &b;
  }
  Program write() && {
    for (std::size_t i = 0; i < at_.size(); ++i) {
      const Step& step = writer_.old(i);
      const Bucket* const bucket = at_[i];
      if (bucket == nullptr)
        emit(step);
      else if (i == (bucket->last ? bucket->members.back() : bucket->members.front()))
        send(*bucket);
      else if (bucket->last)
        put_off(step.out);
    }
    return std::move(writer_).program();
  }

 private:
  void put_off(const Ids& values) {
    for (const ValueId v : values) pending_[v] = true;
  }
  void emit(const Step& step) {
    if (std::ranges::none_of(step.in, [&](ValueId v) { return pending_[v]; }))
      return writer_.append(step);
    put_off(step.out);
    waiting_.push_back(step);
  }
  void send(const Bucket& bucket) {
    Step all = writer_.old(bucket.members.front());
    for (std::size_t j = 1; j < bucket.members.size(); ++j) {
      const Step& step = writer_.old(bucket.members[j]);
      all.in.insert(all.in.end(), step.in.begin(), step.in.end());
      all.out.insert(all.out.end(), step.out.begin(), step.out.end());
    }
    writer_.append(all);
    arrive(all.out);
    std::vector<Step> waited = std::exchange(waiting_, {});
    for (const Step& step : waited) {
      arrive(step.out);
      emit(step);
    }
  }
  void arrive(const Ids& values) {
    for (const ValueId v : values) pending_[v] = false;
  }

  std::vector<const Bucket*> at_;  ///< by step
  std::vector<bool> pending_;      ///< by value: its maker is put off
  std::vector<Step> waiting_;      ///< steps that read such values
  Rewriter writer_;
};

}  // namespace

Program bucket(Program p, std::int64_t elements) {
  const std::vector<Bucket> buckets = buckets_of(p, elements);
  return buckets.empty() ? std::move(p) : Emission(std::move(p), buckets).write();
}

}  // namespace ithaca
