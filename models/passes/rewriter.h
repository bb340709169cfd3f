// models/passes/rewriter.h -- a program step by step into a new one.
#pragma once

#include "models/program.h"

#include <map>
#include <vector>

namespace ithaca {

class Rewriter {
 public:
  explicit Rewriter(Program program) : program_(std::move(program)), old_(program_.steps_) {
    program_.steps_.clear();
  }
  std::int64_t steps() const { return static_cast<std::int64_t>(old_.size()); }
  /// The next old step, reading values by what `instead` has for them.
  void keep(const std::map<ValueId, ValueId>& instead) {
    Step step = old_[next_++];
    for (ValueId& v : step.in)
      if (const auto it = instead.find(v); it != instead.end()) v = it->second;
    program_.steps_.push_back(std::move(step));
  }
  /// A copy of v in the other memory; it belongs to the layer of the old step beside it.
  ValueId copy(ValueId v, bool to_host) {
    const Step& beside = old_[to_host ? next_ - 1 : next_];
    Value value = program_.values_[v];
    value.on_host = to_host;
    return make({Copy{to_host}, {v}, {}, beside.phase, beside.layer, beside.times},
                std::move(value));
  }
  /// A step with a new value as its one result.
  ValueId make(Step step, Value value) {
    program_.values_.push_back(std::move(value));
    const auto made = static_cast<ValueId>(program_.values_.size() - 1);
    step.out = {made};
    program_.steps_.push_back(std::move(step));
    return made;
  }
  const Value& operator[](ValueId v) const { return program_.values_[v]; }
  const Step& old(std::size_t i) const { return old_[i]; }
  /// A step of values there are.
  void append(const Step& step) { program_.steps_.push_back(step); }
  void place_on_host(ValueId input) { program_.values_[input].on_host = true; }
  Program program() && { return std::move(program_); }

 private:
  Program program_;
  std::vector<Step> old_;
  std::size_t next_ = 0;
};

}  // namespace ithaca
