#include "tests/masks.h"
#include "tests/runtime/cpu_steps.h"

#include <limits>
#include <numeric>

namespace ithaca::test {
namespace {

using enum DimName;
constexpr double infinity = std::numeric_limits<double>::infinity();

struct Sizes {
  std::int64_t b, L, k, g, e;
};
// Odd sizes leave tiles of queries (128 rows) and of keys (256) unfilled.
constexpr Sizes shapes[] = {{1, 1, 1, 1, 2},  {2, 7, 2, 3, 4},   {1, 129, 1, 1, 8},
                            {2, 67, 3, 5, 6}, {1, 261, 2, 1, 3}, {1, 300, 1, 150, 2}};

Type query_type(const Sizes& n, const Cuts& over = {}) {
  return f64({{b, n.b, {}}, {L, n.L, over}, {k, n.k, {}}, {g, n.g, {}}, {e, n.e, {}}});
}
Type key_type(const Sizes& n, const Cuts& over = {}) {
  return f64({{b, n.b, {}}, {L, n.L, over}, {k, n.k, {}}, {e, n.e, {}}});
}

/// Dense attention on one rank over tokens at given positions, and its gradients.
struct Reference {
  Tensor o, lse, dq, dk, dv;
};

struct Operands {
  Sizes n;
  Tensor q, k, v, d_o;

  explicit Operands(const Sizes& sizes, unsigned seed = 1)
      : n(sizes),
        q(random_tensor(n.b * n.L * n.k * n.g * n.e, seed)),
        k(random_tensor(n.b * n.L * n.k * n.e, seed + 1)),
        v(random_tensor(n.b * n.L * n.k * n.e, seed + 2)),
        d_o(random_tensor(n.b * n.L * n.k * n.g * n.e, seed + 3)) {}

