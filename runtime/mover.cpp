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

void Mover::operator()(const Exchange& x, const MoveBuffers& at) {
  switch (x.traffic.wire) {
    case Wire::none:
      return keep(x, at);
    case Wire::all_gather:
      return all_gather(x, at);
    case Wire::reduce_scatter:
      return reduce_scatter(x, at);
    case Wire::all_reduce:
      return all_reduce(x, at);
    case Wire::all_to_all:
      return all_to_all(x, at);
    case Wire::send_recv:
      require(false, "a move is never a shift");
  }
}

/// A part of the operand, in the order of the result: the boxes of a slice follow the row-major
/// order of both.
void Mover::keep(const Exchange& x, const MoveBuffers& at) {
  const std::int64_t element_bytes = bytes_of(dtype_), n = elements_of(x.send[0]);
  const std::int64_t rest = x.result_elements - n;
  if (is_all_in_order(x.send[0], x.operand_elements))
    device_.copy(at.result, at.operand, n * element_bytes, lane_);
  else
    device_.pack(dtype_, at.operand, x.send[0], at.result, lane_);
  if (rest > 0) device_.fill_zero(at.result + n * element_bytes, rest * element_bytes, lane_);
}

void Mover::all_gather(const Exchange& x, const MoveBuffers& at) {
  std::byte* chunks = x.contiguous ? at.result : at.receive;
  communicator_.all_gather(x.group, at.operand, chunks, x.traffic.chunk_elements * bytes_of(dtype_),
                           lane_);
  if (!x.contiguous) unpack(x, at);
}

void Mover::reduce_scatter(const Exchange& x, const MoveBuffers& at) {
  if (!x.contiguous) pack(x, at);
  const std::byte* chunks = x.contiguous ? at.operand : at.send;
  communicator_.reduce_scatter(x.group, dtype_, chunks, at.result, x.traffic.chunk_elements, lane_);
}

void Mover::all_reduce(const Exchange& x, const MoveBuffers& at) {
  const std::int64_t bytes = x.operand_elements * bytes_of(dtype_);
  const std::int64_t all = x.traffic.ranks * x.traffic.chunk_elements * bytes_of(dtype_);
  device_.copy(at.send, at.operand, bytes, lane_);
  if (all > bytes) device_.fill_zero(at.send + bytes, all - bytes, lane_);
  communicator_.all_reduce(x.group, element_, at.send, x.traffic.chunk_elements, lane_);
  device_.copy(at.result, at.send, bytes, lane_);
}

void Mover::all_to_all(const Exchange& x, const MoveBuffers& at) {
  pack(x, at);
  communicator_.all_to_all(x.group, at.send, at.receive,
                           x.traffic.chunk_elements * bytes_of(dtype_), lane_);
  unpack(x, at);
}

void Mover::pack(const Exchange& x, const MoveBuffers& at) {
  const std::int64_t element_bytes = bytes_of(dtype_),
                     chunk = x.traffic.chunk_elements * element_bytes;
  std::byte* to = at.send;
  for (const Boxes& boxes : x.send) {
    const std::int64_t bytes = elements_of(boxes) * element_bytes;
    if (bytes > 0) device_.pack(dtype_, at.operand, boxes, to, lane_);
    if (bytes < chunk) device_.fill_zero(to + bytes, chunk - bytes, lane_);
    to += chunk;
  }
}

void Mover::unpack(const Exchange& x, const MoveBuffers& at) {
  const std::int64_t chunk = x.traffic.chunk_elements * bytes_of(dtype_);
  const std::byte* from = at.receive;
  for (std::size_t p = 0; p < x.receive.size(); ++p, from += chunk)
    if (!x.receive[p].empty())
      device_.unpack(dtype_, from, x.receive[p], x.adds[p], at.result, lane_);
}

}  // namespace ithaca
