#include "runtime/collective_steps.h"

namespace ithaca {
namespace {

/// n-1 rounds in which every member has one transfer.
template <class TransferOf>
StepList rounds(int members, TransferOf transfer_of) {
  StepList steps;
  for (int round = 1; round < members; ++round) {
    steps.emplace_back();
    for (int from = 0; from < members; ++from) steps.back().push_back(transfer_of(from, round));
  }
  return steps;
}

}  // namespace

StepList all_gather_steps(int n, Algorithm algorithm) {
  return rounds(n, [&](int from, int round) -> Transfer {
    if (algorithm == Algorithm::pairwise) return {from, (from + round) % n, from, from};
    const int chunk = (from - round + 1 + n) % n;  // received in the round before
    return {from, (from + 1) % n, chunk, chunk};
  });
}

StepList reduce_scatter_steps(int n, Algorithm algorithm) {
  return rounds(n, [&](int from, int round) -> Transfer {
    const int to = (from + (algorithm == Algorithm::ring ? 1 : round)) % n;
    const int chunk = algorithm == Algorithm::ring ? (from - round + n) % n : to;
    return {from, to, chunk, chunk, true};
  });
}

StepList all_to_all_steps(int n) {
  return rounds(n, [&](int from, int round) -> Transfer {
    const int to = (from + round) % n;
    return {from, to, to, from};
  });
}

}  // namespace ithaca
