#include "planner/stages.h"

#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

std::int64_t sum(const BytesByRole& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0});
}
std::int64_t& at(BytesByRole& bytes, MemoryRole role) {
  return bytes[static_cast<std::size_t>(role)];
}

void check(const Job& job) {
  const Pipeline& n = job.pipeline;
  if (job.forward_only)
    throw InputError("--pipeline", "expected 1 stage with --forward-only, got " +
                                       std::to_string(n.stages) + ", leave one of them out");
  if (job.window_layers > 0 && job.window < job.shape.L)
    throw InputError("--pipeline", "expected layers that are all alike, got some with a window");
  if (job.layers % (std::int64_t{n.stages} * n.chunks) != 0)
    throw InputError(
        "--pipeline",
        fmt::format("expected stages times chunks that divide the {} layers, got {} x {}",
                    job.layers, n.stages, n.chunks));
}

/// Walks the turns of a stage and keeps the fullest.
class Walk {
 public:
  Walk(const Stages& stages, int stage, double offloaded)
      : stages_(stages), stage_(stage), offloaded_(offloaded) {
    const int chunks = stages.shape().chunks;
    in_flight_.resize(static_cast<std::size_t>(chunks));
    for (int c = 0; c < chunks; ++c) {
      const StepMemory& m = memory(c);
      for (std::size_t r = 0; r < memory_roles; ++r) resident_[r] += m.resident[r];
      host_ += m.host_bytes;
      beside_update_ = std::max(beside_update_, m.update_peak_bytes - sum(m.resident));
      buffer_ = std::max(buffer_, moved(c));
    }
  }

  StepMemory run() && {
    for (const Turn& turn : turns(stages_.shape(), stage_)) take(turn);
    most_.resident = resident_;
    most_.update_peak_bytes = sum(resident_) + std::max<std::int64_t>(beside_update_, 0);
    if (most_.update_peak_bytes > most_.peak_bytes) {
      most_.peak_bytes = most_.update_peak_bytes;
      most_.by_role = resident_;
      at(most_.by_role, MemoryRole::communication) += beside_update_;
      most_.where = fmt::format("stage {} update", stage_);
    }
    return std::move(most_);
  }

 private:
  const StepMemory& memory(int chunk) const { return stages_.piece(stage_, chunk).memory; }
  /// Of what a chunk saved, how much waits on the host.
  std::int64_t moved(int chunk) const {
    const bool last = chunk * stages_.shape().stages + stage_ == stages_.shape().pieces() - 1;
    return last ? 0
                : static_cast<std::int64_t>(offloaded_ *
                                            static_cast<double>(memory(chunk).saved_bytes));
  }

  void take(const Turn& turn) {
    std::int64_t& own = in_flight_[static_cast<std::size_t>(turn.chunk)];
    own += turn.forward ? 1 : 0;
    if (!turn.forward && !after_forward_) leaving_ = -1;
    observe(turn);
    own -= turn.forward ? 0 : 1;
    if (turn.forward) leaving_ = turn.chunk;
    after_forward_ = turn.forward;
  }

  /// Saved by all in flight but the one at work.
  void observe(const Turn& turn) {
    std::int64_t others = 0, parked = 0, host = host_;
    for (int c = 0; c < std::ssize(in_flight_); ++c) {
      const std::int64_t n = in_flight_[static_cast<std::size_t>(c)] - (c == turn.chunk ? 1 : 0);
      others += n * memory(c).saved_bytes;
      parked += n * moved(c);
      host += n * memory(c).host_saved_bytes;
    }
    // What was forwarded last is on its way out and there in full; two buffers take what comes back, in turn: for the
    // chunk at work and for the next.
    const std::int64_t leaving = leaving_ < 0 ? 0 : std::min(parked, moved(leaving_));
    const std::int64_t buffers = 2 * buffer_ - (turn.forward ? 0 : moved(turn.chunk));
    const StepMemory& m = memory(turn.chunk);
    const std::int64_t working =
        (turn.forward ? m.forward_peak_bytes : m.micro_batch_peak_bytes) - sum(m.resident);
    most_.host_bytes = std::max(most_.host_bytes, host + parked);
    const std::int64_t peak = sum(resident_) + others - parked + leaving + buffers + working;
    if (peak <= most_.peak_bytes) return;
    most_.peak_bytes = peak;
    most_.by_role = resident_;
    const std::int64_t saved = std::min(working, m.saved_bytes);
    at(most_.by_role, MemoryRole::saved) += others - parked + leaving + saved;
    at(most_.by_role, MemoryRole::transient) += working - saved;
    at(most_.by_role, MemoryRole::communication) += buffers;
    most_.where = fmt::format("stage {} {} of chunk {}", stage_,
                              turn.forward ? "forward" : "backward", turn.chunk);
    most_.gathered_bytes = m.gathered_bytes;
  }

