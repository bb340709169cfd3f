#include "sim/kernels/measured.h"

#include "models/error.h"
#include "sim/count.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ithaca {
namespace {

/// bf16 is not measured on a CPU.
DType measured_dtype(DType dtype) {
  return dtype == DType::f64 || dtype == DType::i64 ? DType::f64 : DType::f32;
}

DType dtype_of(const Program& p, const Step& step) {
  for (const ValueId v : step.out)
    if (p.type(v).dtype != DType::i64) return measured_dtype(p.type(v).dtype);
  return DType::f32;
}

template <class Table>
const Table* of_dtype(const std::vector<Table>& tables, DType dtype) {
  const auto it = std::ranges::find(tables, dtype, &Table::dtype);
  return it != tables.end() ? &*it : tables.empty() ? nullptr : &tables.front();
}

/// Where x lies among rising sizes: the one below, and how far on to the next; at the ends none.
struct Along {
  std::size_t below;
  double along;
};
Along place_of(const std::vector<std::int64_t>& sizes, std::int64_t x) {
  const auto above = std::ranges::upper_bound(sizes, x);
  if (above == sizes.begin()) return {0, 0};
  const auto below = static_cast<std::size_t>(above - sizes.begin()) - 1;
  if (above == sizes.end()) return {below, 0};
  const auto from = static_cast<double>(sizes[below]);
  return {below, std::log(static_cast<double>(x) / from) /
                     std::log(static_cast<double>(sizes[below + 1]) / from)};
}

double rate_of(const MeasuredProducts& t, const std::array<std::int64_t, 3>& mnk) {
  const std::size_t n = t.sizes.size();
  std::array<Along, 3> at{};
  std::ranges::transform(mnk, at.begin(), [&](std::int64_t x) { return place_of(t.sizes, x); });
  double log_rate = 0;
  for (unsigned corner = 0; corner < 8; ++corner) {
    double weight = 1;
    std::size_t index = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const bool up = (corner >> i & 1) != 0;
      weight *= up ? at[i].along : 1 - at[i].along;
      index = index * n + std::min(at[i].below + (up ? 1 : 0), n - 1);
    }
    if (weight > 0) log_rate += weight * std::log(t.flops_per_s[index]);
  }
  return std::exp(log_rate);
}

double product_s(const MeasuredKernels& m, const Program& p, const Step& step) {
  const Type &a = p.type(step.in[0]), &b = p.type(step.in[1]), &y = p.type(step.out[0]);
  std::int64_t k = 1;
  for (const Dim& dim : a.dims)
    if (b.find(dim.name) != nullptr && y.find(dim.name) == nullptr) k *= local_size(dim, p.mesh());
  const std::int64_t rows = whole_elements(a, p.mesh()) / k,
                     columns = whole_elements(b, p.mesh()) / k;
  const MeasuredProducts* const table = of_dtype(m.products, measured_dtype(y.dtype));
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(k);
  return flops / rate_of(*table, {rows, columns, k});
}

/// Rate and overhead at that head_dim, between the two nearest that were measured.
MeasuredAttention between(const std::vector<MeasuredAttention>& curve, std::int64_t head_dim) {
  const auto above = std::ranges::lower_bound(curve, head_dim, {}, &MeasuredAttention::head_dim);
  if (above == curve.end()) return curve.back();
  if (above == curve.begin()) return *above;
  const MeasuredAttention& below = *std::prev(above);
  const double x = static_cast<double>(head_dim - below.head_dim) /
                   static_cast<double>(above->head_dim - below.head_dim);
  MeasuredAttention at = below;
  at.flops_per_s += x * (above->flops_per_s - below.flops_per_s);
  at.overhead_keys += x * (above->overhead_keys - below.overhead_keys);
  return at;
}

/// What attention of any one rank takes when it is alone.
class AttentionAlone {
 public:
  AttentionAlone(const MeasuredKernels& m, const Program& p, const Step& step)
      : p_(p), step_(step) {
    const Type &q = p.type(step.in[0]), &k = p.type(step.in[1]);
    backward_ = std::holds_alternative<AttendGrad>(step.op);
    queries_ = local_size(*q.find(DimName::L), p.mesh());
    keys_ = local_size(*k.find(DimName::L), p.mesh());
    head_dim_ = local_size(*q.find(DimName::e), p.mesh());
    heads_ = static_cast<double>(whole_elements(q, p.mesh()) / (queries_ * head_dim_));
    for (const bool causal : {false, true})
      for (const MeasuredAttention& c : m.attention)
        if (c.dtype == measured_dtype(q.dtype) && c.backward == backward_ && c.causal == causal)
          (causal ? causal_ : full_).push_back(c);
  }

  bool measured() const { return !full_.empty() || !causal_.empty(); }

