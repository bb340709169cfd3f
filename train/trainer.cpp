#include "train/trainer.h"

#include "models/error.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/threads/thread_communicator.h"
#include "sim/count.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

namespace ithaca {
namespace {

MicroBatch made(const StepShape& shape, const Mesh& mesh, StepOptions options, DType dtype,
                bool accumulate) {
  options.unrolled = true;
  options.layer.accumulate = accumulate;
  MicroBatch micro = micro_batch(shape, mesh, options);
  micro.program = retype(std::move(micro.program), dtype);
  return micro;
}

Update made(const MicroBatch& micro, const UpdateOptions& options, DType dtype) {
  Update update = update_program(micro.program, micro.parameters, options);
  update.program = retype(std::move(update.program), dtype);
  return update;
}

std::int64_t valid_in(std::span<const Sample> samples, std::int64_t vocabulary) {
  std::int64_t valid = 0;
  for (const Sample& sample : samples)
    valid += std::ranges::count_if(
        sample.labels, [&](std::int32_t label) { return label >= 0 && label < vocabulary; });
  return valid;
}

double number_in(const std::vector<std::byte>& bytes, DType dtype) {
  double wide = 0;
  float narrow = 0;
  if (dtype == DType::f64)
    std::memcpy(&wide, bytes.data(), sizeof wide);
  else
    std::memcpy(&narrow, bytes.data(), sizeof narrow);
  return dtype == DType::f64 ? wide : static_cast<double>(narrow);
}

/// Gains begin at one, biases and shifts at zero, matrices near N(0, 0.02) as GPT-2's
/// (github.com/openai/gpt-2, src/model.py).
Numbers initial(const Parameter& p, const Type& t, std::uint64_t seed) {
  const std::string_view name = std::string_view(p.name).substr(p.name.rfind('.') + 1);
  const bool gain = name.find("norm") != std::string_view::npos;
  if (gain) return {0, name.ends_with("shift") ? 0.0 : 1.0, 0};
  const bool second_of_adapter = t.dims.front().name == DimName::R;  // so that it begins as nothing
  if (name.starts_with("b") || t.dims.size() < 2 || second_of_adapter) return {0, 0, 0};
  return {seed_of(p.name) ^ seed, 0, 0.02};
}

}  // namespace

TrainingPrograms training_programs(const StepShape& shape, const Mesh& mesh,
                                   const TrainOptions& options) {
  MicroBatch micro = made(shape, mesh, options.step, options.dtype, options.micro_batches > 1);
  Update update = made(micro, options.update, options.dtype);
  return {std::move(micro), std::move(update)};
}

Trainer::Trainer(const StepShape& shape, const Mesh& mesh, const TrainOptions& options)
    : Trainer(shape, training_programs(shape, mesh, options), options) {}

Trainer::Trainer(const StepShape& shape, TrainingPrograms programs, const TrainOptions& options)
    : shape_(shape),
      o_(options),
      micro_(std::move(programs.micro)),
      update_(std::move(programs.update)),
      micro_runs_(micro_.program),
      update_runs_(update_.program),
      ranks_(static_cast<std::size_t>(micro_.program.mesh().ranks())) {
  initialize();
}

std::int64_t Trainer::samples_per_step() const {
  return o_.micro_batches * shape_.runs.front().shape.b;
}

void Trainer::initialize() {
  const Program& p = micro_.program;
  for (int rank = 0; rank < p.mesh().ranks(); ++rank)
    for (std::size_t i = 0; i < micro_.parameters.size(); ++i) {
      const Parameter& parameter = micro_.parameters[i];
      const Type &stored = p.type(parameter.stored), state = state_type(p, parameter);
      Numbers numbers = initial(parameter, stored, o_.seed);
      // Padding of a table stays zero for ever.
      const std::int64_t known = stored.dims[0].name == DimName::v
                                     ? shape_.vocabulary * stored.dims.back().size
                                     : global_elements(stored);
      Kept kept{slice_of(numbers, stored, p.mesh(), rank, known), {}, {}, {}, {}};
      const UpdateSlot& slot = update_.slots[i];
      if (slot.master.in != no_value) kept.master = slice_of(numbers, state, p.mesh(), rank, known);
      if (slot.m.in != no_value)
        kept.m = kept.v = Bytes(static_cast<std::size_t>(local_bytes(state, p.mesh())));
      ranks_[static_cast<std::size_t>(rank)].parameters.push_back(std::move(kept));
    }
}

Trainer::Bytes Trainer::scalar(double value) const {
  return slice_of(HostTensor{value}, {o_.dtype, {}, {}, {}}, Mesh{}, 0);
}

Trainer::Bytes Trainer::ids(ValueId input, int rank, std::span<const Sample> samples) const {
  const Type& t = micro_.program.type(input);
  const std::int64_t seq = t.dims[1].size;
  Bytes bytes(static_cast<std::size_t>(local_bytes(t, micro_.program.mesh())));
  std::byte* to = bytes.data();
  for (const std::int64_t index : global_indices(t, micro_.program.mesh(), rank)) {
    const Sample& sample = samples[static_cast<std::size_t>(index / seq)];
    const auto at = static_cast<std::size_t>(index % seq);
    const std::int64_t id = input == micro_.tokens ? sample.tokens[at] : sample.labels[at];
    std::memcpy(to, &id, sizeof id);
    to += sizeof id;
  }
  return bytes;
}

Trainer::Bytes Trainer::slice(ValueId input, int rank, std::span<const Sample> samples,
                              double dloss) const {
  if (input == micro_.tokens || input == micro_.labels) return ids(input, rank, samples);
  if (input == micro_.dloss) return scalar(dloss);
  const RankState& state = ranks_[static_cast<std::size_t>(rank)];
  for (std::size_t i = 0; i < micro_.parameters.size(); ++i) {
    if (micro_.parameters[i].stored == input) return state.parameters[i].stored;
    if (micro_.parameters[i].sum == input) return state.parameters[i].gradient;
  }
  require(false, "a micro-batch asks for an input nobody has");
  return {};
}

void Trainer::micro_batch(int rank, Communicator& communicator, std::span<const Sample> samples,
                          double dloss) {
  CpuDevice device;
  RankState& state = ranks_[static_cast<std::size_t>(rank)];
  RankResult result = run_rank(micro_runs_, device, communicator,
                               [&](ValueId v) { return slice(v, rank, samples, dloss); });
  state.loss += number_in(result.outputs.at(micro_.loss), o_.dtype);
  for (std::size_t i = 0; i < micro_.parameters.size(); ++i)
    if (const ValueId grad = micro_.parameters[i].grad; grad != no_value)
      state.parameters[i].gradient = std::move(result.outputs.at(grad));
  state.counts.peak_live_bytes = std::max(state.counts.peak_live_bytes, result.peak_live_bytes);
  state.counts.peak_host_bytes = std::max(state.counts.peak_host_bytes, result.peak_host_bytes);
  state.counts.sent_bytes +=
      std::accumulate(result.sent_bytes_to.begin(), result.sent_bytes_to.end(), std::int64_t{0});
  state.counts.to_host_bytes += result.to_host_bytes;
  state.counts.from_host_bytes += result.from_host_bytes;
}

void Trainer::update(int rank, Communicator& communicator) {
  CpuDevice device;
  RankState& state = ranks_[static_cast<std::size_t>(rank)];
  std::map<ValueId, Bytes*> in;
  std::multimap<ValueId, Bytes*> out;  // master and weight are one value where neither is narrower
  for (std::size_t i = 0; i < update_.slots.size(); ++i) {
    const UpdateSlot& slot = update_.slots[i];
    Kept& kept = state.parameters[i];
    in[slot.grad] = &kept.gradient;
    for (const auto& [ends, bytes] : {std::pair{slot.stored, &kept.stored},
                                      {slot.master, &kept.master},
                                      {slot.m, &kept.m},
                                      {slot.v, &kept.v}}) {
      in[ends.in] = bytes;
      out.emplace(ends.out, bytes);
    }
  }
  const Bytes t = scalar(static_cast<double>(steps_done_ + 1));
  RankResult result = run_rank(update_runs_, device, communicator,
                               [&](ValueId v) { return v == update_.t ? t : *in.at(v); });
  for (const auto& [value, bytes] : result.outputs) {
    if (value == update_.squared_norm) state.squared_norm = number_in(bytes, o_.dtype);
    for (auto [at, end] = out.equal_range(value); at != end; ++at) *at->second = bytes;
  }
  state.counts.peak_live_bytes = std::max(state.counts.peak_live_bytes, result.peak_live_bytes);
  state.counts.peak_host_bytes = std::max(state.counts.peak_host_bytes, result.peak_host_bytes);
  state.counts.sent_bytes +=
      std::accumulate(result.sent_bytes_to.begin(), result.sent_bytes_to.end(), std::int64_t{0});
  state.counts.to_host_bytes += result.to_host_bytes;
  state.counts.from_host_bytes += result.from_host_bytes;
}

TrainedStep Trainer::step(std::span<const Sample> samples) {
  require(std::ssize(samples) == samples_per_step(), "a step takes all its samples at once");
  const std::int64_t valid = valid_in(samples, shape_.vocabulary);
  const double dloss = valid == 0 ? 0 : 1 / static_cast<double>(valid);
  const auto batch = static_cast<std::size_t>(shape_.runs.front().shape.b);
  for (RankState& state : ranks_) {
    state.loss = 0;
    state.counts = {};
    for (std::size_t i = 0; i < micro_.parameters.size(); ++i)
      if (const ValueId sum = micro_.parameters[i].sum; sum != no_value)
        state.parameters[i].gradient.assign(
            static_cast<std::size_t>(local_bytes(micro_.program.type(sum), micro_.program.mesh())),
            std::byte{0});
  }
  run_ranks(
      static_cast<int>(ranks_.size()),
      [&](ThreadCommunicator& communicator) {
        for (std::size_t begin = 0; begin < samples.size(); begin += batch)
          micro_batch(communicator.rank(), communicator, samples.subspan(begin, batch), dloss);
        update(communicator.rank(), communicator);
      },
      o_.patience_s);
  ++steps_done_;
  TrainedStep done = ranks_.front().counts;
  for (const RankState& state : ranks_) {
    done.sent_bytes = std::max(done.sent_bytes, state.counts.sent_bytes);
    done.peak_live_bytes = std::max(done.peak_live_bytes, state.counts.peak_live_bytes);
    done.peak_host_bytes = std::max(done.peak_host_bytes, state.counts.peak_host_bytes);
  }
  done.loss = ranks_.front().loss * dloss;
  done.valid_tokens = valid;
  done.gradient_norm = std::sqrt(ranks_.front().squared_norm);
  return done;
}

std::int64_t Trainer::predicted_sent_bytes() const {
  return o_.micro_batches * count(micro_.program).sent_bytes().total() +
         count(update_.program).sent_bytes().total();
}

/// Calls with the tensors that are the state: the master or the weight, and the moments.
template <class Visit>
void Trainer::for_each_state(const Visit& visit) const {
  for (std::size_t i = 0; i < micro_.parameters.size(); ++i) {
    const Parameter& p = micro_.parameters[i];
    const Type state = state_type(micro_.program, p);
    const bool master = update_.slots[i].master.in != no_value;
    visit(i, p.name, master ? state : micro_.program.type(p.stored),
          master ? &Kept::master : &Kept::stored);
    if (update_.slots[i].m.in == no_value) continue;
    visit(i, p.name + ".m", state, &Kept::m);
    visit(i, p.name + ".v", state, &Kept::v);
  }
}

void Trainer::save(const std::string& path, const nlohmann::json& facts) const {
  std::vector<StateTensor> tensors;
  for_each_state([&](std::size_t i, const std::string& name, const Type& type, auto member) {
    tensors.push_back({name, type, {}});
    for (const RankState& rank : ranks_)
      tensors.back().slices.emplace_back(rank.parameters[i].*member);
  });
  save_checkpoint(path, micro_.program.mesh(), tensors, facts);
}

nlohmann::json Trainer::load(const std::string& path, const nlohmann::json& must_match) {
  ExpectedState expected{{}, must_match};
  for_each_state([&](std::size_t, const std::string& name, const Type& type, auto) {
    expected.tensors.emplace(name, type);
  });
  const Checkpoint checkpoint = load_checkpoint(path, expected);
  const Mesh& mesh = micro_.program.mesh();
  for_each_state([&](std::size_t i, const std::string& name, const Type& type, auto member) {
    const HostTensor& whole = checkpoint.tensors.at(name);
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      Kept& kept = ranks_[static_cast<std::size_t>(rank)].parameters[i];
      kept.*member = slice_of(whole, type, mesh, rank);
      if (member == &Kept::master)
        kept.stored = slice_of(whole, micro_.program.type(micro_.parameters[i].stored), mesh, rank);
    }
  });
  steps_done_ = checkpoint.facts.at("steps").get<std::int64_t>();
  return checkpoint.facts;
}

}  // namespace ithaca
