// Sums of gradients of every node of finished trees, in all the precision the gradients have.
//
// Leaves are added up row by row, in the fine units of gradient_scale.h, so sums do not depend on threads or ranks;
// inner nodes are the sums of their children. Pure function.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "kernels/gradient_pair.h"
#include "learn/gradient_scale.h"
#include "learn/row_partition.h"
#include "model/tree_ensemble.h"

namespace espalier::learn {

struct NodeSumsInput {
    std::span<const float> grad;                  ///< [sources x rows]
    std::span<const float> hess;                  ///< [sources x rows]
    std::span<const GroupScale> scales;           ///< [sources]
    std::span<const std::size_t> source_of_tree;  ///< [trees]
    std::span<const std::uint8_t> sampled = {};   ///< [trees x rows] 0: the row does not count; empty: all do
    const RowPartition& partition;                ///< of the trees' leaves
    WorkerTeam& team;
    collective::Comm& comm;
};

/// [trees][nodes]; 0 for nodes no path leads to. One reduction.
Result<std::vector<std::vector<kernels::WidePair>>> SumNodes(const NodeSumsInput& input,
                                                             std::span<const model::Tree* const> trees);

}  // namespace espalier::learn