  const Stages& stages_;
  int stage_;
  double offloaded_;
  BytesByRole resident_{};
  std::int64_t host_ = 0, beside_update_ = 0, buffer_ = 0;
  std::vector<std::int64_t> in_flight_;
  int leaving_ = -1;  ///< the chunk forwarded last, as long as its copy to the host runs
  bool after_forward_ = false;
  StepMemory most_;
};

}  // namespace

Stages::Stages(const Job& job, const Arrangement& arrangement, const Recompute& recompute)
    : job_(job) {
  check(job);
  n_ = {job.pipeline.stages, job.pipeline.chunks, job.micro_batches};
  StepShape shape = step_shape(job, with_profile(arrangement.strategy, job.profile));
  shape.runs.back().times = job.layers / n_.pieces();
  const std::array all{Ends::first, Ends::none, Ends::last};
  for (std::size_t kind = 0; kind < all.size(); ++kind) {
    if (all[kind] == Ends::none && n_.pieces() == 2) continue;
    shape.ends = all[kind];
    Piece& piece = pieces_[kind];
    piece.programs = programs_of(job, shape, arrangement, recompute);
    piece.memory = step_memory(piece.programs.micro, piece.programs.update);
  }
}

std::int64_t Stages::hop_bytes() const {
  const MicroBatch& first = pieces_[0].programs.micro;
  return local_bytes(first.program.type(first.y), first.program.mesh());
}

Count Stages::count_of(int stage) const {
  Count all;
  for (int c = 0; c < n_.chunks; ++c) {
    const StepPrograms& step = piece(stage, c).programs;
    all = all + n_.micro_batches * count(step.micro.program) + count(step.update.program);
    if (step.micro.y != no_value) add_hop(all, step.micro, step.micro.y, Phase::forward);
    if (step.micro.dx != no_value) add_hop(all, step.micro, step.micro.dx, Phase::backward);
  }
  return all;
}

void Stages::add_hop(Count& all, const MicroBatch& micro, ValueId value, Phase phase) const {
  const Program& p = micro.program;
  all.events.push_back({phase,
                        Wire::send_recv,
                        {},
                        p[value].name,
                        Role::activation,
                        static_cast<int>(n_.micro_batches),
                        global_elements(p.type(value)),
                        n_.micro_batches * local_bytes(p.type(value), p.mesh())});
}

std::vector<Load> Stages::loads() const {
  std::vector<Load> all;
  for (int s = 0; s < n_.stages; ++s) all.push_back(load(s));
  return all;
}

Load Stages::load(int stage) const {
  return {stage, Walk(*this, stage, job_.pipeline.offloaded).run()};
}

Need Stages::need(const Load& load) const {
  Buffers buffers = job_.profile.buffers;
  if (job_.levers.bucket_elements > 0) buffers.bucket_elements = 0;
  const MicroBatch& micro = piece(load.stage, 0).programs.micro;
  Need need{load.memory, overheads(count_of(load.stage), micro, buffers),
            micro.program.mesh().ranks() * n_.stages};
  std::int64_t& kept = need.overheads.gathered_bytes;
  kept = std::max<std::int64_t>(0, kept - load.memory.gathered_bytes);
  return need;
}

}  // namespace ithaca
