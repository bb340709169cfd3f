#include "runtime/cpu/ends.h"

#include "models/positions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ithaca {
namespace {

/// Entries of the vocabulary a rank holds: [first, first + count), of which `known` are no padding.
struct Entries {
  std::int64_t first, count, known;
  bool holds(std::int64_t id) const { return id >= first && id < first + known; }
};

template <class T>
Entries entries_of(const Call<T>& call, const Type& t, std::int64_t vocabulary) {
  const Dim& v = *t.find(DimName::v);
  const std::vector<Run> held = positions(v, call.program.mesh(), call.rank);
  const std::int64_t first = held.front().first, count = count_of(held);
  return {first, count, std::clamp<std::int64_t>(vocabulary - first, 0, count)};
}

bool counts(std::int64_t label, std::int64_t vocabulary) {
  return label >= 0 && label < vocabulary;
}

}  // namespace

template <class T>
void compute(const Embed&, const Call<T>& call) {
  const Entries rows = entries_of(call, call.in_type(1), call.in_type(1).dims[0].size);
  const std::int64_t d = call.size(call.in_type(1), DimName::d), n = call.elements(call.in_type(0));
  for (std::int64_t i = 0; i < n; ++i) {
    auto x = vector(call.out(0) + i * d, d);
    if (rows.holds(call.ids(0)[i]))
      x = vector(call.in(1) + (call.ids(0)[i] - rows.first) * d, d);
    else
      x.setZero();
  }
}

template <class T>
void compute(const EmbedGrad&, const Call<T>& call) {
  const Entries rows = entries_of(call, call.out_type(0), call.out_type(0).dims[0].size);
  const std::int64_t d = call.size(call.out_type(0), DimName::d),
                     n = call.elements(call.in_type(1));
  vector(call.out(0), rows.count * d).setZero();
  for (std::int64_t i = 0; i < n; ++i)
    if (rows.holds(call.ids(1)[i]))
      vector(call.out(0) + (call.ids(1)[i] - rows.first) * d, d) += vector(call.in(0) + i * d, d);
}

template <class T>
void compute(const RowMax& op, const Call<T>& call) {
  const Entries columns = entries_of(call, call.in_type(0), op.vocabulary);
  for (std::int64_t row = 0; row < call.elements(call.out_type(0)); ++row)
    call.out(0)[row] = columns.known == 0
                           ? -std::numeric_limits<T>::infinity()
                           : vector(call.in(0) + row * columns.count, columns.known).maxCoeff();
}

template <class T>
void compute(const SumExp& op, const Call<T>& call) {
  const Entries columns = entries_of(call, call.in_type(0), op.vocabulary);
  for (std::int64_t row = 0; row < call.elements(call.out_type(0)); ++row) {
    const auto logits = vector(call.in(0) + row * columns.count, columns.known);
    call.out(0)[row] = (logits - call.in(1)[row]).exp().sum();
  }
}

template <class T>
void compute(const Pick&, const Call<T>& call) {
  const Entries columns = entries_of(call, call.in_type(0), call.in_type(0).find(DimName::v)->size);
  for (std::int64_t row = 0; row < call.elements(call.out_type(0)); ++row) {
    const std::int64_t label = call.ids(1)[row];
    call.out(0)[row] =
        columns.holds(label) ? call.in(0)[row * columns.count + label - columns.first] : T{0};
  }
}

template <class T>
void compute(const LogSoftmax&, const Call<T>& call) {
  const std::int64_t n = call.size(call.in_type(0), DimName::v);
  for (std::int64_t row = 0; row < call.elements(call.in_type(1)); ++row)
    vector(call.out(0) + row * n, n) =
        vector(call.in(0) + row * n, n) - (call.in(1)[row] + std::log(call.in(2)[row]));
}

template <class T>
void compute(const TokenLoss& op, const Call<T>& call) {
  const bool normalized = call.step.in.size() == 3;
  double loss = 0;
  for (std::int64_t row = 0; row < call.elements(call.in_type(1)); ++row)
    if (counts(call.ids(1)[row], op.vocabulary))
      loss += static_cast<double>(normalized ? -call.in(2)[row]
                                             : call.in(2)[row] + std::log(call.in(3)[row]) -
                                                   call.in(4)[row]);
  call.out(0)[0] = static_cast<T>(loss);
}

template <class T>
void compute(const TokenLossGrad& op, const Call<T>& call) {
  const Entries columns = entries_of(call, call.in_type(1), op.vocabulary);
  const T dloss = call.in(0)[0];
  const bool normalized = call.step.in.size() == 3;
  for (std::int64_t row = 0; row < call.elements(call.in_type(2)); ++row) {
    const std::int64_t label = call.ids(2)[row];
    auto d = vector(call.out(0) + row * columns.count, columns.count);
    const auto logits = vector(call.in(1) + row * columns.count, columns.count);
    if (!counts(label, op.vocabulary)) {
      d.setZero();
      continue;
    }
    const T max = normalized ? T{0} : call.in(3)[row], sum = normalized ? T{1} : call.in(4)[row];
    d.head(columns.known) = (logits.head(columns.known) - max).exp() * (dloss / sum);
    d.tail(columns.count - columns.known).setZero();
    if (columns.holds(label)) d[label - columns.first] -= dloss;
  }
}

template void compute(const Embed&, const Call<float>&);
template void compute(const Embed&, const Call<double>&);
template void compute(const EmbedGrad&, const Call<float>&);
template void compute(const EmbedGrad&, const Call<double>&);
template void compute(const RowMax&, const Call<float>&);
template void compute(const RowMax&, const Call<double>&);
template void compute(const SumExp&, const Call<float>&);
template void compute(const SumExp&, const Call<double>&);
template void compute(const Pick&, const Call<float>&);
template void compute(const Pick&, const Call<double>&);
template void compute(const LogSoftmax&, const Call<float>&);
template void compute(const LogSoftmax&, const Call<double>&);
template void compute(const TokenLoss&, const Call<float>&);
template void compute(const TokenLoss&, const Call<double>&);
template void compute(const TokenLossGrad&, const Call<float>&);
template void compute(const TokenLossGrad&, const Call<double>&);

}  // namespace ithaca
