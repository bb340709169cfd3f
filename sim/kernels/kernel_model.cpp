#include "sim/kernels/kernel_model.h"

#include "models/divide_up.h"
#include "sim/count.h"

#include <algorithm>
#include <limits>

namespace ithaca {
namespace {

AttentionCode code_of(AttentionKernel kernel) {
  switch (kernel) {
    case AttentionKernel::tiled:
      return AttentionCode::tiled;
    case AttentionKernel::flash1:
      return AttentionCode::flash1;
    case AttentionKernel::flash2:
      return AttentionCode::flash2;
    case AttentionKernel::flash3:
      return AttentionCode::flash3;
    case AttentionKernel::cudnn:
      return AttentionCode::cudnn;
    case AttentionKernel::unfused:
      return AttentionCode::unfused;
  }
  return AttentionCode::tiled;
}

std::size_t index_of(bool backward, bool causal) {
  return (backward ? 2U : 0U) + (causal ? 1U : 0U);
}

/// An einsum as a product; Builder admits only such.
Product product_of(const Program& p, const Step& step, const Work& work) {
  const Type &a = p.type(step.in[0]), &b = p.type(step.in[1]), &y = p.type(step.out[0]);
  std::int64_t k = 1;
  for (const Dim& dim : a.dims)
    if (b.find(dim.name) != nullptr && y.find(dim.name) == nullptr) k *= local_size(dim, p.mesh());
  return {whole_elements(a, p.mesh()) / k, whole_elements(b, p.mesh()) / k, k,
          a.dtype != DType::bf16, work.moved_bytes};
}

template <class A>
AttentionWork attention_of(const Program& p, const Step& step, const A& op, const Work& work) {
  const Type &q = p.type(step.in[0]), &k = p.type(step.in[1]);
  constexpr bool backward = std::is_same_v<A, AttendGrad>;
  const std::int64_t L = local_size(*q.find(DimName::L), p.mesh());
  const std::int64_t e = local_size(*q.find(DimName::e), p.mesh());
  const std::int64_t heads = whole_elements(q, p.mesh()) / (L * e);
  return {code_of(op.kernel),
          backward,
          heads,
          L,
          local_size(*k.find(DimName::L), p.mesh()),
          e,
          work.attention_flops / ((backward ? 10 : 4) * e * heads),
          work.moved_bytes};
}

/// Bytes that writing an element of the result moves, over those of bf16: reading counts where it is added to.  Products
/// of f32 are too slow for it to matter.
double result_width(const Product& p) {
  if (p.f32) return 1;
  const std::int64_t bf16 = bytes_of(DType::bf16), operands = bf16 * (p.m + p.n) * p.k;
  return std::max(
      1.0, static_cast<double>(p.moved_bytes - operands) / static_cast<double>(bf16 * p.m * p.n));
}

}  // namespace

const char* name_of(KernelBound bound) {
  constexpr std::array names{"compute", "memory", "launch"};
  return names[static_cast<std::size_t>(bound)];
}

KernelBound KernelTime::bound() const {
  if (launch_s > std::max(compute_s, memory_s)) return KernelBound::launch;
  return compute_s > memory_s ? KernelBound::compute : KernelBound::memory;
}

KernelModel::KernelModel(const Gpu& gpu, Clock clock)
    : rates_(gpu.kernels), bandwidth_bytes_per_s_(gpu.memory_bandwidth_bytes_per_s) {
  const bool held = clock == Clock::sustained;
  const double best = rates_.sms == 0 ? gpu.matmul_flops_per_s.value_or(gpu.bf16_flops_per_s)
                                      : gpu.bf16_flops_per_s * rates_.matmul.fraction;
  matmul_flops_per_s_ = best * (held ? rates_.matmul_sustained : 1);
  attention_flops_per_s_ = best * (held ? rates_.attention_sustained : 1);
  for (const AttentionCurve& c : rates_.attention.curves) {
    const auto kernel = static_cast<std::size_t>(c.kernel);
    const bool slower = held && !rates_.attention.at_boost[kernel];
    curves_[kernel][index_of(c.backward, c.causal)].push_back(
        {c.head_dim, gpu.bf16_flops_per_s * c.fraction * (slower ? rates_.attention_sustained : 1),
         c.overhead_keys});
  }
  for (auto& of_kernel : curves_)
    for (Curve& curve : of_kernel) std::ranges::sort(curve, {}, &Point::head_dim);
}

const KernelModel::Curve& KernelModel::curve_of(AttentionCode kernel, bool backward,
                                                bool causal) const {
  const auto find = [&](AttentionCode code) -> const Curve& {
    const auto& of_code = curves_[static_cast<std::size_t>(code)];
    const Curve& same = of_code[index_of(backward, causal)];
    return same.empty() ? of_code[index_of(backward, !causal)] : same;
  };
  const Curve& own = find(kernel);
  return own.empty() ? find(rates_.attention.stand_in[static_cast<std::size_t>(kernel)]) : own;
}

double KernelModel::matmul_s(const Product& p) const {
  const MatmulRates& r = rates_.matmul;
  const double rate = matmul_flops_per_s_ * (p.f32 ? r.f32 : 1);
  if (r.tiles.empty())
    return 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k) /
           rate;
  const std::int64_t units = std::max<std::int64_t>(1, rates_.sms / r.units);
  const double ramp = r.ramp * result_width(p);
  double best_s = std::numeric_limits<double>::infinity();
  for (const MatmulRates::Tile& tile : r.tiles) {
    const std::int64_t waves = divide_up(divide_up(p.m, tile.m) * divide_up(p.n, tile.n), units);
    const double flops = 2.0 * static_cast<double>(waves * units) *
                         static_cast<double>(tile.m * tile.n) * (static_cast<double>(p.k) + ramp);
    const double share = tile.m * tile.n < 256 * 128 ? r.small_tile : 1;
    best_s = std::min(best_s, flops / (rate * share));
  }
  return best_s;
}

