// tests/messages.h -- what laws of passes compare: messages by what they are, and that values are made before they are
// read.
#pragma once

#include "models/wire.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <tuple>

namespace ithaca {

using Stream = std::tuple<Phase, Wire, std::string, Role>;
struct Sent {
  std::int64_t bytes = 0, launches = 0;
};

/// By phase, collective, axes and role; folded steps count as often as they stand for.
inline std::map<Stream, Sent> sent_by(const Program& p) {
  std::map<Stream, Sent> sent;
  for (const Step& step : p.steps()) {
    const Traffic t = traffic_of(p, step);
    if (t.wire == Wire::none) continue;
    Sent& s = sent[{step.phase, t.wire, name_of(p.mesh(), t.axes), p[step.in[0]].role}];
    const std::int64_t n = step.times * step.tiles;
    s.bytes += n * t.sent_bytes;
    s.launches += n;
  }
  return sent;
}

inline std::int64_t launches(const Program& p) {
  std::int64_t n = 0;
  for (const auto& [stream, sent] : sent_by(p)) n += sent.launches;
  return n;
}

/// Every value is made once, before it is read.
inline void expect_order(const Program& p) {
  std::set<ValueId> made(p.inputs().begin(), p.inputs().end());
  for (const Step& step : p.steps()) {
    for (const ValueId v : step.in) EXPECT_TRUE(made.contains(v)) << p[v].name;
    for (const ValueId v : step.out) EXPECT_TRUE(made.insert(v).second) << p[v].name;
  }
  for (const ValueId v : p.outputs()) EXPECT_TRUE(made.contains(v)) << p[v].name;
}

}  // namespace ithaca
