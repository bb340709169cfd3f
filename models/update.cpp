#include "models/update.h"

#include "models/layer_writer.h"
#include "models/passes/bucket.h"

#include <algorithm>

namespace ithaca {
namespace {

Type without_partial(Type t, const AxisList& axes) {
  t.partial.erase(std::remove_if(t.partial.begin(), t.partial.end(),
                                 [&](Axis axis) { return contains(axes, axis); }),
                  t.partial.end());
  return t;
}

class UpdateWriter {
 public:
  UpdateWriter(const Program& micro_batch, std::span<const Parameter> parameters,
               const UpdateOptions& options)
      : p_(micro_batch), parameters_(parameters), o_(options), b_(micro_batch.mesh()) {
    b_.phase(Phase::update);
  }

  Update write() && {
    update_.t = b_.input("t", scalar(), Role::activation);
    update_.slots.resize(parameters_.size());
    std::vector<ValueId> gradients;
    for (std::size_t i = 0; i < parameters_.size(); ++i) gradients.push_back(reduced(i));
    const ValueId factor = clip(gradients);
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (gradients[i] != no_value) step(i, gradients[i], factor);
    update_.program = std::move(b_).build();
    if (o_.bucket_elements > 0)
      update_.program = bucket(std::move(update_.program), o_.bucket_elements);
    return std::move(update_);
  }

 private:
  static Type scalar() { return {DType::f32, {}, {}, {}}; }

  ValueId reduced(std::size_t i) {
    const Parameter& p = parameters_[i];
    b_.layer(p.layer, p.times);
    if (p.grad == no_value) return no_value;
    const Value& grad = p_[p.grad];
    const ValueId g = b_.input(grad.name, grad.type, Role::weight_gradient);
    if (grad.on_host) b_.place_on_host(g);
    update_.slots[i].grad = g;
    const bool travels = !grad.type.partial.empty();
    Type state = state_type(p_, p);
    state.dtype = grad.type.dtype;
    const ValueId here = grad.type == state ? g : on_device(g);
    const ValueId sent = travels && o_.reduction ? b_.cast(here, *o_.reduction) : here;
    return reduce_gradient(b_, sent, state, p.row);
  }

  /// The factor that keeps the norm of all gradients together within bounds; 1 without clipping.
  ValueId clip(const std::vector<ValueId>& gradients) {
    if (o_.clip_norm <= 0) return no_value;
    std::vector<ValueId> sums;  // one for each way to lie
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const ValueId g = gradients[i];
      if (g == no_value) continue;
      b_.layer(parameters_[i].layer, parameters_[i].times);
      ValueId square = b_.squared_norm(g);
      if (b_.value(g).on_host) {
        b_.place_on_host(square);
        square = b_.copy(square, false);
      }
      const auto same = [&](ValueId v) { return b_.type(v) == b_.type(square); };
      const auto it = std::ranges::find_if(sums, same);
      if (it == sums.end())
        sums.push_back(square);
      else
        *it = b_.add("norm2", *it, square);
    }
    b_.layer(-1, 1);
    ValueId total = no_value;
    for (const ValueId sum : sums) {
      const ValueId whole = b_.move(sum, scalar());
      total = total == no_value ? whole : b_.add("norm2", total, whole);
    }
    if (total == no_value) return no_value;
    b_.output(update_.squared_norm = total);
    return b_.clip_factor(total, o_.clip_norm);
  }

  const std::string& name_of(std::size_t i) const { return p_[parameters_[i].stored].name; }
  ValueId state(const char* what, std::size_t i, DType dtype) {
    Type t = state_type(p_, parameters_[i]);
    t.dtype = dtype;
    const ValueId v = b_.input(name_of(i) + what, t, Role::weight);
    if (o_.on_host) b_.place_on_host(v);
    return v;
  }

