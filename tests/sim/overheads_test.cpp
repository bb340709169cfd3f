// Estimates beside the tensors: a communicator for every distinct group, at least those a profile opens; gathered
// weights and buckets of gradients as far as there are any.
#include "sim/overheads.h"

#include "models/update.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

constexpr std::int64_t first = 1'600'000'000, next = 2'200'000'000, exchanges = 3'280'000'000;
constexpr std::int64_t vocabulary = 64;

LayerShape square_shape() {
  LayerShape shape = shape_of(32, 32, {8, 1, 4}, 48);
  shape.b = 4;
  return shape;
}

Overheads overheads_of(const Case& c, const Buffers& buffers = {},
                       const StepOptions& options = {}) {
  constexpr std::int64_t layers = 5;
  const Arrangement at = arrange(c.expression, parse_mesh(c.mesh), square_shape());
  const MicroBatch micro =
      micro_batch({{{square_shape(), at.strategy, layers}}, vocabulary}, at.mesh, options);
  const Update update = update_program(micro.program, micro.parameters, {});
  return overheads(count(micro.program) + count(update.program), micro, buffers);
}

/// Elements of matrices of all layers and both tables, and of gains.
constexpr std::int64_t matrices = 5 * (4 * 32 * 32 + 3 * 32 * 48) + 2 * vocabulary * 32;
constexpr std::int64_t gains = 5 * 2 * 32 + 32;

TEST(Overheads, HaveACommunicatorForEveryDistinctGroup) {
  EXPECT_EQ(overheads_of({"tp", "t=4"}).communicator_bytes, first);
  EXPECT_EQ(overheads_of({"ulysses_zero3", "u=4"}).communicator_bytes, first);
  EXPECT_EQ(overheads_of({"usp_zero3", "r=2,u=2"}).communicator_bytes, first + 2 * next);
  // activations over t, gradients over p, and that of the final norm, which is partial over both
  EXPECT_EQ(overheads_of({"data_ddp(p) * tp(t)", "p=2,t=2"}).communicator_bytes, first + 2 * next);
}

TEST(Overheads, HaveAsManyCommunicatorsAsTheProfileOpens) {
  EXPECT_EQ(overheads_of({"ulysses_zero3", "u=4"}, {0, 0, 3}).communicator_bytes, first + 2 * next);
  EXPECT_EQ(overheads_of({"usp_zero3", "r=2,u=2"}, {0, 0, 2}).communicator_bytes, first + 2 * next);
}

TEST(Overheads, OfAllToAllsAreThereWhereHeadsAreExchanged) {
  EXPECT_EQ(overheads_of({"ulysses_zero3", "u=4"}).all_to_all_bytes, exchanges);
  EXPECT_EQ(overheads_of({"ring_zero3", "r=4"}).all_to_all_bytes, 0);
}

TEST(Overheads, OfGatheredWeightsAreThoseThatAreShardedUpToTheLimit) {
  const auto gathered = [](const char* name, std::int64_t limit) {
    return overheads_of({name, "u=4"}, {limit, 0, 0}).gathered_bytes;
  };
  EXPECT_EQ(gathered("ulysses_zero3", 1'000'000'000), matrices * 2);
  EXPECT_EQ(gathered("ulysses_zero3", 1000), 1000 * 2);
  EXPECT_EQ(gathered("ulysses_zero3", 0), 0);
  EXPECT_EQ(gathered("ulysses_ddp", 1'000'000'000), 0);
}

TEST(Overheads, OfBucketsAreTwoOfThemAndNoMoreThanThereAreGradients) {
  const auto buckets = [](const char* name, std::int64_t limit) {
    return overheads_of({name, "u=4"}, {0, limit, 0}).bucket_bytes;
  };
  for (const char* name : {"ulysses_zero3", "ulysses_ddp"}) {
    EXPECT_EQ(buckets(name, 500'000'000), 2 * (matrices + gains) * 2) << name;
    EXPECT_EQ(buckets(name, 1000), 2 * 1000 * 2) << name;
    EXPECT_EQ(buckets(name, 0), 0) << name;
  }
}

TEST(Overheads, OfBucketsNeedGradients) {
  StepOptions forward, adapters;
  forward.layer.backward = false;
  adapters.layer.adapter_rank = 2;
  EXPECT_EQ(overheads_of({"ulysses_zero3", "u=4"}, {0, 1 << 30, 0}, forward).bucket_bytes, 0);
  const std::int64_t few =
      overheads_of({"ulysses_zero3", "u=4"}, {0, 1 << 30, 0}, adapters).bucket_bytes;
  EXPECT_GT(few, 0);
  EXPECT_LT(few, 2 * matrices);
}

TEST(Overheads, OfOneRankAreItsContextAndTheBuffersOfTheImplementation) {
  EXPECT_EQ(overheads_of({"ulysses_zero3", "u=1"}, {0, 0, 3}).bytes(), 512LL << 20);
  const Overheads o = overheads_of({"ulysses_zero3", "u=1"}, {1 << 30, 1 << 30, 3});
  EXPECT_EQ(o.bytes(), (512LL << 20) + 2 * (matrices + gains) * 2);
}

TEST(Overheads, AddUp) {
  const Overheads o = overheads_of({"ulysses_zero3", "u=4"}, {1 << 30, 1 << 30, 3});
  EXPECT_EQ(o.bytes(), (512LL << 20) + first + 2 * next + exchanges + matrices * 2 +
                           2 * (matrices + gains) * 2);
}

}  // namespace
}  // namespace ithaca
