#include "models/passes/chunk.h"

#include "models/error.h"
#include "models/layer_writer.h"
#include "models/passes/rewriter.h"
#include "models/wire.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace ithaca {
namespace {

/// A move in pieces and the products that read its result, or the one that makes its operand.
struct Site {
  std::size_t move;
  std::vector<std::size_t> products;
  bool before;  ///< the move comes before its products
  bool whole;   ///< others read the result of a gather too
  DimName dim;
  std::int64_t unit;   ///< elements of the dim on a rank, in the lesser of the move's types
  std::int64_t ranks;  ///< units that the greater type has of it, one after another
};

bool is_product(const Step& step) {
  return std::holds_alternative<Einsum>(step.op);
}
bool is_of_tokens(const Dim& dim) {
  return dim.name == DimName::b || dim.name == DimName::L;
}
bool is_free(const Step& step) {  // of lane 0
  return std::holds_alternative<Move>(step.op);
}

/// The type of a run of `local` elements of a dim on every rank.
Type run_of(Type t, DimName name, std::int64_t local, const Mesh& mesh) {
  Dim& dim = *std::ranges::find(t.dims, name, &Dim::name);
  dim.size = local * ways(dim, mesh);
  for (Cut& cut : dim.over) cut.deal = Deal::blocks;
  return t;
}

/// The dim of `whole` that `part` cuts further, in blocks and innermost; nothing else about their dims differs.
const Dim* dim_cut_further(const Type& whole, const Type& part) {
  const Dim* found = nullptr;
  if (whole.dims.size() != part.dims.size() || !whole.flat.empty() || !part.flat.empty())
    return nullptr;
  for (std::size_t i = 0; i < whole.dims.size(); ++i) {
    const Dim &w = whole.dims[i], &p = part.dims[i];
    if (w == p) continue;
    const auto [more, rest] = std::ranges::mismatch(p.over, w.over);
    const bool cuts = w.name == p.name && w.size == p.size && rest == w.over.end();
    const bool blocks =
        std::all_of(more, p.over.end(), [](const Cut& c) { return c.deal == Deal::blocks; });
    if (found != nullptr || !cuts || !blocks) return nullptr;
    found = &p;
  }
  return found;
}

class Finder {
 public:
  Finder(const Program& p, std::int64_t pieces)
      : p_(p), pieces_(pieces), made_(p.values().size()), readers_(p.values().size()) {
    for (std::size_t i = 0; i < p.steps().size(); ++i) {
      for (const ValueId v : p.steps()[i].out) made_[v] = i + 1;
      for (const ValueId v : p.steps()[i].in) readers_[v].push_back(i);
    }
    for (const ValueId v : p.outputs()) readers_[v].push_back(p.steps().size());
  }

  std::vector<Site> sites() const {
    std::vector<Site> all;
    std::vector<bool> taken(p_.steps().size());
    for (std::size_t i = 0; i < p_.steps().size(); ++i) {
      std::optional<Site> site = site_of(i);
      if (!site || std::ranges::any_of(site->products, [&](std::size_t j) { return taken[j]; }))
        continue;
      for (const std::size_t j : site->products) taken[j] = true;
      all.push_back(std::move(*site));
    }
    return all;
  }

 private:
  const Step& step(std::size_t i) const { return p_.steps()[i]; }
  const Type& type(ValueId v) const { return p_.type(v); }

  std::optional<Site> site_of(std::size_t i) const {
    const Step& move = step(i);
    if (!std::holds_alternative<Move>(move.op) || move.in.size() > 1) return std::nullopt;
    const Role role = p_[move.in[0]].role;
    if (role != Role::activation && role != Role::gradient) return std::nullopt;
    const Traffic t = traffic_of(p_, move);
    std::optional<Site> site;
    if (t.wire == Wire::all_gather) site = gather(i);
    if (t.wire == Wire::reduce_scatter || t.wire == Wire::all_reduce) site = sum(i);
    return site && sends_as_much(*site, t) ? site : std::nullopt;
  }

