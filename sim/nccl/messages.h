// sim/nccl/messages.h -- time of messages between ranks over NCCL: send and receive, all-to-all.
//
// NCCL has no time model for these; it has rules (2.28.9: src/graph/paths.cc:817-892, src/enqueue.cc:891-902, src/init.cc
// 704-830).  A pair is driven by as many channels as its NVLinks, 2 over PCIe or the network, and a communicator by the
// fewest that any of its pairs has: one that leaves a node drives its NVLink pairs by 2 as well.
//
//     send, receive   base + hop + bytes / bandwidth of the link
//     all-to-all      base + turns x hop + the slower of NVLink and NIC
//
// A turn is 8 messages on a channel.  Messages to another node's GPU r go by NVLink to GPU r of the own node first (PXN),
// so that NICs of one rail talk to one another.  Latencies are those of ring steps.
#pragma once

#include "sim/nccl/group.h"

namespace ithaca {

struct MessageTime {
  double latency_s = 0, transfer_s = 0;
  double seconds() const { return latency_s + transfer_s; }
};

/// Channels for all messages of a communicator, and for one pair.
int message_channels(const NcclGroup&);
int pair_channels(const NcclGroup&, const NcclConstants& = default_nccl());

/// From one GPU to another of its node over links that give this message so much.
MessageTime inside_message(const NcclGroup&, double bytes, double link_bytes_per_s,
                           const NcclConstants& = default_nccl());
/// To another node over a NIC that gives this GPU so much.
MessageTime outside_message(const NcclGroup&, double bytes, double nic_bytes_per_s,
                            const NcclConstants& = default_nccl());
/// Every rank has `bytes`, a part of it for each rank, itself among them.
MessageTime all_to_all(const NcclGroup&, double bytes, const NcclConstants& = default_nccl());

}  // namespace ithaca
