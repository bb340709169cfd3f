// runtime/exchange.h -- what a move packs for each rank of its group and where it puts what it
// gets.
//
// A rank holds an ordered list of indices of every dimension (models/positions.h).  What a peer
// needs of my slice is the intersection of my list before the move with the peer's list after it,
// dimension by dimension; both ranks compute it and so agree on the order of elements in a chunk:
// the row-major order of the sender's slice.  Deals (zigzag, stripes) need no case of their own:
// gathering a dealt dimension unpacks into several boxes.
#pragma once

#include "models/wire.h"
#include "runtime/communicator.h"
#include "runtime/device.h"

#include <vector>

namespace ithaca {

using Boxes = std::vector<Box>;

/// What one rank does in one move.  Lists are by member of the group.
struct Exchange {
  Traffic traffic;
  Group group;
  bool contiguous =
      false;  ///< chunks of the whole value follow one another: no packing, no scratch
  std::vector<Boxes> send;     ///< of the operand, to each member
  std::vector<Boxes> receive;  ///< of the result, from each member
  std::vector<bool> adds;      ///< the chunk is an addend to what earlier members' chunks wrote
  std::int64_t operand_elements = 0, result_elements = 0;
};

/// The move from a value of type `from` to type `to` as `rank` sees it.  When traffic.wire is none
/// the only member is the rank itself and the boxes say which part of the operand it keeps. Throws
/// TypeError when the slices do not lie as one collective of equal chunks can move them.
Exchange exchange_of(const Type& from, const Type& to, const Mesh&, int rank);

/// One value of a message.
struct Cargo {
  Exchange exchange;
  const std::byte* operand;
  std::byte* result;
};
/// Scratch of the sizes scratch_of() says.
struct MoveScratch {
  std::byte* send = nullptr;     ///< chunks laid out for peers
  std::byte* receive = nullptr;  ///< chunks received
};

/// Packs, calls the communicator once and unpacks.  All on one lane.  What a peer gets of several values are their
/// chunks one after another.
class Mover {
 public:
  Mover(Device& device, Communicator& communicator, Element element, Lane lane)
      : device_(device),
        communicator_(communicator),
        dtype_(element.dtype),
        element_(element),
        lane_(lane) {}
  void operator()(const std::vector<Cargo>&, const MoveScratch&);

 private:
  void keep(const Cargo&);
  void all_gather(const std::vector<Cargo>&, const MoveScratch&);
  void reduce_scatter(const std::vector<Cargo>&, const MoveScratch&);
  void all_reduce(const std::vector<Cargo>&, const MoveScratch&);
  void all_to_all(const std::vector<Cargo>&, const MoveScratch&);
  void pack(const std::vector<Cargo>&, std::byte* send);
  void unpack(const std::vector<Cargo>&, const std::byte* receive);
  std::int64_t chunk_bytes(const Cargo&) const;
  std::int64_t chunk_bytes(const std::vector<Cargo>&) const;

  Device& device_;
  Communicator& communicator_;
  DType dtype_;
  Element element_;
  Lane lane_;
};

}  // namespace ithaca
