#include "runtime/cpu/attention_grad.h"

#include "runtime/cpu/attention_tiles.h"

namespace ithaca {
namespace {

template <class T>
class TileGradient {
 public:
  TileGradient(const AttentionShape& heads, const Call<T>& call) : h_(heads), call_(call) {}

  void attend(const Tile& tile) {
    gather(h_, tile, call_.in(0), static_cast<T>(h_.scale), q_);
    gather(h_, tile, call_.in(3), T{1}, o_);
    gather(h_, tile, call_.in(5), T{1}, do_);
    delta_ = (do_.array() * o_.array()).rowwise().sum();
    dq_.setZero(q_.rows(), h_.e);
    for_each_key_tile(h_, tile,
                      [&](std::int64_t first, std::int64_t keys) { absorb(tile, first, keys); });
    scatter(h_, tile, dq_, static_cast<T>(h_.scale), call_.out(0));
  }

 private:
  void absorb(const Tile& tile, std::int64_t first, std::int64_t keys) {
    const auto k = key_rows(h_, tile, call_.in(1), first, keys);
    const auto v = key_rows(h_, tile, call_.in(2), first, keys);
    p_.resize(q_.rows(), keys);
    ds_.resize(q_.rows(), keys);
    p_.noalias() = q_ * k.transpose();
    ds_.noalias() = do_ * v.transpose();
    for (std::int64_t r = 0; r < q_.rows(); ++r) weigh(tile, r, first);
    key_rows(h_, tile, call_.out(2), first, keys).noalias() += p_.transpose() * do_;
    key_rows(h_, tile, call_.out(1), first, keys).noalias() += ds_.transpose() * q_;
    dq_.noalias() += ds_ * k;
  }

  /// Turns scores of a row into weights, and gradients of weights into those of scores.
  void weigh(const Tile& tile, std::int64_t r, std::int64_t first) {
    const std::int64_t keys = p_.cols();
    const auto seen = h_.seen_by(tile.first + r / h_.g);
    T *const p_row = p_.data() + r * keys, *const ds_row = ds_.data() + r * keys;
    const T lse = call_.in(4)[lse_at(h_, tile, r)];
    for_each_seen(seen, first, keys, [&](std::int64_t begin, std::int64_t n) {
      auto p = vector(p_row + begin, n), ds = vector(ds_row + begin, n);
      p = (p - lse).exp();
      ds = p * (ds - delta_[r]);
    });
    clear_unseen(seen, first, keys, p_row);
    clear_unseen(seen, first, keys, ds_row);
  }

  const AttentionShape& h_;
  const Call<T>& call_;
  Rows<T> q_, o_, do_, dq_;  // [rows e]
  Rows<T> p_, ds_;           // [rows keys]
  Vector<T> delta_;          // [rows]
};

}  // namespace

template <class T>
void compute(const AttendGrad& op, const Call<T>& call) {
  const AttentionShape h = heads_of(call.program, call.step, {op.mask, op.keys}, call.rank);
  for (const std::size_t i : {1U, 2U})
    vector(call.out(i), call.elements(call.out_type(i))).setZero();
  TileGradient<T> gradient(h, call);
  for_each_tile(h, [&](const Tile& tile) { gradient.attend(tile); });
}

template void compute(const AttendGrad&, const Call<float>&);
template void compute(const AttendGrad&, const Call<double>&);

}  // namespace ithaca
