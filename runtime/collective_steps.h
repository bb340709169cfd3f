// runtime/collective_steps.h -- collective algorithms as lists of sends, the same for every
// communicator that moves its own bytes.
//
// Members of a group are numbered 0 .. n-1 and hold n chunks.  In a round every member sends at
// most one chunk and receives at most one.  Every list sends n-1 chunks per member, which is what
// models/wire.h counts.  A sum is taken in the order of the rounds, so communicators that follow
// one list agree to the bit. Source: Thakur, Rabenseifner, Gropp, "Optimization of Collective
// Communication Operations in MPICH", 2005.
#pragma once

#include <vector>

namespace ithaca {

/// Chunk `source` of member `from` replaces chunk `target` of member `to`, or is added to it.
struct Transfer {
  int from, to;
  int source, target;
  bool add = false;
};
using Round = std::vector<Transfer>;
using StepList = std::vector<Round>;

enum class Algorithm { ring, pairwise };

/// Before: member m holds chunk m.  After: every member holds all n.
StepList all_gather_steps(int members, Algorithm);

/// Before: every member holds addends of all n chunks.  After: chunk m of member m is the sum.
/// ring: passes sums on, so chunks other than m are overwritten.
/// pairwise: sends its own addends straight to where they are due; chunks other than m stay as they
/// are.
StepList reduce_scatter_steps(int members, Algorithm);

/// Chunk j of member m becomes chunk m of member j, in another buffer; the member's own chunk is
/// not sent. Pairwise only: every chunk has one receiver, so handing it on would send it more than
/// once.
StepList all_to_all_steps(int members);

}  // namespace ithaca
