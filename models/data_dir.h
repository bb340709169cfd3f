// models/data_dir.h -- where the shipped model and cluster files lie.
//
// Below it: models/presets/*.yaml, cluster_specs/*.yaml and cluster_specs/gpus/*.yaml.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ithaca {

/// $ITHACA_DATA when set; else `../share/ithaca` beside the executable's folder when installed;
/// else the source tree. Throws EnvironmentError when ITHACA_DATA names no directory.
std::filesystem::path data_dir();

/// Stems of the *.yaml files of data_dir() / folder, sorted.  Throws EnvironmentError when there is
/// no such folder.
std::vector<std::string> data_names(const std::filesystem::path& folder);

/// Whether the user meant a file rather than a preset: it has a slash, a known extension, or
/// exists.
bool is_path(const std::string& name_or_path);

}  // namespace ithaca
