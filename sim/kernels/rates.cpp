#include "sim/kernels/rates.h"

#include "models/data_dir.h"
#include "models/nearest.h"
#include "models/yaml.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace ithaca {
namespace {

constexpr std::array code_names{"unfused", "flash1", "flash2", "flash3",
                                "flash4",  "cudnn",  "tiled"};

AttentionCode code_of(const Yaml& yaml, const std::string& word) {
  const auto it = std::ranges::find(code_names, std::string_view(word));
  if (it != code_names.end()) return static_cast<AttentionCode>(it - code_names.begin());
  yaml.fail(fmt::format("expected unfused, flash1, flash2, flash3, flash4, cudnn or tiled, got {}",
                        in_quotes(word)));
}

/// Sets `to` when the key is there.
void read_fraction(const Yaml& yaml, std::string_view key, double& to) {
  const std::optional<Yaml> value = yaml.find(key);
  if (!value) return;
  to = value->positive();
  if (to > 1) value->fail(fmt::format("expected at most 1, got {}", in_quotes(value->text())));
}

void read_amount(const Yaml& yaml, std::string_view key, double& to) {
  const std::optional<Yaml> value = yaml.find(key);
  if (!value) return;
  to = value->number();
  if (to < 0) value->fail(fmt::format("expected 0 or more, got {}", in_quotes(value->text())));
}

void read_count(const Yaml& yaml, std::string_view key, std::int64_t& to) {
  if (const auto value = yaml.find(key)) to = value->integer(1, 1 << 20);
}

double fraction_of(const Yaml& rate, double peak_flops_per_s) {
  const double fraction = rate.flops_per_s() / peak_flops_per_s;
  if (fraction > 1)
    rate.fail(fmt::format("expected at most the peak, got {}", in_quotes(rate.text())));
  return fraction;
}

void read_matmul(const Yaml& yaml, double peak_flops_per_s, MatmulRates& to) {
  yaml.allow({"rate", "rate_source", "tiles", "small_tile", "units", "ramp", "f32"});
  if (const auto rate = yaml.find("rate")) {
    to.fraction = fraction_of(*rate, peak_flops_per_s);
    yaml.at("rate_source").text();
  }
  if (const auto tiles = yaml.find("tiles")) {
    to.tiles.clear();
    for (const Yaml& tile : tiles->items()) {
      const std::vector<Yaml> sides = tile.items();
      if (sides.size() != 2) tile.fail("expected two sides, such as [128, 256]");
      to.tiles.push_back({sides[0].integer(1, 1 << 20), sides[1].integer(1, 1 << 20)});
    }
  }
  read_fraction(yaml, "small_tile", to.small_tile);
  read_fraction(yaml, "f32", to.f32);
  read_count(yaml, "units", to.units);
  read_amount(yaml, "ramp", to.ramp);
}

void read_memory(const Yaml& yaml, MemoryRates& to) {
  yaml.allow({"stream", "norm", "norm_grad", "activate_grad", "source"});
  yaml.at("source").text();
  read_fraction(yaml, "stream", to.stream);
  read_fraction(yaml, "norm", to.norm);
  read_fraction(yaml, "norm_grad", to.norm_grad);
  read_fraction(yaml, "activate_grad", to.activate_grad);
}

AttentionCurve read_curve(const Yaml& yaml, double peak_flops_per_s) {
  yaml.allow({"kernel", "head_dim", "pass", "mask", "rate", "overhead"});
  AttentionCurve curve{};
  curve.kernel = code_of(yaml.at("kernel"), yaml.at("kernel").text());
  curve.head_dim = yaml.at("head_dim").integer(1, 1 << 16);
  curve.backward = yaml.at("pass").one_of({"forward", "backward"}) == "backward";
  curve.causal = yaml.at("mask").one_of({"full", "causal"}) == "causal";
  curve.fraction = fraction_of(yaml.at("rate"), peak_flops_per_s);
  read_amount(yaml, "overhead", curve.overhead_keys);
  return curve;
}

void read_attention(const Yaml& yaml, double peak_flops_per_s, AttentionRates& to) {
  yaml.allow({"tile_forward", "tile_backward", "full_at", "tail_forward", "tail_backward",
              "stand_in", "at_boost", "source", "curves"});
  read_count(yaml, "tile_forward", to.tile_forward);
  read_count(yaml, "tile_backward", to.tile_backward);
  read_count(yaml, "full_at", to.full_at);
  read_amount(yaml, "tail_forward", to.tail_forward);
  read_amount(yaml, "tail_backward", to.tail_backward);
  if (const auto stand_in = yaml.find("stand_in"))
    for (const std::string& key : stand_in->keys())
      to.stand_in[static_cast<std::size_t>(code_of(*stand_in, key))] =
          code_of(stand_in->at(key), stand_in->at(key).text());
  if (const auto at_boost = yaml.find("at_boost"))
    for (const Yaml& kernel : at_boost->items())
      to.at_boost[static_cast<std::size_t>(code_of(kernel, kernel.text()))] = true;
  if (const auto curves = yaml.find("curves")) {
    to.curves.clear();
    for (const Yaml& curve : curves->items())
      to.curves.push_back(read_curve(curve, peak_flops_per_s));
  }
}

std::string path_of(const std::string& name_or_path) {
  if (!is_path(name_or_path))
    return (data_dir() / "cluster_specs/kernels" / (name_or_path + ".yaml")).string();
  return name_or_path;
}

KernelRates read_file_of(const std::string& path);

KernelRates read_rates(const Yaml& yaml) {
  yaml.allow({"name", "source", "family", "peak", "sms", "boost_mhz", "sustained", "matmul",
              "memory", "launch", "attention", "measured", "tables"});
  KernelRates rates;
  if (const auto family = yaml.find("family")) {
    const std::vector<std::string> known = data_names("cluster_specs/kernels/families");
    if (!std::ranges::binary_search(known, family->text()))
      refuse_name(family->text(), known, family->place(), family->key());
    rates = read_file_of(
        (data_dir() / "cluster_specs/kernels/families" / (family->text() + ".yaml")).string());
  }
  rates.name = yaml.at("name").text();
  rates.source = yaml.at("source").text();
  if (const auto peak = yaml.find("peak")) rates.peak_flops_per_s = peak->flops_per_s();
  if (rates.peak_flops_per_s == 0) yaml.at("peak").flops_per_s();
  read_count(yaml, "sms", rates.sms);
  if (const auto clock = yaml.find("boost_mhz")) rates.boost_hz = clock->positive() * 1e6;
  if (const auto sustained = yaml.find("sustained")) {
    sustained->allow({"matmul", "attention"});
    read_fraction(*sustained, "matmul", rates.matmul_sustained);
    read_fraction(*sustained, "attention", rates.attention_sustained);
  }
  if (const auto matmul = yaml.find("matmul"))
    read_matmul(*matmul, rates.peak_flops_per_s, rates.matmul);
  if (const auto memory = yaml.find("memory")) read_memory(*memory, rates.memory);
  if (const auto launch = yaml.find("launch")) rates.launch_s = launch->seconds();
  if (const auto attention = yaml.find("attention"))
    read_attention(*attention, rates.peak_flops_per_s, rates.attention);
  if (const auto tables = yaml.find("tables")) {
    rates.measured = read_measured(*tables);
    rates.measured.launch_s = rates.launch_s;
  }
  return rates;
}

KernelRates read_file_of(const std::string& path) {
  return read_rates(Yaml::file(path));
}

}  // namespace

const char* name_of(AttentionCode code) {
  return code_names[static_cast<std::size_t>(code)];
}

std::vector<std::string> kernel_names() {
  return data_names("cluster_specs/kernels");
}

KernelRates read_kernels(const Yaml& yaml) {
  return read_rates(yaml);
}

KernelRates load_kernels(const std::string& name_or_path) {
  const std::vector<std::string> known = kernel_names();
  if (!is_path(name_or_path) && !std::ranges::binary_search(known, name_or_path))
    refuse_name(name_or_path, known, {}, "kernels");
  const Yaml yaml = Yaml::file(path_of(name_or_path));
  KernelRates rates = read_rates(yaml);
  if (rates.sms == 0) yaml.at("sms").integer(1, 1 << 20);  // names the key that is missing
  return rates;
}

}  // namespace ithaca
