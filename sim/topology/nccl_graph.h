// sim/topology/nccl_graph.h -- what NCCL's own search found, from its NCCL_GRAPH_DUMP_FILE.
//
// Format: src/graph/search.cc of NCCL 2.28.9, ncclTopoGetXmlFromGraph; the graph of pattern 4 is the
// ring.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

struct DumpedGraph {
  std::int64_t channels = 0;
  double intra_bytes_per_s = 0, inter_bytes_per_s = 0;  ///< of a channel
  std::string type_intra, type_inter;                   ///< "NVL", "PIX" ...
  std::vector<std::int64_t> gpus;                       ///< of the machine, sorted
  std::vector<std::int64_t> nics;                       ///< sorted; none on a single machine
  std::vector<std::vector<std::int64_t>> rings;         ///< GPUs of every channel in its order
};

/// The ring graph.  InputError at the place when there is none, or its rings are not rings of the
/// same GPUs.
DumpedGraph read_nccl_graph(const std::string& content, const std::string& file);

}  // namespace ithaca
