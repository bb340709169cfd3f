// runtime/device.h -- what a device must do to run a program.
//
// Work is asynchronous by lane: work on one lane runs in order, lanes run at once, events order them.  A CPU device
// may do everything at the call.  All memory of a rank is one arena; the caller places tensors in it.
#pragma once

#include "models/program.h"
#include "sim/timeline.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ithaca {

/// A rectangle of a row-major tensor copied to or from consecutive memory: `counts` from the major dimension to the
/// minor one, `strides` in elements of the tensor.
struct Box {
  std::int64_t offset = 0;  ///< first element in the tensor
  boost::container::static_vector<std::int64_t, 8> counts, strides;
  std::int64_t elements() const;
};

class Device {
 public:
  virtual ~Device() = default;

  /// `bytes` of device memory, 64-byte aligned, or EnvironmentError.
  virtual std::byte* allocate(std::int64_t bytes) = 0;
  virtual void release(std::byte* arena) = 0;
  virtual void upload(std::byte* to, const std::byte* host, std::int64_t bytes) = 0;
  virtual void download(std::byte* host, const std::byte* from, std::int64_t bytes) = 0;

  /// Runs one step other than a collective.  `in` and `out` are laid out row-major as the types' local dims say;
  /// out[0] may be the same memory as an operand where reused_operand() allows it.
  virtual void compute(const Program&, const Step&, int rank, std::span<const std::byte* const> in,
                       std::span<std::byte* const> out, Lane) = 0;
  /// Boxes of `tensor`, one after another, into `packed`.
  virtual void pack(DType, const std::byte* tensor, std::span<const Box>, std::byte* packed,
                    Lane) = 0;
  /// The reverse; `add` sums into the tensor instead of replacing.
  virtual void unpack(DType, const std::byte* packed, std::span<const Box>, bool add,
                      std::byte* tensor, Lane) = 0;
  virtual void fill_zero(std::byte* to, std::int64_t bytes, Lane) = 0;
  virtual void copy(std::byte* to, const std::byte* from, std::int64_t bytes, Lane) = 0;

  /// An event marks how far a lane has come; wait() makes another lane wait for it.
  using Event = std::uint64_t;
  virtual Event record(Lane) = 0;
  virtual void wait(Lane, Event) = 0;
  virtual void synchronize() = 0;
  /// Seconds on a clock all ranks of the process share, when the lane's work so far is done.
  virtual double now_s(Lane) = 0;
};

}  // namespace ithaca
