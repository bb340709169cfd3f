// The text form of a mask: see mask.h.
#include "models/mask.h"
#include "models/nearest.h"
#include "models/units.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ithaca {
namespace {

struct Form {
  std::string_view name, usage;
};
constexpr std::array<Form, 6> forms{
    {{"full", "full"},
     {"causal", "causal"},
     {"window", "window:TOKENS such as window:4096"},
     {"fixed", "fixed:BLOCK,LOCAL,GLOBAL such as fixed:16,4,1, with GLOBAL at most LOCAL"},
     {"strided", "strided:BLOCK,LOCAL,STRIDE such as strided:16,4,4"},
     {"documents", "documents:TOKENS,TOKENS,... or documents:mean=TOKENS[,spread=S][,seed=N]"}}};

constexpr std::int64_t most_block = 1 << 20, most_blocks = 1 << 20, most_seed = 1LL << 53;
constexpr double most_spread = 3;  // a factor of 20 either way
constexpr std::size_t most_shown = 60;

/// The text is not of the form; parse_mask says which form it should have.
struct Malformed {};

template <class Number>
Number number(std::string_view text, Number least, Number most) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || read != end || !(value >= least && value <= most)) throw Malformed{};
  return value;
}

std::int64_t tokens(std::string_view text, std::int64_t most = std::int64_t{1} << 40) {
  try {
    const std::int64_t value = token_count(text, "");
    if (value > most) throw Malformed{};
    return value;
  } catch (const InputError&) {
    throw Malformed{};
  }
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t comma; (comma = text.find(',')) != std::string_view::npos;) {
    parts.push_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  parts.push_back(text);
  return parts;
}

/// BLOCK,LOCAL,third.
std::array<std::int64_t, 3> three(const std::vector<std::string_view>& parts) {
  if (parts.size() != 3) throw Malformed{};
  const auto blocks = [&](std::size_t i) { return number<std::int64_t>(parts[i], 1, most_blocks); };
  return {tokens(parts[0], most_block), blocks(1), blocks(2)};
}

Mask drawn(const std::vector<std::string_view>& parts) {
  DocumentLengths lengths;
  for (const std::string_view part : parts) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) throw Malformed{};
    const std::string_view name = part.substr(0, equals), value = part.substr(equals + 1);
    if (name == "mean")
      lengths.mean_tokens = tokens(value);
    else if (name == "spread")
      lengths.spread = number<double>(value, 0, most_spread);
    else if (name == "seed")
      lengths.seed = number<std::int64_t>(value, 0, most_seed);
    else
      throw Malformed{};
  }
  if (lengths.mean_tokens == 0) throw Malformed{};
  return Mask::documents(lengths, 1);
}

Mask documents(const std::vector<std::string_view>& parts) {
  if (parts[0].find('=') != std::string_view::npos) return drawn(parts);
  std::vector<std::int64_t> lengths(parts.size());
  std::ranges::transform(parts, lengths.begin(),
                         [](std::string_view part) { return tokens(part); });
  return Mask::documents(lengths);
}

Mask parsed(MaskKind kind, bool bare, const std::vector<std::string_view>& parts) {
  const bool sized = kind != MaskKind::full && kind != MaskKind::causal;
  if (bare == sized) throw Malformed{};
  if (kind == MaskKind::full) return Mask::full();
  if (kind == MaskKind::causal) return {};
  if (kind == MaskKind::documents) return documents(parts);
  if (kind == MaskKind::window) {
    if (parts.size() != 1) throw Malformed{};
    return Mask::window(tokens(parts[0]));
  }
  const auto [block, local, third] = three(parts);
  if (kind == MaskKind::strided) return Mask::strided(block, local, third);
  if (third > local) throw Malformed{};
  return Mask::fixed(block, local, third);
}

std::string documents_text(const Mask& mask) {
  if (const std::optional<DocumentLengths>& drawn = mask.drawn_from())
    return fmt::format("mean={},spread={},seed={}", drawn->mean_tokens, drawn->spread, drawn->seed);
  std::vector<std::int64_t> lengths;
  const std::vector<std::int64_t>& bounds = mask.document_bounds();
  for (std::size_t i = 1; i < bounds.size(); ++i) lengths.push_back(bounds[i] - bounds[i - 1]);
  return fmt::format("{}", fmt::join(lengths, ","));
}

}  // namespace

std::string to_string(const Mask& mask) {
  const std::string_view name = forms[static_cast<std::size_t>(mask.kind())].name;
  switch (mask.kind()) {
    case MaskKind::full:
    case MaskKind::causal:
      return std::string(name);
    case MaskKind::window:
      return fmt::format("{}:{}", name, mask.size(0));
    case MaskKind::fixed:
    case MaskKind::strided:
      return fmt::format("{}:{},{},{}", name, mask.size(0), mask.size(1), mask.size(2));
    case MaskKind::documents:
      return fmt::format("{}:{}", name, documents_text(mask));
  }
  return "";
}

std::string short_text(const Mask& mask) {
  std::string text = to_string(mask);
  if (text.size() <= most_shown) return text;
  return fmt::format("{}... ({} of them)", text.substr(0, text.rfind(',', most_shown) + 1),
                     mask.document_bounds().size() - 1);
}

Mask parse_mask(std::string_view text, std::int64_t L, const Place& place, std::string_view key) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto form = std::ranges::find(forms, text.substr(0, colon), &Form::name);
  if (form == forms.end()) {
    std::vector<std::string> names(forms.size());
    std::ranges::transform(forms, names.begin(), &Form::name);
    throw InputError(place, key,
                     fmt::format("expected {}, got {}{}", fmt::join(names, ", "), in_quotes(text),
                                 did_you_mean(text.substr(0, colon), names)));
  }
  const bool bare = colon == text.size();
  try {
    const Mask mask = parsed(static_cast<MaskKind>(form - forms.begin()), bare,
                             parts_of(bare ? "" : text.substr(colon + 1)));
    return mask.on(L, key, place);
  } catch (const Malformed&) {
    throw InputError(place, key, fmt::format("expected {}, got {}", form->usage, in_quotes(text)));
  }
}

}  // namespace ithaca
