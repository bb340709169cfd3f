// sim/topology/group_place.h -- how a group of ranks lies on boxes and pods, and the groups that work beside it.
//
// The groups of a mesh over the same axes do the same at the same time, so what one gets of a link depends on the others
// in its boxes and pods.  Placements that are equal get the same: boxes of one kind are kept once, whatever their number.
#pragma once

#include "models/mesh.h"
#include "sim/topology/topology.h"

#include <compare>
#include <map>
#include <utility>
#include <vector>

namespace ithaca {

/// GPUs of a box, in order.
using Members = std::vector<int>;

struct GroupPlace {
  int ranks = 1, boxes = 1;  ///< of the group
  int fewest = 1, most = 1;  ///< of its ranks on a box
  /// Every kind of box of the group: its own members, then those of the groups beside it.
  std::vector<std::vector<Members>> kinds;
  /// Every kind of pod that groups leave: for each of them its members in a box, and its ranks in the pod; how many such.
  std::vector<std::map<std::pair<Members, int>, int>> pods;

  /// Whether a group with these members in a box has ranks elsewhere.
  bool leaves(const Members& members) const { return static_cast<int>(members.size()) < ranks; }
  auto operator<=>(const GroupPlace&) const = default;
};

/// The axes of a mesh that are not among these.
AxisList other_axes(const Mesh&, const AxisList&);

/// A group alone.  Ranks are different GPU numbers.
GroupPlace place_of(const Topology&, const std::vector<int>& ranks);
/// The group of `rank` over some axes, beside all others of the mesh.
GroupPlace place_of(const Topology&, const Mesh&, const AxisList&, int rank);

}  // namespace ithaca