  std::size_t row(std::int64_t sample, std::int64_t l, std::int64_t h, std::int64_t j) const {
    return static_cast<std::size_t>(((sample * n.L + l) * n.k + h) * n.g + j);
  }
  std::size_t key(std::int64_t sample, std::int64_t l, std::int64_t h) const {
    return static_cast<std::size_t>(((sample * n.L + l) * n.k + h) * n.e);
  }
};

double dot(const Tensor& a, std::size_t at_a, const Tensor& c, std::size_t at_c, std::int64_t n) {
  const auto first = a.begin() + static_cast<std::ptrdiff_t>(at_a);
  return std::inner_product(first, first + n, c.begin() + static_cast<std::ptrdiff_t>(at_c), 0.0);
}

/// One query row by the definition: p = softmax(q k' / sqrt(e)), ds = p (dp - sum p dp).
void attend_row(const Operands& x, std::int64_t sample, std::int64_t head, std::size_t row,
                const std::vector<std::int64_t>& keys, Reference& y) {
  const auto e = static_cast<std::size_t>(x.n.e);
  const double scale = 1 / std::sqrt(static_cast<double>(x.n.e));
  Tensor p, dp;
  for (const std::int64_t c : keys) {
    p.push_back(std::exp(scale * dot(x.q, row * e, x.k, x.key(sample, c, head), x.n.e)));
    dp.push_back(dot(x.d_o, row * e, x.v, x.key(sample, c, head), x.n.e));
  }
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  y.lse[row] = std::log(sum);
  for (double& weight : p) weight /= sum;
  const double mean = std::inner_product(p.begin(), p.end(), dp.begin(), 0.0);
  for (std::size_t c = 0; c < p.size(); ++c) {
    const double ds = p[c] * (dp[c] - mean);
    const std::size_t at = x.key(sample, keys[c], head);
    for (std::size_t j = 0; j < e; ++j) {
      y.o[row * e + j] += p[c] * x.v[at + j];
      y.dv[at + j] += p[c] * x.d_o[row * e + j];
      y.dq[row * e + j] += scale * ds * x.k[at + j];
      y.dk[at + j] += scale * ds * x.q[row * e + j];
    }
  }
}

/// Under a mask by its definition, sees(q, k).
Reference reference(const Operands& x, const Sees& sees) {
  Reference y{Tensor(x.q.size()), Tensor(x.q.size() / static_cast<std::size_t>(x.n.e)),
              Tensor(x.q.size()), Tensor(x.k.size()), Tensor(x.k.size())};
  for (std::int64_t sample = 0; sample < x.n.b; ++sample)
    for (std::int64_t l = 0; l < x.n.L; ++l) {
      std::vector<std::int64_t> keys;
      for (std::int64_t c = 0; c < x.n.L; ++c)
        if (sees(l, c)) keys.push_back(c);
      for (std::int64_t h = 0; h < x.n.k; ++h)
        for (std::int64_t j = 0; j < x.n.g; ++j)
          attend_row(x, sample, h, x.row(sample, l, h, j), keys, y);
    }
  return y;
}

/// attend and attend_grad in one program; inputs q, k, v, do in this order.
struct Attention {
  Program program;
  Ids in, o_lse, grads;
};

Attention attention(const Mesh& mesh, const Type& q, const Type& k, const Attend& how) {
  Builder builder(mesh);
  Attention a;
  for (const char* name : {"q", "k", "v", "do"})
    a.in.push_back(builder.input(name, *name == 'k' || *name == 'v' ? k : q, Role::activation));
  a.o_lse = builder.attend(a.in[0], a.in[1], a.in[2], how);
  a.grads = builder.attend_grad({a.in[0], a.in[1], a.in[2], a.o_lse[0], a.o_lse[1], a.in[3]},
                                {how.mask, how.keys});
  a.program = retype(std::move(builder).build(), DType::f64);
  return a;
}

Tensors inputs(const Attention& a, const Tensors& q_k_v_do) {
  Tensors values(a.program.values().size());
  for (std::size_t i = 0; i < 4; ++i) values[a.in[i]] = q_k_v_do[i];
  return values;
}

TEST(CpuAttention, EqualsDenseAttentionAndItsGradients) {
  for (const Sizes& n : shapes)
    for (const DefinedMask& m : masks_of(n.L)) {
      SCOPED_TRACE(fmt::format("{} tokens, {}", n.L, to_string(m.mask)));
      const Operands x(n);
      const Attention a = attention({}, query_type(n), key_type(n), {m.mask});
      const Tensors got = interpret(a.program, inputs(a, {x.q, x.k, x.v, x.d_o}));
      const Reference expected = reference(x, m.sees);
      expect_close(got[a.o_lse[0]], expected.o);
      expect_close(got[a.o_lse[1]], expected.lse);
      expect_close(got[a.grads[0]], expected.dq);
      expect_close(got[a.grads[1]], expected.dk);
      expect_close(got[a.grads[2]], expected.dv);
    }
}

TEST(CpuAttention, StaysFiniteWithScoresThatOverflowAnExponential) {
  const Sizes n{1, 5, 1, 1, 2};
  Operands x(n);
  for (double& element : x.q) element *= 2000;
  const Attention a = attention({}, query_type(n), key_type(n), {Mask()});
  const Tensors got = interpret(a.program, inputs(a, {x.q, x.k, x.v, x.d_o}));
  for (const ValueId v : {a.o_lse[0], a.o_lse[1], a.grads[0], a.grads[1], a.grads[2]})
    for (const double element : got[v]) EXPECT_TRUE(std::isfinite(element));
}

// ---- Blocks of a ring
// ----------------------------------------------------------------------------

/// Elements of the tokens that a rank holds, of a tensor [b L row].
Tensor take(const Tensor& x, const Sizes& n, const std::vector<std::int64_t>& held) {
  const std::size_t row = x.size() / static_cast<std::size_t>(n.b * n.L);
  Tensor y;
  for (std::int64_t sample = 0; sample < n.b; ++sample)
    for (const std::int64_t l : held) {
      const auto first =
          x.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(sample * n.L + l) * row);
      y.insert(y.end(), first, first + static_cast<std::ptrdiff_t>(row));
    }
  return y;
}

void add_to(Tensor& sum, const Tensor& x) {
  if (sum.empty()) sum.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) sum[i] += x[i];
}

Program merge_program(const Type& q) {
  Builder builder{Mesh({{"r", 4}})};
  Type lse = q;
  lse.dims.pop_back();
  Ids in;
  for (const char* name : {"o", "lse", "o2", "lse2"})
    in.push_back(builder.input(name, in.size() % 2 == 0 ? q : lse, Role::activation));
  builder.merge(in);
  return std::move(builder).build();
}

Tensors merged(const Program& merge, const Tensors& sum, const Tensor& o, const Tensor& lse) {
  if (sum.empty()) return {o, lse};
  Tensors values = {sum[0], sum[1], o, lse, {}, {}};
  values = interpret(merge, values);
  return {values[4], values[5]};
}

