#include "planner/pipeline.h"

#include "models/error.h"

#include <algorithm>
#include <array>
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

/// Chunks of the model that are alike: the first, those in between, the last.
struct Piece {
  StepPrograms programs;
  StepMemory memory;
};

/// What a rank of a stage holds at its fullest moment.
struct Load {
  int stage = 0;
  StepMemory memory;
};

class Stages {
 public:
  Stages(const Job& job, const Arrangement& arrangement, const Recompute& recompute) : job_(job) {
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

  const PipelineShape& shape() const { return n_; }
  /// Chunk c of stage s.
  const Piece& piece(int stage, int chunk) const { return piece(chunk * n_.stages + stage); }
  const Piece& piece(int number) const {
    return pieces_[number == 0 ? 0 : number == n_.pieces() - 1 ? 2 : 1];
  }

  std::int64_t hop_bytes() const {
    const MicroBatch& first = pieces_[0].programs.micro;
    return local_bytes(first.program.type(first.y), first.program.mesh());
  }

  /// Traffic of all micro-batches and the update, what goes to other stages included.
  Count count_of(int stage) const {
    Count all;
    for (int c = 0; c < n_.chunks; ++c) {
      const StepPrograms& step = piece(stage, c).programs;
      all = all + n_.micro_batches * count(step.micro.program) + count(step.update.program);
      if (step.micro.y != no_value) add_hop(all, step.micro, step.micro.y, Phase::forward);
      if (step.micro.dx != no_value) add_hop(all, step.micro, step.micro.dx, Phase::backward);
    }
    return all;
  }

  Load load(int stage) const;
  std::vector<Load> loads() const {
    std::vector<Load> all;
    for (int s = 0; s < n_.stages; ++s) all.push_back(load(s));
    return all;
  }
  Need need(const Load&) const;

 private:
  void add_hop(Count& all, const MicroBatch& micro, ValueId value, Phase phase) const {
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

  const Job& job_;
  PipelineShape n_;
  std::array<Piece, 3> pieces_;
};

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

/// Seconds to sum the gradient of a table that the first and the last stage both have.
double tied_s(const Job& job, const Stages& stages, const ClusterCost& cost) {
  const StepPrograms& first = stages.piece(0).programs;
  const Program& p = first.micro.program;
  const auto table = std::ranges::find(first.micro.parameters, "embedding", &Parameter::name);
  if (!job.tied || table == first.micro.parameters.end() || table->grad == no_value) return 0;
  return cost.send_s(0, p.mesh().ranks() * (stages.shape().stages - 1),
                     static_cast<double>(local_bytes(p.type(table->grad), p.mesh())));
}

/// Of each piece: a micro-batch, and all of them with the update.
std::vector<StepTime> times_of(const Job& job, const Stages& stages, const ClusterCost& cost) {
  const int pieces = stages.shape().pieces();
  std::vector<StepTime> times;
  for (int k = 0; k < pieces; ++k) {
    const StepPrograms& step = stages.piece(k).programs;
    const bool as_before = k > 1 && k < pieces - 1;
    times.push_back(as_before
                        ? times.back()
                        : step_time(step.micro, step.update,
                                    {job.micro_batches, job.overlap, job.profile.streams}, cost));
  }
  return times;
}

PipelineRun run_of(const Stages& stages, const std::vector<StepTime>& times, double hop_s) {
  std::vector<PieceTime> pieces;
  for (const StepTime& t : times) pieces.push_back({t.forward_s, t.backward_s});
  return run_pipeline(stages.shape(), pieces, hop_s);
}

/// Of all chunks of a stage together.
StepTime stage_time(const PipelineShape& n, const std::vector<StepTime>& times, int stage) {
  StepTime sum;
  for (int c = 0; c < n.chunks; ++c) {
    const StepTime& t = times[static_cast<std::size_t>(c * n.stages + stage)];
    sum.forward_s += t.forward_s;
    sum.backward_s += t.backward_s;
    sum.update_s += t.update_s;
    sum.compute_s += t.compute_s;
  }
  sum.micro_batch_s = sum.forward_s + sum.backward_s;
  return sum;
}

/// Of the stage with the slowest micro-batch; the update is over when the slowest of all stages is.
StepTime slowest(const PipelineShape& n, const std::vector<StepTime>& times) {
  StepTime most = stage_time(n, times, 0);
  double update_s = most.update_s;
  for (int s = 1; s < n.stages; ++s) {
    const StepTime t = stage_time(n, times, s);
    update_s = std::max(update_s, t.update_s);
    if (t.micro_batch_s > most.micro_batch_s) most = t;
  }
  most.update_s = update_s;
  return most;
}

/// Of all stages to the next, and of the last to the first, where chunks go on.
double slowest_hop_s(const Job& job, int ranks, const ClusterCost& cost, std::int64_t bytes) {
  double slowest = 0;
  for (int s = 0; s < job.pipeline.stages; ++s)
    slowest = std::max(slowest, cost.send_s(s * ranks, (s + 1) % job.pipeline.stages * ranks,
                                            static_cast<double>(bytes)));
  return slowest;
}

Load fullest(const std::vector<Load>& loads) {
  return *std::ranges::max_element(loads, {},
                                   [](const Load& load) { return load.memory.peak_bytes; });
}

}  // namespace

Need pipeline_need(const Job& job, const Arrangement& arrangement, const Recompute& recompute) {
  const Stages stages(job, arrangement, recompute);
  return stages.need(fullest(stages.loads()));
}

void price_pipeline(PricedStrategy& p, const Job& job) {
  const Stages stages(job, p.arrangement, p.recompute);
  const ClusterCost cost(job.cluster);
  const std::vector<StepTime> times = times_of(job, stages, cost);
  const std::vector<Load> loads = stages.loads();
  const Load most = fullest(loads);
  PipelinePrice price;
  price.hop_bytes = stages.hop_bytes();
  price.hop_s = slowest_hop_s(job, p.arrangement.mesh.ranks(), cost, price.hop_bytes);
  price.run = run_of(stages, times, price.hop_s);
  for (const Load& load : loads) price.peak_bytes.push_back(load.memory.peak_bytes);
  price.fullest = most.stage;
  p.need = stages.need(most);
  p.step = stages.count_of(most.stage);
  p.time = slowest(stages.shape(), times);
  p.time.update_s += tied_s(job, stages, cost);
  p.time.step_s = price.run.step_s + p.time.update_s;
  p.time.exposed_comm_s = p.time.step_s - p.time.compute_s;
  p.pipeline = std::move(price);
}

}  // namespace ithaca
