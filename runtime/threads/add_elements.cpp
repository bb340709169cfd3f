#include "runtime/threads/thread_communicator.h"

#include <bit>
#include <cstring>

namespace ithaca {
namespace {

template <class T>
T load(const std::byte* from) {
  T x;
  std::memcpy(&x, from, sizeof(T));
  return x;
}

template <class T>
void add(const std::byte* source, std::byte* target, std::int64_t elements) {
  const auto size = static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < elements; ++i) {
    const T sum = load<T>(target + i * size) + load<T>(source + i * size);
    std::memcpy(target + i * size, &sum, sizeof(T));
  }
}

struct Bf16 {
  std::uint16_t bits;
  float value() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
  friend Bf16 operator+(Bf16 a, Bf16 b) {
    const float sum = a.value() + b.value();
    const auto u = std::bit_cast<std::uint32_t>(sum);
    if (sum != sum) return {0x7fc0};
    return {static_cast<std::uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16)};
  }
};

}  // namespace

void add_elements(DType dtype, const std::byte* source, std::byte* target, std::int64_t elements) {
  switch (dtype) {
    case DType::bf16:
      return add<Bf16>(source, target, elements);
    case DType::f32:
      return add<float>(source, target, elements);
    case DType::f64:
      return add<double>(source, target, elements);
  }
}

}  // namespace ithaca
