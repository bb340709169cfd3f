#include "runtime/cpu/attention.h"

#include "runtime/cpu/attention_tiles.h"

#include <limits>

namespace ithaca {
namespace {

/// A tile of queries on its way over the keys: o is the sum of exp(s - top) v, sum that of the
/// weights.
template <class T>
class RunningSoftmax {
 public:
  RunningSoftmax(const AttentionShape& heads, const Call<T>& call) : h_(heads), call_(call) {}

  void attend(const Tile& tile) {
    gather(h_, tile, call_.in(0), static_cast<T>(h_.scale), q_);
    o_.setZero(q_.rows(), h_.e);
    sum_.setZero(q_.rows());
    top_.setConstant(q_.rows(), -std::numeric_limits<T>::infinity());
    for_each_key_tile(h_, tile,
                      [&](std::int64_t first, std::int64_t keys) { absorb(tile, first, keys); });
    write(tile);
  }

 private:
  void absorb(const Tile& tile, std::int64_t first, std::int64_t keys) {
    s_.resize(q_.rows(), keys);
    s_.noalias() = q_ * key_rows(h_, tile, call_.in(1), first, keys).transpose();
    for (std::int64_t r = 0; r < q_.rows(); ++r) weigh(r, seen(h_, tile, r, first, keys));
    o_.noalias() += s_ * key_rows(h_, tile, call_.in(2), first, keys);
  }

  /// Turns scores of a row into weights; scores after the first `n` are masked.
  void weigh(std::int64_t r, std::int64_t n) {
    s_.row(r).tail(s_.cols() - n).setZero();
    if (n == 0) return;
    auto s = vector(s_.data() + r * s_.cols(), n);
    const T top = std::max(top_[r], s.maxCoeff());
    if (top > top_[r]) {
      const T fade = std::exp(top_[r] - top);
      sum_[r] *= fade;
      o_.row(r) *= fade;
      top_[r] = top;
    }
    s = (s - top).exp();
    sum_[r] += s.sum();
  }

  void write(const Tile& tile) {
    for (std::int64_t r = 0; r < o_.rows(); ++r) {
      if (sum_[r] > 0) o_.row(r) /= sum_[r];
      call_.out(1)[lse_at(h_, tile, r)] = top_[r] + std::log(sum_[r]);
    }
    scatter(h_, tile, o_, T{1}, call_.out(0));
  }

  const AttentionShape& h_;
  const Call<T>& call_;
  Rows<T> q_, o_, s_;  // [rows e], [rows e], [rows keys]
  Vector<T> top_, sum_;
};

}  // namespace

template <class T>
void compute(const Attend& op, const Call<T>& call) {
  const AttentionShape h =
      heads_of(call.program, call.step, {op.causal, op.ring, op.hops}, call.rank);
  RunningSoftmax<T> softmax(h, call);
  for_each_tile(h, [&](const Tile& tile) { softmax.attend(tile); });
}

template void compute(const Attend&, const Call<float>&);
template void compute(const Attend&, const Call<double>&);

}  // namespace ithaca
