// The language of catalog.h: expressions to tables on a mesh.
#include "models/catalog.h"
#include "models/error.h"
#include "models/nearest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <numeric>

namespace ithaca {
namespace {

constexpr const char* flag = "--strategy";

std::string_view trim(std::string_view s) {
  const auto begin = s.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return s.substr(begin, s.find_last_not_of(' ') - begin + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(trim(text.substr(at, end - at)));
    at = end + 1;
  }
  return parts;
}

bool strip(std::string_view& name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return false;
  name.remove_suffix(suffix.size());
  return true;
}

/// The nearest known name, one that continues the word, or else all of them.
std::string hint_for(std::string_view name) {
  std::vector<std::string> known = published_strategies(), rows;
  for (const StrategyRow& row : strategy_rows()) rows.emplace_back(row.name);
  known.insert(known.end(), rows.begin(), rows.end());
  if (!name.empty()) {
    if (std::string near = did_you_mean(name, known); !near.empty()) return near;
    for (const std::string& longer : known)
      if (longer.starts_with(name)) return fmt::format(", did you mean {}?", in_quotes(longer));
  }
  return fmt::format(", known are {}", fmt::join(rows, ", "));
}

[[noreturn]] void refuse_name(std::string_view name) {
  throw InputError(flag,
                   fmt::format("expected a strategy, got {}{}", in_quotes(name), hint_for(name)));
}

constexpr std::array keeps{Keep::zero3, Keep::zero2, Keep::zero1, Keep::ddp, Keep::gradop};

/// "_zero3, _zero2, ... or _gradop"
std::string keep_words() {
  std::string words;
  for (const Keep keep : keeps)
    words += fmt::format("{}_{}",
                         words.empty()          ? ""
                         : keep == keeps.back() ? " or "
                                                : ", ",
                         name_of(keep));
  return words;
}

WeightRow row_of(Keep keep, const AxisList& axes) {
  switch (keep) {
    case Keep::zero3:
      return zero3(axes);
    case Keep::zero2:
      return zero2(axes);
    case Keep::zero1:
      return zero1(axes);
    case Keep::ddp:
      return ddp();
    case Keep::gradop:
      return gradop(axes);
  }
  return {};
}

[[noreturn]] void refuse_suffix(std::string_view name, const StrategyRow& row) {
  throw InputError(
      flag, fmt::format("expected a strategy, got {}, {} takes {}", in_quotes(name), row.name,
                        !row.dealt.empty()  ? "_zigzag or _stripes, then " + keep_words()
                        : row.keeps_weights ? keep_words() + " only"
                                            : "no suffix"));
}

Term parse_name(std::string_view name) {
  Term term{find_row(name), {}, {}, {}};
  if (term.row != nullptr) return term;
  std::string_view base = name;
  bool kept = false;
  for (const Keep keep : keeps)
    if (!kept && strip(base, fmt::format("_{}", name_of(keep)))) {
      kept = true;
      term.keep = keep;
    }
  if (strip(base, "_zigzag")) term.deal = Deal::zigzag;
  if (strip(base, "_stripes")) term.deal = Deal::stripes;
  term.row = find_row(base);
  if (term.row == nullptr) refuse_name(name);
  if ((kept && !term.row->keeps_weights) || (term.deal != Deal::blocks && term.row->dealt.empty()))
    refuse_suffix(name, *term.row);
  return term;
}

Term parse_term(std::string_view text) {
  const std::size_t open = text.find('(');
  Term term = parse_name(trim(text.substr(0, open)));
  if (open == std::string_view::npos) {
    for (const char letter : term.row->axes) term.axes.emplace_back(1, letter);
    return term;
  }
  if (!text.ends_with(')'))
    throw InputError(flag, fmt::format("expected ')' at the end of {}", in_quotes(text)));
  for (const std::string_view axis : split(text.substr(open + 1, text.size() - open - 2), ','))
    term.axes.emplace_back(axis);
  if (term.axes.size() != term.row->axes.size())
    throw InputError(
        flag, fmt::format("{}: expected {}, got {}", term.row->name,
                          term.row->axes.size() == 1 ? "1 axis" : "2 axes", term.axes.size()));
  return term;
}

std::vector<Half> parse(std::string_view expression) {
  std::vector<Half> halves;
  for (const std::string_view half : split(expression, '|')) {
    halves.emplace_back();
    for (const std::string_view term : split(half, '*')) halves.back().push_back(parse_term(term));
  }
  if (halves.size() > 3)
    throw InputError(
        flag,
        fmt::format("expected at most three parts, attention | mlp | ends, got {}", halves.size()));
  return halves;
}

std::string axis_names(const Mesh& mesh) {
  std::string names;
  for (const Mesh::Extent& extent : mesh.extents())
    names += (names.empty() ? "" : ", ") + extent.name;
  return names;
}

/// Every axis of the mesh exactly once, and no other.
void check_axes(const Half& half, const Mesh& mesh, const char* which) {
  std::map<std::string, int> uses;
  for (const Term& term : half)
    for (const std::string& axis : term.axes) {
      if (std::ranges::find(mesh.extents(), axis, &Mesh::Extent::name) == mesh.extents().end())
        throw InputError(flag, fmt::format("expected one of the mesh's axes {}, got {}",
                                           axis_names(mesh), in_quotes(axis)));
      if (++uses[axis] > 1)
        throw InputError(
            flag, fmt::format("expected each axis once in the {} half, got {} twice", which, axis));
    }
  for (const Mesh::Extent& extent : mesh.extents())
    if (!uses.contains(extent.name))
      throw InputError(
          flag, fmt::format("expected the {} half to use axis {} = {}, got a strategy without it",
                            which, extent.name, extent.ranks));
}

/// Whether the term deals the tokens over this axis.
bool deals(const Term& term, std::string_view axis) {
  for (std::size_t i = 0; i < term.axes.size(); ++i)
    if (term.axes[i] == axis && term.row->dealt.find(term.row->axes[i]) != std::string_view::npos)
      return true;
  return false;
}

/// Tokens lie in the MLP as they do in attention: what splits the sequence in both deals it in one way.
void take_deals(Half& mlp, const Half& attention) {
  for (Term& term : mlp)
    for (const Term& other : attention)
      if (const std::string& axis = term.axes.front();
          term.deal == Deal::blocks && deals(term, axis) && deals(other, axis))
        term.deal = other.deal;
}

bool spreads_heads(const Term& term, std::size_t argument) {
  return term.row->spreads_heads.find(term.row->axes[argument]) != std::string_view::npos;
}

/// Ranks of each head axis that get KV heads of their own; inner axes choose first.
std::map<std::string, int> kv_ranks(const Half& attention, const Mesh& mesh,
                                    const LayerShape& shape) {
  std::map<std::string, int> kv;
  std::int64_t k = shape.k, g = shape.g;
  for (auto term = attention.rbegin(); term != attention.rend(); ++term)
    for (std::size_t i = term->axes.size(); i-- > 0;) {
      if (!spreads_heads(*term, i)) continue;
      const int n = mesh.ranks(mesh.axis(term->axes[i]));
      const auto own = static_cast<int>(std::gcd(k, std::int64_t{n}));
      if (g % (n / own) != 0)
        throw InputError(
            flag,
            fmt::format("{}: expected {} heads to divide by the {} ranks of axis {}, got {} KV "
                        "heads of {} queries each, use a degree that divides the heads",
                        term->row->name, shape.h(), n, term->axes[i], shape.k, shape.g));
      kv[term->axes[i]] = own;
      k /= own;
      g /= n / own;
    }
  return kv;
}

struct Refined {
  Mesh mesh;
  std::map<std::string, HeadAxes> axes;
};

Refined refine(const Mesh& mesh, const std::map<std::string, int>& kv) {
  Refined refined;
  std::vector<Mesh::Extent> extents;
  for (const Mesh::Extent& extent : mesh.extents()) {
    const auto found = kv.find(extent.name);
    const int own = found == kv.end() ? extent.ranks : found->second;
    HeadAxes& axes = refined.axes[extent.name];
    if (own != extent.ranks) {
      axes.rep.push_back({static_cast<std::uint8_t>(extents.size())});
      extents.push_back({extent.name + "_rep", extent.ranks / own});
    }
    axes.kv.push_back({static_cast<std::uint8_t>(extents.size())});
    extents.push_back({extent.name, own});
  }
  refined.mesh = Mesh(std::move(extents));
  return refined;
}

Strategy table_of(const Half& half, const Refined& refined) {
  Strategy joined;
  for (const Term& term : half) {
    std::vector<HeadAxes> axes;
    AxisList all;
    for (const std::string& name : term.axes) {
      axes.push_back(refined.axes.at(name));
      all = all + axes.back().all();
    }
    const Strategy one = term.row->make(axes, term.deal, row_of(term.keep, all));
    joined = &term == half.data() ? one : joined * one;
  }
  return joined;
}

}  // namespace

Mesh parse_mesh(std::string_view text) {
  std::vector<Mesh::Extent> extents;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t equals = part.find('=');
    int ranks = 0;
    const char* const end = part.data() + part.size();
    std::from_chars_result read{};
    const bool good = equals != std::string_view::npos && equals > 0 &&
                      (read = std::from_chars(part.data() + equals + 1, end, ranks)).ptr == end;
    if (!good || read.ec != std::errc{})
      throw InputError("--mesh",
                       fmt::format("expected axes such as \"r=2,u=4\", slowest links first, got {}",
                                   in_quotes(text)));
    extents.push_back({std::string(part.substr(0, equals)), ranks});
  }
  return Mesh(std::move(extents));
}

