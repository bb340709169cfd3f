// tests/profiles.h -- the kernels of implementations, one at a time and together, that tests share.
#pragma once

#include "models/profile.h"

#include <functional>
#include <string>
#include <vector>

namespace ithaca {

struct NamedKernels {
  std::string name;
  Kernels kernels;
};

/// Everything an implementation may do beyond the reference, each alone, then all that known profiles do.
inline std::vector<NamedKernels> all_kernels() {
  std::vector<NamedKernels> all;
  const auto add = [&](const char* name, const std::function<void(Kernels&)>& set) {
    set(all.emplace_back(name, Kernels{}).kernels);
  };
  add("norm_copies", [](Kernels& k) { k.norm_copies = true; });
  add("norm_widens", [](Kernels& k) { k.norm_widens = true; });
  add("gate_apart", [](Kernels& k) { k.gate_apart = true; });
  add("packed_views", [](Kernels& k) { k.packed_views = true; });
  add("rotation_tables", [](Kernels& k) { k.rotation_tables = true; });
  add("wide logits", [](Kernels& k) { k.logits = LogitsKernel::wide; });
  add("copies of logits", [](Kernels& k) { k.logits = LogitsKernel::copies; });
  add("results_held", [](Kernels& k) { k.results_held = true; });
  add("fused_sums", [](Kernels& k) { k.fused_sums = true; });
  add("empty gradients", [](Kernels& k) { k.fused_sums = k.keeps_empty_gradients = true; });
  add("flash2", [](Kernels& k) { k.attention = AttentionKernel::flash2; });
  add("flash3", [](Kernels& k) { k.attention = AttentionKernel::flash3; });
  for (const Profile& p : profiles()) all.push_back({std::string(p.name), p.kernels});
  return all;
}

}  // namespace ithaca
