#include "sim/topology/group_place.h"

#include <algorithm>
#include <set>

namespace ithaca {
namespace {

/// The groups that ranks belong to, by number; -1 for none.
template <class GroupOf>
class Survey {
 public:
  Survey(const Topology& t, const std::vector<int>& ranks, const GroupOf& group_of)
      : gpus_(static_cast<int>(t.gpus())),
        pod_gpus_(gpus_ * static_cast<int>(t.pod_boxes())),
        ranks_(ranks),
        group_of_(group_of) {}

  GroupPlace place() const {
    GroupPlace p;
    p.ranks = p.fewest = static_cast<int>(ranks_.size());
    p.boxes = 0;
    std::set<std::vector<Members>> kinds;
    each(gpus_, [&](int box) {
      std::vector<Members> parts = parts_of(box);
      const auto here = static_cast<int>(parts.front().size());
      ++p.boxes;
      p.fewest = std::min(p.fewest, here);
      p.most = std::max(p.most, here);
      kinds.insert(std::move(parts));
    });
    p.kinds.assign(kinds.begin(), kinds.end());
    if (pod_gpus_ > 0) add_pods(p);
    return p;
  }

 private:
  /// Calls visit(block) for every block of so many GPU numbers that the group has ranks in.
  template <class Visit>
  void each(int size, const Visit& visit) const {
    int last = -1;
    for (const int rank : ranks_)
      if (rank / size != last) visit(last = rank / size);
  }

  std::vector<Members> parts_of(int box) const {
    std::map<int, Members> by_group;
    const int own = group_of_(ranks_.front());
    for (int gpu = 0; gpu < gpus_; ++gpu)
      if (const int group = group_of_(box * gpus_ + gpu); group >= 0)
        by_group[group == own ? -1 : group].push_back(gpu);
    std::vector<Members> parts;
    for (auto& [group, members] : by_group) parts.push_back(std::move(members));
    return parts;
  }

  void add_pods(GroupPlace& p) const {
    struct Part {
      int box = 0, ranks = 0;
      Members members;
    };
    std::set<std::map<std::pair<Members, int>, int>> kinds;
    each(pod_gpus_, [&](int pod) {
      std::map<int, Part> by_group;
      for (int rank = pod * pod_gpus_; rank < (pod + 1) * pod_gpus_; ++rank) {
        const int group = group_of_(rank);
        if (group < 0) continue;
        Part& part = by_group.try_emplace(group, Part{rank / gpus_, 0, {}}).first->second;
        if (rank / gpus_ == part.box) part.members.push_back(rank % gpus_);
        ++part.ranks;
      }
      if (by_group.at(group_of_(ranks_.front())).ranks == p.ranks) return;  // it stays in the pod
      std::map<std::pair<Members, int>, int> kind;
      for (const auto& [group, part] : by_group)
        if (part.ranks < p.ranks) ++kind[{part.members, part.ranks}];
      kinds.insert(std::move(kind));
    });
    p.pods.assign(kinds.begin(), kinds.end());
  }

  int gpus_, pod_gpus_;
  const std::vector<int>& ranks_;  ///< of the group, rising
  const GroupOf& group_of_;
};

}  // namespace

AxisList other_axes(const Mesh& mesh, const AxisList& axes) {
  AxisList others;
  for (std::uint8_t id = 0; id < mesh.extents().size(); ++id)
    if (!contains(axes, Axis{id})) others.push_back(Axis{id});
  return others;
}

GroupPlace place_of(const Topology& t, const std::vector<int>& ranks) {
  std::vector<int> sorted = ranks;
  std::ranges::sort(sorted);
  const auto group_of = [&](int rank) { return std::ranges::binary_search(sorted, rank) ? 0 : -1; };
  return Survey(t, sorted, group_of).place();
}

GroupPlace place_of(const Topology& t, const Mesh& mesh, const AxisList& axes, int rank) {
  std::vector<int> ranks = mesh.group(rank, axes);
  std::ranges::sort(ranks);
  const AxisList rest = other_axes(mesh, axes);
  const int all = mesh.ranks();
  const auto group_of = [&](int r) { return r < all ? mesh.position(r, rest) : -1; };
  return Survey(t, ranks, group_of).place();
}

}  // namespace ithaca
