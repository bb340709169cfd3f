// sim/topology/cluster_box.h -- a node drawn edge by edge in a cluster file.
//
//     box:
//       - {from: GPU 0, to: PCIe switch 0, kind: pcie, bandwidth: 24 GB/s}
#pragma once

#include "models/yaml.h"
#include "sim/cluster.h"
#include "sim/topology/graph.h"

namespace ithaca {

/// The edges of the key `box`.  InputError at the place when a part is not one, is missing from the numbering or stands
/// alone, an edge stands twice, PCIe goes round in a circle, or two GPUs or a GPU and the network are not joined.
std::vector<BoxEdge> read_box(const Yaml&, const Cluster&);

/// As it stands in the file, latencies from its links.
Graph graph_of(const Cluster&);
/// The other way round.
std::vector<BoxEdge> edges_of(const Graph&);

}  // namespace ithaca
