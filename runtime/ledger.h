// runtime/ledger.h -- which bytes of the arena are really held while a program runs.
//
// Kept apart from the plan that placed them, so that a plan that is wrong is found out.
#pragma once

#include <cstdint>
#include <map>

namespace ithaca {

class Ledger {
 public:
  explicit Ledger(std::int64_t arena_bytes) : arena_bytes_(arena_bytes) {}

  /// Aborts when any of the bytes are held already or lie outside the arena.
  void take(std::int64_t offset, std::int64_t bytes);
  /// Aborts unless take() took exactly this.
  void give_back(std::int64_t offset, std::int64_t bytes);
  /// What is held now is held at once: called when a step runs, not while buffers change hands.
  void observe() { peak_bytes_ = held_bytes_ > peak_bytes_ ? held_bytes_ : peak_bytes_; }
  std::int64_t held_bytes() const { return held_bytes_; }
  std::int64_t peak_bytes() const { return peak_bytes_; }

 private:
  std::map<std::int64_t, std::int64_t> blocks_;  ///< bytes by offset
  std::int64_t arena_bytes_, held_bytes_ = 0, peak_bytes_ = 0;
};

}  // namespace ithaca
