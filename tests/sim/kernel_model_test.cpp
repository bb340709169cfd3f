#include "sim/kernels/kernel_model.h"

#include "models/error.h"
#include "models/layer.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <unistd.h>

namespace ithaca {
namespace {

const Gpu& h100() {
  static const Gpu gpu = load_gpu("H100-SXM5-80GB");
  return gpu;
}

TEST(Kernels, EveryGpuHasAFileOfItsOwn) {
  EXPECT_EQ(kernel_names(), gpu_names());
  for (const std::string& name : gpu_names()) {
    const Gpu gpu = load_gpu(name);
    EXPECT_EQ(gpu.kernels.name, name);
    EXPECT_FALSE(gpu.kernels.source.empty()) << name;
    EXPECT_GT(gpu.kernels.sms, 0) << name;
    EXPECT_GT(gpu.kernels.boost_hz, 1e9) << name;
    EXPECT_GT(gpu.kernels.launch_s, 0) << name;
    EXPECT_FALSE(gpu.kernels.attention.curves.empty()) << name;
  }
}

TEST(Kernels, WithoutRatesAreARoofline) {
  Gpu gpu;
  gpu.bf16_flops_per_s = 1e12;
  gpu.memory_bandwidth_bytes_per_s = 1e9;
  const KernelModel model(gpu);
  EXPECT_DOUBLE_EQ(model.product({100, 200, 300}).seconds(), 2 * 100 * 200 * 300 / 1e12);
  EXPECT_DOUBLE_EQ(model.product({1, 1, 1, false, 5000}).seconds(), 5000 / 1e9);
  EXPECT_DOUBLE_EQ(model.attention({AttentionCode::flash2, true, 2, 64, 64, 32, 1000}).seconds(),
                   10.0 * 32 * 2 * 1000 / 1e12);
}

TEST(Kernels, OfAWaveAndOneMoreTileTakeTwoWaves) {
  const KernelModel model(h100());
  // 132 tiles of 128 x 256, then 133; the library may halve its tiles, at nine tenths of the rate.
  const double one_s = model.product({128, 132 * 256, 4096}).compute_s;
  const double more_s = model.product({128, 133 * 256, 4096}).compute_s;
  EXPECT_GT(more_s, 1.6 * one_s);
  EXPECT_LE(more_s, 2 * one_s);
  EXPECT_DOUBLE_EQ(model.product({128, 2 * 132 * 256, 4096}).compute_s, 2 * one_s);
}

/// Drained in proportion to what a tile moves: written in bf16, added to in bf16, added to in f32.
TEST(Kernels, TakeLongerToAddToAWiderResult) {
  const KernelModel model(h100());
  const double ramp = h100().kernels.matmul.ramp;
  const std::int64_t m = 128, n = 132 * 256, k = 4096, operands = 2 * (m + n) * k;
  const auto compute_s = [&](std::int64_t width) {
    return model.product({m, n, k, false, operands + width * m * n}).compute_s;
  };
  EXPECT_NEAR(compute_s(4) / compute_s(2), (4096 + 2 * ramp) / (4096 + ramp), 1e-9);
  EXPECT_NEAR(compute_s(8) / compute_s(2), (4096 + 4 * ramp) / (4096 + ramp), 1e-9);
}

TEST(Kernels, ReachTheirRateAsKGrows) {
  const KernelModel model(h100(), Clock::boost);
  double before = 0;
  for (std::int64_t k = 64; k <= 65536; k *= 4) {
    const Product p{128 * 132, 256, k};
    const double rate = 2.0 * 128 * 132 * 256 * static_cast<double>(k) / model.product(p).compute_s;
    EXPECT_GT(rate, before);
    EXPECT_LT(rate, h100().bf16_flops_per_s * h100().kernels.matmul.fraction);
    before = rate;
  }
}

TEST(Kernels, AreSlowerInAStepThanInABenchmark) {
  for (const std::string& name : gpu_names()) {
    const Gpu gpu = load_gpu(name);
    const Product p{8192, 8192, 8192};
    EXPECT_GE(KernelModel(gpu).product(p).seconds(),
              KernelModel(gpu, Clock::boost).product(p).seconds())
        << name;
  }
}

AttentionWork causal(AttentionCode kernel, std::int64_t heads, std::int64_t L) {
  return {kernel, false, heads, L, L, 128, L * (L + 1) / 2};
}

double flops_per_s(const AttentionWork& w) {
  return 4.0 * static_cast<double>(w.head_dim * w.heads * w.pairs) /
         KernelModel(h100()).attention(w).compute_s;
}

TEST(Attention, OfFewBlocksWaitsForTheLast) {
  const double many = flops_per_s(causal(AttentionCode::flash2, 64, 4096));
  const double few = flops_per_s(causal(AttentionCode::flash2, 4, 4096));
  EXPECT_LT(few, 0.6 * many);
  EXPECT_NEAR(flops_per_s(causal(AttentionCode::flash2, 4, 65536)),
              flops_per_s(causal(AttentionCode::flash2, 64, 65536)), 1);
}

TEST(Attention, IsFasterByEachVersion) {
  const auto of = [](AttentionCode kernel) { return flops_per_s(causal(kernel, 16, 16384)); };
  EXPECT_LT(of(AttentionCode::unfused), of(AttentionCode::flash2));
  EXPECT_LT(of(AttentionCode::flash2), of(AttentionCode::cudnn));
  EXPECT_LT(of(AttentionCode::cudnn), of(AttentionCode::flash3));
  EXPECT_EQ(of(AttentionCode::tiled), of(AttentionCode::flash3)) << "its stand-in on Hopper";
  const KernelModel a100(load_gpu("A100-SXM4-80GB"));
  EXPECT_GT(a100.attention(causal(AttentionCode::flash1, 16, 16384)).compute_s,
            2 * a100.attention(causal(AttentionCode::flash2, 16, 16384)).compute_s);
}

TEST(Attention, OfAHeadSizeBetweenTwoIsBetweenThem) {
  const auto of = [](std::int64_t head_dim) {
    AttentionWork w = causal(AttentionCode::flash3, 16, 16384);
    w.head_dim = head_dim;
    return flops_per_s(w);
  };
  EXPECT_LT(of(64), of(96));
  EXPECT_LT(of(96), of(128));
  EXPECT_EQ(of(32), of(64)) << "outside, the nearest";
}

TEST(Attention, OfNothingTakesALaunch) {
  const KernelTime t =
      KernelModel(h100()).attention({AttentionCode::flash3, false, 8, 128, 128, 128, 0});
  EXPECT_EQ(t.seconds(), h100().kernels.launch_s);
  EXPECT_EQ(t.bound(), KernelBound::launch);
}

TEST(Kernels, OfALayerAreBoundAsTheyShould) {
  const Program p = layer_of({"tp", "t=2"}).program;
  const KernelModel model(h100());
  for (const Step& step : p.steps()) {
    const KernelTime t = model.time(p, step, 0);
    EXPECT_GE(t.seconds(), t.launch_s);
    const bool computes = std::holds_alternative<Einsum>(step.op) ||
                          std::holds_alternative<Attend>(step.op) ||
                          std::holds_alternative<AttendGrad>(step.op);
    EXPECT_EQ(t.compute_s > 0, computes) << name_of(step.op);
  }
  EXPECT_EQ(model.product({8192, 8192, 8192}).bound(), KernelBound::compute);
  EXPECT_EQ(model.product({8192, 8192, 16, false, 8192 * 8192 * 2}).bound(), KernelBound::memory);
  EXPECT_STREQ(name_of(KernelBound::memory), "memory");
}

class KernelFile : public testing::Test {
 protected:
  std::string error_of(const std::string& text) {
    const auto path = std::filesystem::temp_directory_path() /
                      fmt::format("ithaca_kernel_file_{}.yaml", ::getpid());
    std::ofstream(path) << text;
    std::string message;
    try {
      load_kernels(path.string());
    } catch (const InputError& e) {
      message = e.what();
      message = message.substr(path.string().size());
    }
    std::filesystem::remove(path);
    return message;
  }
};

TEST_F(KernelFile, SaysWhereItIsWrong) {
  const std::string head = "name: x\nsource: y\nfamily: hopper\nsms: 132\n";
  EXPECT_EQ(error_of(head), "");
  EXPECT_EQ(error_of("name: x\nsource: y\nfamily: hoper\nsms: 132\n").substr(0, 14),
            ":3:9: family: ");
  EXPECT_NE(error_of("name: x\nsource: y\nfamily: hopper\n").find("sms"), std::string::npos);
  EXPECT_NE(error_of("name: x\nsource: y\nsms: 132\n").find("peak"), std::string::npos);
  EXPECT_EQ(error_of(head + "sustained: {matmul: 1.5}\n"),
            ":5:21: sustained.matmul: expected at most 1, got \"1.5\"");
  EXPECT_NE(
      error_of(head + "matmul: {rate: 2000 TFLOP/s, rate_source: z}\n").find("at most the peak"),
      std::string::npos);
  EXPECT_NE(error_of(head + "atention: {}\n").find("attention"), std::string::npos);
  EXPECT_NE(error_of(head + "attention: {stand_in: {flash9: cudnn}}\n").find("flash9"),
            std::string::npos);
}

}  // namespace
}  // namespace ithaca