Arrangement arrange(std::string_view expression, const Mesh& mesh, const LayerShape& shape) {
  std::vector<Half> halves = parse(expression);
  const Half& attention = halves.front();
  constexpr std::array names{"attention", "MLP", "ends"};
  for (std::size_t j = 0; j < halves.size(); ++j) {
    if (j > 0) take_deals(halves[j], attention);
    check_axes(halves[j], mesh, names[j]);
  }
  const Refined refined = refine(mesh, kv_ranks(attention, mesh, shape));
  Strategy strategy = table_of(attention, refined) | table_of(halves[halves.size() > 1], refined);
  if (halves.size() > 2) strategy.ends = table_of(halves[2], refined).mlp;
  return {std::string(expression), refined.mesh, std::move(strategy)};
}

namespace {

/// Of two axes the ranks of the second.
int inner_ranks(const std::vector<Half>& halves, int degree, const LayerShape& shape) {
  const Term& first = halves[0][0];
  if (first.row->dealt.size() == 2) {
    int outer = 1;
    for (int n = 2; n * n <= degree; ++n)
      if (degree % n == 0) outer = n;
    return degree / outer;
  }
  const auto inner = static_cast<int>(std::gcd(shape.k, std::int64_t{degree}));
  return inner == degree && degree % 2 == 0 ? inner / 2 : inner;  // a ring of one is no ring
}

}  // namespace

Mesh default_mesh(std::string_view expression, int degree, const LayerShape& shape, int ulysses) {
  std::vector<std::string> axes;
  const std::vector<Half> halves = parse(expression);
  for (const Half& half : halves)
    for (const Term& term : half)
      for (const std::string& axis : term.axes)
        if (std::ranges::find(axes, axis) == axes.end()) axes.push_back(axis);
  if (axes.size() == 1) return Mesh({{axes[0], degree}});
  if (axes.size() > 2)
    throw InputError(
        "--mesh", fmt::format("expected the ranks of each of the {} axes of the strategy, such as "
                              "\"r=2,u=4\"",
                              axes.size()));
  const int inner = ulysses > 0 ? ulysses : inner_ranks(halves, degree, shape);
  if (degree % inner != 0)
    throw InputError("--mesh",
                     fmt::format("expected {} ranks to divide by {}, got a rest", degree, inner));
  return Mesh({{axes[0], degree / inner}, {axes[1], inner}});
}

}  // namespace ithaca
