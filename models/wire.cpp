#include "models/wire.h"

#include "models/divide_up.h"
#include "models/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>

namespace ithaca {
namespace {

enum class Lie : std::uint8_t { copies, shard, addend };

Lie lie_on(const Type& t, Axis axis) {
  if (contains(t.partial, axis)) return Lie::addend;
  if (contains(t.flat, axis)) return Lie::shard;
  for (const Dim& dim : t.dims)
    if (std::ranges::find(dim.over, axis, &Cut::axis) != dim.over.end()) return Lie::shard;
  return Lie::copies;
}

/// The cuts of `from` and `to` agree up to the shorter list: only minor axes may change.
bool only_minor_axes_change(const Type& from, const Type& to) {
  for (std::size_t i = 0; i < from.dims.size(); ++i) {
    const Cuts &a = from.dims[i].over, &b = to.dims[i].over;
    const auto shared = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
    if (!std::equal(a.begin(), a.begin() + shared, b.begin())) return false;
  }
  const auto n = static_cast<std::ptrdiff_t>(std::min(from.flat.size(), to.flat.size()));
  return std::equal(from.flat.begin(), from.flat.begin() + n, to.flat.begin());
}

/// Axes that a list has beyond the first `kept`.
void append_tail(AxisList& axes, const Cuts& cuts, std::size_t kept) {
  for (std::size_t i = kept; i < cuts.size(); ++i)
    if (!contains(axes, cuts[i].axis)) axes.push_back(cuts[i].axis);
}
void append_tail(AxisList& axes, const AxisList& flat, std::size_t kept) {
  for (std::size_t i = kept; i < flat.size(); ++i)
    if (!contains(axes, flat[i])) axes.push_back(flat[i]);
}

/// The axes along which the lie changes, in the order that numbers the slices (the longer list decides).
AxisList changed_axes(const Type& from, const Type& to) {
  AxisList axes;
  append_tail(axes, from.flat, to.flat.size());
  append_tail(axes, to.flat, from.flat.size());
  for (std::size_t i = 0; i < from.dims.size(); ++i) {
    append_tail(axes, from.dims[i].over, to.dims[i].over.size());
    append_tail(axes, to.dims[i].over, from.dims[i].over.size());
  }
  for (const Axis axis : from.partial)
    if (!contains(to.partial, axis) && !contains(axes, axis)) axes.push_back(axis);
  return axes;
}

struct Change {
  bool gathers = false, reduces = false, scatters = false, exchanges = false, makes_partial = false;
};

Change change_of(const Type& from, const Type& to, const AxisList& axes) {
  Change c;
  for (const Axis axis : axes) {
    const Lie a = lie_on(from, axis), b = lie_on(to, axis);
    c.makes_partial |= b == Lie::addend && a != Lie::addend;
    c.gathers |= a == Lie::shard && b == Lie::copies;
    c.reduces |= a == Lie::addend && b == Lie::copies;
    c.scatters |= a == Lie::addend && b == Lie::shard;
    c.exchanges |= a == Lie::shard && b == Lie::shard;
  }
  for (const Axis axis : to.partial) c.makes_partial |= !contains(from.partial, axis);
  return c;
}

std::optional<Wire> wire_of(const Change& c) {
  if (c.exchanges && !c.reduces) return Wire::all_to_all;
  if (c.gathers && !c.reduces && !c.scatters) return Wire::all_gather;
  if (c.scatters && !c.reduces && !c.gathers) return Wire::reduce_scatter;
  if (c.reduces && !c.gathers && !c.scatters && !c.exchanges) return Wire::all_reduce;
  if (!c.gathers && !c.reduces && !c.scatters && !c.exchanges) return Wire::none;
  return std::nullopt;
}

/// Ways in which `to` cuts the value finer than `from` does.
std::int64_t new_cuts(const Type& from, const Type& to, const Mesh& mesh) {
  std::int64_t n = 1;
  for (std::size_t i = 0; i < to.dims.size(); ++i)
    for (std::size_t j = from.dims[i].over.size(); j < to.dims[i].over.size(); ++j)
      n *= mesh.ranks(to.dims[i].over[j].axis);
  return n;
}

/// One value in two places: the same dims, the same dtype.
void check_same_value(const Type& from, const Type& to, const Mesh& mesh) {
  const bool same = std::ranges::equal(from.dims, to.dims, [](const Dim& a, const Dim& b) {
    return a.name == b.name && a.size == b.size;
  });
  if (!same)
    throw TypeError("move", fmt::format("{} to {}: expected the same dims", to_string(from, mesh),
                                        to_string(to, mesh)));
  if (from.dtype != to.dtype)
    throw TypeError("move", fmt::format("{} to {}: expected one dtype; cast it first",
                                        to_string(from, mesh), to_string(to, mesh)));
}

void size_messages(Traffic& t, const Type& from, const Type& to, const Mesh& mesh) {
  const std::int64_t n = t.ranks, in = local_elements(from, mesh), bytes = bytes_of(from.dtype);
  switch (t.wire) {
    case Wire::all_gather:
      t.chunk_elements = in;
      t.elements = local_elements(to, mesh);
      break;
    case Wire::reduce_scatter:
      t.chunk_elements = local_elements(to, mesh);
      t.elements = in;
      break;
    case Wire::all_reduce:
      t.chunk_elements = divide_up(in, n);
      t.elements = in;
      t.sent_bytes = 2 * (n - 1) * t.chunk_elements * bytes;
      return;
    case Wire::all_to_all:
      t.chunk_elements = in / new_cuts(from, to, mesh);
      t.elements = n * n * t.chunk_elements;
      break;
    case Wire::send_recv:
      t.chunk_elements = in;
      t.elements = n * in;
      t.sent_bytes = in * bytes;
      return;
    case Wire::none:
      return;
  }
  t.sent_bytes = (n - 1) * t.chunk_elements * bytes;
}

}  // namespace

const char* name_of(Wire wire) {
  constexpr std::array names{"none",       "all_gather", "reduce_scatter",
                             "all_reduce", "all_to_all", "send_recv"};
  return names[static_cast<std::size_t>(wire)];
}

Traffic traffic_of(const Type& from, const Type& to, const Mesh& mesh) {
  check_same_value(from, to, mesh);
  if (!only_minor_axes_change(from, to))
    throw TypeError("move",
                    fmt::format("{} to {}: only the minor axes of a dimension can move; put the "
                                "axis that moves last",
                                to_string(from, mesh), to_string(to, mesh)));
  Traffic t;
  t.axes = changed_axes(from, to);
  const auto drop = [&](auto unneeded) {
    t.axes.erase(std::remove_if(t.axes.begin(), t.axes.end(), unneeded), t.axes.end());
  };
  drop([&](Axis a) { return mesh.ranks(a) == 1; });
  const std::size_t changed = t.axes.size();
  drop([&](Axis a) { return lie_on(from, a) == Lie::copies && lie_on(to, a) == Lie::shard; });
  t.keeps_part = t.axes.size() < changed;
  t.ranks = mesh.ranks(t.axes);
  const Change change = change_of(from, to, t.axes);
  if (change.makes_partial)
    throw TypeError("move", fmt::format("{} to {}: a value cannot become a partial sum",
                                        to_string(from, mesh), to_string(to, mesh)));
  const std::optional<Wire> wire = wire_of(change);
  const bool cuts_copies = t.keeps_part && (wire == Wire::all_gather || wire == Wire::all_reduce);
  if (!wire || cuts_copies)
    throw TypeError("move",
                    fmt::format("{} to {}: no single collective does this; move it in two steps",
                                to_string(from, mesh), to_string(to, mesh)));
  require(!from.maximum || wire == Wire::all_reduce || wire == Wire::none,
          "a maximum is only ever made whole");
  require(to.partial.empty() || from.maximum == to.maximum, "a maximum does not become a sum");
  t.wire = t.ranks == 1 ? Wire::none : *wire;
  if (t.wire != Wire::none) size_messages(t, from, to, mesh);
  return t;
}

namespace {

Traffic traffic_of_one(const Program& program, const Step& step, std::size_t operand) {
  const Type& from = program.type(step.in[operand]);
  if (std::holds_alternative<Move>(step.op))
    return traffic_of(from, program.type(step.out[operand]), program.mesh());
  Traffic t;
  const auto* shift = std::get_if<Shift>(&step.op);
  if (shift == nullptr) return t;
  t.axes = {shift->axis};
  t.ranks = program.mesh().ranks(shift->axis);
  if (t.ranks == 1) return t;
  t.wire = Wire::send_recv;
  size_messages(t, from, from, program.mesh());
  return t;
}

}  // namespace

Traffic traffic_of(const Program& program, const Step& step) {
  if (step.in.empty()) return {};
  Traffic all = traffic_of_one(program, step, 0);
  if (all.wire == Wire::none) return all;
  for (std::size_t i = 1; i < step.in.size(); ++i) {
    const Traffic one = traffic_of_one(program, step, i);
    require(one.wire == all.wire && one.axes == all.axes, "operands of one message");
    all.chunk_elements += one.chunk_elements;
    all.elements += one.elements;
    all.sent_bytes += one.sent_bytes;
    all.keeps_part |= one.keeps_part;
  }
  return all;
}

bool chunks_are_contiguous(const Type& whole, const Type& part, const Mesh& mesh) {
  if (part.flat.size() > whole.flat.size())
    return whole_elements(whole, mesh) % mesh.ranks(part.flat) == 0 && whole.flat.empty();
  for (std::size_t i = 0; i < whole.dims.size(); ++i) {
    const Cuts &few = whole.dims[i].over, &many = part.dims[i].over;
    if (many.size() > few.size())
      return std::all_of(many.begin() + static_cast<std::ptrdiff_t>(few.size()), many.end(),
                         [](const Cut& cut) { return cut.deal == Deal::blocks; }) &&
             std::equal(whole.dims.begin() + static_cast<std::ptrdiff_t>(i) + 1, whole.dims.end(),
                        part.dims.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    if (local_size(whole.dims[i], mesh) != 1) return false;
  }
  return false;
}

namespace {

std::int64_t kernel_bytes(const Program& p, const Step& step, AttentionKernel kernel) {
  if (kernel == AttentionKernel::tiled) return 0;
  const Type &q = p.type(step.in[0]), &k = p.type(step.in[1]);
  const std::int64_t dq = local_elements(q, p.mesh()), dk = local_elements(k, p.mesh());
  const std::int64_t group = local_size(*q.find(DimName::g), p.mesh());
  const std::int64_t sums = dq * bytes_of(DType::f32);
  if (group == 1) return sums;
  return kernel == AttentionKernel::flash2 ? sums + 2 * group * dk * bytes_of(k.dtype)
                                           : sums + 2 * dk * bytes_of(DType::f32);
}

}  // namespace

Scratch scratch_of(const Program& p, const Step& step) {
  if (const auto* const grad = std::get_if<AttendGrad>(&step.op))
    return {0, 0, kernel_bytes(p, step, grad->kernel)};
  const auto* const product = std::get_if<Einsum>(&step.op);
  if (product != nullptr && step.in.size() > 2 && !product->keeps_empty)
    return {0, 0,
            local_elements(p.type(step.out[0]), p.mesh()) * bytes_of(p.type(step.in[0]).dtype)};
  if (!std::holds_alternative<Move>(step.op)) return {};
  const Traffic t = traffic_of(p, step);
  const Type &from = p.type(step.in[0]), &to = p.type(step.out[0]);
  const std::int64_t chunk = t.chunk_elements * bytes_of(from.dtype), all = t.ranks * chunk;
  const bool several = step.in.size() > 1;
  switch (t.wire) {
    case Wire::none:
    case Wire::send_recv:
      return {};
    case Wire::all_gather:
      if (several) return {chunk, all, 0};
      return {0, chunks_are_contiguous(to, from, p.mesh()) ? 0 : all, 0};
    case Wire::reduce_scatter:
      if (several) return {all, chunk, 0};
      return {!t.keeps_part && chunks_are_contiguous(from, to, p.mesh()) ? 0 : all, 0, 0};
    case Wire::all_reduce:
      return {all, 0, 0};
    case Wire::all_to_all:
      return {all, all, 0};
  }
  return {};
}

}  // namespace ithaca
