// cli/cluster_topology.h -- what `clusters show` says of a cluster's topology.
#pragma once

#include "reports/json.h"
#include "sim/cluster.h"

#include <string>

namespace ithaca {

/// The parts of a node or NVLink island, and rings over all GPUs of one, of two and, where the file
/// states a fabric, of two pods, with the link that holds each back.
Json topology_json(const Cluster&);
/// The same for people.
std::string topology_text(const Cluster&);

}  // namespace ithaca
