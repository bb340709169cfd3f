#include "runtime/collective_steps.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace ithaca {
namespace {

/// By member and chunk: whose data it is, as (member, chunk) pairs; a sum has several.
using Content = std::multiset<std::pair<int, int>>;
using State = std::vector<std::vector<Content>>;

State with(int n, bool (*holds)(int member, int chunk)) {
  State state(static_cast<std::size_t>(n), std::vector<Content>(static_cast<std::size_t>(n)));
  for (int m = 0; m < n; ++m)
    for (int c = 0; c < n; ++c)
      if (holds(m, c)) state[static_cast<std::size_t>(m)][static_cast<std::size_t>(c)] = {{m, c}};
  return state;
}

Content& at(State& state, int member, int chunk) {
  return state[static_cast<std::size_t>(member)][static_cast<std::size_t>(chunk)];
}

/// All transfers of a round read before any is written.
void play(const StepList& steps, State& source, State& target) {
  for (const Round& round : steps) {
    std::vector<Content> sent;
    for (const Transfer& t : round) sent.push_back(at(source, t.from, t.source));
    for (std::size_t i = 0; i < round.size(); ++i) {
      Content& to = at(target, round[i].to, round[i].target);
      if (!round[i].add) to.clear();
      to.insert(sent[i].begin(), sent[i].end());
    }
  }
}

void expect_sends_one_less_than_members(const StepList& steps, int n) {
  std::vector<int> sends(static_cast<std::size_t>(n));
  for (const Round& round : steps) {
    std::set<int> from, to;
    for (const Transfer& t : round) {
      EXPECT_TRUE(from.insert(t.from).second) << "two sends of one member in a round";
      EXPECT_TRUE(to.insert(t.to).second) << "two receives of one member in a round";
      EXPECT_NE(t.from, t.to);
      ++sends[static_cast<std::size_t>(t.from)];
    }
  }
  for (const int count : sends) EXPECT_EQ(count, n - 1);
}

Content sum_of_chunk(int n, int chunk) {
  Content all;
  for (int m = 0; m < n; ++m) all.insert({m, chunk});
  return all;
}

TEST(CollectiveSteps, AllGatherGivesEveryChunkToEveryMember) {
  for (int n = 1; n <= 17; ++n)
    for (const Algorithm algorithm : {Algorithm::ring, Algorithm::pairwise}) {
      State state = with(n, [](int m, int c) { return m == c; });
      const StepList steps = all_gather_steps(n, algorithm);
      play(steps, state, state);
      expect_sends_one_less_than_members(steps, n);
      for (int m = 0; m < n; ++m)
        for (int c = 0; c < n; ++c) EXPECT_EQ(at(state, m, c), (Content{{c, c}}));
    }
}

TEST(CollectiveSteps, ReduceScatterAddsEveryAddendOnce) {
  for (int n = 1; n <= 17; ++n)
    for (const Algorithm algorithm : {Algorithm::ring, Algorithm::pairwise}) {
      State state = with(n, [](int, int) { return true; });
      const StepList steps = reduce_scatter_steps(n, algorithm);
      play(steps, state, state);
      expect_sends_one_less_than_members(steps, n);
      for (int m = 0; m < n; ++m) EXPECT_EQ(at(state, m, m), sum_of_chunk(n, m));
    }
}

TEST(CollectiveSteps, PairwiseReduceScatterLeavesOtherChunksAsTheyAre) {
  for (int n = 2; n <= 9; ++n) {
    State state = with(n, [](int, int) { return true; });
    play(reduce_scatter_steps(n, Algorithm::pairwise), state, state);
    for (int m = 0; m < n; ++m)
      for (int c = 0; c < n; ++c)
        if (c != m) {
          EXPECT_EQ(at(state, m, c), (Content{{m, c}}));
        }
  }
}

TEST(CollectiveSteps, AllToAllTransposes) {
  for (int n = 1; n <= 17; ++n) {
    State send = with(n, [](int, int) { return true; }),
          receive = with(n, [](int, int) { return false; });
    for (int m = 0; m < n; ++m) at(receive, m, m) = at(send, m, m);
    const StepList steps = all_to_all_steps(n);
    play(steps, send, receive);
    expect_sends_one_less_than_members(steps, n);
    for (int m = 0; m < n; ++m)
      for (int c = 0; c < n; ++c) EXPECT_EQ(at(receive, m, c), (Content{{c, m}}));
  }
}

}  // namespace
}  // namespace ithaca
