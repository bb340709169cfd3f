// sim/nccl/tables.h -- measured times of collectives by message size.
//
// Read from files of the published form (reports/published/collectives/README.md) or from what nccl-tests prints.  Sizes are
// nccl-tests': of the whole tensor for gathers, scatters, all-reduces and all-to-alls, of one message for sendrecv.
#pragma once

#include "models/error.h"

#include <string>
#include <vector>

namespace ithaca {

struct CollectivePoint {
  double bytes = 0, seconds = 0;  ///< out of place
};

struct CollectiveTable {
  Place place;
  std::string file;  ///< stem of the file
  std::string collective, gpu, intra, inter, nccl, source, notes;
  int gpus = 0, nodes = 0, gpus_per_node = 0;
  int at_once = 0;  ///< ranks at work, in the group and in those beside it; 0: the group's
  std::vector<CollectivePoint> points;  ///< by size
};

/// The tables of one file: several where rows name their own collective or number of GPUs.
/// InputError with place and key for anything wrong.
std::vector<CollectiveTable> collective_file(const std::string& path);
/// Of every *.yaml of a folder, in the order of their names.  InputError when there is none.
std::vector<CollectiveTable> collective_tables(const std::string& folder);

/// What `all_reduce_perf` and its like printed.  `name` stands for the file in messages; the collective is that of the
/// output's last lines where they say it, else the one given.  InputError with the line when a row does not read, a result
/// was wrong, or the output ends early.
CollectiveTable nccl_tests_table(const std::string& output, const std::string& name,
                                 const std::string& collective = "");

/// nccl-tests' bus bandwidth over algorithm bandwidth.
double bus_factor(const std::string& collective, int gpus);

}  // namespace ithaca
