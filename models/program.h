// models/program.h -- what every rank computes and communicates in one layer, as a value.
//
// A Program is an SSA list of steps over typed values, the same for all ranks.  It says nothing of time, streams
// or devices.  Builder makes it (and checks its types); print, count, memory, time and run read it.
#pragma once

#include "models/kernels.h"
#include "models/layer_shape.h"
#include "models/type.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ithaca {

template <class... F>
struct match : F... {
  using F::operator()...;
};
template <class... F>
match(F...) -> match<F...>;

// ---- Operations: parameters only; operands and results are listed as in -> out ---------------------------

/// a, b [, sum] -> y; contracts the dims both have and y lacks; adds to the sum, in its dtype, and hands on an empty
/// gradient, which the implementation keeps for the next of that shape or lets go.
struct Einsum {
  bool keeps_empty = false;
};
struct Add {};           ///< a, b -> a + b, in the dtype of a
struct Bias {};          ///< x, bias -> x + bias on the trailing dims
struct BiasGrad {};      ///< dy -> sum of dy over the dims the bias lacks
struct Multiply {};      ///< x, factor -> x times factor on the trailing dims, perhaps all
struct MultiplyGrad {};  ///< dy, x -> dfactor: dy times x, summed over the dims the factor lacks
struct Normalize {
  Norm kind;
};  ///< x [, gain [, shift]] -> rows of the gain's dims, else of the last, normalized
struct NormalizeGrad {
  Norm kind;
};  ///< dy, x [, gain] -> dx [, dgain [, dshift]]
struct Activate {
  Act kind;
};  ///< up -> act(up); gated kinds drop the dim m
struct ActivateGrad {
  Act kind;
};  ///< dy, up -> dup
/// x [, table] -> x turned by its position, or back (the adjoint); with a table it says the angles.
struct Rope {
  double theta;
  bool inverse;
};
struct RotationTable {
  double theta;
};                   ///< -> [L m e]: cosine (m = 0) and sine of each token's angles
struct SplitQkv {};  ///< packed [b L k p e] -> q [b L k g e], k, v [b L k e]
struct JoinQkv {};   ///< dq, dk, dv -> packed
/// Places back along an axis.
struct Hops {
  Axis axis;
  int back = 0;
};
/// Whose block of keys and values attention sees: the rank so many places back along each axis of a ring, outer first.
/// None: they are whole along L.
using KeyHolder = boost::container::static_vector<Hops, max_axes>;
int holder_of(const KeyHolder&, const Mesh&, int rank);
/// q, k, v -> o, lse: softmax attention scaled by 1/sqrt(e), lse the row log-sum-exp in f32.
struct Attend {
  Mask mask = {};
  KeyHolder keys = {};
  AttentionKernel kernel = AttentionKernel::tiled;
};
struct AttendGrad {
  Mask mask = {};
  KeyHolder keys = {};
  AttentionKernel kernel = AttentionKernel::tiled;
};                ///< q,k,v,o,lse,do -> dq,dk,dv
struct Merge {};  ///< o, lse, o2, lse2 -> o, lse of the union of the keys
struct Cast {};   ///< x -> x in the dtype of the result
struct Move {};   ///< values -> the same lying as the results' types say, one message
/// A run of local elements along one dim, in each of its `parts` equal parts: x -> the runs, one after another; and
/// back, [whole,] runs -> whole with the runs in their places, in its own memory.
/// What a whole holds where nothing was put is not defined.
struct Slice {
  DimName dim;
  std::int64_t begin, count, parts = 1;
};
struct Put {
  DimName dim;
  std::int64_t begin, count, parts = 1;
};
struct Shift {
  Axis axis;
  int by;
};  ///< values -> those of the rank `by` places back, one message
struct Copy {
  bool to_host;
};  ///< x -> x in the other memory: host or device

// Ends of the network.  Ids are i64; a label outside [0, vocabulary) is ignored.  Rows of a table that is cut over v
// belong to one rank; a rank gives zero for tokens of others.  Columns from `vocabulary` on are padding.

