#include "runtime/cpu/tile.h"

#include <algorithm>

namespace ithaca {
namespace {

/// Calls run(first element in the whole, first element in the run, elements) for every stretch of the run.
template <class T, class Run>
void for_each_run(const Call<T>& call, const Type& whole, const auto& op, const Run& run) {
  std::int64_t outer = 1, inner = 1, size = 0;
  for (const Dim& dim : whole.dims) {
    const std::int64_t n = local_size(dim, call.program.mesh());
    if (dim.name == op.dim)
      size = n;
    else
      (size == 0 ? outer : inner) *= n;
  }
  const std::int64_t part = size / op.parts, n = op.count * inner;
  for (std::int64_t o = 0; o < outer * op.parts; ++o) run((o * part + op.begin) * inner, o * n, n);
}

}  // namespace

template <class T>
void compute(const Slice& op, const Call<T>& call) {
  for_each_run(call, call.in_type(0), op,
               [&](std::int64_t whole, std::int64_t tile, std::int64_t n) {
                 std::copy_n(call.in(0) + whole, n, call.out(0) + tile);
               });
}

template <class T>
void compute(const Put& op, const Call<T>& call) {
  const std::size_t tile_operand = call.step.in.size() - 1;
  if (tile_operand == 1 && call.in(0) != call.out(0))
    std::copy_n(call.in(0), call.elements(call.out_type(0)), call.out(0));
  for_each_run(call, call.out_type(0), op,
               [&](std::int64_t whole, std::int64_t tile, std::int64_t n) {
                 std::copy_n(call.in(tile_operand) + tile, n, call.out(0) + whole);
               });
}

template <class T>
void compute(const Copy&, const Call<T>& call) {
  std::copy_n(call.in(0), call.elements(call.out_type(0)), call.out(0));
}

template void compute(const Slice&, const Call<float>&);
template void compute(const Slice&, const Call<double>&);
template void compute(const Put&, const Call<float>&);
template void compute(const Put&, const Call<double>&);
template void compute(const Copy&, const Call<float>&);
template void compute(const Copy&, const Call<double>&);

}  // namespace ithaca
