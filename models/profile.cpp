#include "models/profile.h"

#include "models/error.h"
#include "models/nearest.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <vector>

namespace ithaca {
namespace {

constexpr std::array all{
    Profile{"reference",
            "every sum goes straight to where it is wanted, in the type it has",
            "arXiv 1910.02054",
            false,
            {}},
    Profile{"deepspeed",
            "ZeRO-1 and ZeRO-2 all-reduce buckets of gradients, each rank keeps its part",
            "github.com/deepspeedai/DeepSpeed, runtime/zero/stage_1_and_2.py, "
            "use_multi_rank_bucket_allreduce",
            true,
            {}},
    Profile{
        "megatron", "the distributed optimizer reduce-scatters gradients in f32",
        "github.com/NVIDIA/Megatron-LM, training/arguments.py, accumulate_allreduce_grads_in_fp32",
        false, DType::f32},
    Profile{"fsdp2",
            "gradients are reduce-scattered in their own type",
            "pytorch.org, fully_shard, MixedPrecisionPolicy.reduce_dtype",
            false,
            {}}};

}  // namespace

std::span<const Profile> profiles() {
  return all;
}

const Profile& find_profile(std::string_view name) {
  const auto it = std::ranges::find(all, name, &Profile::name);
  if (it != all.end()) return *it;
  std::vector<std::string> names;
  for (const Profile& p : all) names.emplace_back(p.name);
  throw InputError("--profile",
                   fmt::format("expected one of reference, deepspeed, megatron and fsdp2, got {}{}",
                               in_quotes(name), did_you_mean(name, names)));
}

Strategy with_profile(Strategy s, const Profile& profile) {
  s.attention.weights.all_reduce = s.mlp.weights.all_reduce = profile.all_reduce_gradients;
  return s;
}

}  // namespace ithaca
