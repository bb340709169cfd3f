// Stages of a pipeline run one after another give the loss and the gradients of the whole model.
#include "models/step.h"
#include "tests/runtime/cpu_steps.h"

#include <bit>
#include <charconv>
#include <string>

namespace ithaca::test {
namespace {

constexpr std::int64_t vocabulary = 11;

LayerShape tiny() {
  LayerShape n;
  n.b = 2, n.L = 5, n.d = 6, n.k = 2, n.g = 3, n.e = 4, n.i = 7;
  return n;
}

struct Piece {
  MicroBatch micro;
  Tensors values;
  int first_layer = 0;

  Piece(Ends ends, std::int64_t layers, bool tied, int begin) : first_layer(begin) {
    StepOptions options;
    options.layer.dtype = DType::f64;
    options.unrolled = true;
    micro = micro_batch({{{tiny(), {}, layers}}, vocabulary, tied, ends}, Mesh{}, options);
    micro.program = retype(micro.program, DType::f64);
    values = random_inputs(micro.program, 5);
    set_ids(micro.tokens, 7, 3);
    set_ids(micro.labels, 5, 0);
    if (micro.dloss != no_value) values[micro.dloss] = {0.25};
  }

  void set_ids(ValueId v, std::size_t step, std::size_t shift) {
    if (v == no_value) return;
    for (std::size_t i = 0; i < values[v].size(); ++i)
      values[v][i] =
          std::bit_cast<double>(static_cast<std::int64_t>((step * i + shift) % vocabulary));
  }

  /// As the whole model calls a parameter: "layers.2.wq".
  std::string name_in_whole(const Parameter& p) const {
    const std::string prefix = "layers.";
    if (!p.name.starts_with(prefix)) return p.name;
    int layer = 0;
    const char* const begin = p.name.data() + prefix.size();
    const auto read = std::from_chars(begin, p.name.data() + p.name.size(), layer);
    return prefix + std::to_string(layer + first_layer) + read.ptr;
  }
  const Parameter& parameter(const std::string& name) const {
    const auto it = std::ranges::find(micro.parameters, name, &Parameter::name);
    EXPECT_NE(it, micro.parameters.end()) << name;
    return *it;
  }
  void take_weights(const Piece& whole) {
    for (const Parameter& p : micro.parameters)
      values[p.stored] = whole.values[whole.parameter(name_in_whole(p)).stored];
  }
  void run() { values = interpret(micro.program, values); }
};

void expect_stages_are_the_whole(bool tied) {
  Piece whole(Ends::both, 4, tied, 0), first(Ends::first, 1, tied, 0),
      middle(Ends::none, 2, tied, 1), last(Ends::last, 1, tied, 3);
  for (Piece* piece : {&first, &middle, &last}) piece->take_weights(whole);
  whole.run();
  first.run();  // what it makes of the random dy is of no matter yet
  middle.values[middle.micro.x] = first.values[first.micro.y];
  middle.run();
  last.values[last.micro.x] = middle.values[middle.micro.y];
  last.run();
  middle.values[middle.micro.dy] = last.values[last.micro.dx];
  middle.run();
  first.values[first.micro.dy] = middle.values[middle.micro.dx];
  first.run();

  expect_close(last.values[last.micro.loss], whole.values[whole.micro.loss]);
  std::map<std::string, Tensor> gradients;
  for (const Piece* piece : {&first, &middle, &last})
    for (const Parameter& p : piece->micro.parameters) {
      Tensor& sum = gradients[piece->name_in_whole(p)];
      sum.resize(piece->values[p.grad].size());
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += piece->values[p.grad][i];
    }
  EXPECT_EQ(gradients.size(), whole.micro.parameters.size());
  for (const Parameter& p : whole.micro.parameters) {
    SCOPED_TRACE(p.name);
    expect_close(gradients.at(p.name), whole.values[p.grad], 1e-11);
  }
}

TEST(PipelineStages, GiveTheLossAndTheGradientsOfTheWholeModel) {
  expect_stages_are_the_whole(false);
}
TEST(PipelineStages, WithATableOnTheFirstAndTheLastSumItsGradients) {
  expect_stages_are_the_whole(true);
}

}  // namespace
}  // namespace ithaca::test
