#include "runtime/exchange.h"

#include "models/error.h"
#include "models/strategy.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/host_tensor.h"
#include "runtime/threads/thread_communicator.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

using enum DimName;

const Mesh mesh({{"u", 2}, {"z", 2}, {"w", 2}});
const Axis u = mesh.axis("u"), z = mesh.axis("z"), w = mesh.axis("w");

/// An activation [b, L, k, g, e] laid over axes.
Type value(const Layout& layout, std::int64_t samples = 2) {
  return laid({DType::f64, {{DimName::b, samples}, {L, 16}, {k, 4}, {g, 2}, {e, 3}}, {}, {}},
              layout);
}

Type partial(Type t, const AxisList& axes) {
  t.partial = axes;
  return t;
}

Type flat(Dims dims, const AxisList& axes) {
  return {DType::f64, std::move(dims), axes, {}};
}

/// Elements are their global index; addends are shares of it that sum to it exactly.
std::vector<std::byte> operand(const Type& t, int rank) {
  HostTensor x(static_cast<std::size_t>(global_elements(t)));
  const int n = mesh.ranks(t.partial), me = mesh.position(rank, t.partial);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = n == 1 ? static_cast<double>(i + 1)
                  : (me == 0 ? static_cast<double>(i + 1) - 100 * (n - 1) : 100);
  return slice_of(x, t, mesh, rank);
}

/// Moves on eight ranks and compares each result with the slice cut from the whole; scratch is of
/// the size the program says, with guards behind all buffers.
void expect_moves(const Type& from, const Type& to) {
  SCOPED_TRACE(to_string(from, mesh) + " -> " + to_string(to, mesh));
  Builder builder(mesh);
  builder.move(builder.input("x", from, Role::activation), to);
  const Program p = std::move(builder).build();
  const Scratch scratch = scratch_of(p, p.steps().at(0));
  const auto after = [](std::int64_t bytes) {
    return std::vector<std::byte>(static_cast<std::size_t>(bytes) + 8, std::byte{0x5a});
  };
  const auto intact = [](const std::vector<std::byte>& buffer) {
    return std::all_of(buffer.end() - 8, buffer.end(),
                       [](std::byte x) { return x == std::byte{0x5a}; });
  };
  CpuDevice device;
  run_ranks(mesh.ranks(), [&](ThreadCommunicator& communicator) {
    const int rank = communicator.rank();
    const Exchange x = exchange_of(from, to, mesh, rank);
    const std::vector<std::byte> in = operand(from, rank), before = in;
    std::vector<std::byte> out = after(local_bytes(to, mesh)), send = after(scratch.send_bytes),
                           receive = after(scratch.receive_bytes);
    Mover(device, communicator, from.dtype, 0)({{x, in.data(), out.data()}},
                                               {send.data(), receive.data()});
    EXPECT_TRUE(intact(out) && intact(send) && intact(receive)) << "written past the end";
    out.resize(out.size() - 8);
    EXPECT_EQ(in, before);
    const std::vector<std::byte> expected = operand(to, rank);
    const auto held = static_cast<std::ptrdiff_t>(global_indices(to, mesh, rank).size()) * 8;
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + held, expected.begin())) << "rank " << rank;
    std::int64_t sent = 0;
    for (const std::int64_t bytes : communicator.sent_bytes()) sent += bytes;
    EXPECT_EQ(sent, traffic_of(p, p.steps()[0]).sent_bytes);
  });
}

constexpr Deal blocks = Deal::blocks, zigzag = Deal::zigzag, stripes = Deal::stripes;

TEST(Exchange, GathersAndCutsEveryDeal) {
  for (const Deal deal : {blocks, zigzag, stripes})
    for (const std::int64_t samples : {1, 2}) {
      expect_moves(value(over(L, {u}, deal), samples), value({}, samples));
      expect_moves(value({}, samples), value(over(L, {u}, deal), samples));
      expect_moves(value(over(L, {u, z}, deal), samples), value(over(L, {u}, deal), samples));
      expect_moves(value(over(L, {w, z, u}, deal), samples), value({}, samples));
    }
}

TEST(Exchange, GathersMixedDealsOnOneDimension) {
  expect_moves(value({{L, {u, zigzag}}, {L, {z, blocks}}}), value({}));
  expect_moves(value({{L, {u, zigzag}}, {L, {z, stripes}}, {L, {w, blocks}}}),
               value({{L, {u, zigzag}}}));
  expect_moves(value({{L, {z, stripes}}, {L, {u, zigzag}}}), value({}));
}

