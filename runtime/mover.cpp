// The other half of exchange.h: carries an Exchange out.
#include "models/error.h"
#include "runtime/exchange.h"

namespace ithaca {
namespace {

std::int64_t elements_of(const Boxes& boxes) {
  std::int64_t n = 0;
  for (const Box& box : boxes) n += box.elements();
  return n;
}

bool is_all_in_order(const Boxes& boxes, std::int64_t elements) {
  return boxes.size() == 1 && boxes[0].offset == 0 && boxes[0].elements() == elements &&
         boxes[0].counts.size() <= 1 && (boxes[0].strides.empty() || boxes[0].strides[0] == 1);
}

}  // namespace

std::int64_t Mover::chunk_bytes(const Cargo& c) const {
  return c.exchange.traffic.chunk_elements * bytes_of(dtype_);
}
std::int64_t Mover::chunk_bytes(const std::vector<Cargo>& cargo) const {
  std::int64_t bytes = 0;
  for (const Cargo& c : cargo) bytes += chunk_bytes(c);
  return bytes;
}

void Mover::operator()(const std::vector<Cargo>& cargo, const MoveScratch& scratch) {
  switch (cargo.front().exchange.traffic.wire) {
    case Wire::none:
      return keep(cargo.front());
    case Wire::all_gather:
      return all_gather(cargo, scratch);
    case Wire::reduce_scatter:
      return reduce_scatter(cargo, scratch);
    case Wire::all_reduce:
      return all_reduce(cargo, scratch);
    case Wire::all_to_all:
      return all_to_all(cargo, scratch);
    case Wire::send_recv:
      require(false, "a move is never a shift");
  }
}

/// A part of the operand, in the order of the result: the boxes of a slice follow the row-major
/// order of both.
void Mover::keep(const Cargo& c) {
  const Exchange& x = c.exchange;
  const std::int64_t element_bytes = bytes_of(dtype_), n = elements_of(x.send[0]);
  const std::int64_t rest = x.result_elements - n;
  if (is_all_in_order(x.send[0], x.operand_elements))
    device_.copy(c.result, c.operand, n * element_bytes, lane_);
  else
    device_.pack(dtype_, c.operand, x.send[0], c.result, lane_);
  if (rest > 0) device_.fill_zero(c.result + n * element_bytes, rest * element_bytes, lane_);
}

void Mover::all_gather(const std::vector<Cargo>& cargo, const MoveScratch& scratch) {
  const Cargo& first = cargo.front();
  const bool several = cargo.size() > 1, in_place = !several && first.exchange.contiguous;
  const std::byte* mine = several ? scratch.send : first.operand;
  std::byte* to = scratch.send;
  for (const Cargo& c : cargo) {
    if (several) device_.copy(to, c.operand, chunk_bytes(c), lane_);
    to += several ? chunk_bytes(c) : 0;
  }
  std::byte* chunks = in_place ? first.result : scratch.receive;
  communicator_.all_gather(first.exchange.group, mine, chunks, chunk_bytes(cargo), lane_);
  if (!in_place) unpack(cargo, scratch.receive);
}

void Mover::reduce_scatter(const std::vector<Cargo>& cargo, const MoveScratch& scratch) {
  const Cargo& first = cargo.front();
  const bool several = cargo.size() > 1, in_place = !several && first.exchange.contiguous;
  if (!in_place) pack(cargo, scratch.send);
  communicator_.reduce_scatter(
      first.exchange.group, dtype_, in_place ? first.operand : scratch.send,
      several ? scratch.receive : first.result, chunk_bytes(cargo) / bytes_of(dtype_), lane_);
  const std::byte* from = scratch.receive;
  for (std::size_t i = 0; several && i < cargo.size(); from += chunk_bytes(cargo[i++]))
    device_.copy(cargo[i].result, from, chunk_bytes(cargo[i]), lane_);
}

void Mover::all_reduce(const std::vector<Cargo>& cargo, const MoveScratch& scratch) {
  const auto visit = [&](auto each) {
    std::byte* at = scratch.send;
    for (const Cargo& c : cargo) {
      each(c, at, c.exchange.operand_elements * bytes_of(dtype_));
      at += c.exchange.traffic.ranks * chunk_bytes(c);
    }
  };
  visit([&](const Cargo& c, std::byte* at, std::int64_t bytes) {
    const std::int64_t all = c.exchange.traffic.ranks * chunk_bytes(c);
    device_.copy(at, c.operand, bytes, lane_);
    if (all > bytes) device_.fill_zero(at + bytes, all - bytes, lane_);
  });
  communicator_.all_reduce(cargo.front().exchange.group, element_, scratch.send,
                           chunk_bytes(cargo) / bytes_of(dtype_), lane_);
  visit([&](const Cargo& c, const std::byte* at, std::int64_t bytes) {
    device_.copy(c.result, at, bytes, lane_);
  });
}

void Mover::all_to_all(const std::vector<Cargo>& cargo, const MoveScratch& scratch) {
  pack(cargo, scratch.send);
  communicator_.all_to_all(cargo.front().exchange.group, scratch.send, scratch.receive,
                           chunk_bytes(cargo), lane_);
  unpack(cargo, scratch.receive);
}

void Mover::pack(const std::vector<Cargo>& cargo, std::byte* to) {
  for (std::size_t peer = 0; peer < cargo.front().exchange.send.size(); ++peer)
    for (const Cargo& c : cargo) {
      const Boxes& boxes = c.exchange.send[peer];
      const std::int64_t bytes = elements_of(boxes) * bytes_of(dtype_), chunk = chunk_bytes(c);
      if (bytes > 0) device_.pack(dtype_, c.operand, boxes, to, lane_);
      if (bytes < chunk) device_.fill_zero(to + bytes, chunk - bytes, lane_);
      to += chunk;
    }
}

void Mover::unpack(const std::vector<Cargo>& cargo, const std::byte* from) {
  for (std::size_t peer = 0; peer < cargo.front().exchange.receive.size(); ++peer)
    for (const Cargo& c : cargo) {
      const Exchange& x = c.exchange;
      if (!x.receive[peer].empty())
        device_.unpack(dtype_, from, x.receive[peer], x.adds[peer], c.result, lane_);
      from += chunk_bytes(c);
    }
}

}  // namespace ithaca
