// tests/train/scratch.h -- a folder of its own for each test, what lies in it, and state to save.
#pragma once

#include "models/yaml.h"
#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

namespace ithaca {

/// The test runs inside an empty folder, so that messages name short paths; in memory where there is
/// such a file system, because saves wait for the disk.
class Scratch : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    std::filesystem::current_path(folder_);
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
  std::filesystem::path folder_ =
      (access("/dev/shm", W_OK) == 0 ? std::filesystem::path("/dev/shm")
                                     : std::filesystem::temp_directory_path()) /
      ("ithaca-train-" + std::to_string(getpid()));
};

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Every file and folder below, with its content and when it was changed.
inline std::map<std::string, std::string> listing(const std::string& folder) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto changed = entry.last_write_time().time_since_epoch().count();
    all[entry.path()] = std::to_string(changed) +
                        (entry.is_regular_file() ? read_file(entry.path()) : std::string());
  }
  return all;
}

template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

template <class Call>
std::string failure(const Call& call) {
  try {
    call();
  } catch (const EnvironmentError& error) {
    return error.what();
  }
  return "done";
}

/// Whole tensors, cut for the ranks of a mesh.
class State {
 public:
  explicit State(Mesh mesh) : mesh_(std::move(mesh)) {}

  void add(const std::string& name, const Type& type, const HostTensor& whole) {
    types_[name] = type;
    for (int rank = 0; rank < mesh_.ranks(); ++rank)
      slices_[name].push_back(slice_of(whole, type, mesh_, rank));
  }
  std::vector<StateTensor> tensors() const {
    std::vector<StateTensor> all;
    for (const auto& [name, slices] : slices_)
      all.push_back({name, types_.at(name), {slices.begin(), slices.end()}});
    return all;
  }
  void save(const std::string& path, const nlohmann::json& facts) const {
    save_checkpoint(path, mesh_, tensors(), facts);
  }
  ExpectedState expected(const nlohmann::json& facts = nlohmann::json::object()) const {
    return {types_, facts};
  }
  std::map<std::string, std::vector<std::vector<std::byte>>>& slices() { return slices_; }

 private:
  Mesh mesh_;
  std::map<std::string, Type> types_;
  std::map<std::string, std::vector<std::vector<std::byte>>> slices_;
};

inline HostTensor counting(const Type& t, double from = 1) {
  HostTensor x(static_cast<std::size_t>(global_elements(t)));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = from + static_cast<double>(i);
  return x;
}

/// A matrix cut over u and a vector cut flat, on {u: 2}; their numbers start at `from`.
inline State small_state(double from = 1) {
  using enum DimName;
  const Mesh mesh({{"u", 2}});
  const Axis u = mesh.axis("u");
  State state(mesh);
  const Type matrix{DType::f32, {{d, 2, {{u}}}, {i, 3}}}, vector{DType::f64, {{d, 3}}, {u}};
  state.add("m", vector, counting(vector, from));
  state.add("w", matrix, counting(matrix, from));
  return state;
}

}  // namespace ithaca
