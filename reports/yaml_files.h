// reports/yaml_files.h -- the *.yaml files of a folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ithaca {

/// In the order of their names; none when there is no such folder.
std::vector<std::filesystem::path> yaml_files(const std::string& folder);

}  // namespace ithaca
