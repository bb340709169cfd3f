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
    for (std::int64_t r = 0; r < q_.rows(); ++r) weigh(r, h_.seen_by(tile.first + r / h_.g), first);
    o_.noalias() += s_ * key_rows(h_, tile, call_.in(2), first, keys);
  }

  /// Turns scores of a row on the keys from `first` into weights; keys it does not see get none.
  void weigh(std::int64_t r, std::span<const KeyRange> seen, std::int64_t first) {
    T* const row = s_.data() + r * s_.cols();
    clear_unseen(seen, first, s_.cols(), row);
    T top = top_[r];
    for_each_seen(seen, first, s_.cols(), [&](std::int64_t begin, std::int64_t n) {
      top = std::max(top, vector(row + begin, n).maxCoeff());
    });
    if (top > top_[r]) {
      const T fade = std::exp(top_[r] - top);
      sum_[r] *= fade;
      o_.row(r) *= fade;
      top_[r] = top;
    }
    for_each_seen(seen, first, s_.cols(), [&](std::int64_t begin, std::int64_t n) {
      auto s = vector(row + begin, n);
      s = (s - top).exp();
      sum_[r] += s.sum();
    });
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
  const AttentionShape h = heads_of(call.program, call.step, {op.mask, op.keys}, call.rank);
  RunningSoftmax<T> softmax(h, call);
  for_each_tile(h, [&](const Tile& tile) { softmax.attend(tile); });
}

template void compute(const Attend&, const Call<float>&);
template void compute(const Attend&, const Call<double>&);

}  // namespace ithaca
