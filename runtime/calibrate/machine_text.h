// runtime/calibrate/machine_text.h -- a measured machine as the text of a cluster file, with where and how it was measured.
#pragma once

#include "runtime/calibrate/calibrate.h"

#include <string>

namespace ithaca {

struct MachineFacts {
  std::string name;   ///< of the cluster
  std::string cpu;    ///< as the system names it
  std::string date;   ///< such as 2026-01-31
  std::string build;  ///< compiler and flags
  int cores = 1, ranks = 1, repeats = 1;
  std::int64_t memory_bytes = 0;
};

/// Of this machine: CPU, date, cores this process may use, memory.
MachineFacts machine_facts();

/// Every rank is a "GPU" of one node; there is no second node, so the link between nodes is that inside.
std::string cluster_text(const MeasuredMachine&, const MachineFacts&);

}  // namespace ithaca
