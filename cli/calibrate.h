// cli/calibrate.h -- `ithaca calibrate --from-nccl-tests`: what nccl-tests printed becomes part of a cluster file.
#pragma once

#include "cli/console.h"

#include <string>
#include <vector>

namespace ithaca {

struct NcclTestsRequest {
  std::vector<std::string> files;
  std::string cluster;  ///< preset or file whose links and GPUs they were measured on
  std::string name;     ///< of the new cluster; empty: that of the cluster with "-calibrated"
  std::string output;   ///< empty: nothing is written
  bool json = false;
};

/// Prints how far the tables lie from the model, as it is and calibrated by the other files, and writes the cluster with
/// them as `measured_collectives`.  InputError with file and line for output that does not read; then nothing is written.
int calibrate_from_nccl_tests(const NcclTestsRequest&, Console&);

}  // namespace ithaca