/// Every rank of a ring of 4 computes its blocks by hand; unions and sums are the whole attention.
void check_ring(Deal deal, const Sizes& n, const DefinedMask& m) {
  const Mesh mesh({{"r", 4}});
  const Axis r = mesh.axis("r");
  const Type q = query_type(n, {{r, deal}}), kv = key_type(n, {{r, deal}});
  const Operands x(n);
  const Reference whole = reference(x, m.sees);
  const Program merge = merge_program(q);
  std::vector<Tensor> dk(4), dv(4);
  for (int rank = 0; rank < 4; ++rank) {
    const auto mine = tokens(q.dims[1], mesh, rank);
    Tensors sum;
    Tensor dq;
    for (int hops = 0; hops < 4; ++hops) {
      const auto holder = static_cast<std::size_t>((rank + 4 - hops) % 4);
      const auto theirs = tokens(q.dims[1], mesh, static_cast<int>(holder));
      const Attention a = attention(mesh, q, kv, {m.mask, {{r, hops}}});
      Tensors values = inputs(a, {take(x.q, n, mine), take(x.k, n, theirs), take(x.v, n, theirs),
                                  take(x.d_o, n, mine)});
      run_step(a.program, a.program.steps()[0], rank, values);
      sum = merged(merge, sum, values[a.o_lse[0]], values[a.o_lse[1]]);
      values[a.o_lse[0]] = take(whole.o, n, mine);
      values[a.o_lse[1]] = take(whole.lse, n, mine);
      run_step(a.program, a.program.steps()[1], rank, values);
      add_to(dq, values[a.grads[0]]);
      add_to(dk[holder], values[a.grads[1]]);
      add_to(dv[holder], values[a.grads[2]]);
    }
    expect_close(sum[0], take(whole.o, n, mine));
    expect_close(sum[1], take(whole.lse, n, mine));
    expect_close(dq, take(whole.dq, n, mine));
  }
  for (std::size_t rank = 0; rank < 4; ++rank) {
    const auto mine = tokens(q.dims[1], mesh, static_cast<int>(rank));
    expect_close(dk[rank], take(whole.dk, n, mine));
    expect_close(dv[rank], take(whole.dv, n, mine));
  }
}

TEST(CpuAttention, BlocksOfARingUniteToTheWholeForEveryDeal) {
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes}) {
    SCOPED_TRACE(name_of(deal));
    for (const DefinedMask& m : masks_of(24)) {
      SCOPED_TRACE(to_string(m.mask));
      check_ring(deal, {2, 24, 2, 3, 4}, m);
    }
    for (const DefinedMask& m : masks_of(1056)) {  // more than one tile a block
      SCOPED_TRACE(to_string(m.mask));
      check_ring(deal, {1, 1056, 1, 2, 2}, m);
    }
  }
}

TEST(CpuAttention, OfSomeQueriesOnAllKeysIsTheirPartOfTheWhole) {
  const Mesh mesh({{"s", 4}});
  const Sizes n{2, 24, 2, 3, 4};
  const Type q = query_type(n, {{mesh.axis("s"), Deal::zigzag}});
  const Operands x(n);
  const Reference whole = reference(x, causal_sees);
  const Attention a = attention(mesh, q, key_type(n), {Mask()});
  Tensor dk, dv;
  for (int rank = 0; rank < 4; ++rank) {
    const auto mine = tokens(q.dims[1], mesh, rank);
    const Tensors got =
        interpret(a.program, inputs(a, {take(x.q, n, mine), x.k, x.v, take(x.d_o, n, mine)}), rank);
    expect_close(got[a.o_lse[0]], take(whole.o, n, mine));
    expect_close(got[a.grads[0]], take(whole.dq, n, mine));
    add_to(dk, got[a.grads[1]]);
    add_to(dv, got[a.grads[2]]);
  }
  expect_close(dk, whole.dk);
  expect_close(dv, whole.dv);
}

TEST(CpuAttention, ARowWithoutKeysIsZeroWithoutWeight) {
  const Mesh mesh({{"r", 4}});
  const Axis r = mesh.axis("r");
  const Sizes n{1, 8, 1, 2, 2};
  const Attention a =
      attention(mesh, query_type(n, {{r, Deal::blocks}}), key_type(n, {{r, Deal::blocks}}),
                {Mask(), {{r, 1}}});  // rank 0 gets the keys of rank 3: all in its future
  const Tensors got = interpret(a.program, random_inputs(a.program, 3), 0);
  expect_close(got[a.o_lse[0]], Tensor(8, 0));
  expect_close(got[a.o_lse[1]], Tensor(4, -infinity));
  for (const ValueId d : a.grads) expect_close(got[d], Tensor(got[d].size(), 0));
}

// ---- Merge
// ---------------------------------------------------------------------------------------

TEST(CpuMerge, WeighsByTheExponentialsAndSurvivesEmptySides) {
  const Program p = merge_program(query_type({1, 1, 1, 4, 1}));
  const Tensors got = interpret(p, Tensors{{1, 5, 0, 0},
                                           {std::log(3.0), 2, -infinity, -infinity},
                                           {2, 0, 7, 0},
                                           {std::log(1.0), -infinity, 2, -infinity},
                                           {},
                                           {}});
  expect_close(got[4], {1.25, 5, 7, 0});
  expect_close(got[5], {std::log(4.0), 2, 2, -infinity});
}

TEST(CpuMerge, InPlaceEqualsOutOfPlace) {
  const Program p = merge_program(query_type({2, 3, 2, 4, 3}));
  const Tensors values = random_inputs(p, 5), apart = interpret(p, values);
  const Tensors in_place = run_in_place(p, values, 0, 1);
  EXPECT_EQ(in_place[0], apart[4]);
  EXPECT_EQ(in_place[1], apart[5]);
}

}  // namespace
}  // namespace ithaca::test
