#include "runtime/threads/thread_communicator.h"

#include "models/error.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <optional>
#include <thread>

namespace ithaca {
namespace {

void copy_bytes(std::byte* to, const std::byte* from, std::int64_t bytes) {
  if (bytes > 0) std::memmove(to, from, static_cast<std::size_t>(bytes));
}

int members_of(const Group& group) {
  return static_cast<int>(group.ranks.size());
}

int rank_of(const Group& group, int member) {
  return group.ranks[static_cast<std::size_t>(member)];
}

void check_bytes(int from, int to, std::int64_t sent, std::int64_t expected) {
  if (sent != expected)
    throw EnvironmentError(
        fmt::format("rank {} sends {} bytes where rank {} expects {}", from, sent, to, expected));
}

/// A post that is taken back when its sender fails before it was copied.
class Offer {
 public:
  Offer(ThreadWorld& world, int from, int to, std::span<const Parcel> parcels)
      : world_(world), from_(from), to_(to) {
    world_.post(from, to, parcels);
  }
  Offer(const Offer&) = delete;
  Offer& operator=(const Offer&) = delete;
  ~Offer() {
    if (!done_) world_.revoke(from_, to_);
  }
  std::int64_t copied_bytes() {
    const std::int64_t bytes = world_.withdraw(from_, to_);
    done_ = true;
    return bytes;
  }

 private:
  ThreadWorld& world_;
  int from_, to_;
  bool done_ = false;
};

}  // namespace

ThreadCommunicator::ThreadCommunicator(ThreadWorld& world, int rank)
    : world_(world), rank_(rank), sent_bytes_(static_cast<std::size_t>(world.ranks())) {}

void ThreadCommunicator::follow(const StepList& steps, const Group& group, const Chunks& chunks) {
  for (const Round& round : steps) follow(round, group, chunks);
}

void ThreadCommunicator::follow(const Round& round, const Group& group, const Chunks& chunks) {
  const auto out = std::ranges::find(round, group.me, &Transfer::from);
  const auto in = std::ranges::find(round, group.me, &Transfer::to);
  Parcel parcel{nullptr, nullptr, chunks.bytes};
  std::optional<Offer> offer;
  if (out != round.end()) {
    parcel.send = chunks.source(out->source);
    offer.emplace(world_, rank_, rank_of(group, out->to), std::span<const Parcel>(&parcel, 1));
  }
  if (in != round.end()) {
    const int from = rank_of(group, in->from);
    world_.receive(from, rank_, [&](std::span<const Parcel> sent) {
      check_bytes(from, rank_, sent[0].bytes, chunks.bytes);
      std::byte* target = chunks.target(in->target);
      if (in->add)
        add_elements(chunks.element, sent[0].send, target,
                     chunks.bytes / bytes_of(chunks.element.dtype));
      else
        copy_bytes(target, sent[0].send, chunks.bytes);
      return chunks.bytes;
    });
  }
  if (offer) credit(rank_of(group, out->to), offer->copied_bytes());
}

void ThreadCommunicator::all_gather(const Group& group, const std::byte* chunk, std::byte* chunks,
                                    std::int64_t chunk_bytes, Lane) {
  const auto at = [&](int i) { return chunks + i * chunk_bytes; };
  copy_bytes(at(group.me), chunk, chunk_bytes);
  follow(all_gather_steps(members_of(group), Algorithm::ring), group, {at, at, chunk_bytes});
}

void ThreadCommunicator::reduce_scatter(const Group& group, DType dtype, const std::byte* chunks,
                                        std::byte* chunk, std::int64_t chunk_elements, Lane) {
  const std::int64_t bytes = chunk_elements * bytes_of(dtype);
  const auto source = [&](int i) { return chunks + i * bytes; };
  copy_bytes(chunk, source(group.me), bytes);
  follow(reduce_scatter_steps(members_of(group), Algorithm::pairwise), group,
         {source, [&](int) { return chunk; }, bytes, dtype});
}

void ThreadCommunicator::all_reduce(const Group& group, Element element, std::byte* chunks,
                                    std::int64_t chunk_elements, Lane) {
  const std::int64_t bytes = chunk_elements * bytes_of(element.dtype);
  const auto at = [&](int i) { return chunks + i * bytes; };
  const Chunks all{at, at, bytes, element};
  follow(reduce_scatter_steps(members_of(group), Algorithm::ring), group, all);
  follow(all_gather_steps(members_of(group), Algorithm::ring), group, all);
}

void ThreadCommunicator::all_to_all(const Group& group, const std::byte* send, std::byte* receive,
                                    std::int64_t chunk_bytes, Lane) {
  const std::int64_t mine = group.me * chunk_bytes;
  copy_bytes(receive + mine, send + mine, chunk_bytes);
  follow(all_to_all_steps(members_of(group)), group,
         {[&](int i) { return send + i * chunk_bytes; },
          [&](int i) { return receive + i * chunk_bytes; }, chunk_bytes});
}

void ThreadCommunicator::shift(const Group& group, std::span<const Parcel> parcels, int by, Lane) {
  const int n = members_of(group), step = (by % n + n) % n;
  const int to = rank_of(group, (group.me + step) % n),
            from = rank_of(group, (group.me - step + n) % n);
  const auto copy = [&](std::span<const Parcel> sent) {
    std::int64_t bytes = 0;
    check_bytes(from, rank_, std::ssize(sent), std::ssize(parcels));
    for (std::size_t i = 0; i < parcels.size(); ++i) {
      check_bytes(from, rank_, sent[i].bytes, parcels[i].bytes);
      copy_bytes(parcels[i].receive, sent[i].send, sent[i].bytes);
      bytes += sent[i].bytes;
    }
    return bytes;
  };
  if (step == 0) {
    copy(parcels);
    return;
  }
  Offer offer(world_, rank_, to, parcels);
  world_.receive(from, rank_, copy);
  credit(to, offer.copied_bytes());
}

void run_ranks(int n, const std::function<void(ThreadCommunicator&)>& work, double patience_s) {
  ThreadWorld world(n, patience_s);
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(n));
  const auto run = [&](int rank) {
    ThreadCommunicator communicator(world, rank);
    try {
      work(communicator);
    } catch (const std::exception& error) {
      errors[static_cast<std::size_t>(rank)] = std::current_exception();
      communicator.abort(error.what());
    } catch (...) {
      errors[static_cast<std::size_t>(rank)] = std::current_exception();
      communicator.abort("an error without a name");
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < n; ++rank) threads.emplace_back(run, rank);
  }
  if (world.failed_rank() >= 0)
    std::rethrow_exception(errors[static_cast<std::size_t>(world.failed_rank())]);
}

}  // namespace ithaca
