#include "runtime/threads/thread_world.h"

#include "models/error.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace ithaca {
namespace {

using Clock = std::chrono::system_clock;

/// False when the time is over before the condition holds.
template <class Condition>
bool wait_at_most(double seconds, std::condition_variable& changed,
                  std::unique_lock<std::mutex>& lock, Condition holds) {
  const auto limit =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  return changed.wait_until(lock, Clock::now() + limit, holds);
}

}  // namespace

ThreadWorld::ThreadWorld(int ranks, double patience_s)
    : ranks_(ranks),
      patience_s_(patience_s),
      mailboxes_(std::make_unique<Mailbox[]>(static_cast<std::size_t>(ranks) *
                                             static_cast<std::size_t>(ranks))) {
  meeting_.fingerprints.resize(static_cast<std::size_t>(ranks));
  meeting_.present.resize(static_cast<std::size_t>(ranks));
}

ThreadWorld::Mailbox& ThreadWorld::mailbox(int from, int to) {
  return mailboxes_[static_cast<std::size_t>(from) * static_cast<std::size_t>(ranks_) +
                    static_cast<std::size_t>(to)];
}

void ThreadWorld::wait_for(Mailbox& box, std::unique_lock<std::mutex>& lock, State wanted, int me,
                           int other) const {
  const bool in_time =
      wait_at_most(patience_s_, box.changed, lock, [&] { return box.state == wanted || failed(); });
  if (failed()) throw_failure();
  if (!in_time)
    throw EnvironmentError(fmt::format("rank {} waited {} s for rank {}, which is stuck or lost",
                                       me, patience_s_, other));
}

void ThreadWorld::post(int from, int to, std::span<const Parcel> parcels) {
  Mailbox& box = mailbox(from, to);
  std::unique_lock lock(box.mutex);
  wait_for(box, lock, State::empty, from, to);
  box.parcels = parcels;
  box.state = State::posted;
  box.changed.notify_all();
}

void ThreadWorld::receive(int from, int to, const Copy& copy) {
  Mailbox& box = mailbox(from, to);
  std::unique_lock lock(box.mutex);
  wait_for(box, lock, State::posted, to, from);
  box.copied_bytes = copy(box.parcels);
  box.state = State::copied;
  box.changed.notify_all();
}

std::int64_t ThreadWorld::withdraw(int from, int to) {
  Mailbox& box = mailbox(from, to);
  std::unique_lock lock(box.mutex);
  wait_for(box, lock, State::copied, from, to);
  box.state = State::empty;
  return box.copied_bytes;
}

void ThreadWorld::revoke(int from, int to) noexcept {
  Mailbox& box = mailbox(from, to);
  const std::scoped_lock lock(box.mutex);
  box.state = State::empty;
}

int ThreadWorld::missing_rank() const {
  return static_cast<int>(std::ranges::find(meeting_.present, false) - meeting_.present.begin());
}

void ThreadWorld::close_meeting() {
  const std::vector<std::uint64_t>& all = meeting_.fingerprints;
  const auto other = std::ranges::find_if(all, [&](std::uint64_t f) { return f != all.front(); });
  meeting_.quarrel =
      other == all.end()
          ? ""
          : fmt::format("rank {} is about to run another program than rank 0", other - all.begin());
  meeting_.present.assign(meeting_.present.size(), false);
  meeting_.arrived = 0;
  ++meeting_.held;
  meeting_.changed.notify_all();
}

void ThreadWorld::agree(int rank, std::uint64_t fingerprint) {
  std::unique_lock lock(meeting_.mutex);
  if (failed()) throw_failure();
  const auto at = static_cast<std::size_t>(rank);
  meeting_.fingerprints[at] = fingerprint;
  meeting_.present[at] = true;
  const int mine = meeting_.held;
  if (++meeting_.arrived == ranks_) close_meeting();
  const bool in_time = wait_at_most(patience_s_, meeting_.changed, lock,
                                    [&] { return meeting_.held != mine || failed(); });
  if (meeting_.held == mine) {
    if (failed()) throw_failure();
    if (!in_time)
      throw EnvironmentError(fmt::format("rank {} waited {} s for rank {}, which never came", rank,
                                         patience_s_, missing_rank()));
  }
  if (!meeting_.quarrel.empty()) throw EnvironmentError(meeting_.quarrel);
}

void ThreadWorld::abort(int rank, std::string_view reason) noexcept {
  {
    const std::scoped_lock lock(failure_mutex_);
    if (failed_rank_ >= 0) return;
    failed_rank_ = rank;
    try {
      reason_ = fmt::format("rank {}: {}", rank, reason);
    } catch (const std::exception&) {
      reason_.clear();  // no memory for words
    }
  }
  // Taking each mutex once makes sure that nobody is between looking and sleeping.
  for (int i = 0; i < ranks_ * ranks_; ++i) {
    Mailbox& box = mailboxes_[static_cast<std::size_t>(i)];
    { const std::scoped_lock lock(box.mutex); }
    box.changed.notify_all();
  }
  { const std::scoped_lock lock(meeting_.mutex); }
  meeting_.changed.notify_all();
}

int ThreadWorld::failed_rank() const {
  const std::scoped_lock lock(failure_mutex_);
  return failed_rank_;
}

void ThreadWorld::throw_failure() const {
  const std::scoped_lock lock(failure_mutex_);
  throw EnvironmentError(reason_);
}

}  // namespace ithaca
