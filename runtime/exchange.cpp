#include "runtime/exchange.h"

#include "models/error.h"
#include "models/positions.h"

#include <algorithm>
#include <numeric>

namespace ithaca {
namespace {

/// Consecutive elements of a slice along one dimension, in the sender's slice and in the
/// receiver's.
struct Piece {
  std::int64_t sender, receiver;            ///< first local index
  std::int64_t sender_step, receiver_step;  ///< between elements
  std::int64_t count;
};
using Pieces = std::vector<Piece>;

template <class Visit>
void for_each_index(const std::vector<Run>& runs, Visit visit) {
  std::int64_t local = 0;
  for (const Run& run : runs)
    for (std::int64_t i = 0; i < run.count; ++i) visit(local++, run.first + i * run.stride);
}

void append(Pieces& pieces, std::int64_t sender, std::int64_t receiver) {
  if (!pieces.empty()) {
    Piece& last = pieces.back();
    const std::int64_t a = sender - last.sender, b = receiver - last.receiver;
    if (last.count == 1) {
      last.sender_step = a;
      last.receiver_step = b;
    }
    if (a == last.count * last.sender_step && b == last.count * last.receiver_step) {
      ++last.count;
      return;
    }
    if (last.count == 1) last.sender_step = last.receiver_step = 1;
  }
  pieces.push_back({sender, receiver, 1, 1, 1});
}

/// The part of one dimension that the sender holds and the receiver needs, in the sender's order.
Pieces common(const Dim& from, const Dim& to, const Mesh& mesh, int sender, int receiver) {
  if (from.over == to.over) return {{0, 0, 1, 1, local_size(from, mesh)}};
  std::vector<std::int64_t> place(static_cast<std::size_t>(from.size), -1);
  for_each_index(positions(to, mesh, receiver), [&](std::int64_t local, std::int64_t index) {
    place[static_cast<std::size_t>(index)] = local;
  });
  Pieces pieces;
  for_each_index(positions(from, mesh, sender), [&](std::int64_t local, std::int64_t index) {
    const std::int64_t at = place[static_cast<std::size_t>(index)];
    if (at >= 0) append(pieces, local, at);
  });
  return pieces;
}

std::vector<std::int64_t> strides_of(const Type& t, const Mesh& mesh) {
  std::vector<std::int64_t> strides(t.dims.size(), 1);
  for (std::size_t i = t.dims.size(); i-- > 1;)
    strides[i - 1] = strides[i] * local_size(t.dims[i], mesh);
  return strides;
}

/// Every element of the pieces as a piece of its own.
Pieces split(const Pieces& pieces) {
  Pieces single;
  for (const Piece& p : pieces)
    for (std::int64_t i = 0; i < p.count; ++i)
      single.push_back({p.sender + i * p.sender_step, p.receiver + i * p.receiver_step, 1, 1, 1});
  return single;
}

/// Dims above one of several pieces are split, so that box after box is row-major order.
void split_majors(std::vector<Pieces>& dims) {
  const auto several = [](const Pieces& pieces) { return pieces.size() != 1; };
  const auto last = std::find_if(dims.rbegin(), dims.rend(), several);
  if (last == dims.rend()) return;
  for (auto it = std::next(last); it != dims.rend(); ++it) *it = split(*it);
}

void append_dim(Box& box, std::int64_t first, std::int64_t step, std::int64_t count,
                std::int64_t stride) {
  box.offset += first * stride;
  if (count == 1) return;
  const std::int64_t distance = step * stride;
  if (!box.counts.empty() && box.strides.back() == count * distance) {
    box.counts.back() *= count;  // runs on without a gap
    box.strides.back() = distance;
    return;
  }
  box.counts.push_back(count);
  box.strides.push_back(distance);
}

struct BoxPair {
  Boxes sender, receiver;
};

BoxPair boxes_of(std::vector<Pieces> dims, const std::vector<std::int64_t>& sender_strides,
                 const std::vector<std::int64_t>& receiver_strides) {
  split_majors(dims);
  if (std::ranges::any_of(dims, [](const Pieces& pieces) { return pieces.empty(); })) return {};
  BoxPair boxes;
  std::vector<std::size_t> at(dims.size());
  for (bool more = true; more;) {
    Box a, b;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const Piece& p = dims[i][at[i]];
      append_dim(a, p.sender, p.sender_step, p.count, sender_strides[i]);
      append_dim(b, p.receiver, p.receiver_step, p.count, receiver_strides[i]);
    }
    boxes.sender.push_back(a);
    boxes.receiver.push_back(b);
    more = false;
    for (std::size_t i = dims.size(); i-- > 0 && !more;) {
      at[i] = (at[i] + 1) % dims[i].size();
      more = at[i] != 0;
    }
  }
  return boxes;
}

/// Elements [begin, end) of the row-major whole slice that a rank holds after the flat cut.
struct Range {
  std::int64_t begin, end;
};
Range flat_range(const Type& t, const Mesh& mesh, int rank) {
  const std::int64_t whole = whole_elements(t, mesh), chunk = local_elements(t, mesh);
  const std::int64_t begin = mesh.position(rank, t.flat) * chunk;
  return {std::min(whole, begin), std::min(whole, begin + chunk)};
}

Box range_box(std::int64_t offset, std::int64_t elements) {
  Box box;
  box.offset = offset;
  box.counts.push_back(elements);
  box.strides.push_back(1);
  return box;
}

BoxPair flat_boxes(const Type& from, const Type& to, const Mesh& mesh, int sender, int receiver) {
  const Range a = flat_range(from, mesh, sender), b = flat_range(to, mesh, receiver);
  const std::int64_t begin = std::max(a.begin, b.begin), n = std::min(a.end, b.end) - begin;
  if (n <= 0) return {};
  return {{range_box(begin - a.begin, n)}, {range_box(begin - b.begin, n)}};
}

bool same_cuts(const Type& a, const Type& b) {
  return std::ranges::equal(a.dims, b.dims, {}, &Dim::over, &Dim::over);
}

BoxPair boxes_between(const Type& from, const Type& to, const Mesh& mesh, int sender,
                      int receiver) {
  if (!from.flat.empty() || !to.flat.empty()) return flat_boxes(from, to, mesh, sender, receiver);
  std::vector<Pieces> dims;
  for (std::size_t i = 0; i < from.dims.size(); ++i)
    dims.push_back(common(from.dims[i], to.dims[i], mesh, sender, receiver));
  return boxes_of(std::move(dims), strides_of(from, mesh), strides_of(to, mesh));
}

std::int64_t elements_of(const Boxes& boxes) {
  return std::accumulate(boxes.begin(), boxes.end(), std::int64_t{0},
                         [](std::int64_t n, const Box& box) { return n + box.elements(); });
}

bool same_place(const Boxes& a, const Boxes& b) {
  return std::ranges::equal(a, b, [](const Box& x, const Box& y) {
    return x.offset == y.offset && x.counts == y.counts && x.strides == y.strides;
  });
}

/// Equal chunks, or shorter ones where a flat cut rounds up.
void check_chunks(const Exchange& x, const Type& from, const Type& to, const Mesh& mesh) {
  const bool flat = !from.flat.empty() || !to.flat.empty();
  const auto fits = [&](const Boxes& boxes) {
    const std::int64_t n = elements_of(boxes), chunk = x.traffic.chunk_elements;
    return flat ? n <= chunk : n == chunk;
  };
  const bool nested = !from.flat.empty() && !to.flat.empty();
  const std::int64_t parts = std::max(mesh.ranks(from.flat), mesh.ranks(to.flat));
  const bool aligned =
      !nested || whole_elements(from, mesh) % parts == 0;  // else rounding moves the cuts
  const bool apart = !flat || same_cuts(from, to);
  if (apart && aligned && std::ranges::all_of(x.send, fits) && std::ranges::all_of(x.receive, fits))
    return;
  throw TypeError("move",
                  to_string(from, mesh) + " to " + to_string(to, mesh) +
                      ": the slices are not equal chunks of one collective; move in two steps");
}

void find_addends(Exchange& x, bool sums) {
  for (std::size_t p = 0; p < x.receive.size(); ++p) {
    const auto me = x.receive.begin() + static_cast<std::ptrdiff_t>(p);
    x.adds.push_back(sums && std::any_of(x.receive.begin(), me, [&](const Boxes& boxes) {
                       return same_place(boxes, *me);
                     }));
  }
}

}  // namespace

