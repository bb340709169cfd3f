// train/checkpoint.h -- the state of training on disk: whole, or not there.
//
// A checkpoint is one directory with manifest.json (train/manifest.h) and one file per rank that
// owns data; of copies only the first is written.  It appears by one rename of synced files, so a
// kill at any moment leaves the checkpoints there were, and at most a hidden directory that the
// next save removes.  It is read back as whole tensors, so that another mesh, degree or strategy
// can go on from it; every byte is checked against a checksum first.  Values come back as they
// were, to the bit (only the payload of a NaN may change).
#pragma once

#include "models/type.h"
#include "runtime/host_tensor.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ithaca {

/// One tensor of the state and what every rank holds of it.
struct StateTensor {
  std::string name;                                ///< no two alike
  Type type;                                       ///< f32 or f64, no addends
  std::vector<std::span<const std::byte>> slices;  ///< by rank, local_bytes() each
};

/// Writes the state as the directory `path`, in an existing folder; a checkpoint of that name is
/// replaced in one instant (FolderWriter::commit).  `facts` is an object of whatever the caller wants back; numbers in it
/// must be finite (others become null).  Throws EnvironmentError when it cannot be written, with
/// nothing left, also when `path` is there and is not a checkpoint.
void save_checkpoint(const std::string& path, const Mesh&, const std::vector<StateTensor>&,
                     const nlohmann::json& facts);

/// What a checkpoint must hold to be of use.
struct ExpectedState {
  std::map<std::string, Type> tensors;  ///< these and no others; only sizes and dtype count
  /// An object of facts that must be equal; others are free.
  nlohmann::json facts = nlohmann::json::object();
};

struct Checkpoint {
  nlohmann::json facts;                       ///< all of them
  std::map<std::string, HostTensor> tensors;  ///< whole
};

/// Reads the checkpoint `path`.  Throws InputError that names the file and the reason when it is not
/// a checkpoint, damaged, or not of the expected state; changes nothing on disk.  Needs memory for
/// the tensors and the largest file.
Checkpoint load_checkpoint(const std::string& path, const ExpectedState&);

/// The name of the checkpoint after so many steps: "step-00000010".
std::string checkpoint_name(std::int64_t steps);
/// The path of the checkpoint in `folder` with the most steps in its name; nothing when there is
/// none or no such folder.  Looks at names only: a damaged one is found, and refused when loaded.
std::optional<std::string> latest_checkpoint(const std::string& folder);
/// Removes all but the `keep` (at least 1) latest checkpoints, and what killed runs left.  Throws
/// EnvironmentError.
void prune_checkpoints(const std::string& folder, std::size_t keep);

}  // namespace ithaca
