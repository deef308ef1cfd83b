#include "data/binned_matrix.h"

#include <limits>

#include "base/check.h"
#include "data/bin_builder.h"

namespace espalier::data {

BinnedMatrix BinnedMatrix::Create(const CompactRows& rows, const BinLayout& layout, Use use, WorkerTeam& team,
                                  ArrayStore& store) {
    return Build(rows, nullptr, layout, use, team, store);
}

BinnedMatrix BinnedMatrix::Create(CompactRows&& rows, const BinLayout& layout, Use use, WorkerTeam& team,
                                  ArrayStore& store) {
    return Build(rows, &rows, layout, use, team, store);
}

BinnedMatrix BinnedMatrix::Build(const CompactRows& rows, CompactRows* spent, const BinLayout& layout, Use use,
                                 WorkerTeam& team, ArrayStore& store) {
    CHECK(rows.num_features <= layout.num_features(), "{} features, the layout has {}", rows.num_features,
          layout.num_features());
    CHECK(rows.num_rows() < std::numeric_limits<std::uint32_t>::max());
    BinnedMatrix matrix;
    matrix.num_rows_ = rows.num_rows();
    BinBuilder(rows, spent, layout, use == Use::kTraining, team, store).Run(matrix.columns_, matrix.tiles_);
    return matrix;
}

std::size_t BinnedMatrix::memory_bytes() const {
    std::size_t bytes = 0;
    for (const BinnedColumn& column : columns_) {
        bytes += column.codes.memory_bytes() + 4 * column.rows.size();
    }
    for (const BinnedTile& tile : tiles_) {
        bytes += 4 * tile.row_offsets.size() + tile.cells8.size() + 2 * tile.cells16.size() + 4 * tile.cells32.size();
    }
    return bytes;
}

}  // namespace espalier::data
