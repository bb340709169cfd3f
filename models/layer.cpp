#include "models/layer.h"

#include "models/backward.h"
#include "models/layer_writer.h"
#include "models/passes/chunk.h"
#include "models/update.h"

#include <algorithm>
#include <utility>

namespace ithaca {
namespace {

void differentiate_into(Builder& b, Layer& layer, const LayerOptions& options) {
  layer.dy = b.input("dy", b.type(layer.y), Role::gradient);
  std::vector<ValueId> wanted{layer.x};
  std::vector<std::size_t> trained;
  for (std::size_t j = 0; j < layer.weights.size(); ++j)
    if (layer.weights[j].trained) {
      trained.push_back(j);
      wanted.push_back(layer.weights[j].stored);
    }
  const auto finish = [&](ValueId weight, ValueId gradient) {
    return finish_gradient(b, *std::ranges::find(layer.weights, weight, &Parameter::stored),
                           gradient, options);
  };
  const std::vector<ValueId> d =
      differentiate(b, {0, b.program().steps().size()}, {{layer.y, layer.dy}}, wanted,
                    {options.recompute, true, options.reduction, options.kernels.results_held,
                     options.kernels.whole_gradients, finish});
  b.output(layer.dx = d[0]);
  for (std::size_t j = 0; j < trained.size(); ++j)
    b.output(layer.weights[trained[j]].grad = d[j + 1]);
}

}  // namespace

Layer layer_program(const LayerShape& shape, const Strategy& strategy, const Mesh& mesh,
                    const LayerOptions& options) {
  check_sizes(shape, mesh);
  const Strategy s = real(strategy, mesh);
  Builder b(mesh);
  Layer layer;
  Weights weights(b, options, layer.weights);
  const Dims x{{DimName::b, shape.b}, {DimName::L, shape.L}, {DimName::d, shape.d}};
  layer.x = b.input("x", laid({options.dtype, x, {}, {}}, s.residual), Role::activation);
  layer.y = write_layer(b, weights, layer.x, {shape, s, options});
  layer.dx = layer.dy = no_value;
  b.output(layer.y);
  if (options.backward) differentiate_into(b, layer, options);
  layer.program = chunk(std::move(b).build(), options.comm_chunks);
  return layer;
}

Program attention_program(const LayerShape& n, const Strategy& strategy, const Mesh& mesh,
                          const LayerOptions& options) {
  check_sizes(n, mesh);
  const Strategy s = real(strategy, mesh);
  Builder b(mesh);
  const auto input = [&](const char* name, const Dims& dims) {
    const Layout lie = s.attention.in + s.attention.weights.cut;
    return b.input(name, laid({options.dtype, dims, {}, {}}, lie), Role::activation);
  };
  const Dim samples{DimName::b, n.b}, tokens{DimName::L, n.L}, heads{DimName::k, n.k},
      group{DimName::g, n.g}, element{DimName::e, n.e};
  const Ids qkv{input("q", {samples, tokens, heads, group, element}),
                input("k", {samples, tokens, heads, element}),
                input("v", {samples, tokens, heads, element})};
  const ValueId o = write_attention(b, qkv, {n, s, options});
  b.output(o);
  if (!options.backward) return std::move(b).build();
  const Seeds seeds{{o, b.input("do", b.type(o), Role::gradient)}};
  for (const ValueId d :
       differentiate(b, {0, b.program().steps().size()}, seeds, {qkv.begin(), qkv.end()}))
    b.output(d);
  return std::move(b).build();
}

Program settle_program(const Layer& layer) {
  Builder b(layer.program.mesh());
  b.phase(Phase::update);
  for (const Parameter& p : layer.weights) {
    if (p.grad == no_value) continue;
    const Value& grad = layer.program[p.grad];
    const ValueId g = b.input(grad.name, grad.type, Role::weight_gradient);
    b.output(reduce_gradient(b, g, state_type(layer.program, p), p.row));
  }
  return std::move(b).build();
}

std::int64_t parameters(const Layer& layer) {
  std::int64_t n = 0;
  for (const Parameter& p : layer.weights) n += global_elements(layer.program.type(p.stored));
  return n;
}

}  // namespace ithaca
