// runtime/threads/thread_world.h -- what ranks that are threads of one process share.
//
// Between every two ranks and in each direction lies one mailbox.  A sender posts where its bytes
// lie and goes on; the receiver copies them itself and says so; then the sender may use the memory
// again.  Waiting ranks sleep.
#pragma once

#include "runtime/communicator.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

class ThreadWorld {
 public:
  /// patience_s: how long a rank waits for another before it takes it for lost.
  explicit ThreadWorld(int ranks, double patience_s = 300);

  int ranks() const { return ranks_; }

  /// Offers the `send` side of the parcels to `to`.  They must stay as they are until withdraw().
  void post(int from, int to, std::span<const Parcel> parcels);
  /// Waits for what `from` posts to `to` and hands it to `copy`, which returns the bytes it copied.
  using Copy = std::function<std::int64_t(std::span<const Parcel>)>;
  void receive(int from, int to, const Copy& copy);
  /// Waits until `to` has copied what was posted to it; returns the bytes it copied.
  std::int64_t withdraw(int from, int to);
  /// Takes a post back, after the copy if one is under way: for a sender that fails and gives up
  /// its memory.
  void revoke(int from, int to) noexcept;

  /// Waits for all ranks.  Throws EnvironmentError on each of them when their fingerprints differ.
  void agree(int rank, std::uint64_t fingerprint);

  /// From now on every wait throws EnvironmentError with the reason given first.
  void abort(int rank, std::string_view reason) noexcept;
  /// The rank that aborted first, or -1.
  int failed_rank() const;

 private:
  enum class State { empty, posted, copied };
  struct Mailbox {
    std::mutex mutex;
    std::condition_variable changed;
    State state = State::empty;
    std::span<const Parcel> parcels;
    std::int64_t copied_bytes = 0;
  };
  struct Meeting {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::uint64_t> fingerprints;
    std::vector<bool> present;
    int arrived = 0, held = 0;  ///< ranks in this meeting, meetings held so far
    std::string quarrel;        ///< of the last meeting
  };

  Mailbox& mailbox(int from, int to);
  void wait_for(Mailbox&, std::unique_lock<std::mutex>&, State, int me, int other) const;
  void close_meeting();
  int missing_rank() const;
  bool failed() const { return failed_rank() >= 0; }
  [[noreturn]] void throw_failure() const;

  int ranks_;
  double patience_s_;
  std::unique_ptr<Mailbox[]> mailboxes_;
  Meeting meeting_;
  mutable std::mutex failure_mutex_;
  int failed_rank_ = -1;
  std::string reason_;
};

}  // namespace ithaca