  std::optional<Site> gather(std::size_t i) const {
    const Type &part = type(step(i).in[0]), &whole = type(step(i).out[0]);
    const Dim* const dim = dim_cut_further(whole, part);
    if (dim != nullptr && !is_of_tokens(*dim)) return {};
    std::size_t first = i + 1;
    while (first < p_.steps().size() && is_free(step(first))) ++first;
    if (dim == nullptr || part.partial != whole.partial || first == p_.steps().size()) return {};
    Site site{i, {}, true, false, dim->name, local_size(*dim, p_.mesh()), 1};
    site.ranks = local_size(*whole.find(dim->name), p_.mesh()) / site.unit;
    for (const std::size_t j : readers_[step(i).out[0]])
      if (j < p_.steps().size() && multiplies(step(j), step(i).out[0], {site.dim, first}))
        site.products.push_back(j);
      else if (j < first)
        return {};
      else
        site.whole = true;
    return !site.products.empty() && site.products[0] == first ? std::optional(site) : std::nullopt;
  }

  /// Whether a step multiplies v, run by run of the dim, by what is there before step `first`.
  struct Runs {
    DimName dim;
    std::size_t first;
  };
  bool multiplies(const Step& s, ValueId v, const Runs& runs) const {
    if (!is_product(s) || type(s.out[0]).find(runs.dim) == nullptr) return false;
    const ValueId other = s.in[0] == v ? s.in[1] : s.in[0];
    return other != v && made_[other] <= runs.first && type(other).find(runs.dim) == nullptr;
  }

  std::optional<Site> sum(std::size_t i) const {
    const ValueId operand = step(i).in[0];
    const Type &whole = type(operand), &part = type(step(i).out[0]);
    const Dim* dim = whole.dims == part.dims ? part.find(DimName::L) : dim_cut_further(whole, part);
    if (dim == nullptr || !is_of_tokens(*dim) || made_[operand] != i ||
        readers_[operand].size() > 1)
      return {};
    const Step& product = step(i - 1);
    const auto has_dim = [&](ValueId v) { return type(v).find(dim->name) != nullptr; };
    if (!is_product(product) || std::ranges::count_if(product.in, has_dim) != 1) return {};
    const std::int64_t unit = local_size(*dim, p_.mesh());
    return Site{i,
                {i - 1},
                false,
                false,
                dim->name,
                unit,
                local_size(*whole.find(dim->name), p_.mesh()) / unit};
  }

  bool sends_as_much(const Site& site, const Traffic& t) const {
    const Step& move = step(site.move);
    std::int64_t sent = 0;
    for (const Tile& run : tiles_of(site.unit, pieces_, true)) {
      const auto piece = [&](ValueId v) {
        const std::int64_t all = local_size(*type(v).find(site.dim), p_.mesh());
        return run_of(type(v), site.dim, run.count * all / site.unit, p_.mesh());
      };
      sent += traffic_of(piece(move.in[0]), piece(move.out[0]), p_.mesh()).sent_bytes;
    }
    return site.unit > 1 && sent == t.sent_bytes;
  }

  const Program& p_;
  std::int64_t pieces_;
  std::vector<std::size_t> made_;  ///< by value: steps up to the one that makes it, 0: given
  std::vector<std::vector<std::size_t>> readers_;  ///< by value; the end where it is wanted outside
};

/// Writes the steps, those of sites in pieces.
class Emission {
 public:
  Emission(Program p, const std::vector<Site>& sites, std::int64_t pieces)
      : at_(p.steps().size(), nullptr),
        gone_(p.steps().size()),
        pieces_(pieces),
        mesh_(p.mesh()),
        writer_(std::move(p)) {
    for (const Site& site : sites) {
      at_[site.products[0]] = &site;
      gone_[site.move] = true;
      for (const std::size_t j : site.products) gone_[j] = true;
    }
  }

  Program write() && {
    for (std::size_t i = 0; i < at_.size(); ++i) {
      if (at_[i] != nullptr)
        at_[i]->before ? gather(*at_[i]) : sum(*at_[i]);
      else if (!gone_[i])
        writer_.append(writer_.old(i));
    }
    return std::move(writer_).program();
  }