  double seconds(int rank) const {
    const std::int64_t pairs = attention_pairs(p_, step_, rank);
    if (pairs == 0) return 0;
    const bool causal = pairs < queries_ * keys_;
    const auto& curve = (causal && !causal_.empty()) || full_.empty() ? causal_ : full_;
    const MeasuredAttention at = between(curve, head_dim_);
    const auto rows = static_cast<double>(backward_ ? keys_ : queries_);
    const double flops = (backward_ ? 10 : 4) * static_cast<double>(head_dim_) * heads_ *
                         (static_cast<double>(pairs) + at.overhead_keys * rows);
    return flops / at.flops_per_s;
  }

 private:
  const Program& p_;
  const Step& step_;
  bool backward_;
  std::int64_t queries_, keys_, head_dim_;
  double heads_;
  std::vector<MeasuredAttention> full_, causal_;
};

double attention_s(const MeasuredKernels& m, const Program& p, const Step& step, int rank) {
  const AttentionAlone alone(m, p, step);
  if (!alone.measured()) return 0;
  const int ranks = p.mesh().ranks();
  double all_s = 0;
  for (int other = 0; other < ranks; ++other) all_s += alone.seconds(other);
  return std::max(alone.seconds(rank) * m.slowdown(std::min(ranks, m.cores)).attention,
                  all_s / ranks * m.slowdown(ranks).attention);
}

double other_s(const MeasuredKernels& m, const Program& p, const Step& step, int rank) {
  const std::string name = measured_name(step.op);
  const DType dtype = dtype_of(p, step);
  const auto is = [&](const MeasuredOp& o, std::string_view op) {
    return o.op == op && o.dtype == dtype;
  };
  auto it = std::ranges::find_if(m.others, [&](const MeasuredOp& o) { return is(o, name); });
  if (it == m.others.end())
    it = std::ranges::find_if(m.others, [&](const MeasuredOp& o) { return is(o, "add"); });
  if (it == m.others.end()) return 0;
  const auto bytes = static_cast<double>(work_of(p, step, rank).moved_bytes);
  const auto above = std::ranges::lower_bound(it->points, bytes, {}, &MeasuredOp::Point::bytes);
  const MeasuredOp::Point& nearest = above == it->points.end() ? it->points.back() : *above;
  if (above == it->points.begin() || above == it->points.end())
    return nearest.seconds * bytes / nearest.bytes;
  const MeasuredOp::Point& below = *std::prev(above);
  const double along = std::log(bytes / below.bytes) / std::log(above->bytes / below.bytes);
  return below.seconds * std::pow(above->seconds / below.seconds, along);
}

}  // namespace

std::string measured_name(const Op& op) {
  std::string name = name_of(op);
  std::visit(match{[&](const Normalize& o) { name += std::string(" ") + name_of(o.kind); },
                   [&](const NormalizeGrad& o) { name += std::string(" ") + name_of(o.kind); },
                   [&](const Activate& o) { name += std::string(" ") + name_of(o.kind); },
                   [&](const ActivateGrad& o) { name += std::string(" ") + name_of(o.kind); },
                   [](const auto&) {}},
             op);
  return name;
}

Slowdown MeasuredKernels::slowdown(int ranks) const {
  const auto above = std::ranges::lower_bound(at_once, ranks, {}, &Slowdown::ranks);
  if (above != at_once.end() && above->ranks == ranks) return *above;
  const Slowdown first{}, &below = above == at_once.begin() ? first : *std::prev(above);
  const bool last = above == at_once.end();  // beyond: cores are shared by so many more
  const double wider = static_cast<double>(ranks) / below.ranks;
  const double along =
      last ? 0 : std::log(wider) / std::log(static_cast<double>(above->ranks) / below.ranks);
  const auto mixed = [&](double Slowdown::*part) {
    if (last) return below.*part * (ranks > cores ? wider : 1);
    return below.*part * std::pow((*above).*part / below.*part, along);
  };
  return {ranks, mixed(&Slowdown::products), mixed(&Slowdown::attention), mixed(&Slowdown::others)};
}

MeasuredTime MeasuredKernels::time(const Program& p, const Step& step, int rank) const {
  const Slowdown slow = slowdown(p.mesh().ranks());
  MeasuredTime t;
  t.launch_s = launch_s * slow.products;
  if (std::holds_alternative<Einsum>(step.op))
    t.compute_s = product_s(*this, p, step) * slow.products;
  else if (std::holds_alternative<Attend>(step.op) || std::holds_alternative<AttendGrad>(step.op))
    t.compute_s = attention_s(*this, p, step, rank);
  else
    t.memory_s = other_s(*this, p, step, rank) * slow.others;
  return t;
}

}  // namespace ithaca
