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
void join(const std::byte* source, std::byte* target, std::int64_t elements, bool maximum) {
  const auto size = static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < elements; ++i) {
    const T a = load<T>(target + i * size), b = load<T>(source + i * size);
    const T joined = maximum ? (a < b ? b : a) : static_cast<T>(a + b);
    std::memcpy(target + i * size, &joined, sizeof(T));
  }
}

struct Bf16 {
  std::uint16_t bits;
  float value() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
  friend bool operator<(Bf16 a, Bf16 b) { return a.value() < b.value(); }
  friend Bf16 operator+(Bf16 a, Bf16 b) {
    const float sum = a.value() + b.value();
    const auto u = std::bit_cast<std::uint32_t>(sum);
    if (sum != sum) return {0x7fc0};
    return {static_cast<std::uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16)};
  }
};

}  // namespace

void add_elements(Element element, const std::byte* source, std::byte* target,
                  std::int64_t elements) {
  switch (element.dtype) {
    case DType::bf16:
      return join<Bf16>(source, target, elements, element.maximum);
    case DType::f32:
      return join<float>(source, target, elements, element.maximum);
    case DType::f64:
      return join<double>(source, target, elements, element.maximum);
    case DType::i64:
      return join<std::int64_t>(source, target, elements, element.maximum);
  }
}

}  // namespace ithaca
