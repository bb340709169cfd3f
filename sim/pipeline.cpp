#include "sim/pipeline.h"

#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

void check(const PipelineShape& n) {
  require(n.stages >= 1 && n.chunks >= 1 && n.micro_batches >= 1, "a pipeline has work");
  if (n.chunks == 1) return;
  if (n.stages == 1)
    throw InputError("--pipeline", "expected one chunk on a single stage, got " +
                                       std::to_string(n.chunks) + ", use more stages");
  if (n.micro_batches % n.stages != 0)
    throw InputError("--pipeline",
                     fmt::format("expected micro-batches in multiples of the {} stages for chunks "
                                 "in turn, got {}, change --micro-batches",
                                 n.stages, n.micro_batches));
}

/// The k-th forward or backward of a stage: rounds of one micro-batch per stage, chunk after chunk.
Turn turn(const PipelineShape& n, std::int64_t k, bool forward) {
  if (n.chunks == 1) return {forward, 0, k};
  const std::int64_t round = k / n.pieces(), in_round = k % n.pieces();
  const auto chunk = static_cast<int>(in_round / n.stages);
  return {forward, forward ? chunk : n.chunks - 1 - chunk, round * n.stages + in_round % n.stages};
}

std::int64_t warm_up(const PipelineShape& n, int stage) {
  const std::int64_t after = n.stages - stage - 1;
  const std::int64_t turns = n.chunks == 1 ? after : 2 * after + (n.chunks - 1) * n.stages;
  return std::min(turns, n.micro_batches * n.chunks);
}

/// Works the stages' turns off as their inputs come in.
class Simulation {
 public:
  Simulation(const PipelineShape& n, const std::vector<PieceTime>& pieces, double hop_s)
      : n_(n), pieces_(pieces), hop_s_(hop_s), stages_(static_cast<std::size_t>(n.stages)) {
    for (int s = 0; s < n.stages; ++s) at(s).turns = turns(n, s);
    const std::size_t all = pieces.size() * static_cast<std::size_t>(n.micro_batches);
    done_[0].assign(all, waiting);
    done_[1].assign(all, waiting);
  }

  PipelineRun run() && {
    std::vector<int> ready;
    for (int s = n_.stages; s-- > 0;) ready.push_back(s);
    while (!ready.empty()) {
      const int s = ready.back();
      ready.pop_back();
      while (at(s).next < at(s).turns.size() && take(s)) ready.push_back(woken_);
    }
    PipelineRun run;
    for (const Stage& stage : stages_) {
      require(stage.next == stage.turns.size(), "every turn of a pipeline is taken");
      run.step_s = std::max(run.step_s, stage.free_s);
      run.stages.push_back(stage.run);
    }
    for (StageRun& stage : run.stages) stage.bubble_s = run.step_s - stage.busy_s;
    return run;
  }

 private:
  static constexpr double waiting = -1;
  struct Stage {
    std::vector<Turn> turns;
    std::size_t next = 0;
    double free_s = 0;
    std::int64_t held = 0;
    StageRun run;
  };
  Stage& at(int s) { return stages_[static_cast<std::size_t>(s)]; }
  double& done(bool forward, int piece, std::int64_t micro_batch) {
    return done_[forward ? 1 : 0][static_cast<std::size_t>(micro_batch * n_.pieces() + piece)];
  }

  /// When what a turn starts from is there, or `waiting`.
  double input_s(const Turn& t, int piece) {
    const int last = n_.pieces() - 1;
    if (t.forward ? piece == 0 : piece == last)
      return t.forward ? 0 : done(true, piece, t.micro_batch);
    const double from = done(t.forward, t.forward ? piece - 1 : piece + 1, t.micro_batch);
    return from == waiting ? waiting : from + (n_.stages > 1 ? hop_s_ : 0);
  }

  /// The next turn of a stage if its input is there; then `woken_` may have one too.
  bool take(int s) {
    Stage& stage = at(s);
    const Turn& t = stage.turns[stage.next];
    const int piece = t.chunk * n_.stages + s;
    const double input = input_s(t, piece);
    if (input == waiting) return false;
    const PieceTime& time = pieces_[static_cast<std::size_t>(piece)];
    const double seconds = t.forward ? time.forward_s : time.backward_s;
    stage.free_s = std::max(stage.free_s, input) + seconds;
    done(t.forward, piece, t.micro_batch) = stage.free_s;
    stage.run.busy_s += seconds;
    stage.held += t.forward ? 1 : -1;
    stage.run.in_flight = std::max(stage.run.in_flight, stage.held);
    ++stage.next;
    woken_ = (s + (t.forward ? 1 : n_.stages - 1)) % n_.stages;
    return true;
  }

  const PipelineShape& n_;
  const std::vector<PieceTime>& pieces_;
  double hop_s_;
  std::vector<Stage> stages_;
  std::vector<double> done_[2];  ///< backwards, forwards; by micro-batch and piece
  int woken_ = 0;
};

}  // namespace

std::vector<Turn> turns(const PipelineShape& n, int stage) {
  check(n);
  const std::int64_t all = n.micro_batches * n.chunks, first = warm_up(n, stage);
  std::vector<Turn> order;
  order.reserve(static_cast<std::size_t>(2 * all));
  for (std::int64_t k = 0; k < first; ++k) order.push_back(turn(n, k, true));
  for (std::int64_t k = first; k < all; ++k) {
    order.push_back(turn(n, k, true));
    order.push_back(turn(n, k - first, false));
  }
  for (std::int64_t k = all - first; k < all; ++k) order.push_back(turn(n, k, false));
  return order;
}

PipelineRun run_pipeline(const PipelineShape& n, const std::vector<PieceTime>& pieces,
                         double hop_s) {
  require(std::ssize(pieces) == n.pieces(), "one time for each piece of a pipeline");
  return Simulation(n, pieces, hop_s).run();
}

}  // namespace ithaca