TEST(Exchange, GathersTwoDimensionsAtOnce) {
  expect_moves(value({{DimName::b, {u}}, {L, {w, zigzag}}}), value({}));
  expect_moves(value({{L, {u, stripes}}, {k, {z}}, {g, {w}}}), value({}));
}

TEST(Exchange, ScattersAndReducesSums) {
  for (const Deal deal : {blocks, zigzag, stripes}) {
    expect_moves(partial(value({}), {u}), value(over(L, {u}, deal)));
    expect_moves(partial(value({{L, {u, zigzag}}}), {z, w}),
                 value({{L, {u, zigzag}}, {L, {z, deal}}, {L, {w, deal}}}));
    expect_moves(partial(value({}), {u, w}), value(over(L, {w, u}, deal)));
  }
  expect_moves(partial(value({}), {u, z, w}), value({}));
  expect_moves(partial(value({{k, {z}}}), {w}), value({{k, {z}}}));
}

TEST(Exchange, ScattersWhileItKeepsAPartOfCopies) {
  expect_moves(partial(value({}), {z}), value(over(L, {u, z})));
  expect_moves(partial(value({}), {u}), value(over(L, {u, z})));
  expect_moves(partial(value({}), {u}), value(over(L, {u, z}, zigzag)));
}

TEST(Exchange, ExchangesTheSequenceForHeads) {
  for (const Deal ring : {blocks, zigzag, stripes}) {
    const Layout base{{L, {u, ring}}};
    expect_moves(value(base + over(L, {z, w})), value(base + over(k, {z, w})));
    expect_moves(value(base + over(k, {z, w})), value(base + over(L, {z, w})));
    expect_moves(value(base + over(L, {z, w})), value(base + over(k, {w}) + over(g, {z})));
    expect_moves(value(base + over(k, {w}) + over(g, {z})), value(base + over(L, {z, w})));
  }
  expect_moves(value(over(L, {z, w}, zigzag)), value(over(k, {z, w})));
  expect_moves(value(over(k, {z, w})), value(over(L, {z, w}, stripes)));
}

TEST(Exchange, CopiesFewHeadsAndAddsTheirGradients) {
  expect_moves(value(over(L, {z, w})), value(over(k, {w})));
  expect_moves(partial(value(over(k, {w})), {z}), value(over(L, {z, w})));
  expect_moves(partial(value(Layout{{L, {u, zigzag}}, {k, {w}}}), {z}),
               value({{L, {u, zigzag}}, {L, {z}}, {L, {w}}}));
}

TEST(Exchange, GathersAndScattersFlatShardsThatRoundUp) {
  for (const std::int64_t size : {1, 3, 8, 13, 16, 31}) {
    const Dims dims{{d, size}, {e, 1}};
    expect_moves(flat(dims, {u, z, w}), flat(dims, {}));
    expect_moves(partial(flat(dims, {}), {u, z, w}), flat(dims, {u, z, w}));
    expect_moves(partial(flat(dims, {}), {u, w}), flat(dims, {u, w}));
    expect_moves(partial(flat(dims, {}), {u, w}), flat(dims, {}));
    expect_moves(flat(dims, {}), flat(dims, {z, w}));
  }
}

TEST(Exchange, GathersFlatShardsOfASlice) {
  const Dims dims{{d, 6}, {i, 10, {{z}}}};
  expect_moves(flat(dims, {u, w}), flat(dims, {}));
  expect_moves(partial(flat(dims, {}), {u, w}), flat(dims, {u, w}));
}

TEST(Exchange, RefusesFlatShardsThatDoNotNest) {
  const Dims dims{{d, 5}};
  EXPECT_THROW(exchange_of(flat(dims, {u, z}), flat(dims, {u}), mesh, 0), TypeError);
  expect_moves(flat({{d, 8}}, {u, z}), flat({{d, 8}}, {u}));
  expect_moves(partial(flat({{d, 8}}, {u}), {z}), flat({{d, 8}}, {u, z}));
}

TEST(Exchange, BoxesOfContiguousSlicesAreSingleRuns) {
  const Exchange x = exchange_of(value(over(L, {u}), 1), value({}, 1), mesh, 0);
  ASSERT_EQ(x.receive.size(), 2U);
  ASSERT_EQ(x.receive[1].size(), 1U);
  EXPECT_EQ(x.receive[1][0].offset, 8 * 24);
  EXPECT_EQ(x.receive[1][0].counts.size(), 1U);
  EXPECT_TRUE(x.contiguous);
}

}  // namespace
}  // namespace ithaca
