#include "runtime/order.h"

#include "models/error.h"
#include "models/layer.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

LayerShape small() {
  LayerShape n;
  n.L = 16;
  n.d = 8;
  n.k = 4;
  n.e = 4;
  n.i = 16;
  return n;
}

std::string refusal(const CallOrders& orders) {
  try {
    check_order(orders);
  } catch (const EnvironmentError& error) {
    return error.what();
  }
  return "";
}

TEST(Order, OneProgramOnAllRanksIsInOrder) {
  const Mesh mesh({{"r", 2}, {"u", 4}});
  const Axis r = mesh.axis("r"), u = mesh.axis("u");
  const Layer layer = layer_program(small(), usp({{}, {u}}, r, Deal::zigzag, zero3({r, u})), mesh);
  const CallOrders orders = call_orders(layer.program);
  ASSERT_EQ(orders.size(), 8U);
  EXPECT_FALSE(orders[0].empty());
  EXPECT_NO_THROW(check_order(orders));
}

TEST(Order, RefusesTwoOrdersInOneGroup) {
  EXPECT_EQ(
      refusal({{{{0, 1}, 7}, {{0, 1}, 8}}, {{{0, 1}, 8}, {{0, 1}, 7}}}),
      "order of collectives: rank 0 would wait for ever in collective 7 of ranks 0,1 for rank 1");
}

TEST(Order, RefusesACycleAcrossGroups) {
  // Every group sees one order (it has one call), but each rank waits for the next.
  const CollectiveCall a{{0, 1}, 1}, b{{1, 2}, 2}, c{{0, 2}, 3};
  EXPECT_NE(refusal({{a, c}, {b, a}, {c, b}}), "");
  EXPECT_EQ(refusal({{a, c}, {a, b}, {b, c}}), "");
}

TEST(Order, RefusesACallThatAPeerNeverMakes) {
  EXPECT_EQ(
      refusal({{{{0, 1}, 1}}, {}}),
      "order of collectives: rank 0 would wait for ever in collective 1 of ranks 0,1 for rank 1");
}

TEST(Order, RefusesOneNumberForDifferentGroups) {
  EXPECT_NE(refusal({{{{0, 1}, 1}}, {{{0, 1, 2}, 1}}, {{{0, 1, 2}, 1}}}), "");
}

TEST(Fingerprint, IsTheSameForTheSameProgramOnly) {
  const Mesh mesh({{"t", 2}});
  const HeadAxes t{{}, {mesh.axis("t")}};
  const Layer layer = layer_program(small(), tp(t), mesh);
  EXPECT_EQ(fingerprint(layer.program), fingerprint(layer_program(small(), tp(t), mesh).program));
  EXPECT_NE(fingerprint(layer.program),
            fingerprint(layer_program(small(), tp_sp(t), mesh).program));
  EXPECT_NE(fingerprint(layer.program), fingerprint(retype(layer.program, DType::f32)));
  LayerShape other = small();
  other.rope_theta = 500000;
  EXPECT_NE(fingerprint(layer.program), fingerprint(layer_program(other, tp(t), mesh).program));
  other = small();
  other.norm = Norm::rms;
  other.act = Act::geglu;
  EXPECT_NE(fingerprint(layer.program), fingerprint(layer_program(other, tp(t), mesh).program));
}

}  // namespace
}  // namespace ithaca
