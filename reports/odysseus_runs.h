// reports/odysseus_runs.h -- the Odysseus benchmark: each run as measured, predicted, counted and published.
//
// Source: the pictures in the README of github.com/feifeibear/Odysseus-Transformer (reports/published/odysseus.yaml).
#pragma once

#include "planner/price.h"
#include "reports/published_tables.h"
#include "reports/strategy_order.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ithaca {

struct OdysseusRun {
  PublishedRow row;
  TimePrediction time;
  std::string method;  ///< "Ulysses", "Odysseus, MLP by FSDP", ...
  PricedStrategy priced;
  std::int64_t layers = 1;
  LayerShape shape;
  double measured_s() const { return time.measured_s; }
  double predicted_s() const { return time.predicted_s; }
  /// Of a layer and a micro-batch, updates and ends shared out: what one rank sends.
  SentBytes sent_bytes() const;
};
/// Runs with a prediction, in their order.
std::vector<OdysseusRun> odysseus_runs(const std::vector<PublishedRow>&, const TimeAccuracy&);

/// What a layer of a method sends by the two volume columns of the published table of August 2024, O() taken as 1 and
/// elements as bf16; nothing for methods that the table has not.
std::optional<SentBytes> published_bytes(const OdysseusRun&);
/// The same counted from the textbook's program of the method, weights gathered in both passes.
std::optional<SentBytes> textbook_bytes(const OdysseusRun&);

/// Runs of one model on one number of GPUs at one length.
struct OdysseusLength {
  std::vector<OdysseusRun> runs;  ///< by rising measured time
  double lead = 0;                ///< measured time of the second over that of the first, less one
  const OdysseusRun& predicted_best() const;
  bool decided() const;  ///< the lead is above 5 %
  bool right() const;    ///< the predicted best is the measured best
};
/// Of two runs at least, in order of model, GPUs and length.
std::vector<OdysseusLength> odysseus_lengths(const std::vector<OdysseusRun>&);

/// Pairs of one length that were measured to differ by more than 5 %, and how many of them a figure of the runs orders so.
struct OrderedPairs {
  std::size_t pairs = 0, right = 0;
};
OrderedPairs ordered_pairs(const std::vector<OdysseusLength>&,
                           const std::function<std::optional<double>(const OdysseusRun&)>& figure);

}  // namespace ithaca
