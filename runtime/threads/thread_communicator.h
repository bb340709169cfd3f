// runtime/threads/thread_communicator.h -- ranks as threads of one process: real copies, no
// launcher.
//
// Follows the step lists of collective_steps.h.  A call returns when its bytes have arrived and may
// be overwritten, whatever the lane: memory must be the host's and the device must work at the
// call.  Bytes are counted by the rank that copies them and credited to the rank that sent them.
#pragma once

#include "runtime/collective_steps.h"
#include "runtime/communicator.h"
#include "runtime/threads/thread_world.h"

#include <functional>
#include <vector>

namespace ithaca {

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(ThreadWorld& world, int rank);

  int rank() const override { return rank_; }
  int ranks() const override { return world_.ranks(); }
  void agree(std::uint64_t fingerprint) override { world_.agree(rank_, fingerprint); }
  void all_gather(const Group&, const std::byte* chunk, std::byte* chunks, std::int64_t chunk_bytes,
                  Lane) override;
  void reduce_scatter(const Group&, DType, const std::byte* chunks, std::byte* chunk,
                      std::int64_t chunk_elements, Lane) override;
  void all_reduce(const Group&, Element, std::byte* chunks, std::int64_t chunk_elements,
                  Lane) override;
  void all_to_all(const Group&, const std::byte* send, std::byte* receive, std::int64_t chunk_bytes,
                  Lane) override;
  void shift(const Group&, std::span<const Parcel>, int by, Lane) override;
  const std::vector<std::int64_t>& sent_bytes() const override { return sent_bytes_; }
  void abort(std::string_view reason) noexcept override { world_.abort(rank_, reason); }

 private:
  /// Where a chunk lies by its number, as source and as target.
  struct Chunks {
    std::function<const std::byte*(int)> source;
    std::function<std::byte*(int)> target;
    std::int64_t bytes;
    Element element = DType::f64;  ///< of sums
  };
  void follow(const StepList&, const Group&, const Chunks&);
  void follow(const Round&, const Group&, const Chunks&);
  void credit(int to, std::int64_t bytes) { sent_bytes_[static_cast<std::size_t>(to)] += bytes; }

  ThreadWorld& world_;
  int rank_;
  std::vector<std::int64_t> sent_bytes_;
};

/// Runs `work` as each of n ranks, one thread each, and waits for all.  When a rank throws, all
/// others are made to throw too, and the error of the first, of its own type, is thrown here.
void run_ranks(int n, const std::function<void(ThreadCommunicator&)>& work,
               double patience_s = 300);

/// target[i] += source[i] in the dtype; bf16 rounds to nearest even after each sum.
void add_elements(Element, const std::byte* source, std::byte* target, std::int64_t elements);

}  // namespace ithaca
