#include "reports/memory_accuracy.h"

#include "planner/longest.h"
#include "sim/reserved.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace ithaca {
namespace {

constexpr double gib = 1024.0 * 1024 * 1024;

/// The predictions of one row.
class RowReader {
 public:
  RowReader(const PublishedRow& row, const PublishedSetup& setup, MemoryAccuracy& into)
      : row_(row), s_(setup), into_(into) {}

  void read() {
    const Arrangement at = arrange(s_.strategy, s_.mesh, s_.job.shape);
    const Need need = need_of(s_.job, at, s_.recompute);
    if (const auto measured = row_.metric("mem_allocated_gib")) {
      const bool forward = row_.mem_kind.find("after forward") != std::string::npos;
      predict(forward ? "after forward" : "allocated peak", *measured,
              as_gib(forward ? need.memory.at_loss_bytes : need.memory.peak_bytes));
    } else if (const auto peak = row_.metric("peak_mem_gib")) {
      predict(s_.allocated_peak ? "allocated peak" : "device peak", *peak,
              as_gib(s_.allocated_peak ? need.memory.peak_bytes : need.peak_bytes()));
    }
    if (const auto measured = row_.metric("max_seq_len")) predict("longest", *measured, tokens());
    if (row_.oom) decide(need, at);
  }

 private:
  static double as_gib(std::int64_t bytes) { return static_cast<double>(bytes) / gib; }

  double tokens() const {
    const std::int64_t found = longest(s_.job, s_.strategy, s_.mesh, s_.recompute).tokens;
    return static_cast<double>(
        s_.doubling ? std::int64_t(std::bit_floor(static_cast<std::uint64_t>(found))) : found);
  }
  void predict(const char* what, double measured, double predicted) {
    into_.predictions.push_back({row_.id, row_.file, what, measured, predicted,
                                 std::string(s_.job.profile.name), s_.strategy, s_.reading});
  }
  void decide(const Need& need, const Arrangement& at) {
    const bool fits = need.fits_gpu(s_.job.cluster) && need.fits_host(s_.job.cluster) &&
                      fits_by_allocator(need, at);
    into_.decisions.push_back({row_.id, row_.file, !*row_.oom, fits, as_gib(need.peak_bytes()),
                               as_gib(s_.job.cluster.gpu.memory_bytes),
                               std::string(s_.job.profile.name), s_.strategy, s_.reading});
  }

  /// Whether the framework's allocator can serve the step from what the overheads leave.
  bool fits_by_allocator(const Need& need, const Arrangement& at) const {
    if (s_.job.pipeline.on()) return true;  // its order of issue is no program of ours
    constexpr bool unrolled = true;
    const StepPrograms step = step_of(s_.job, at, s_.recompute, unrolled);
    AllocatorPolicy policy = s_.allocator;
    policy.capacity_bytes = s_.job.cluster.gpu.memory_bytes - need.overheads.bytes();
    return reserved_memory(step.micro, step.update, policy).fits;
  }

  const PublishedRow& row_;
  const PublishedSetup& s_;
  MemoryAccuracy& into_;
};

}  // namespace

bool speaks_of_memory(const PublishedRow& row) {
  return row.metric("peak_mem_gib") || row.metric("mem_allocated_gib") ||
         row.metric("max_seq_len") || row.oom || row.kind.starts_with("memory");
}

MemoryAccuracy memory_accuracy(const std::vector<PublishedRow>& rows) {
  MemoryAccuracy accuracy;
  for (const PublishedRow& row : rows) {
    if (!speaks_of_memory(row)) continue;
    if (row.kind == "attention_layer") {
      accuracy.unmodelled.push_back(
          {row.id, row.file, "attention alone, without a layer around it"});
      continue;
    }
    predict_row(row, accuracy.unmodelled, [&](const PublishedSetup& setup) {
      MemoryAccuracy one;  // a row is predicted as a whole or not at all
      RowReader(row, setup, one).read();
      std::ranges::copy(one.predictions, std::back_inserter(accuracy.predictions));
      std::ranges::copy(one.decisions, std::back_inserter(accuracy.decisions));
    });
  }
  return accuracy;
}

ErrorStatistics memory_statistics(const MemoryAccuracy& accuracy, std::string_view source,
                                  std::string_view what) {
  std::vector<double> errors;
  for (const MemoryPrediction& p : accuracy.predictions) {
    const bool asked = what.empty() ? p.what != "longest" : p.what == what;
    if (asked && (source.empty() || p.source == source)) errors.push_back(p.error());
  }
  return statistics(std::move(errors));
}

DecisionCounts decisions(const MemoryAccuracy& accuracy, std::string_view source) {
  DecisionCounts counts;
  for (const MemoryDecision& d : accuracy.decisions) {
    if (!source.empty() && d.source != source) continue;
    ++(d.ran ? (d.fits ? counts.ran_fits : counts.ran_too_large)
             : (d.fits ? counts.failed_fits : counts.failed_too_large));
  }
  return counts;
}

}  // namespace ithaca
