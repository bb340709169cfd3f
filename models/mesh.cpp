#include "models/mesh.h"

#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>

namespace ithaca {

Mesh::Mesh(std::vector<Extent> extents) : extents_(std::move(extents)) {
  if (extents_.size() > max_axes)
    throw InputError("mesh",
                     fmt::format("expected at most {} axes, got {}", max_axes, extents_.size()));
  std::int64_t ranks = 1;
  for (auto it = extents_.begin(); it != extents_.end(); ++it) {
    if (it->ranks < 1)
      throw InputError(
          "mesh", fmt::format("axis {}: expected at least 1 rank, got {}", it->name, it->ranks));
    const bool again =
        std::any_of(extents_.begin(), it, [&](const Extent& x) { return x.name == it->name; });
    if (again)
      throw InputError("mesh",
                       fmt::format("expected axes of different names, got {} twice", it->name));
    ranks *= it->ranks;
    if (ranks > std::numeric_limits<int>::max())
      throw InputError("mesh", "expected fewer than 2^31 ranks");
  }
}

Axis Mesh::axis(std::string_view name) const {
  const auto it = std::ranges::find(extents_, name, &Extent::name);
  if (it != extents_.end()) return {static_cast<std::uint8_t>(it - extents_.begin())};
  std::vector<std::string> names;
  for (const Extent& extent : extents_) names.push_back(extent.name);
  throw InputError(
      "mesh", fmt::format("expected one of the axes {}, got {}", fmt::join(names, ", "), name));
}

int Mesh::ranks(const AxisList& axes) const {
  int n = 1;
  for (const Axis axis : axes) n *= ranks(axis);
  return n;
}

int Mesh::ranks() const {
  int n = 1;
  for (const Extent& extent : extents_) n *= extent.ranks;
  return n;
}

int Mesh::stride(Axis axis) const {
  int n = 1;
  for (std::size_t i = axis.id + std::size_t{1}; i < extents_.size(); ++i) n *= extents_[i].ranks;
  return n;
}

int Mesh::coordinate(int rank, Axis axis) const {
  return rank / stride(axis) % ranks(axis);
}

int Mesh::position(int rank, const AxisList& axes) const {
  int position = 0;
  for (const Axis axis : axes) position = position * ranks(axis) + coordinate(rank, axis);
  return position;
}

int Mesh::neighbour(int rank, Axis axis, int by) const {
  const int n = ranks(axis), here = coordinate(rank, axis);
  return rank + ((here + by % n + n) % n - here) * stride(axis);
}

std::vector<int> Mesh::group(int rank, const AxisList& axes) const {
  std::vector<int> members{rank};
  for (const Axis axis : axes) members[0] -= coordinate(rank, axis) * stride(axis);
  for (const Axis axis : axes) {
    std::vector<int> next;
    next.reserve(members.size() * static_cast<std::size_t>(ranks(axis)));
    for (const int member : members)
      for (int c = 0; c < ranks(axis); ++c) next.push_back(member + c * stride(axis));
    members = std::move(next);
  }
  return members;
}

std::string to_string(const Mesh& mesh) {
  std::string text;
  for (const Mesh::Extent& extent : mesh.extents())
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", extent.name, extent.ranks);
  return text;
}

std::string name_of(const Mesh& mesh, const AxisList& axes) {
  std::string name;
  for (const Axis axis : axes) name += (name.empty() ? "" : ".") + mesh.name(axis);
  return name;
}

bool contains(const AxisList& axes, Axis axis) {
  return std::ranges::find(axes, axis) != axes.end();
}

AxisList operator+(AxisList a, const AxisList& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace ithaca
