#include "runtime/host_tensor.h"

#include "models/error.h"
#include "models/positions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace ithaca {
namespace {

/// splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

enum class Kind { activation, matrix, gain, bias };

Kind kind_of(const Program& p, ValueId input) {
  if (p[input].role != Role::weight) return Kind::activation;
  for (const Step& s : p.steps()) {
    const auto at = static_cast<std::size_t>(std::ranges::find(s.in, input) - s.in.begin());
    if (at == s.in.size()) continue;
    const bool normalizes = std::holds_alternative<Normalize>(s.op);
    if (at == 1 && (normalizes || std::holds_alternative<Multiply>(s.op))) return Kind::gain;
    if (at == 2 && normalizes) return Kind::bias;
    if (at == 1 && std::holds_alternative<Bias>(s.op)) return Kind::bias;
  }
  return Kind::matrix;
}

/// Elements a result of the product sums over: d for what reads the stream, all but d for what
/// writes it.
double fan_in(const Type& t) {
  if (t.dims.front().name == DimName::d) return static_cast<double>(t.dims.front().size);
  return static_cast<double>(global_elements(t)) / static_cast<double>(t.dims.back().size);
}

std::vector<std::int64_t> indices_of(const Dim& dim, const Mesh& mesh, int rank) {
  std::vector<std::int64_t> indices;
  for (const Run& run : positions(dim, mesh, rank))
    for (std::int64_t i = 0; i < run.count; ++i) indices.push_back(run.first + i * run.stride);
  return indices;
}

/// Calls visit(global row-major index) for what `rank` holds, in the order it holds it.
template <class Visit>
void for_each_element(const Type& t, const Mesh& mesh, int rank, const Visit& visit) {
  std::vector<std::int64_t> majors{0}, minors{0};
  for (const Dim& dim : t.dims) {
    std::vector<std::int64_t> next;
    next.reserve(majors.size() * minors.size());
    for (const std::int64_t major : majors)
      for (const std::int64_t minor : minors) next.push_back((major + minor) * dim.size);
    majors = std::move(next);
    minors = indices_of(dim, mesh, rank);
  }
  const auto row = std::ssize(minors);
  const std::int64_t chunk = local_elements(t, mesh), whole = row * std::ssize(majors);
  const std::int64_t begin = std::min(whole, mesh.position(rank, t.flat) * chunk);
  const std::int64_t end = std::min(whole, begin + chunk);
  for (std::int64_t i = begin; i < end; ++i)
    visit(majors[static_cast<std::size_t>(i / row)] + minors[static_cast<std::size_t>(i % row)]);
}

template <class ValueAt>
std::vector<std::byte> slice(const ValueAt& value_at, const Type& t, const Mesh& mesh, int rank) {
  require(t.dtype != DType::bf16, "host slices are f32 or f64");
  std::vector<std::byte> bytes(static_cast<std::size_t>(local_bytes(t, mesh)));
  std::byte* to = bytes.data();
  for_each_element(t, mesh, rank, [&](std::int64_t index) {
    const double x = value_at(index);
    const auto narrow = static_cast<float>(x);
    std::memcpy(to, t.dtype == DType::f64 ? static_cast<const void*>(&x) : &narrow,
                static_cast<std::size_t>(bytes_of(t.dtype)));
    to += bytes_of(t.dtype);
  });
  return bytes;
}

double element(DType dtype, const std::byte* from) {
  double wide = 0;
  float narrow = 0;
  if (dtype == DType::f64) {
    std::memcpy(&wide, from, sizeof wide);
    return wide;
  }
  std::memcpy(&narrow, from, sizeof narrow);
  return static_cast<double>(narrow);
}

double max_abs(const HostTensor& tensor) {
  double most = 0;
  for (const double x : tensor) most = std::max(most, std::abs(x));
  return most;
}

/// Infinity when a NaN is met.
double max_difference(const HostTensor& a, const HostTensor& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    most = std::max(most, difference);
  }
  return most;
}

}  // namespace

AxisList copy_axes(const Type& t, const Mesh& mesh) {
  AxisList axes;
  for (const Mesh::Extent& extent : mesh.extents())
    if (const Axis axis = mesh.axis(extent.name); !contains(axes_of(t), axis)) axes.push_back(axis);
  return axes;
}

std::uint64_t seed_of(std::string_view name) {
  std::uint64_t seed = 0;
  for (const char c : name) seed = mix(seed ^ static_cast<unsigned char>(c));
  return seed;
}

double relative_error(const HostTensor& a, const HostTensor& b) {
  const double difference = max_difference(a, b), most = max_abs(b);
  return difference == 0 ? 0 : difference / most;
}

double Numbers::operator[](std::int64_t index) const {
  const std::uint64_t bits = mix(seed ^ mix(static_cast<std::uint64_t>(index)));
  // The sum of four uniform numbers of 16 bits, less its mean, over its deviation: near enough to
  // normal.
  std::uint64_t sum = 0;
  for (int i = 0; i < 64; i += 16) sum += (bits >> i) & 0xffff;
  const double deviation = 65536.0 * std::sqrt(4.0 / 12.0);
  return mean + scale * (static_cast<double>(sum) - 131070.0) / deviation;
}

Numbers numbers_for(const Program& p, ValueId input) {
  const Value& value = p[input];
  const std::uint64_t seed = seed_of(value.name);
  switch (kind_of(p, input)) {
    case Kind::activation:
      return {seed, 0, 0.5};
    case Kind::matrix:
      return {seed, 0, 1 / std::sqrt(fan_in(value.type))};
    case Kind::gain:
      return {seed, 1, 0.1};
    case Kind::bias:
      return {seed, 0, 0.1};
  }
  return {};
}

std::vector<std::int64_t> global_indices(const Type& t, const Mesh& mesh, int rank) {
  std::vector<std::int64_t> indices;
  for_each_element(t, mesh, rank, [&](std::int64_t index) { indices.push_back(index); });
  return indices;
}

std::vector<std::byte> slice_of(const Numbers& numbers, const Type& t, const Mesh& mesh, int rank,
                                std::int64_t known) {
  return slice([&](std::int64_t i) { return i < known ? numbers[i] : 0.0; }, t, mesh, rank);
}

std::vector<std::byte> slice_of(const HostTensor& whole, const Type& t, const Mesh& mesh,
                                int rank) {
  return slice([&](std::int64_t i) { return whole[static_cast<std::size_t>(i)]; }, t, mesh, rank);
}

Gathered gather(const Type& t, const Mesh& mesh,
                const std::vector<std::vector<std::byte>>& slices) {
  const AxisList copies = copy_axes(t, mesh);
  Gathered result;
  for (int copy = 0; copy < mesh.ranks(copies); ++copy) {
    HostTensor whole(static_cast<std::size_t>(global_elements(t)));
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      if (mesh.position(rank, copies) != copy) continue;
      const std::byte* from = slices[static_cast<std::size_t>(rank)].data();
      for_each_element(t, mesh, rank, [&](std::int64_t index) {
        whole[static_cast<std::size_t>(index)] += element(t.dtype, from);
        from += bytes_of(t.dtype);
      });
    }
    if (copy == 0)
      result.whole = std::move(whole);
    else
      result.replica_difference =
          std::max(result.replica_difference, relative_error(whole, result.whole));
  }
  return result;
}

}  // namespace ithaca
