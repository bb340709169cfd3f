#include "runtime/cpu/cpu_device.h"

#include "models/error.h"
#include "runtime/cpu/activate.h"
#include "runtime/cpu/add.h"
#include "runtime/cpu/attention.h"
#include "runtime/cpu/attention_grad.h"
#include "runtime/cpu/bias.h"
#include "runtime/cpu/box.h"
#include "runtime/cpu/ends.h"
#include "runtime/cpu/gemm.h"
#include "runtime/cpu/merge.h"
#include "runtime/cpu/normalize.h"
#include "runtime/cpu/qkv.h"
#include "runtime/cpu/rope.h"
#include "runtime/cpu/tile.h"
#include "runtime/cpu/update.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <optional>

namespace ithaca {
namespace {

constexpr std::int64_t alignment_bytes = 64;

/// Calls work(T{}) with the element type.
template <class Work>
void with_element(DType dtype, const Work& work) {
  if (dtype == DType::f32) return work(float{});
  if (dtype == DType::f64 || dtype == DType::i64) return work(double{});
  throw EnvironmentError(fmt::format(
      "device cpu: expected f32 or f64, got {}; run the program retyped", name_of(dtype)));
}

/// The kernel of the step, by overload on its operation.
template <class T>
void execute(const Call<T>& call) {
  std::visit(match{[](const Move&) { require(false, "a move is the communicator's"); },
                   [](const Shift&) { require(false, "a shift is the communicator's"); },
                   [&](const auto& op) { compute(op, call); }},
             call.step.op);
}

/// The one dtype of all operands and results but ids; of a copy of ids theirs, as numbers of the same size.
DType dtype_of(const Program& p, const Step& step) {
  std::optional<DType> dtype;
  for (const Ids& ids : {step.in, step.out})
    for (const ValueId v : ids) {
      const DType mine = p.type(v).dtype;
      if (mine == DType::i64) continue;
      if (dtype.value_or(mine) != mine)
        throw EnvironmentError(
            fmt::format("device cpu: {}: expected one dtype, got {} and {} of {}", name_of(step.op),
                        name_of(*dtype), name_of(mine), p[v].name));
      dtype = mine;
    }
  return dtype.value_or(DType::f64);
}

}  // namespace

std::byte* CpuDevice::allocate(std::int64_t bytes) {
  const std::int64_t padded =
      (std::max<std::int64_t>(bytes, 1) + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
  void* arena = std::aligned_alloc(alignment_bytes, static_cast<std::size_t>(padded));
  if (arena == nullptr)
    throw EnvironmentError(fmt::format("device cpu: no memory for an arena of {} bytes", bytes));
  // The system gives pages when they are first touched: now, so that no step pays for it.
  std::memset(arena, 0, static_cast<std::size_t>(padded));
  return static_cast<std::byte*>(arena);
}

void CpuDevice::release(std::byte* arena) {
  std::free(arena);
}

void CpuDevice::upload(std::byte* to, const std::byte* host, std::int64_t bytes) {
  copy(to, host, bytes, Lane{});
}

void CpuDevice::download(std::byte* host, const std::byte* from, std::int64_t bytes) {
  copy(host, from, bytes, Lane{});
}

// The signature is the interface's.
// NOLINTNEXTLINE(readability-function-size)
void CpuDevice::compute(const Program& p, const Step& step, int rank,
                        std::span<const std::byte* const> in, std::span<std::byte* const> out,
                        Lane) {
  with_element(dtype_of(p, step), [&]<class T>(T) { execute(Call<T>{p, step, rank, in, out}); });
}

void CpuDevice::pack(DType dtype, const std::byte* tensor, std::span<const Box> boxes,
                     std::byte* packed, Lane) {
  with_element(dtype, [&]<class T>(T) {
    pack_boxes(reinterpret_cast<const T*>(tensor), boxes, reinterpret_cast<T*>(packed));
  });
}

// NOLINTNEXTLINE(readability-function-size)
void CpuDevice::unpack(DType dtype, const std::byte* packed, std::span<const Box> boxes, bool add,
                       std::byte* tensor, Lane) {
  with_element(dtype, [&]<class T>(T) {
    unpack_boxes(reinterpret_cast<const T*>(packed), boxes, add, reinterpret_cast<T*>(tensor));
  });
}

void CpuDevice::fill_zero(std::byte* to, std::int64_t bytes, Lane) {
  std::memset(to, 0, static_cast<std::size_t>(bytes));
}

void CpuDevice::copy(std::byte* to, const std::byte* from, std::int64_t bytes, Lane) {
  if (bytes > 0 && to != from) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

double CpuDevice::now_s(Lane) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace ithaca
