// models/type.h -- how a value lies on the mesh: its dimensions, who holds which slice, who holds addends.
//
// On every axis of the mesh a value is a shard of one dimension, a shard of its flattening, an addend of a sum,
// or (an axis named nowhere) a copy.  A collective is a change of these.
#pragma once

#include "models/mesh.h"

#include <cstdint>
#include <string>

namespace ithaca {

/// i64 holds token ids and is never retyped.
enum class DType : std::uint8_t { bf16, f32, f64, i64 };
std::int64_t bytes_of(DType);
const char* name_of(DType);

/// Samples, tokens, hidden, KV heads, query heads per KV head, head dimension, intermediate, the gate and up
/// matrices of a gated MLP, the g + 2 heads (queries, key, value) of a packed QKV, vocabulary, rank of an adapter.
enum class DimName : std::uint8_t { b, L, d, k, g, e, i, m, p, v, R };
const char* name_of(DimName);

/// How the slices of a sharded dimension are dealt to the ranks of one axis.
/// blocks: rank c has slice c.  zigzag: of 2N slices rank c has c and 2N-1-c.  stripes: c, c+N, c+2N, ...
enum class Deal : std::uint8_t { blocks, zigzag, stripes };
const char* name_of(Deal);

struct Cut {
  Axis axis;
  Deal deal = Deal::blocks;
  bool operator==(const Cut&) const = default;
};
using Cuts = boost::container::static_vector<Cut, 8>;

/// One dimension: its global size and the axes that shard it, major first.
struct Dim {
  DimName name;
  std::int64_t size;
  Cuts over = {};
  bool operator==(const Dim&) const = default;
};
using Dims = boost::container::static_vector<Dim, 6>;

struct Type {
  DType dtype = DType::bf16;
  Dims dims;              ///< row-major, global sizes
  AxisList flat = {};     ///< the row-major local slice is cut further into equal runs, rounded up
  AxisList partial = {};  ///< ranks along these hold addends; ordered by axis
  bool maximum = false;   ///< what ranks hold is joined by the larger, not by the sum
  bool operator==(const Type&) const = default;

  const Dim* find(DimName) const;
};

/// Ranks that share `dim`.
std::int64_t ways(const Dim&, const Mesh&);
/// Elements of one dimension on one rank.  Exact: a type whose dims do not divide is refused when it is made.
std::int64_t local_size(const Dim&, const Mesh&);
/// Elements one rank holds, before the flat cut and after it (rounded up).
std::int64_t whole_elements(const Type&, const Mesh&);
std::int64_t local_elements(const Type&, const Mesh&);
std::int64_t local_bytes(const Type&, const Mesh&);
/// Elements of the value itself, whoever holds them.
std::int64_t global_elements(const Type&);

/// All axes on which the type is not a copy.
AxisList axes_of(const Type&);
/// The type a cotangent of a value of type `t` has: the dual of a sum is a copy.
Type dual(Type t);
/// "bf16[b=1, L=32768/sp, d=4096] partial t".
std::string to_string(const Type&, const Mesh&);

}  // namespace ithaca
