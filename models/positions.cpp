#include "models/positions.h"

#include <algorithm>

namespace ithaca {
namespace {

/// Elements [begin, begin + count) of the concatenated runs.
void append_slice(const std::vector<Run>& runs, std::int64_t begin, std::int64_t count,
                  std::vector<Run>& out) {
  for (const Run& run : runs) {
    if (count == 0) return;
    if (begin < run.count) {
      const std::int64_t n = std::min(count, run.count - begin);
      out.push_back({run.first + begin * run.stride, run.stride, n});
      count -= n;
      begin = 0;
    } else {
      begin -= run.count;
    }
  }
}

/// Elements c, c + n, c + 2n, ... of the concatenated runs.
std::vector<Run> every(const std::vector<Run>& runs, std::int64_t c, std::int64_t n) {
  std::vector<Run> out;
  for (const Run& run : runs) {
    if (c < run.count) {
      const std::int64_t count = (run.count - c + n - 1) / n;
      out.push_back({run.first + c * run.stride, run.stride * n, count});
      c += count * n;
    }
    c -= run.count;
  }
  return out;
}

std::vector<Run> deal(const std::vector<Run>& runs, const Cut& cut, std::int64_t n,
                      std::int64_t c) {
  if (cut.deal == Deal::stripes) return every(runs, c, n);
  const std::int64_t total = count_of(runs);
  std::vector<Run> out;
  if (cut.deal == Deal::blocks) {
    append_slice(runs, c * (total / n), total / n, out);
    return out;
  }
  const std::int64_t part = total / (2 * n);
  append_slice(runs, c * part, part, out);
  append_slice(runs, (2 * n - 1 - c) * part, part, out);
  return out;
}

/// Sum over x in [0, n) of floor((a x + b) / m), for a, b >= 0 and m > 0.
std::int64_t floor_sum(std::int64_t n, std::int64_t m, std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  while (n > 0) {
    sum += n * (n - 1) / 2 * (a / m) + n * (b / m);
    a %= m;
    b %= m;
    const std::int64_t top = a * n + b;
    if (top < m) break;
    n = top / m;
    b = top % m;
    std::swap(a, m);
  }
  return sum;
}

/// Sum over x in [0, n) of clamp(floor((a x + b) / m) + 1, 0, limit): keys at or before each query.
std::int64_t clamped_sum(std::int64_t n, std::int64_t m, std::int64_t a, std::int64_t b,
                         std::int64_t limit) {
  const std::int64_t low = b >= 0 ? 0 : std::min(n, (-b + a - 1) / a);  // first x that sees a key
  const std::int64_t full = m * (limit - 1) - b;                        // from here on every key
  const std::int64_t high = std::clamp(full <= 0 ? 0 : (full + a - 1) / a, low, n);
  return floor_sum(high - low, m, a, a * low + b) + (high - low) + (n - high) * limit;
}

}  // namespace

std::int64_t count_of(const std::vector<Run>& runs) {
  std::int64_t n = 0;
  for (const Run& run : runs) n += run.count;
  return n;
}

std::vector<Run> positions(const Dim& dim, const Mesh& mesh, int rank) {
  std::vector<Run> runs{{0, 1, dim.size}};
  for (const Cut& cut : dim.over)
    runs = deal(runs, cut, mesh.ranks(cut.axis), mesh.coordinate(rank, cut.axis));
  return runs;
}

std::int64_t causal_pairs(const std::vector<Run>& q, const std::vector<Run>& k) {
  std::int64_t pairs = 0;
  for (const Run& a : q)
    for (const Run& b : k) pairs += causal_pairs(a, b);
  return pairs;
}

std::int64_t causal_pairs(const Run& q, const Run& k) {
  return clamped_sum(q.count, k.stride, q.stride, q.first - k.first, k.count);
}

}  // namespace ithaca
