#include "runtime/cpu/gemm.h"

#include "runtime/einsum_fold.h"

namespace ithaca {
namespace {

/// y [m n] = a b; a transposed product swaps the operands instead.
template <class T, class A, class B>
void multiply(const Fold& f, const A& a, const B& b, T* y) {
  if (f.y_transposed)
    Eigen::Map<Rows<T>>(y, f.n, f.m).noalias() = b.transpose() * a.transpose();
  else
    Eigen::Map<Rows<T>>(y, f.m, f.n).noalias() = a * b;
}

template <class T, class A>
void multiply_by(const Fold& f, const A& a, const T* b, T* y) {
  if (f.b_transposed)
    multiply(f, a, Eigen::Map<const Rows<T>>(b, f.n, f.k).transpose(), y);
  else
    multiply(f, a, Eigen::Map<const Rows<T>>(b, f.k, f.n), y);
}

}  // namespace

template <class T>
void compute(const Einsum&, const Call<T>& call) {
  const Fold f = fold(call.program, call.step);
  const T *a = call.in(0), *b = call.in(1);
  if (f.a_transposed)
    multiply_by(f, Eigen::Map<const Rows<T>>(a, f.k, f.m).transpose(), b, call.out(0));
  else
    multiply_by(f, Eigen::Map<const Rows<T>>(a, f.m, f.k), b, call.out(0));
}

template void compute(const Einsum&, const Call<float>&);
template void compute(const Einsum&, const Call<double>&);

}  // namespace ithaca
