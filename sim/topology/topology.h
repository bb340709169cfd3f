// sim/topology/topology.h -- a cluster as a graph: one box drawn in full, and how boxes are joined.
//
// Boxes are alike, so one is enough: all parts and edges of an island (a node, or what NVLink
// joins), with the leaf switches its NICs reach, one a rail.  Pods of boxes share their leaves; the
// uplinks of a leaf to the spine carry what its NICs do, divided by the oversubscription.  A cluster
// that states no fabric has one pod.  whole_graph() draws several boxes and the switches for real.
#pragma once

#include "sim/cluster.h"
#include "sim/topology/graph.h"

#include <cstdint>
#include <vector>

namespace ithaca {

class Topology {
 public:
  /// NICs are joined to leaves, GPUs to everything: else InputError with the name as its key.
  /// pod_boxes: boxes on the same leaves, 0 for all.
  Topology(Graph box, const std::string& name, std::int64_t pod_boxes = 0,
           double oversubscription = 1);

  const Graph& box() const { return box_; }
  const Edge& edge(Arc arc) const { return edges_[arc / 2]; }
  std::size_t arcs() const { return 2 * edges_.size(); }
  std::int64_t gpus() const { return static_cast<std::int64_t>(gpus_.size()); }  ///< of a box
  std::int64_t rails() const { return static_cast<std::int64_t>(rails_.size()); }
  std::int64_t pod_of(std::int64_t box) const { return pod_boxes_ == 0 ? 0 : box / pod_boxes_; }
  std::int64_t pod_boxes() const { return pod_boxes_; }
  /// From a leaf of this rail to the spine, one direction.
  double uplink_bytes_per_s(std::int64_t rail) const;

  /// Between two different GPUs of a box.
  const Path& path(std::int64_t from, std::int64_t to) const;
  /// From a GPU to the leaf of a rail, one for each of its equally near NICs.  Through an NVLink
  /// peer next to a NIC (PXN) when that is wider or avoids a socket.
  const std::vector<Path>& ways_out(std::int64_t gpu, std::int64_t rail) const;
  /// The rail of a GPU's nearest NIC.
  std::int64_t rail_of(std::int64_t gpu) const { return rail_of_[static_cast<std::size_t>(gpu)]; }
  /// "GPU 3 to NVSwitch 0".
  std::string name_of(Arc) const;

 private:
  struct Port {
    std::size_t nic, edge;
    double bandwidth_bytes_per_s;
  };
  struct Rail {
    std::vector<Port> nics;
    std::vector<std::vector<Path>> ways_out;  ///< by GPU
  };
  void require_joined(const std::string& name) const;
  void add_rail(std::size_t leaf);
  Path to_leaf(const Path& to_nic, const Port&, std::size_t leaf) const;
  std::vector<Path> direct_ways(std::size_t gpu, std::size_t leaf, const Rail&) const;
  std::vector<Path> relayed_ways(std::size_t gpu, std::size_t leaf, const Rail&) const;
  std::int64_t nearest_rail(std::size_t gpu) const;

  Graph box_;
  std::vector<Edge> edges_;                                ///< by index
  std::vector<std::pair<std::size_t, std::size_t>> ends_;  ///< of an edge, lower first
  std::vector<std::size_t> gpus_;
  std::vector<std::vector<Path>> paths_;  ///< by GPU and vertex
  std::vector<Rail> rails_;
  std::vector<std::int64_t> rail_of_;
  std::int64_t pod_boxes_ = 0;
  double oversubscription_ = 1;
};

/// What a cluster file states: its box edge by edge, or else one drawn from its numbers.  There a PCIe switch holds each
/// NIC and the GPUs next to it, or each GPU where NICs are more; sockets hold the switches evenly.  Where NICs are fewer
/// than GPUs that only PCIe joins, or more than two GPUs share one, GPUs and NICs stand at the sockets.
/// Hops take the latencies of the file: half of a fast hop on either side of the NVSwitch, half of a network hop on either
/// side of the leaf.
Topology topology_of(const Cluster&);

/// Boxes 0 to boxes - 1 with their leaves and the spine as one graph, for small clusters.
Graph whole_graph(const Topology&, std::int64_t boxes);

}  // namespace ithaca
