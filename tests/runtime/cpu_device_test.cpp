#include "models/error.h"
#include "models/layer.h"
#include "tests/runtime/cpu_steps.h"

#include <cstring>
#include <numeric>

namespace ithaca::test {
namespace {

const std::byte* bytes(const Tensor& x) {
  return reinterpret_cast<const std::byte*>(x.data());
}
std::byte* bytes(Tensor& x) {
  return reinterpret_cast<std::byte*>(x.data());
}

Tensor counted(std::size_t n) {
  Tensor x(n);
  std::iota(x.begin(), x.end(), 0.0);
  return x;
}

// Of a tensor [4 6]: the columns 2 and 3 of rows 1 to 3, then the last column alone.
const std::vector<Box> boxes{{8, {3, 2}, {6, 1}}, {5, {4}, {6}}};
const Tensor packed_boxes{8, 9, 14, 15, 20, 21, 5, 11, 17, 23};

TEST(CpuBoxes, PackRowByRowOneBoxAfterAnother) {
  const Tensor tensor = counted(24);
  Tensor packed(10);
  CpuDevice().pack(DType::f64, bytes(tensor), boxes, bytes(packed), Lane{});
  EXPECT_EQ(packed, packed_boxes);
}

TEST(CpuBoxes, UnpackReplacesOrAddsAndTouchesNothingElse) {
  Tensor replaced(24, 0), added = counted(24);
  CpuDevice().unpack(DType::f64, bytes(packed_boxes), boxes, false, bytes(replaced), Lane{});
  CpuDevice().unpack(DType::f64, bytes(packed_boxes), boxes, true, bytes(added), Lane{});
  for (std::size_t i = 0; i < 24; ++i) {
    const double x = static_cast<double>(i);
    const bool inside = std::ranges::find(packed_boxes, x) != packed_boxes.end();
    EXPECT_EQ(replaced[i], inside ? x : 0);
    EXPECT_EQ(added[i], inside ? 2 * x : x);
  }
}

TEST(CpuBoxes, OfFourDimsComeBackWhereTheyWere) {
  const Tensor tensor = counted(2 * 3 * 4 * 5);
  const std::vector<Box> box{{7, {2, 2, 3, 2}, {60, 20, 5, 2}}};
  Tensor packed(24), again(tensor.size(), -1);
  CpuDevice().pack(DType::f64, bytes(tensor), box, bytes(packed), Lane{});
  CpuDevice().unpack(DType::f64, bytes(packed), box, false, bytes(again), Lane{});
  EXPECT_EQ(packed[0], 7);
  EXPECT_EQ(packed[23], 7 + 60 + 20 + 10 + 2);
  EXPECT_EQ(std::ranges::count(again, -1), 120 - 24);
  for (std::size_t i = 0; i < again.size(); ++i)
    EXPECT_TRUE(again[i] == -1 || again[i] == tensor[i]);
}

TEST(CpuBoxes, WithoutElementsPackNothingAndOfNoDimsOneElement) {
  const Tensor tensor = counted(3);
  const std::vector<Box> odd{{0, {0, 2}, {2, 1}}, {2, {}, {}}};
  Tensor packed{-1, -1};
  CpuDevice().pack(DType::f64, bytes(tensor), odd, bytes(packed), Lane{});
  EXPECT_EQ(packed, (Tensor{2, -1}));
}

TEST(CpuBoxes, PackF32) {
  const std::vector<float> tensor{0, 1, 2, 3};
  std::vector<float> packed(2);
  CpuDevice().pack(DType::f32, reinterpret_cast<const std::byte*>(tensor.data()),
                   std::vector<Box>{{1, {2}, {2}}}, reinterpret_cast<std::byte*>(packed.data()),
                   Lane{});
  EXPECT_EQ(packed, (std::vector<float>{1, 3}));
}

TEST(CpuDevice, GivesAlignedMemoryThatKeepsWhatIsUploaded) {
  CpuDevice device;
  const Tensor x = counted(5);
  Tensor y(5);
  std::byte* arena = device.allocate(5 * 8);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena) % 64, 0U);
  device.upload(arena, bytes(x), 5 * 8);
  device.fill_zero(arena + 8, 8, Lane{});
  device.copy(arena + 16, arena + 24, 8, Lane{});
  device.download(bytes(y), arena, 5 * 8);
  device.release(arena);
  EXPECT_EQ(y, (Tensor{0, 0, 3, 3, 4}));
}

TEST(CpuDevice, RefusesMoreMemoryThanThereIs) {
  EXPECT_THROW((void)CpuDevice().allocate(std::int64_t{1} << 60), EnvironmentError);
}

TEST(CpuDevice, RefusesBf16) {
  Tensor x(4);
  EXPECT_THROW(CpuDevice().pack(DType::bf16, bytes(x), {}, bytes(x), Lane{}), EnvironmentError);
  LayerShape n;
  n.L = 2, n.d = 4, n.k = 1, n.e = 2, n.i = 4;
  const Layer layer = one_rank(n);
  Tensors values = random_inputs(layer.program, 1);
  EXPECT_THROW(run_step(layer.program, layer.program.steps()[0], 0, values), EnvironmentError);
}

TEST(CpuDevice, CastsWithinOneDtypeByCopying) {
  Builder builder{Mesh{}};
  const ValueId x = builder.input("x", {DType::bf16, {{DimName::d, 3, {}}}, {}, {}}, Role::weight);
  const ValueId y = builder.cast(x, DType::f32);
  const Program p = retype(std::move(builder).build(), DType::f64);
  const Tensors got = interpret(p, random_inputs(p, 1));
  EXPECT_EQ(got[y], got[x]);
  EXPECT_EQ(run_in_place(p, got, 0)[0], got[x]);
}

TEST(CpuDevice, ItsClockNeverGoesBack) {
  CpuDevice device;
  const double before_s = device.now_s(Lane{});
  EXPECT_GE(device.now_s(Lane{}), before_s);
}

}  // namespace
}  // namespace ithaca::test