 private:
  void gather(const Site& site) {
    const Step& move = writer_.old(site.move);
    const std::vector<Tile> runs = tiles_of(site.unit, pieces_, true);
    std::vector<ValueId> arriving;
    for (const Tile& run : runs) {
      const ValueId part = slice(move.in[0], {site.dim, run.begin, run.count}, move);
      arriving.push_back(again(move, {move.in[0], part}, site, run.count));
    }
    for (std::size_t r = 0; r < runs.size(); ++r) {
      const Put put{site.dim, runs[r].begin, runs[r].count, site.ranks};
      const bool last = r + 1 == runs.size();
      for (const std::size_t j : site.products) {
        const Step& product = writer_.old(j);
        const ValueId y = again(product, {move.out[0], arriving[r]}, site, runs[r].count);
        place(product, y, put, last);
      }
      if (site.whole) place(move, arriving[r], put, last);
    }
  }

  void sum(const Site& site) {
    const Step &move = writer_.old(site.move), &product = writer_.old(site.products[0]);
    const std::vector<Tile> runs = tiles_of(site.unit, pieces_, true);
    const bool first = writer_[product.in[0]].type.find(site.dim) != nullptr;
    const ValueId operand = product.in[first ? 0 : 1];
    std::vector<ValueId> arriving;
    for (const Tile& run : runs) {
      const ValueId part = slice(operand, {site.dim, run.begin, run.count, site.ranks}, product);
      const ValueId y = again(product, {operand, part}, site, run.count);
      arriving.push_back(again(move, {move.in[0], y}, site, run.count));
    }
    for (std::size_t r = 0; r < runs.size(); ++r)
      place(move, arriving[r], {site.dim, runs[r].begin, runs[r].count}, r + 1 == runs.size());
  }

  ValueId make(const Step& like, const Op& op, const Ids& in, const Value& out) {
    return writer_.make({op, in, {}, like.phase, like.layer, like.times, like.tiles}, out);
  }
  ValueId slice(ValueId v, const Slice& run, const Step& like) {
    Value part = writer_[v];
    part.type = run_of(part.type, run.dim, run.count * run.parts, mesh_);
    return make(like, run, {v}, part);
  }

  struct Instead {
    ValueId of, piece;
  };
  /// The step once more, on a run of `count` of the site's units.
  ValueId again(const Step& step, const Instead& instead, const Site& site, std::int64_t count) {
    Ids in = step.in;
    std::ranges::replace(in, instead.of, instead.piece);
    Value out = writer_[step.out[0]];
    const std::int64_t each = local_size(*out.type.find(site.dim), mesh_) / site.unit;
    out.type = run_of(out.type, site.dim, count * each, mesh_);
    return make(step, step.op, in, out);
  }

  /// Puts a run where the step's result has it; the last makes the result.
  void place(const Step& step, ValueId run, const Put& put, bool last) {
    const ValueId result = step.out[0];
    const auto so_far = whole_.find(result);
    const Ids in = so_far == whole_.end() ? Ids{run} : Ids{so_far->second, run};
    if (last)
      writer_.append({put, in, {result}, step.phase, step.layer, step.times, step.tiles});
    else
      whole_[result] = make(step, put, in, Value(writer_[result]));
  }

  std::vector<const Site*> at_;  ///< by step: where a site is written
  std::vector<bool> gone_;       ///< by step: it is written in pieces
  std::int64_t pieces_;
  Mesh mesh_;
  std::map<ValueId, ValueId> whole_;  ///< results put together so far
  Rewriter writer_;
};

}  // namespace

Program chunk(Program p, std::int64_t pieces) {
  require(pieces >= 1, "a move is at least one piece");
  if (pieces == 1) return p;
  const std::vector<Site> sites = Finder(p, pieces).sites();
  return sites.empty() ? std::move(p) : Emission(std::move(p), sites, pieces).write();
}

}  // namespace ithaca