std::int64_t Box::elements() const {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{1}, std::multiplies<>{});
}

Exchange exchange_of(const Type& from, const Type& to, const Mesh& mesh, int rank) {
  Exchange x;
  x.traffic = traffic_of(from, to, mesh);
  x.operand_elements = local_elements(from, mesh);
  x.result_elements = local_elements(to, mesh);
  const Wire wire = x.traffic.wire;
  if (wire != Wire::none)
    x.group = {mesh.group(rank, x.traffic.axes), mesh.position(rank, x.traffic.axes)};
  if (wire == Wire::none) x.group = {{rank}, 0};
  if (wire == Wire::all_reduce) {
    require(same_cuts(from, to) && from.flat == to.flat, "an all-reduce that also cuts");
    return x;
  }
  for (const int peer : x.group.ranks) {
    x.send.push_back(boxes_between(from, to, mesh, rank, peer).sender);
    x.receive.push_back(boxes_between(from, to, mesh, peer, rank).receiver);
  }
  if (wire != Wire::none) check_chunks(x, from, to, mesh);
  if (wire == Wire::all_gather) x.contiguous = chunks_are_contiguous(to, from, mesh);
  if (wire == Wire::reduce_scatter)
    x.contiguous = !x.traffic.keeps_part && chunks_are_contiguous(from, to, mesh);
  const bool sums =
      std::ranges::any_of(x.traffic.axes, [&](Axis axis) { return contains(from.partial, axis); });
  find_addends(x, sums && wire == Wire::all_to_all);
  return x;
}

}  // namespace ithaca