  void step(std::size_t i, ValueId gradient, ValueId factor) {
    UpdateSlot& s = update_.slots[i];
    b_.layer(parameters_[i].layer, parameters_[i].times);
    const Type stored = p_.type(parameters_[i].stored);
    const bool waits = p_[parameters_[i].stored].on_host;
    ValueId weight = no_value;
    if (o_.recipe.master) {
      weight = s.master.in = state(".master", i, DType::f32);
    } else {
      s.stored.in = b_.input(name_of(i), stored, Role::weight);
      if (waits) b_.place_on_host(s.stored.in);
      const Type rests = state_type(p_, parameters_[i]);
      const bool stays = waits && o_.on_host && stored == rests;
      weight = stays ? s.stored.in : b_.move(on_device(s.stored.in), rests);
    }
    s.m.in = state(".m", i, o_.recipe.moments);
    s.v.in = state(".v", i, o_.recipe.moments);
    gradient = o_.on_host ? on_host(gradient) : on_device(gradient);
    if (o_.on_host) weight = on_host(weight);
    Ids in{weight, s.m.in, s.v.in, gradient, update_.t};
    if (factor != no_value) in.push_back(factor);
    const Ids out = b_.adam(in, o_.adam);
    const auto keep = [&](UpdateSlot::Ends& ends, ValueId v) { b_.output(ends.out = v); };
    keep(s.m, out[1]);
    keep(s.v, out[2]);
    if (o_.recipe.master) keep(s.master, out[0]);
    ValueId used = b_.cast(out[0], stored.dtype);
    if (o_.on_host) b_.place_on_host(used);
    if (!waits || b_.type(used) != stored) used = b_.move(on_device(used), stored);
    keep(s.stored, waits ? on_host(used) : used);
  }

  ValueId on_host(ValueId v) { return b_.value(v).on_host ? v : b_.copy(v, true); }
  ValueId on_device(ValueId v) { return b_.value(v).on_host ? b_.copy(v, false) : v; }

  const Program& p_;
  std::span<const Parameter> parameters_;
  const UpdateOptions& o_;
  Builder b_;
  Update update_;
};

}  // namespace

Type state_type(const Program& p, const Parameter& parameter) {
  Type t = p.type(parameter.stored);
  // Only minor axes can move: those that micro-batches scatter over come first.
  t.flat = t.flat + parameter.row.scatter;
  for (const Axis axis : parameter.row.state)
    if (!contains(parameter.row.scatter, axis)) t.flat.push_back(axis);
  return t;
}

ValueId reduce_gradient(Builder& b, ValueId gradient, Type state, const WeightRow& row) {
  state.dtype = b.type(gradient).dtype;
  if (row.all_reduce) gradient = b.move(gradient, dual(b.type(gradient)));
  return b.move(gradient, state);
}

ValueId finish_gradient(Builder& b, Parameter& p, ValueId gradient, const LayerOptions& options) {
  const AxisList& axes = p.row.scatter;
  if (!axes.empty()) {
    const ValueId sent = options.reduction ? b.cast(gradient, *options.reduction) : gradient;
    Type shard = without_partial(b.type(sent), axes);
    const ValueId whole = p.row.all_reduce ? b.move(sent, shard) : sent;
    shard.flat = shard.flat + axes;
    gradient = b.move(whole, shard);
  }
  const bool adds = options.accumulate || options.gradient_buffers == GradientBuffers::all ||
                    (options.gradient_buffers == GradientBuffers::shards && !p.row.flat.empty());
  const bool on_host = options.gradients_on_host && b.type(gradient).partial.empty();
  // An addition on the device reads one dtype and writes another.
  if (options.gradient && (on_host || !adds)) gradient = b.cast(gradient, *options.gradient);
  if (on_host) gradient = b.copy(gradient, true);
  b.role(gradient, Role::weight_gradient);
  if (adds) {
    const std::string name = b.value(gradient).name;
    Type sum = b.type(gradient);
    sum.dtype = options.gradient.value_or(sum.dtype);
    p.sum = b.input(name, sum, Role::weight_gradient);
    if (on_host) b.place_on_host(p.sum);
    const Einsum how{options.kernels.keeps_empty_gradients && p.layer >= 0};
    gradient = options.kernels.fused_sums ? b.add_product(name, p.sum, gradient, how)
                                          : b.add(name, p.sum, gradient);
    b.role(gradient, Role::weight_gradient);
    if (on_host) b.place_on_host(gradient);
  }
  return gradient;
}

Update update_program(const Program& micro_batch, std::span<const Parameter> parameters,
                      const UpdateOptions& options) {
  return UpdateWriter(micro_batch, parameters, options).write();
}

}  // namespace ithaca
