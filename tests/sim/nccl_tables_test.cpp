// Measured tables, and what they do to the model.
#include "models/error.h"
#include "sim/nccl/calibration.h"
#include "sim/nccl/tables.h"

#include <gtest/gtest.h>

#include <numeric>

namespace ithaca {
namespace {

const std::string output =
    R"(# nThread 1 nGpus 2 minBytes 1024 maxBytes 4194304 step: 2(factor) warmup iters: 5
#
# Using devices
#  Rank  0 Group  0 Pid   4242 on    node01 device  0 [0x07] NVIDIA H100 80GB HBM3
#  Rank  1 Group  0 Pid   4243 on    node02 device  0 [0x07] NVIDIA H100 80GB HBM3
#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
        1024           256     float     sum      -1    10.24    0.10    0.10      0    10.00    0.10    0.10      0
node01:4242:4250 [0] NCCL INFO comm 0x1 rank 0 nranks 2
     1048576        262144     float     sum      -1    20.97   50.00   50.00      0    20.00   52.43   52.43    N/A
# Out of bounds values : 0 OK
# Avg bus bandwidth    : 25.1
#
# Collective test concluded: all_reduce_perf
)";

TEST(NcclTests, OutputIsRead) {
  const CollectiveTable t = nccl_tests_table(output, "log.txt");
  EXPECT_EQ(t.collective, "all_reduce");
  EXPECT_EQ(t.gpu, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(t.gpus, 2);
  EXPECT_EQ(t.nodes, 2);
  ASSERT_EQ(t.points.size(), 2U);
  EXPECT_EQ(t.points[1].bytes, 1048576);
  EXPECT_DOUBLE_EQ(t.points[1].seconds, 20.97e-6);
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = output;
  return text.replace(text.find(from), from.size(), to);
}

std::string error_of(const std::string& text, const std::string& collective = "") {
  try {
    nccl_tests_table(text, "log.txt", collective);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(NcclTests, OutputThatIsBrokenIsRefusedWithItsLine) {
  EXPECT_EQ(
      error_of(output.substr(0, output.find("# Out of bounds"))),
      "log.txt:12:1: expected the closing line \"# Avg bus bandwidth\", got the end of the output");
  EXPECT_EQ(error_of("hello\n"),
            "log.txt:1:1: expected nccl-tests' heading \"# size count type ...\", got none");
  EXPECT_EQ(error_of(with("20.97   50.00", "20.9x   50.00")),
            "log.txt:12:1: time: expected a number, got \"20.9x\"");
  EXPECT_EQ(error_of(with("20.97   50.00", "2.097   50.00")),
            "log.txt:12:1: algbw: expected size / time = 500 GB/s, got 50.00");
  EXPECT_EQ(error_of(with("10.24    0.10    0.10      0", "10.24    0.10    0.10      3")),
            "log.txt:10:1: #wrong: expected no wrong results, got 3");
  EXPECT_EQ(
      error_of(with("    float     sum      -1    20.97   50.00   50.00      0    20.00", "")),
      "log.txt:12:1: expected a row of size, count, type and 8 figures, got 5 words");
  const std::string unnamed = output.substr(0, output.find("# Collective"));
  EXPECT_EQ(
      error_of(unnamed),
      "log.txt:15:1: expected a line \"# Collective test concluded: ...\", got none, say which "
      "it was");
  EXPECT_EQ(error_of(unnamed, "all_reduce"), "no error");
}

TEST(NcclTests, OutputThatIsCutAnywhereIsAnErrorOrWhole) {
  const std::string closing = "# Avg bus bandwidth";
  const std::size_t closed = output.find(closing) + closing.size();
  for (std::size_t n = 0; n < output.size(); ++n) try {
      const CollectiveTable t = nccl_tests_table(output.substr(0, n), "log.txt", "all_reduce");
      EXPECT_GE(n, closed);
      EXPECT_EQ(t.collective, "all_reduce");
      EXPECT_EQ(t.points.size(), 2U);
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << n;
    }
}

TEST(MeasuredCurve, GoesThroughItsPointsAndStraightBetweenThem) {
  const MeasuredCurve curve({{100, 2}, {400, 2}, {1600, 8}, {1600, 8}});
  EXPECT_DOUBLE_EQ(curve.seconds(1), 2);
  EXPECT_DOUBLE_EQ(curve.seconds(200), 2);
  EXPECT_DOUBLE_EQ(curve.seconds(800), 4);
  EXPECT_DOUBLE_EQ(curve.seconds(1600), 8);
  EXPECT_DOUBLE_EQ(curve.seconds(3200), 16);
}

Observation observed(LinkUse use, double bytes, double latency_scale, double transfer_scale) {
  const ModelTime model{{NcclHop::net, use}, 20e-6, bytes / 1e9};
  return {model, 20e-6 * latency_scale + bytes / 1e9 * transfer_scale};
}

TEST(Calibration, FindsTheFactorsOfEachClass) {
  std::vector<Observation> all;
  for (double bytes = 1e3; bytes < 1e9; bytes *= 3) {
    all.push_back(observed(LinkUse::rings, bytes, 2, 1.25));
    all.push_back(observed(LinkUse::messages, bytes, 1, 3));
  }
  const NcclCalibration found = calibrate(all);
  ASSERT_EQ(found.size(), 2U);
  const LinkScale rings = found.at({NcclHop::net, LinkUse::rings});
  EXPECT_NEAR(rings.latency, 2, 1e-6);
  EXPECT_NEAR(rings.transfer, 1.25, 1e-6);
  EXPECT_NEAR(found.at({NcclHop::net, LinkUse::messages}).transfer, 3, 1e-6);
  EXPECT_NEAR(all[0].model.seconds(found), all[0].measured_s, 1e-12);
}

TEST(Calibration, IsNotMovedByOnePointThatIsFarOff) {
  std::vector<Observation> all;
  for (double bytes = 1e3; bytes < 1e9; bytes *= 2)
    all.push_back(observed(LinkUse::rings, bytes, 2, 1.25));
  all[5].measured_s *= 10;
  const LinkScale rings = calibrate(all).at({NcclHop::net, LinkUse::rings});
  EXPECT_NEAR(rings.latency, 2, 0.05);
  EXPECT_NEAR(rings.transfer, 1.25, 0.05);
}

TEST(Calibration, OfOneSizeScalesLatencyAndTransferAlike) {
  const LinkScale one = calibrate(std::vector{observed(LinkUse::rings, 1e6, 2, 2)})
                            .at({NcclHop::net, LinkUse::rings});
  EXPECT_DOUBLE_EQ(one.latency, 2);
  EXPECT_DOUBLE_EQ(one.transfer, 2);
}

TEST(Calibration, LeavesClassesAloneThatWereNotMeasured) {
  const ModelTime model{{NcclHop::nvlink, LinkUse::rings}, 1, 2};
  EXPECT_EQ(model.seconds(NcclCalibration{}), 3);
}

}  // namespace
}  // namespace ithaca
