// runtime/calibrate/meter.h -- seconds of one step, apart from the program it stands in.
//
// The step runs over and over on the thread ranks, all of them at it, by the very code that runs programs: what is timed
// is what a run takes for it, its launch included.  Copies take turns with operands that together do not fit into a core's
// own caches: between two uses of a value a layer does much else.  Ranks that share cores are preempted in the middle of
// steps, so the mean over many copies counts, never a single span; of several means the median.
#pragma once

#include "models/program.h"

#include <cstdint>

namespace ithaca {

/// How often a step is written, and how many sets of operands its copies take in turn.
struct Copies {
  int times = 1, sets = 1;
};
/// Copies of a step and nothing else, on this mesh: that of the program, or any when every rank holds the step's values.
Program isolated(const Program&, const Step&, const Mesh&, const Copies&);

class Meter {
 public:
  virtual ~Meter() = default;
  /// Mean seconds of the step on the slowest rank.
  virtual double seconds(const Program&, const Step&, const Mesh&) = 0;
};

struct MeterOptions {
  int repeats = 5;        ///< means, of which the median counts
  double least_s = 2e-3;  ///< of copies in one mean, when 400 in all suffice
  /// The same of several ranks at once: the system takes milliseconds to spread them over the cores.
  double together_s = 20e-3;
  /// Of a rank's sets, with enough copies: more than a last-level cache, as the values of a layer are; of collectives an
  /// eighth, as what is sent was just made.
  std::int64_t operand_bytes = std::int64_t{32} << 20;
};

class ThreadMeter : public Meter {
 public:
  explicit ThreadMeter(MeterOptions options) : options_(options) {}
  /// EnvironmentError when a rank cannot go on.
  double seconds(const Program&, const Step&, const Mesh&) override;

 private:
  MeterOptions options_;
};

}  // namespace ithaca
