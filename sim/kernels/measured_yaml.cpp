// The other half of measured.h: reads what `ithaca calibrate` writes.
#include "models/yaml.h"
#include "sim/kernels/measured.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr std::int64_t most_ranks = 1 << 20, most_size = 1 << 20;

DType dtype_of(const Yaml& yaml) {
  return yaml.at("dtype").one_of({"f64", "f32"}) == "f64" ? DType::f64 : DType::f32;
}

/// 0 or more, without dimension.
double amount(const Yaml& yaml) {
  const double value = yaml.number();
  if (value < 0) yaml.fail(fmt::format("expected 0 or more, got {:g}", value));
  return value;
}

template <class Values>
void need_rising(const Yaml& yaml, const Values& values) {
  if (values.empty()) yaml.fail("expected at least one, got none");
  if (std::ranges::adjacent_find(values, std::greater_equal<>{}) != values.end())
    yaml.fail("expected rising numbers");
}

MeasuredProducts read_products(const Yaml& yaml) {
  yaml.allow({"dtype", "sizes", "gflop_per_s"});
  MeasuredProducts table{dtype_of(yaml), {}, {}};
  for (const Yaml& size : yaml.at("sizes").items())
    table.sizes.push_back(size.integer(1, most_size));
  need_rising(yaml.at("sizes"), table.sizes);
  for (const Yaml& rate : yaml.at("gflop_per_s").items())
    table.flops_per_s.push_back(rate.positive() * 1e9);
  const std::size_t n = table.sizes.size();
  if (table.flops_per_s.size() != n * n * n)
    yaml.at("gflop_per_s")
        .fail(fmt::format("expected {} rates, one for each m, n and k of {} sizes, got {}",
                          n * n * n, n, table.flops_per_s.size()));
  return table;
}

MeasuredAttention read_attention(const Yaml& yaml) {
  yaml.allow({"dtype", "head_dim", "pass", "mask", "rate", "overhead"});
  return {dtype_of(yaml),
          yaml.at("pass").one_of({"forward", "backward"}) == "backward",
          yaml.at("mask").one_of({"full", "causal"}) == "causal",
          yaml.at("head_dim").integer(1, most_size),
          yaml.at("rate").flops_per_s(),
          amount(yaml.at("overhead"))};
}

MeasuredOp read_op(const Yaml& yaml) {
  yaml.allow({"op", "dtype", "points"});
  MeasuredOp op{yaml.at("op").text(), dtype_of(yaml), {}};
  std::vector<double> bytes;
  for (const Yaml& point : yaml.at("points").items()) {
    const std::vector<Yaml> pair = point.items();
    if (pair.size() != 2) point.fail("expected bytes and a time, such as [4096 B, 1.5 us]");
    op.points.push_back({static_cast<double>(pair[0].bytes()), pair[1].seconds()});
    if (op.points.back().seconds <= 0) pair[1].fail("expected a time above 0, got 0");
    bytes.push_back(op.points.back().bytes);
  }
  need_rising(yaml.at("points"), bytes);
  return op;
}

Slowdown read_slowdown(const Yaml& yaml) {
  yaml.allow({"ranks", "products", "attention", "others"});
  return {static_cast<int>(yaml.at("ranks").integer(1, most_ranks)), yaml.at("products").positive(),
          yaml.at("attention").positive(), yaml.at("others").positive()};
}

template <class Read>
auto list_of(const Yaml& yaml, std::string_view key, const Read& read) {
  std::vector<decltype(read(yaml))> list;
  for (const Yaml& item : yaml.at(key).items()) list.push_back(read(item));
  return list;
}

}  // namespace

MeasuredKernels read_measured(const Yaml& yaml) {
  yaml.allow({"cores", "products", "attention", "others", "at_once"});
  MeasuredKernels m;
  m.cores = static_cast<int>(yaml.at("cores").integer(1, most_ranks));
  m.products = list_of(yaml, "products", read_products);
  if (m.products.empty()) yaml.at("products").fail("expected at least one table, got none");
  m.attention = list_of(yaml, "attention", read_attention);
  std::ranges::stable_sort(m.attention, {}, &MeasuredAttention::head_dim);
  m.others = list_of(yaml, "others", read_op);
  m.at_once = list_of(yaml, "at_once", read_slowdown);
  std::vector<int> ranks;
  for (const Slowdown& s : m.at_once) ranks.push_back(s.ranks);
  need_rising(yaml.at("at_once"), ranks);
  return m;
}

}  // namespace ithaca
