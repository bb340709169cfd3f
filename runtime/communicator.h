// runtime/communicator.h -- what a set of ranks must do for one another to run a program.
//
// Collectives work on chunks that lie one after another, one for each rank of the group in group order; packing
// tensors into chunks is the caller's.  Every communicator counts what it really sends.  A sum is taken in the
// order of its step list (collective_steps.h), so communicators that follow it agree to the bit.
#pragma once

#include "models/type.h"
#include "sim/timeline.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ithaca {

/// Ranks in group order and the place of the caller among them.
struct Group {
  std::vector<int> ranks;
  int me = 0;
};

/// One tensor of a message around the ring.
struct Parcel {
  const std::byte* send;
  std::byte* receive;
  std::int64_t bytes;
};

/// What chunks are made of, and how two are joined: by their sum or the larger of each two.
struct Element {
  DType dtype;
  bool maximum = false;
  Element(DType of, bool larger = false)
      : dtype(of), maximum(larger) {}  // NOLINT(google-explicit-constructor)
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int ranks() const = 0;

  /// Checks before anything runs that all ranks are about to run the same program: throws EnvironmentError on every
  /// rank when fingerprints differ.
  virtual void agree(std::uint64_t fingerprint) = 0;

  /// `chunk` of every rank into `chunks` (n of them), on every rank.
  virtual void all_gather(const Group&, const std::byte* chunk, std::byte* chunks,
                          std::int64_t chunk_bytes, Lane) = 0;
  /// Sum over ranks of chunk number `me` into `chunk`.  `chunks` stay as they are: the operand may still be in use.
  virtual void reduce_scatter(const Group&, DType, const std::byte* chunks, std::byte* chunk,
                              std::int64_t chunk_elements, Lane) = 0;
  /// Sum (or maximum) over ranks of all n chunks, in place: a reduce-scatter and an all-gather.
  virtual void all_reduce(const Group&, Element, std::byte* chunks, std::int64_t chunk_elements,
                          Lane) = 0;
  /// Chunk j of `send` goes to rank j; chunk j of `receive` came from rank j.
  virtual void all_to_all(const Group&, const std::byte* send, std::byte* receive,
                          std::int64_t chunk_bytes, Lane) = 0;
  /// To the rank `by` places on, from the rank `by` places back (modulo n), as one message.
  virtual void shift(const Group&, std::span<const Parcel>, int by, Lane) = 0;

  /// Bytes this rank really sent to each rank since the start.
  virtual const std::vector<std::int64_t>& sent_bytes() const = 0;
  /// Makes every rank that waits, now or later, throw: called by a rank that fails.
  virtual void abort(std::string_view reason) noexcept = 0;
};

}  // namespace ithaca
