// sim/topology/graph.h -- machines and switches as a graph: what is joined to what, how fast, how late.
//
// An edge is full duplex: its bandwidth is that of one direction, divided among the flows of that
// direction.  A path may run through switches and sockets; GPUs, NICs and leaves end it.
#pragma once

#include <boost/graph/adjacency_list.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

enum class Part : std::uint8_t { gpu, nvswitch, pcie_switch, socket, nic, leaf, spine };
const char* name_of(Part);  ///< "GPU", "NVSwitch" ...

struct Vertex {
  Part part = Part::gpu;
  std::string name;      ///< "GPU 3"
  double peer_cost = 1;  ///< of a socket: what a byte between two GPUs below it takes of PCIe
};

enum class Medium : std::uint8_t { nvlink, pcie, socket, network };

struct Edge {
  Medium medium = Medium::pcie;
  double bandwidth_bytes_per_s = 0;  ///< of each direction
  double latency_s = 0;
  std::size_t index = 0;  ///< from 0, in the order of adding
};

using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, Vertex, Edge>;

/// The vertex, called by its part and how many of that part were there before it.
std::size_t add_part(Graph&, Part, double peer_cost = 1);
/// Joins two vertices; joined already by the same medium, the bandwidths add up.
void join(Graph&, std::size_t a, std::size_t b, const Edge&);
/// All of that part, in the order of adding.
std::vector<std::size_t> all_of(const Graph&, Part);
bool is_connected(const Graph&);

/// How two ends are joined, from near to far, as NCCL and nvidia-smi call it.
enum class HopType : std::uint8_t { nvlink, pix, pxb, pxn, phb, sys };
const char* name_of(HopType);  ///< "NVL", "PIX" ...

/// An edge in a direction: twice its index, plus one against the order of its ends.
using Arc = std::size_t;

struct Path {
  std::vector<Arc> arcs;  ///< empty: not joined
  double bandwidth_bytes_per_s = 0;
  double latency_s = 0;
  double cost = 1;  ///< what a byte takes of each arc
  HopType type = HopType::nvlink;
};

/// The paths from one vertex to every other: of fewest edges, of these the widest.
std::vector<Path> paths_from(const Graph&, std::size_t from);

}  // namespace ithaca
