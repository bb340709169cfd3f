#include "reports/kernel_accuracy.h"

#include "models/yaml.h"
#include "reports/published_setups.h"
#include "reports/yaml_files.h"
#include "sim/kernels/kernel_model.h"

#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <map>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

/// The first whose texts the name begins with and has.
struct Preset {
  std::string_view begin, has, gpu;
};
constexpr std::array presets{
    Preset{"A100", "PCI", "A100-PCIE-80GB"}, Preset{"A100", "", "A100-SXM4-80GB"},
    Preset{"H100", "PCI", "H100-PCIE-80GB"}, Preset{"H100", "", "H100-SXM5-80GB"},
    Preset{"GH200", "", "H100-SXM5-80GB"},  // the same chip at 900 W
    Preset{"H200", "", "H200-SXM5-141GB"},   Preset{"B200", "", "B200-SXM6-180GB"},
    Preset{"B300", "", "B300-SXM6-270GB"},   Preset{"GB200", "", "GB200-186GB"},
    Preset{"GB300", "", "GB300-279GB"},      Preset{"A800", "", "A800-SXM4-80GB"},
    Preset{"H800", "", "H800-SXM5-80GB"},    Preset{"H20", "", "H20-SXM5-96GB"}};

std::string preset_of(const std::string& gpu) {
  for (const Preset& p : presets)
    if (gpu.starts_with(p.begin) && says(gpu, p.has)) return std::string(p.gpu);
  throw CannotModel{fmt::format("no GPU preset for {}", gpu)};
}

AttentionCode code_of(const std::string& name) {
  constexpr std::array others{std::pair{"FlashAttention-1", AttentionCode::flash1},
                              std::pair{"FlashAttention-2", AttentionCode::flash2},
                              std::pair{"FlashAttention-3", AttentionCode::flash3},
                              std::pair{"cuDNN fused", AttentionCode::cudnn},
                              std::pair{"PyTorch unfused", AttentionCode::unfused}};
  for (const auto& [other, code] : others)
    if (name == other) return code;
  for (std::size_t i = 0; i < attention_codes; ++i)
    if (name == name_of(static_cast<AttentionCode>(i))) return static_cast<AttentionCode>(i);
  throw CannotModel{fmt::format("no model of attention by {}", name)};
}

/// Products as long as this feel the power limit (tests/published/kernels_test.cpp).
constexpr double long_flops = 1e12;

/// A row, and the head of its file for what it leaves out.
class KernelRow {
 public:
  KernelRow(const Yaml& row, const Yaml& head) : row_(row), head_(head) {}

  KernelPrediction predict() const {
    if (find("op") && text("op") != "matmul")
      throw CannotModel{fmt::format("no model of {} as it is stated", text("op"))};
    if (const std::string dtype = find("dtype") ? text("dtype") : "bf16";
        !dtype.starts_with("bf16") && !dtype.starts_with("fp16"))
      throw CannotModel{fmt::format("no rates of {}", dtype)};
    if (find("m", "M") && find("n", "N") && find("k", "K")) return product();
    if (find("seq_len") && find("heads") && find("head_dim")) return attention();
    throw CannotModel{"neither a matrix product nor attention with its shape"};
  }

 private:
  std::optional<Yaml> find(std::string_view key, std::string_view other = "") const {
    for (const Yaml* const map : {&row_, &head_})
      for (const std::string_view name : {key, other})
        if (const auto found = map->find(name); found && !found->is_blank()) return found;
    return std::nullopt;
  }
  std::string text(std::string_view key, std::string_view other = "") const {
    if (const auto found = find(key, other)) return found->text();
    throw CannotModel{fmt::format("{} is not stated", key)};
  }
  std::int64_t count(std::string_view key, std::string_view other = "") const {
    return find(key, other)->integer(1, std::int64_t{1} << 40);
  }
  KernelModel model(std::string& gpu, Clock clock) const {
    gpu = preset_of(text("gpu"));
    return KernelModel(load_gpu(gpu), clock);
  }
  double measured(double flops, bool causal = false) const {
    if (const auto ms = find("ms")) return ms->positive() * 1e-3;
    if (const auto rate = find("tflops", "mamf_tflops")) return flops / (rate->positive() * 1e12);
    if (const auto rate = find("tflops_full_square"))
      return flops / (rate->positive() * 1e12 / (causal ? 2 : 1));
    throw CannotModel{"neither a time nor a rate is stated"};
  }

