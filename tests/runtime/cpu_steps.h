// tests/runtime/cpu_steps.h -- runs programs of one rank on the CPU device, and reads tensors by
// the names of their dims, so that references can be written from the definition.
#pragma once

#include "models/builder.h"
#include "models/positions.h"
#include "runtime/cpu/cpu_device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

namespace ithaca::test {

template <class T>
using TensorsOf = std::vector<std::vector<T>>;  ///< by value id
using Tensor = std::vector<double>;
using Tensors = TensorsOf<double>;

inline Tensor random_tensor(std::int64_t elements, unsigned seed) {
  std::mt19937 bits(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Tensor x(static_cast<std::size_t>(elements));
  for (double& element : x) element = uniform(bits);
  return x;
}

/// Random values of all inputs.
inline Tensors random_inputs(const Program& p, unsigned seed) {
  Tensors values(p.values().size());
  for (const ValueId v : p.inputs())
    values[v] = random_tensor(local_elements(p.type(v), p.mesh()), seed + v);
  return values;
}

/// Runs one step; results are filled with NaN first, so that nothing is read before it is written.
template <class T>
void run_step(const Program& p, const Step& step, int rank, TensorsOf<T>& values) {
  std::vector<const std::byte*> in;
  std::vector<std::byte*> out;
  for (const ValueId v : step.in)
    in.push_back(reinterpret_cast<const std::byte*>(values[v].data()));
  for (const ValueId v : step.out) {
    values[v].assign(static_cast<std::size_t>(local_elements(p.type(v), p.mesh())), T(NAN));
    out.push_back(reinterpret_cast<std::byte*>(values[v].data()));
  }
  CpuDevice().compute(p, step, rank, in, out, Lane{});
}

/// Runs all steps; `values` has the inputs.
template <class T>
TensorsOf<T> interpret(const Program& p, TensorsOf<T> values, int rank = 0) {
  for (const Step& step : p.steps()) run_step(p, step, rank, values);
  return values;
}

/// Result 0 of the only step when it lies where operand `reused` does, and result 1 where
/// `reused_too` does unless that is -1.
inline Tensors run_in_place(const Program& p, Tensors values, std::size_t reused,
                            int reused_too = -1) {
  const Step& step = p.steps()[0];
  std::vector<const std::byte*> in;
  std::vector<std::byte*> out;
  Tensors results(step.out.size());
  for (const ValueId v : step.in)
    in.push_back(reinterpret_cast<const std::byte*>(values[v].data()));
  for (std::size_t i = 0; i < step.out.size(); ++i) {
    results[i].resize(static_cast<std::size_t>(local_elements(p.type(step.out[i]), p.mesh())));
    out.push_back(reinterpret_cast<std::byte*>(results[i].data()));
  }
  out[0] = reinterpret_cast<std::byte*>(values[step.in[reused]].data());
  if (reused_too >= 0)
    out[1] =
        reinterpret_cast<std::byte*>(values[step.in[static_cast<std::size_t>(reused_too)]].data());
  CpuDevice().compute(p, step, 0, in, out, Lane{});
  results[0] = values[step.in[reused]];
  if (reused_too >= 0) results[1] = values[step.in[static_cast<std::size_t>(reused_too)]];
  return results;
}

// ---- Tensors by the names of their dims
// ----------------------------------------------------------

using Index = std::map<DimName, std::int64_t>;

inline std::size_t offset(const Type& t, const Mesh& mesh, const Index& index) {
  std::int64_t at = 0;
  for (const Dim& dim : t.dims) at = at * local_size(dim, mesh) + index.at(dim.name);
  return static_cast<std::size_t>(at);
}

/// Calls with every index of the local dims, over those already in `index`.
template <class Body>
void for_each_index(const Dims& dims, const Mesh& mesh, Index index, const Body& body,
                    std::size_t d = 0) {
  if (d == dims.size()) return body(index);
  for (std::int64_t i = 0; i < local_size(dims[d], mesh); ++i) {
    index[dims[d].name] = i;
    for_each_index(dims, mesh, index, body, d + 1);
  }
}

inline std::int64_t local(const Program& p, ValueId v, DimName name) {
  return local_size(*p.type(v).find(name), p.mesh());
}

inline std::vector<std::int64_t> tokens(const Dim& L, const Mesh& mesh, int rank) {
  std::vector<std::int64_t> held;
  for (const Run& run : positions(L, mesh, rank))
    for (std::int64_t i = 0; i < run.count; ++i) held.push_back(run.first + i * run.stride);
  return held;
}

inline Type f64(Dims dims) {
  return {DType::f64, std::move(dims), {}, {}};
}

/// Largest difference, relative to the largest element of `expected` or 1.
inline void expect_close(const Tensor& got, const Tensor& expected, double tolerance = 1e-12) {
  ASSERT_EQ(got.size(), expected.size());
  double scale = 1;
  for (const double x : expected)
    if (std::isfinite(x)) scale = std::max(scale, std::abs(x));
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i]) continue;  // also infinities
    ASSERT_LE(std::abs(got[i] - expected[i]), tolerance * scale) << "element " << i;
  }
}

}  // namespace ithaca::test
