#include "reports/best_map.h"

#include "models/error.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <fmt/format.h>
#include <thread>

namespace ithaca {
namespace {

constexpr std::int64_t shortest = 8192, longest = 2097152;  // tokens people train on today
constexpr int most_gpus = 64;

std::vector<int> gpu_numbers(const Job& job, std::size_t lengths, std::size_t candidates) {
  std::vector<int> numbers{job.gpus};
  std::size_t priced = lengths * choices(job.gpus, job.shape.b, job.cluster.island_gpus()).size();
  for (int n = 1; n <= most_gpus; n *= 2) {
    if (n == job.gpus) continue;
    priced += lengths * choices(n, job.shape.b, job.cluster.island_gpus()).size();
    if (priced > candidates) break;
    numbers.push_back(n);
  }
  std::ranges::sort(numbers);
  return numbers;
}

void fill(BestCell& cell, Job job) {
  job.gpus = cell.gpus;
  try {
    job.shape = with_tokens(job.shape, cell.seq);
  } catch (const InputError& e) {  // a list of documents is of one length
    cell.state = CellState::impossible;
    cell.reason = e.what();
    return;
  }
  Plan planned = plan(job);
  if (!planned.ranking.empty()) {
    cell.state = CellState::fits;
    cell.best = std::move(planned.ranking.front());
    return;
  }
  const auto too_large = [](const Infeasible& i) { return i.peak_bytes || i.host_bytes; };
  const auto it = std::ranges::find_if(planned.infeasible, too_large);
  const bool memory = it != planned.infeasible.end();
  cell.state = memory ? CellState::out_of_memory : CellState::impossible;
  if (!planned.infeasible.empty()) cell.reason = memory ? it->reason : planned.infeasible[0].reason;
}

/// Largest numbers of GPUs first: they take longest.
void fill_all(std::vector<BestCell>& cells, const Job& job) {
  std::atomic<std::size_t> taken = 0;
  const std::size_t workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
  std::vector<std::exception_ptr> failed(workers);
  std::vector<std::thread> threads;
  for (std::size_t w = 0; w < workers; ++w)
    threads.emplace_back([&, w] {
      try {
        for (std::size_t i; (i = taken++) < cells.size();) fill(cells[cells.size() - 1 - i], job);
      } catch (...) {
        failed[w] = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : failed)
    if (error) std::rethrow_exception(error);
}

}  // namespace

const char* name_of(CellState state) {
  static constexpr std::array names{"fits", "out_of_memory", "impossible"};
  return names[static_cast<std::size_t>(state)];
}

std::vector<std::int64_t> lengths_around(std::int64_t seq) {
  std::vector<std::int64_t> lengths{seq};
  for (std::int64_t L = seq; L % 2 == 0 && L / 2 >= shortest; L /= 2) lengths.push_back(L / 2);
  for (std::int64_t L = seq; L * 2 <= longest; L *= 2) lengths.push_back(L * 2);
  std::ranges::sort(lengths);
  return lengths;
}

std::vector<BestCell> best_map(const Job& job, std::size_t candidates) {
  const std::vector<std::int64_t> lengths = lengths_around(job.shape.L);
  std::vector<BestCell> cells;
  for (const int gpus : gpu_numbers(job, lengths.size(), candidates))
    for (const std::int64_t seq : lengths) {
      BestCell cell;
      cell.gpus = gpus;
      cell.seq = seq;
      cells.push_back(std::move(cell));
    }
  fill_all(cells, job);
  return cells;
}

std::string family_of(const Choice& choice) {
  const auto joins = [&](StrategyKind kind) {
    return std::ranges::any_of(choice.attention_half,
                               [&](const Term& t) { return t.row->kind == kind; });
  };
  const bool ring = joins(StrategyKind::ring), heads = joins(StrategyKind::heads);
  if (joins(StrategyKind::tensor)) return ring || heads ? "with TP" : "TP";
  if (ring) return heads ? "ring + Ulysses" : "ring";
  return heads ? "Ulysses" : "data";
}

std::vector<std::string> terms_of(const Choice& choice) {
  std::vector<std::string> words;
  for (const Term& term : choice.attention_half)
    words.push_back(
        fmt::format("{} {}", term.row->word, choice.mesh.ranks(choice.mesh.axis(term.axes[0]))));
  if (!choice.one_half()) words.push_back(fmt::format("MLP {}", choice.mlp_half.back().row->word));
  return words;
}

}  // namespace ithaca
