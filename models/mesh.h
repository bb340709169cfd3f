// models/mesh.h -- the ranks as a grid of named axes.
//
// Axes are ordered from the slowest links to the fastest; the last axis varies fastest in the rank number, so
// neighbours on it are neighbours on the machine.
#pragma once

#include <boost/container/static_vector.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

/// One axis of a mesh, by position in it.
struct Axis {
  std::uint8_t id = 0;
  auto operator<=>(const Axis&) const =
      default;  // NOLINT(modernize-use-nullptr): wrong in clang 14
};

/// Axes a mesh may have.
constexpr std::size_t max_axes = 8;

/// Axes in order, major first; room for those of two types.
using AxisList = boost::container::static_vector<Axis, 2 * max_axes>;

class Mesh {
 public:
  struct Extent {
    std::string name;
    int ranks = 1;
    bool operator==(const Extent&) const = default;
  };

  Mesh() = default;
  /// Throws InputError for an extent below 1, a repeated name or more than eight axes.
  explicit Mesh(std::vector<Extent> extents);

  const std::vector<Extent>& extents() const { return extents_; }
  /// Throws InputError that lists the axes when there is none of that name.
  Axis axis(std::string_view name) const;
  const std::string& name(Axis axis) const { return extents_[axis.id].name; }
  int ranks(Axis axis) const { return extents_[axis.id].ranks; }
  int ranks(const AxisList& axes) const;
  int ranks() const;

  int coordinate(int rank, Axis axis) const;
  /// Position of `rank` in its group over `axes`, major axis first.
  int position(int rank, const AxisList& axes) const;
  /// The rank `by` places on along `axis`, around its end; back for a negative `by`.
  int neighbour(int rank, Axis axis, int by) const;
  /// The ranks that share every coordinate with `rank` but those on `axes`, ordered by position.
  std::vector<int> group(int rank, const AxisList& axes) const;

  bool operator==(const Mesh&) const = default;

 private:
  int stride(Axis axis) const;
  std::vector<Extent> extents_;
};

/// As --mesh takes it: "r=2,u=4".
std::string to_string(const Mesh&);
/// "u", or "r.u" for several.
std::string name_of(const Mesh&, const AxisList&);
bool contains(const AxisList&, Axis);
AxisList operator+(AxisList, const AxisList&);

}  // namespace ithaca
