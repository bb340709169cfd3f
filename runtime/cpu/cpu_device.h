// runtime/cpu/cpu_device.h -- the reference device: a step runs on the calling thread, at the call.
//
// Kernels are Eigen products and row operations in f32 or f64; a program in bf16 is run retyped.
// The device has no state, so the ranks of a process may share one; lanes and events order nothing.
#pragma once

#include "runtime/device.h"

namespace ithaca {

class CpuDevice final : public Device {
 public:
  std::byte* allocate(std::int64_t bytes) override;
  void release(std::byte* arena) override;
  void upload(std::byte* to, const std::byte* host, std::int64_t bytes) override;
  void download(std::byte* host, const std::byte* from, std::int64_t bytes) override;

  /// EnvironmentError unless all operands and results have one dtype, f32 or f64.
  void compute(const Program&, const Step&, int rank, std::span<const std::byte* const> in,
               std::span<std::byte* const> out, Lane) override;
  void pack(DType, const std::byte* tensor, std::span<const Box>, std::byte* packed, Lane) override;
  void unpack(DType, const std::byte* packed, std::span<const Box>, bool add, std::byte* tensor,
              Lane) override;
  void fill_zero(std::byte* to, std::int64_t bytes, Lane) override;
  void copy(std::byte* to, const std::byte* from, std::int64_t bytes, Lane) override;

  Event record(Lane) override { return 0; }
  void wait(Lane, Event) override {}
  void synchronize() override {}
  double now_s(Lane) override;
};

}  // namespace ithaca
