// Kernels by sim/kernels beside what others measured: every row predicted, errors printed by GPU and kernel.  A curve of
// attention comes from its points at 1K and at its longest; only the others judge it.
#include "reports/published_rows.h"
#include "sim/kernels/kernel_model.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>

namespace ithaca {
namespace {

std::vector<YAML::Node> rows_of(const std::string& file) {
  const YAML::Node root = YAML::LoadFile(published_folder() + "/kernels/" + file + ".yaml");
  return {root["rows"].begin(), root["rows"].end()};
}

template <class T>
T get(const YAML::Node& row, const char* key) {
  return row[key].as<T>();
}

double quantile(std::vector<double> all, double q) {
  if (all.empty()) return 0;
  std::ranges::sort(all);
  return all[static_cast<std::size_t>(q * static_cast<double>(all.size() - 1) + 0.5)];
}

/// Relative errors by group, predicted over measured less one.
class Errors {
 public:
  void add(const std::string& group, double predicted, double measured) {
    errors_[group].push_back(predicted / measured - 1);
  }
  double absolute(const std::string& group, double q) const {
    std::vector<double> all;
    for (const double e : errors_.at(group)) all.push_back(std::abs(e));
    return quantile(all, q);
  }
  void print(std::string_view title) const {
    fmt::print("{}\n  {:<48} {:>5} {:>8} {:>8} {:>8}\n", title, "", "rows", "median", "p90",
               "bias");
    for (const auto& [group, errors] : errors_)
      fmt::print("  {:<48} {:>5} {:>6.1f} % {:>6.1f} % {:>+6.1f} %\n", group, errors.size(),
                 100 * absolute(group, 0.5), 100 * absolute(group, 0.9),
                 100 * quantile(errors, 0.5));
  }
  const std::map<std::string, std::vector<double>>& groups() const { return errors_; }