  KernelPrediction product() const {
    Product p{count("m", "M"), count("n", "N"), count("k", "K")};
    const bool f32 = (find("out") && text("out") == "fp32") ||
                     (find("out_dtype") && text("out_dtype") == "fp32");
    const bool adds = find("accumulate") && says(text("accumulate"), "rue");  // true, 'True'
    const std::int64_t out_bytes = (f32 ? 4 : 2) * (adds ? 2 : 1);
    p.moved_bytes = 2 * (p.m * p.k + p.k * p.n) + out_bytes * p.m * p.n;
    const double flops =
        2 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
    KernelPrediction found;
    found.what = "product";
    found.measured_s = measured(flops);
    const Clock clock = flops < long_flops ? Clock::boost : Clock::sustained;
    found.predicted_s = model(found.gpu, clock).product(p).seconds();
    return found;
  }

  KernelPrediction attention() const {
    const std::int64_t L = count("seq_len"), e = count("head_dim");
    if (find("v_head_dim") && count("v_head_dim") != e)
      throw CannotModel{"values of another head size than keys"};
    const std::int64_t heads = count("heads") * (find("batch") ? count("batch") : 1);
    const bool causal = find("causal") && find("causal")->boolean();
    const std::string pass = text("pass", "mode");
    const bool forward = says(pass, "f") || pass == "both", backward = says(pass, "b");
    const double square = static_cast<double>(heads * e) * static_cast<double>(L) *
                          static_cast<double>(L) / (causal ? 2 : 1);
    KernelPrediction found;
    found.what = "attention " + std::string(forward && backward ? "both"
                                            : forward           ? "forward"
                                                                : "backward");
    found.measured_s = measured(((forward ? 4 : 0) + (backward ? 10 : 0)) * square, causal);
    const KernelModel kernels = model(found.gpu, Clock::boost);
    const AttentionCode code = code_of(text("kernel"));
    const std::int64_t pairs = causal ? L * (L + 1) / 2 : L * L;
    for (const bool back : {false, true})
      if (back ? backward : forward)
        found.predicted_s += kernels.attention({code, back, heads, L, L, e, pairs}).seconds();
    return found;
  }

  const Yaml &row_, &head_;
};

void add_file(const fs::path& path, KernelAccuracy& all) {
  const Yaml root = Yaml::file(path.string());
  root.allow({"source", "header", "rows"});
  const Yaml head = root.find("source") ? root.at("source") : root.at("header");
  const std::string source = path.stem().string();
  std::size_t number = 0;
  for (const Yaml& row : root.at("rows").items()) {
    const std::string id = fmt::format("{} row {}", source, ++number);
    try {
      KernelPrediction found = KernelRow(row, head).predict();
      found.id = id;
      found.source = source;
      all.predictions.push_back(std::move(found));
    } catch (const CannotModel& reason) {
      all.unmodelled.push_back({id, source, reason.reason});
    }
  }
}

}  // namespace

KernelAccuracy kernel_accuracy(const std::string& folder) {
  KernelAccuracy all;
  for (const fs::path& path : yaml_files(folder)) add_file(path, all);
  return all;
}

ErrorStatistics kernel_statistics(const KernelAccuracy& accuracy, std::string_view source) {
  std::vector<double> errors;
  for (const KernelPrediction& p : accuracy.predictions)
    if (source.empty() || p.source == source) errors.push_back(p.error());
  return statistics(std::move(errors));
}

}  // namespace ithaca
