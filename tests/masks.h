// tests/masks.h -- masks beside their definitions, written again from the text of models/mask.h.
#pragma once

#include "models/mask.h"

#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <vector>

namespace ithaca {

using Sees = std::function<bool(std::int64_t q, std::int64_t k)>;

struct DefinedMask {
  Mask mask;
  Sees sees;
};

inline bool causal_sees(std::int64_t q, std::int64_t k) {
  return k <= q;
}
inline Sees window_sees(std::int64_t tokens) {
  return [=](std::int64_t q, std::int64_t k) { return k <= q && q - k < tokens; };
}
inline Sees fixed_sees(std::int64_t block, std::int64_t local, std::int64_t global) {
  return [=](std::int64_t q, std::int64_t k) {
    const std::int64_t of_q = q / block, of_k = k / block;
    return k <= q && (of_q / local == of_k / local || of_k % local >= local - global);
  };
}
inline Sees strided_sees(std::int64_t block, std::int64_t local, std::int64_t stride) {
  return [=](std::int64_t q, std::int64_t k) {
    const std::int64_t back = q / block - k / block;
    return k <= q && (back < local || back % stride == 0);
  };
}
inline Sees documents_sees(const std::vector<std::int64_t>& lengths) {
  std::vector<std::size_t> document;
  for (std::size_t d = 0; d < lengths.size(); ++d)
    document.insert(document.end(), static_cast<std::size_t>(lengths[d]), d);
  return [=](std::int64_t q, std::int64_t k) {
    return k <= q && document[static_cast<std::size_t>(q)] == document[static_cast<std::size_t>(k)];
  };
}
inline DefinedMask packed(const std::vector<std::int64_t>& lengths) {
  return {Mask::documents(lengths), documents_sees(lengths)};
}

/// Every kind for a sequence of L, some with sizes that divide nothing.
inline std::vector<DefinedMask> masks_of(std::int64_t L) {
  std::vector<DefinedMask> masks{{Mask::full(), [](std::int64_t, std::int64_t) { return true; }},
                                 {Mask(), causal_sees}};
  for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{5}, L / 2 + 1, L + 3})
    masks.push_back({Mask::window(tokens), window_sees(tokens)});
  masks.push_back({Mask::fixed(1, 3, 1), fixed_sees(1, 3, 1)});
  masks.push_back({Mask::fixed(4, 3, 2), fixed_sees(4, 3, 2)});
  masks.push_back({Mask::fixed(5, 2, 2), fixed_sees(5, 2, 2)});
  masks.push_back({Mask::strided(1, 2, 3), strided_sees(1, 2, 3)});
  masks.push_back({Mask::strided(3, 1, 2), strided_sees(3, 1, 2)});
  masks.push_back({Mask::strided(2, 5, 2), strided_sees(2, 5, 2)});
  masks.push_back(packed({L}));
  if (L > 4) masks.push_back(packed({1, L / 3, 2, L - L / 3 - 3}));
  return masks;
}

}  // namespace ithaca
