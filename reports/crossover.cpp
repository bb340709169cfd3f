#include "reports/crossover.h"

#include "models/catalog.h"
#include "models/error.h"
#include "sim/count.h"

#include <array>
#include <map>
#include <utility>

namespace ithaca {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 5> pairs{{
    {"tp_sp", "odysseus_zero3"},
    {"ulysses_zero3", "odysseus_zero3"},
    {"ulysses_zero3", "tp_sp"},
    {"ring_zero3", "tp_sp"},
    {"ring_zero3", "odysseus_zero3"},
}};

std::int64_t sent_bytes(const std::string& strategy, LayerShape shape, int degree, std::int64_t L) {
  shape.L = L;
  shape.mask = {};  // no mask changes what is sent
  const Arrangement at = arrange(strategy, default_mesh(strategy, degree, shape), shape);
  return count(layer_program(shape, at.strategy, at.mesh).program).sent_bytes().total();
}

Crossover crossing(const std::string& first, const std::string& second, const SentLine& a,
                   const SentLine& b) {
  Crossover c{first, second, {}, {}, {}};
  const double slope = a.bytes_per_token - b.bytes_per_token;
  const double offset = b.fixed_bytes - a.fixed_bytes;
  if (slope != 0 && offset / slope > 0) c.tokens = offset / slope;
  // Parallel lines never cross: the fixed part decides.
  c.less_when_longer = slope < 0 || (slope == 0 && offset > 0) ? first : second;
  return c;
}

}  // namespace

SentLine sent_line(const std::string& strategy, const LayerShape& shape, int degree) {
  // Short, so that counting is quick; twice the degree divides for every deal of tokens.
  const std::int64_t L = 2 * std::int64_t{degree};
  const std::int64_t once = sent_bytes(strategy, shape, degree, L);
  const std::int64_t twice = sent_bytes(strategy, shape, degree, 2 * L);
  const std::int64_t thrice = sent_bytes(strategy, shape, degree, 3 * L);
  require(thrice - twice == twice - once, "what a strategy sends is not affine in the length");
  return {static_cast<double>(2 * once - twice),
          static_cast<double>(twice - once) / static_cast<double>(L)};
}

std::vector<Crossover> crossovers(const LayerShape& shape, int degree) {
  std::map<std::string, SentLine> lines;
  std::map<std::string, std::string> errors;
  for (const char* strategy : {"tp_sp", "odysseus_zero3", "ulysses_zero3", "ring_zero3"}) try {
      lines[strategy] = sent_line(strategy, shape, degree);
    } catch (const InputError& error) {
      errors[strategy] = error.what();
    }
  std::vector<Crossover> all;
  for (const auto& [first, second] : pairs) {
    const auto failed = errors.contains(first) ? errors.find(first) : errors.find(second);
    if (failed != errors.end())
      all.push_back({first, second, {}, {}, failed->second});
    else
      all.push_back(crossing(first, second, lines.at(first), lines.at(second)));
  }
  return all;
}

}  // namespace ithaca
