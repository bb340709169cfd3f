// runtime/calibrate/samples.h -- the steps that calibrate times: each the first of its kind in a small program.
#pragma once

#include "models/wire.h"

#include <array>
#include <vector>

namespace ithaca {

struct Sample {
  Program program;
  std::uint32_t index = 0;
  const Step& step() const { return program.steps()[index]; }
};

/// A sum of two numbers.
Sample nothing_sample();

/// A sum of two vectors that together take so many bytes.
Sample addition_sample(std::int64_t bytes);

/// How the operands of a product lie: in the forward, and in the gradients of its left and of its right operand.
enum class Layouts : std::uint8_t { plain, b_transposed, a_transposed };
Sample product_sample(const std::array<std::int64_t, 3>& mnk, Layouts, DType);

/// Query heads of a sample of attention, two for each KV head.
constexpr std::int64_t sample_heads = 4;
Sample attention_sample(std::int64_t tokens, std::int64_t head_dim, bool causal, bool backward,
                        DType);

/// Every other operation of a layer, of the ends of the network and of the update, once.
std::vector<Sample> other_samples(std::int64_t tokens, DType);
/// Three of them that layers have: an addition, a norm, an activation.
std::vector<Sample> common_samples(std::int64_t tokens, DType);

/// The whole tensor has about so many bytes.  Groups of `members` neighbours work beside one another.
Sample collective_sample(Wire, int members, int ranks, std::int64_t bytes);

/// As nccl-tests counts them: of the whole tensor, of one message for send_recv.
double whole_bytes(const Traffic&);

}  // namespace ithaca
