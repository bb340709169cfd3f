#include "runtime/einsum_fold.h"

#include "models/error.h"

#include <boost/container/static_vector.hpp>

namespace ithaca {
namespace {

using Names = boost::container::static_vector<DimName, 6>;

Names operator+(Names a, const Names& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Dims of `t` that `other` has too, or those it lacks.
Names shared(const Type& t, const Type& other, bool has) {
  Names names;
  for (const Dim& dim : t.dims)
    if ((other.find(dim.name) != nullptr) == has) names.push_back(dim.name);
  return names;
}

/// Whether `t` lies as [second, first] and not as [first, second].
bool transposed(const Type& t, const Names& first, const Names& second) {
  Names names;
  for (const Dim& dim : t.dims) names.push_back(dim.name);
  if (names == first + second) return false;
  require(names == second + first, "an einsum does not fold into one matrix product");
  return true;
}

std::int64_t elements(const Type& t, const Names& names, const Mesh& mesh) {
  std::int64_t n = 1;
  for (const DimName name : names) n *= local_size(*t.find(name), mesh);
  return n;
}

}  // namespace

Fold fold(const Program& p, const Step& step) {
  const Type &a = p.type(step.in[0]), &b = p.type(step.in[1]), &y = p.type(step.out[0]);
  const Names m = shared(a, y, true), n = shared(b, y, true), k = shared(a, y, false);
  return {elements(a, m, p.mesh()), elements(b, n, p.mesh()), elements(a, k, p.mesh()),
          transposed(a, m, k),      transposed(b, k, n),      transposed(y, m, n)};
}

}  // namespace ithaca
