#include "runtime/cpu/rope.h"

#include "models/error.h"
#include "models/positions.h"

#include <cmath>
#include <vector>

namespace ithaca {
namespace {

template <class T>
struct Turns {
  Vector<T> cos, sin;  // [e/2], of one token
};

template <class T>
void turn(std::int64_t position, const Vector<double>& frequency, bool back, Turns<T>& turns) {
  const Vector<double> angle = static_cast<double>(position) * frequency;
  turns.cos = angle.cos().template cast<T>();
  turns.sin = ((back ? -1.0 : 1.0) * angle.sin()).template cast<T>();
}

Vector<double> frequencies(double theta, std::int64_t e) {
  Vector<double> frequency(e / 2);
  for (std::int64_t j = 0; j < e / 2; ++j)
    frequency[j] = std::pow(theta, -2.0 * static_cast<double>(j) / static_cast<double>(e));
  return frequency;
}

/// A token's row of a table: e cosines, e sines, of which the halves are equal.
template <class T>
void look_up(const T* row, std::int64_t e, bool back, Turns<T>& turns) {
  turns.cos = vector(row, e / 2);
  turns.sin = (back ? T{-1} : T{1}) * vector(row + e, e / 2);
}

/// Turns the `heads` heads of one token.
template <class T>
void rotate(const Turns<T>& turns, const T* x, T* y, std::int64_t heads) {
  const std::int64_t half = turns.cos.size();
  Vector<T> first(half);
  for (std::int64_t h = 0; h < heads; ++h, x += 2 * half, y += 2 * half) {
    const auto low = vector(x, half), high = vector(x + half, half);
    first = low * turns.cos - high * turns.sin;
    vector(y + half, half) = high * turns.cos + low * turns.sin;
    vector(y, half) = first;
  }
}

}  // namespace

template <class T>
void compute(const Rope& op, const Call<T>& call) {
  const Type& t = call.in_type(0);
  require(t.dims[1].name == DimName::L && t.dims.back().name == DimName::e,
          "rope expects [b, L, heads, e]");
  const std::int64_t b = call.size(t, t.dims[0].name), L = call.size(t, DimName::L);
  const std::int64_t e = call.size(t, DimName::e), token = call.elements(t) / (b * L);
  const Vector<double> frequency = frequencies(op.theta, e);
  Turns<T> turns;
  std::int64_t l = 0;
  for (const Run& run : positions(t.dims[1], call.program.mesh(), call.rank))
    for (std::int64_t i = 0; i < run.count; ++i, ++l) {
      if (call.step.in.size() > 1)
        look_up(call.in(1) + l * 2 * e, e, op.inverse, turns);
      else
        turn(run.first + i * run.stride, frequency, op.inverse, turns);
      for (std::int64_t sample = 0; sample < b; ++sample) {
        const std::int64_t at = (sample * L + l) * token;
        rotate(turns, call.in(0) + at, call.out(0) + at, token / e);
      }
    }
}

template <class T>
void compute(const RotationTable& op, const Call<T>& call) {
  const Type& t = call.out_type(0);
  const std::int64_t e = call.size(t, DimName::e);
  const Vector<double> frequency = frequencies(op.theta, e);
  Turns<T> turns;
  T* row = call.out(0);
  for (const Run& run : positions(t.dims[0], call.program.mesh(), call.rank))
    for (std::int64_t i = 0; i < run.count; ++i, row += 2 * e) {
      turn(run.first + i * run.stride, frequency, false, turns);
      vector(row, e) << turns.cos, turns.cos;
      vector(row + e, e) << turns.sin, turns.sin;
    }
}

template void compute(const RotationTable&, const Call<float>&);
template void compute(const RotationTable&, const Call<double>&);
template void compute(const Rope&, const Call<float>&);
template void compute(const Rope&, const Call<double>&);

}  // namespace ithaca