 private:
  std::map<std::string, std::vector<double>> errors_;
};

AttentionCode code_of(const std::string& name) {
  for (std::size_t i = 0; i < attention_codes; ++i)
    if (name == name_of(static_cast<AttentionCode>(i))) return static_cast<AttentionCode>(i);
  ADD_FAILURE() << name;
  return AttentionCode::tiled;
}

struct Attention {
  AttentionCode kernel;
  bool causal;
  std::int64_t L, heads, head_dim;
};

double seconds(const KernelModel& model, const Attention& a, bool backward) {
  const std::int64_t pairs = a.causal ? a.L * (a.L + 1) / 2 : a.L * a.L;
  return model.attention({a.kernel, backward, a.heads, a.L, a.L, a.head_dim, pairs}).seconds();
}

/// As benchmarks count: half the square under a causal mask.
double flops(const Attention& a, bool backward) {
  const auto L = static_cast<double>(a.L);
  return (backward ? 10.0 : 4.0) * static_cast<double>(a.heads * a.head_dim) * L * L /
         (a.causal ? 2 : 1);
}

double tflops(const KernelModel& model, const Attention& a, const std::string& pass) {
  const bool forward = pass != "backward", backward = pass != "forward";
  const double s =
      (forward ? seconds(model, a, false) : 0) + (backward ? seconds(model, a, true) : 0);
  return ((forward ? flops(a, false) : 0) + (backward ? flops(a, true) : 0)) / s / 1e12;
}

Attention attention_of(const YAML::Node& row) {
  return {code_of(get<std::string>(row, "kernel")), get<bool>(row, "causal"),
          get<std::int64_t>(row, "seq_len"),
          get<std::int64_t>(row, "heads") * get<std::int64_t>(row, "batch"),
          get<std::int64_t>(row, "head_dim")};
}

TEST(PublishedKernels, AttentionIsWithinSixPercentWhereItWasNotUsed) {
  Errors all, judged;
  std::map<std::string, KernelModel> models;
  for (const YAML::Node& row : rows_of("flash_attention_figures")) {
    const std::string gpu = get<std::string>(row, "gpu"), pass = get<std::string>(row, "pass");
    const auto [model, fresh] = models.try_emplace(gpu, load_gpu(gpu), Clock::boost);
    const Attention a = attention_of(row);
    const double predicted = tflops(model->second, a, pass), measured = get<double>(row, "tflops");
    const std::string group =
        fmt::format("{} {} {} {}", gpu, name_of(a.kernel), pass, a.causal ? "causal" : "full");
    all.add(group, predicted, measured);
    const std::int64_t last = a.kernel == AttentionCode::unfused ? 8192 : 16384;
    if (a.L != 1024 && a.L != last) judged.add(group, predicted, measured);
  }
  all.print("attention, every bar of the figures");
  judged.print("attention, bars between and beside those that were used");
  for (const auto& [group, errors] : judged.groups()) {
    EXPECT_LE(judged.absolute(group, 0.5), 0.06) << group;
    EXPECT_LE(judged.absolute(group, 0.9), 0.18) << group;
  }
}

/// Attention of 64 heads, 8 of them of keys and values.  Used of it: see the families' sources.  cuDNN on Hopper has grown
/// faster since the figures its curves come from, and flash4 is priced as flash3 there.
TEST(PublishedKernels, AttentionOfOtherBenchmarksIsWithinSixteenPercent) {
  const std::map<std::string, std::string> presets{
      {"A100 80GB PCIe", "A100-PCIE-80GB"}, {"H200", "H200-SXM5-141GB"}, {"GB200", "GB200-186GB"}};
  Errors boost, sustained;
  for (const YAML::Node& row : rows_of("cudnn_frontend_attention")) {
    const std::string pass = get<std::string>(row, "pass");
    const Attention a = attention_of(row);
    const Gpu gpu = load_gpu(presets.at(get<std::string>(row, "gpu")));
    const std::string group =
        fmt::format("{} {} {}", get<std::string>(row, "gpu"), name_of(a.kernel), pass);
    const double measured = get<double>(row, "tflops");
    boost.add(group, tflops(KernelModel(gpu, Clock::boost), a, pass), measured);
    sustained.add(group, tflops(KernelModel(gpu), a, pass), measured);
  }
  boost.print("cudnn-frontend's attention, at the boost clock");
  sustained.print("the same at the sustained clock");
  for (const auto& [group, errors] : boost.groups())
    EXPECT_LE(boost.absolute(group, 0.5), 0.16) << group;
}

double tflops(const KernelModel& model, const Product& p) {
  return 2 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k) /
         model.product(p).seconds() / 1e12;
}

Product product_of(const YAML::Node& row) {
  Product p{get<std::int64_t>(row, "m"), get<std::int64_t>(row, "n"), get<std::int64_t>(row, "k")};
  p.moved_bytes = 2 * (p.m * p.k + p.k * p.n + p.m * p.n);
  if (row["out"] && get<std::string>(row, "out") == "fp32") p.moved_bytes += 2 * p.m * p.n;
  if (row["accumulate"] && get<bool>(row, "accumulate"))
    p.moved_bytes += (get<std::string>(row, "out") == "fp32" ? 4 : 2) * p.m * p.n;
  return p;
}

// The rates of the A100, H100 and B200 come from rows of this table; the GH200 (an H100 with 900 W),
// GB200 and B300 judge them.
TEST(PublishedKernels, BestProductsAreWithinFourteenPercent) {
  const std::map<std::string, std::string> presets{
      {"A100 SXM", "A100-SXM4-80GB"},  {"A100 PCIe", "A100-PCIE-80GB"},
      {"H100 SXM", "H100-SXM5-80GB"},  {"GH200 SXM", "H100-SXM5-80GB"},
      {"B200 SXM", "B200-SXM6-180GB"}, {"B300 SXM", "B300-SXM6-270GB"},
      {"GB200 SXM", "GB200-186GB"}};
  std::size_t predicted = 0;
  for (const YAML::Node& row : rows_of("mamf_matmul")) {
    const std::string gpu = get<std::string>(row, "gpu"), dtype = get<std::string>(row, "dtype");
    if (!presets.contains(gpu) || dtype != "bf16") {
      fmt::print("  {:<12} {:<10} not modelled: {}\n", gpu, dtype,
                 dtype != "bf16" ? "no rates below bf16"
                 : row["m"]      ? "no kernels of this GPU"
                                 : "no shape is given");
      continue;
    }
    const double p = tflops(KernelModel(load_gpu(presets.at(gpu)), Clock::boost), product_of(row));
    const double measured = get<double>(row, "tflops");
    fmt::print("  {:<12} {:<10} {:>7.1f} {:>7.1f} {:+6.1f} %\n", gpu, dtype, measured, p,
               100 * (p / measured - 1));
    EXPECT_NEAR(p / measured, 1, gpu == "GH200 SXM" ? 0.14 : 0.09) << gpu;
    ++predicted;
  }
  EXPECT_EQ(predicted, presets.size());
}

/// Small products end before the power limit is felt: they run between the two clocks.
TEST(PublishedKernels, ProductsOnTheB200AreWithinFourPercentOnceTheyAreLong) {
  const Gpu gpu = load_gpu("B200-SXM6-180GB");
  const KernelModel boost(gpu, Clock::boost), sustained(gpu);
  Errors errors;
  std::size_t between = 0, all = 0;
  for (const YAML::Node& row : rows_of("simumax_b200_matmul")) {
    const Product p = product_of(row);
    const double measured = get<double>(row, "tflops"), held = tflops(sustained, p);
    const double operations =
        2 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
    const bool thin = std::min({p.m, p.n, p.k}) < 1024;
    const std::string size = operations >= 1e12   ? "1e12 operations and more"
                             : operations >= 2e11 ? "2e11 to 1e12"
                                                  : "below 2e11";
    errors.add(size + (thin ? ", a side below 1024" : ""), held, measured);
    ++all;
    between += measured >= 0.9 * held && measured <= 1.1 * tflops(boost, p) ? 1U : 0U;
  }
  errors.print("matrix products on a B200, at the sustained clock");
  fmt::print("  between the clocks, to 10 %: {} of {}\n", between, all);
  EXPECT_LE(errors.absolute("1e12 operations and more", 0.5), 0.04);
  EXPECT_LE(errors.absolute("1e12 operations and more", 0.9), 0.12);
  EXPECT_GE(static_cast<double>(between), 0.85 * static_cast<double>(all));
}

TEST(PublishedKernels, ProductsNotUsedLieBetweenTheClocks) {
  Errors errors;
  const Gpu b200 = load_gpu("B200-SXM6-180GB");
  for (const YAML::Node& row : rows_of("ao_b200_matmul")) {
    const Product p = product_of(row);
    const double boost = tflops(KernelModel(b200, Clock::boost), p);
    errors.add("B200 squares, boost", boost, get<double>(row, "tflops"));
    if (p.m < 2048) continue;
    EXPECT_LE(get<double>(row, "tflops"), 1.1 * boost);
    EXPECT_GE(get<double>(row, "tflops"), 0.9 * tflops(KernelModel(b200), p));
  }
  const KernelModel h100(load_gpu("H100-SXM5-80GB"));
  for (const YAML::Node& row : rows_of("h100_matmul")) {
    const Product p = product_of(row);
    errors.add("H100 projections, sustained", h100.product(p).seconds(),
               get<double>(row, "ms") * 1e-3);
  }
  errors.print("matrix products of other benchmarks");
  for (const auto& [group, all] : errors.groups())
    EXPECT_LE(errors.absolute(group, 0.5), 0.20) << group;
}

TEST(PublishedKernels, AttentionOnTheB200FollowsTheNumberOfHeads) {
  const Gpu gpu = load_gpu("B200-SXM6-180GB");
  const KernelModel boost(gpu, Clock::boost), sustained(gpu);
  Errors errors;
  for (const YAML::Node& row : rows_of("simumax_b200_attention")) {
    if (get<std::int64_t>(row, "head_dim") != get<std::int64_t>(row, "v_head_dim")) continue;
    const Attention a{AttentionCode::cudnn, true, get<std::int64_t>(row, "seq_len"),
                      get<std::int64_t>(row, "heads"), get<std::int64_t>(row, "head_dim")};
    const std::string pass = get<std::string>(row, "pass");
    const bool is_short = a.L <= 4096;
    errors.add(pass + (is_short ? fmt::format(" 4K, {} heads", a.heads) : " 32K and 128K"),
               tflops(is_short ? boost : sustained, a, pass),
               get<double>(row, "tflops_full_square") / 2);
  }
  errors.print("attention on a B200, at the boost clock at 4K, beyond at the sustained one");
  for (const auto& [group, all] : errors.groups())
    EXPECT_LE(errors.absolute(group, 0.5), 0.25) << group;
}

TEST(PublishedKernels, AttentionInAStepIsThatAtTheSustainedClock) {
  const auto of = [](const char* gpu, AttentionCode kernel) {
    return tflops(KernelModel(load_gpu(gpu)), {kernel, true, 8192, 32, 128}, "both");
  };
  const double h200 = of("H200-SXM5-141GB", AttentionCode::flash3);
  const double b200 = of("B200-SXM6-180GB", AttentionCode::flash4);
  fmt::print("  H200 flash3 447 {:.0f}, B200 flash4 834 {:.0f}\n", h200, b200);
  EXPECT_NEAR(h200, 447, 447 * 0.05);
  EXPECT_NEAR(b200, 834, 834 * 0.08);  // a beta of the kernel; the model has cuDNN's
}

}  // namespace
}  // namespace ithaca