KernelTime KernelModel::product(const Product& p) const {
  return {matmul_s(p),
          static_cast<double>(p.moved_bytes) / (bandwidth_bytes_per_s_ * rates_.memory.stream),
          rates_.launch_s};
}

KernelModel::Point KernelModel::point_of(const Curve& curve, std::int64_t head_dim) {
  const auto above = std::ranges::lower_bound(curve, head_dim, {}, &Point::head_dim);
  if (above == curve.end()) return curve.back();
  if (above == curve.begin()) return *above;
  const Point& below = *std::prev(above);
  const double x = static_cast<double>(head_dim - below.head_dim) /
                   static_cast<double>(above->head_dim - below.head_dim);
  return {head_dim, below.flops_per_s + x * (above->flops_per_s - below.flops_per_s),
          below.overhead_keys + x * (above->overhead_keys - below.overhead_keys)};
}

KernelTime KernelModel::attention(const AttentionWork& w) const {
  KernelTime t{0,
               static_cast<double>(w.moved_bytes) / (bandwidth_bytes_per_s_ * rates_.memory.stream),
               rates_.launch_s};
  const auto pairs = static_cast<double>(w.pairs), heads = static_cast<double>(w.heads);
  const double flops = (w.backward ? 10 : 4) * static_cast<double>(w.head_dim) * pairs * heads;
  const bool causal = w.pairs < w.queries * w.keys;
  const Curve& curve = curve_of(w.kernel, w.backward, causal);
  if (w.pairs == 0) return t;
  if (curve.empty()) {
    t.compute_s = flops / attention_flops_per_s_;
    return t;
  }
  const Point at = point_of(curve, w.head_dim);
  const std::int64_t rows = w.backward ? w.keys : w.queries;
  t.compute_s = flops * (1 + at.overhead_keys * static_cast<double>(rows) / pairs) /
                at.flops_per_s * tail_of(w, causal);
  return t;
}

double KernelModel::tail_of(const AttentionWork& w, bool causal) const {
  const AttentionRates& r = rates_.attention;
  const std::int64_t blocks = w.heads * (w.backward ? divide_up(w.keys, r.tile_backward)
                                                    : divide_up(w.queries, r.tile_forward));
  const auto longest = (causal ? 2.0 : 1.0) * static_cast<double>(rates_.sms);
  const double wait = (w.backward ? r.tail_backward : r.tail_forward) * longest;
  return std::max(
      {1.0, longest / static_cast<double>(blocks),
       (1 + wait / static_cast<double>(blocks)) / (1 + wait / static_cast<double>(r.full_at))});
}

double KernelModel::share_of(const Op& op) const {
  const MemoryRates& m = rates_.memory;
  if (std::holds_alternative<Normalize>(op)) return m.norm;
  if (std::holds_alternative<NormalizeGrad>(op) || std::holds_alternative<BiasGrad>(op) ||
      std::holds_alternative<MultiplyGrad>(op))
    return m.norm_grad;
  if (const auto* const act = std::get_if<ActivateGrad>(&op))
    return is_gated(act->kind) ? m.activate_grad : m.stream;
  return m.stream;
}

KernelTime KernelModel::time(const Program& p, const Step& step, int rank) const {
  if (!rates_.measured.empty()) {
    const MeasuredTime t = rates_.measured.time(p, step, rank);
    return {t.compute_s, t.memory_s, t.launch_s};
  }
  const Work work = work_of(p, step, rank);
  if (std::holds_alternative<Einsum>(step.op)) return product(product_of(p, step, work));
  if (const auto* const op = std::get_if<Attend>(&step.op))
    return attention(attention_of(p, step, *op, work));
  if (const auto* const op = std::get_if<AttendGrad>(&step.op))
    return attention(attention_of(p, step, *op, work));
  return {0, static_cast<double>(work.moved_bytes) / (bandwidth_bytes_per_s_ * share_of(step.op)),
          rates_.launch_s};
}

}  // namespace ithaca
