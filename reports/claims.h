// reports/claims.h -- headline claims of DeepSpeed-Ulysses and of Odysseus, each held against predictions and counts.
//
// Sources: arXiv 2309.14509 and its blog (github.com/deepspeedai/DeepSpeed blogs/deepspeed-ulysses); the README of
// github.com/feifeibear/Odysseus-Transformer.  Verdicts are computed.
#pragma once

#include "reports/document.h"
#include "reports/odysseus_runs.h"
#include "reports/ulysses_race.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

enum class Holds : std::uint8_t { yes, under_conditions, no };
const char* name_of(Holds);  ///< "holds", "holds under conditions", "does not hold"

struct Claim {
  std::string said, source, configuration;
  Holds holds = Holds::no;
  std::string verdict;  ///< what was found, with its figures
};

/// Of the races' throughputs, lengths and rates.
std::vector<Claim> race_claims(const std::vector<Race>&);
/// Counted from programs: a tenth of the communication; the same volume when length and GPUs grow together.
std::vector<Claim> volume_claims();
/// Odysseus against TP-SP and against Ulysses, at each length of the benchmark.
std::vector<Claim> odysseus_claims(const std::vector<OdysseusLength>&);

/// All claims, and the races length by length.
Document claims_document(const std::vector<Claim>&, const std::vector<Race>&);

/// The page of all of them.
Document claims_of(const std::vector<PublishedRow>&, const std::vector<OdysseusRun>&);

}  // namespace ithaca
