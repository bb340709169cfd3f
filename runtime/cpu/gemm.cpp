#include "runtime/cpu/gemm.h"

#include "runtime/einsum_fold.h"

#include <algorithm>

namespace ithaca {
namespace {

/// Where a product goes, and whether what is there stays.
template <class T>
struct Target {
  T* y;
  bool adds;
};

template <class Y, class A, class B>
void put(Y y, bool adds, const A& a, const B& b) {
  if (adds)
    y.noalias() += a * b;
  else
    y.noalias() = a * b;
}

/// y [m n] = a b, or y + a b; a transposed product swaps the operands instead.
template <class T, class A, class B>
void multiply(const Fold& f, const A& a, const B& b, const Target<T>& to) {
  if (f.y_transposed)
    put(Eigen::Map<Rows<T>>(to.y, f.n, f.m), to.adds, b.transpose(), a.transpose());
  else
    put(Eigen::Map<Rows<T>>(to.y, f.m, f.n), to.adds, a, b);
}

template <class T, class A>
void multiply_by(const Fold& f, const A& a, const T* b, const Target<T>& to) {
  if (f.b_transposed)
    multiply(f, a, Eigen::Map<const Rows<T>>(b, f.n, f.k).transpose(), to);
  else
    multiply(f, a, Eigen::Map<const Rows<T>>(b, f.k, f.n), to);
}

}  // namespace

template <class T>
void compute(const Einsum&, const Call<T>& call) {
  const Fold f = fold(call.program, call.step);
  const T *a = call.in(0), *b = call.in(1);
  const Target<T> to{call.out(0), call.step.in.size() > 2};
  if (to.adds && call.in(2) != to.y) std::copy_n(call.in(2), f.m * f.n, to.y);
  if (f.a_transposed)
    multiply_by(f, Eigen::Map<const Rows<T>>(a, f.k, f.m).transpose(), b, to);
  else
    multiply_by(f, Eigen::Map<const Rows<T>>(a, f.m, f.k), b, to);
}

template void compute(const Einsum&, const Call<float>&);
template void compute(const Einsum&, const Call<double>&);

}  // namespace ithaca