struct Embed {};      ///< tokens, table -> rows of the table
struct EmbedGrad {};  ///< dx, tokens -> dtable
struct RowMax {
  std::int64_t vocabulary;
};  ///< logits -> the largest of each row, f32
struct SumExp {
  std::int64_t vocabulary;
};               ///< logits, max -> sum of exp(logit - max), f32
struct Pick {};  ///< logits, labels -> the logit of the label, f32
/// logits, labels, max, sumexp, picked -> the sum over tokens of max + log(sumexp) - picked.  All but the logits count
/// as constants: together they are the cross entropy, whose gradient TokenLossGrad takes at once.
/// From normalized logits: logp, labels, picked.
struct TokenLoss {
  std::int64_t vocabulary;
};
struct TokenLossGrad {
  std::int64_t vocabulary;
};  ///< dloss, logits, labels, max, sumexp -> dlogits; or dloss, logp, labels
/// logits, max, sumexp -> logits - max - log(sumexp).  Its cotangent is that of the logits, as TokenLossGrad gives it.
struct LogSoftmax {};

// The update, once a step.

struct SquaredNorm {};  ///< x -> the sum of squares of all its elements, f32
struct ClipFactor {
  double max_norm;
};  ///< sum of squares -> min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_
/// weight, m, v, gradient, t [, factor] -> weight, m, v after step number t = 1, 2, ... of AdamW (Loshchilov and
/// Hutter, arXiv 1711.05101, algorithm 2) on factor times the gradient.  All on the host: the host does it.
struct Adam {
  double rate, beta1, beta2, epsilon, decay;
};

using Op =
    std::variant<Einsum, Add, Bias, BiasGrad, Normalize, NormalizeGrad, Activate, ActivateGrad,
                 Rope, SplitQkv, JoinQkv, Attend, AttendGrad, Merge, Cast, Move, Shift, Slice, Put,
                 Copy, Embed, EmbedGrad, RowMax, SumExp, Pick, TokenLoss, TokenLossGrad,
                 SquaredNorm, ClipFactor, Adam, Multiply, MultiplyGrad, RotationTable, LogSoftmax>;

// ---- Values and steps ------------------------------------------------------------------------------------

using ValueId = std::uint32_t;
constexpr ValueId no_value = ~ValueId{0};
using Ids = boost::container::static_vector<ValueId, 24>;

enum class Role : std::uint8_t { activation, weight, gradient, weight_gradient };
const char* name_of(Role);
enum class Phase : std::uint8_t { forward, recompute, backward, update };
const char* name_of(Phase);  ///< "fwd", "recompute", "bwd", "update"

struct Value {
  std::string name;  ///< the tensor's name; a moved or cast value keeps it
  Type type;
  Role role;
  bool on_host = false;  ///< in the memory of the host
};

struct Step {
  Op op;
  Ids in, out;
  Phase phase;
  std::int16_t layer = -1;  ///< which layer it belongs to, -1: none
  std::int64_t times = 1;   ///< how many equal layers it stands for; 1 in a program that runs
  std::int64_t tiles = 1;   ///< how many equal tiles of its layer, likewise
};

/// "einsum", "attend_grad", ...
const char* name_of(const Op&);

class Program {
 public:
  const Mesh& mesh() const { return mesh_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Value>& values() const { return values_; }
  const Value& operator[](ValueId v) const { return values_[v]; }
  const Type& type(ValueId v) const { return values_[v].type; }
  /// Values given from outside, and values whoever runs the program wants to keep.
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  /// Values an implementation frees no sooner than another.
  struct Hold {
    ValueId value, with;
  };
  const std::vector<Hold>& holds() const { return holds_; }

 private:
  friend class Builder;
  friend class Rewriter;
  friend Program retype(Program, DType);
  Mesh mesh_;
  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::vector<ValueId> inputs_, outputs_;
  std::vector<Hold> holds_;
};

/// The same program with every value in one dtype: what a run in that precision executes.
Program retype(Program, DType);
/// Text, one step a line, for golden tests and people.
std::string print(const Program&);

}  // namespace ithaca
