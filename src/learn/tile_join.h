// One matrix of the rows of all ranks, for the rank that owns a tile.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "collective/comm.h"
#include "data/binned_matrix.h"

namespace espalier::learn {

/// The tiles that this rank owns, with the rows of all ranks in rank order; others are empty. num_rows: [ranks].
/// Collective. Each rank sends a tile's cells once, to its owner.
Result<std::vector<data::BinnedTile>> JoinTiles(const data::BinLayout& layout, const data::BinnedMatrix& own,
                                                std::span<const std::size_t> num_rows, collective::Comm& comm);

}  // namespace espalier::learn
