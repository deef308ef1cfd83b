#include "learn/tile_join.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace espalier::learn {

namespace {

using data::BinLayout;
using data::BinnedTile;

/// What a rank tells about one of its tiles before it sends it.
struct TileSize {
    std::uint64_t stride = 0;
    std::uint64_t num_cells = 0;
};

/// A rank's rows of a tile, in the message it sent: offsets, unless there is a stride, then cells.
template <typename Cell>
struct Part {
    std::size_t num_rows = 0;
    std::size_t stride = 0;
    const std::uint32_t* offsets = nullptr;
    const Cell* cells = nullptr;

    /// What row lists, without the padding.
    std::span<const Cell> ListOf(std::size_t row, const BinLayout::Tile& layout) const {
        if (stride == 0) return {cells + offsets[row], offsets[row + 1] - offsets[row]};
        std::span<const Cell> list(cells + row * stride, stride);
        if (layout.is_dense()) return list;
        while (!list.empty() && list.back() == layout.padding()) list = list.first(list.size() - 1);
        return list;
    }
};

template <typename Cell, typename Tile>
auto& CellsOf(Tile& tile) {
    if constexpr (sizeof(Cell) == 1) {
        return tile.cells8;
    } else if constexpr (sizeof(Cell) == 2) {
        return tile.cells16;
    } else {
        return tile.cells32;
    }
}

/// body(a cell of the width that the tile has).
template <typename Body>
auto WithCell(BinLayout::TileKind kind, Body body) {
    switch (kind) {
        case BinLayout::TileKind::kDense8:
            return body(std::uint8_t{});
        case BinLayout::TileKind::kSparse32:
            return body(std::uint32_t{});
        case BinLayout::TileKind::kSparse16:
        case BinLayout::TileKind::kDense16:
            break;
    }
    return body(std::uint16_t{});
}

std::size_t OffsetBytes(const TileSize& size, std::size_t num_rows) {
    return size.stride > 0 ? 0 : (num_rows + 1) * sizeof(std::uint32_t);
}

template <typename Cell>
std::vector<std::int64_t> Encode(const BinnedTile& tile, std::size_t num_integers) {
    std::vector<std::int64_t> message(num_integers, 0);
    auto* const to = reinterpret_cast<std::byte*>(message.data());
    const std::size_t offset_bytes = tile.row_offsets.size() * sizeof(std::uint32_t);  // 0 with a stride
    const auto& cells = CellsOf<Cell>(tile);
    if (offset_bytes > 0) std::memcpy(to, tile.row_offsets.data(), offset_bytes);
    if (!cells.empty()) std::memcpy(to + offset_bytes, cells.data(), cells.size() * sizeof(Cell));
    return message;
}

template <typename Cell>
Part<Cell> Decode(std::span<const std::int64_t> message, const TileSize& size, std::size_t num_rows) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(message.data());
    return {.num_rows = num_rows,
            .stride = static_cast<std::size_t>(size.stride),
            .offsets = reinterpret_cast<const std::uint32_t*>(bytes),
            .cells = reinterpret_cast<const Cell*>(bytes + OffsetBytes(size, num_rows))};
}

/// Lists are padded to the longest where each rank has padded its own.
template <typename Cell>
BinnedTile JoinParts(std::span<const Part<Cell>> parts, const BinLayout::Tile& layout) {
    BinnedTile joined;
    data::ArrayStore store;
    std::size_t num_rows = 0;
    std::size_t num_listed = 0;
    std::size_t longest = 0;
    bool all_strided = true;
    for (const Part<Cell>& part : parts) {
        num_rows += part.num_rows;
        longest = std::max(longest, part.stride);
        all_strided = all_strided && (part.stride > 0 || part.num_rows == 0);
    }
    if (all_strided) {
        joined.stride = static_cast<std::uint32_t>(longest);
        num_listed = longest * num_rows;
    } else {
        joined.row_offsets = store.Make<std::uint32_t>(num_rows + 1);
        std::uint32_t* offset = joined.row_offsets.data();
        for (const Part<Cell>& part : parts) {
            for (std::size_t row = 0; row < part.num_rows; ++row) {
                *offset++ = static_cast<std::uint32_t>(num_listed);
                num_listed += part.ListOf(row, layout).size();
            }
        }
        CHECK(num_listed <= std::numeric_limits<std::uint32_t>::max(), "{} listed cells in one tile", num_listed);
        *offset = static_cast<std::uint32_t>(num_listed);
    }
    auto& cells = CellsOf<Cell>(joined);
    cells = store.Make<Cell>(num_listed);
    Cell* to = cells.data();
    for (const Part<Cell>& part : parts) {
        for (std::size_t row = 0; row < part.num_rows; ++row) {
            const std::span<const Cell> list = part.ListOf(row, layout);
            Cell* const end = joined.stride > 0 ? to + joined.stride : to + list.size();
            to = std::copy(list.begin(), list.end(), to);
            to = std::fill_n(to, end - to, static_cast<Cell>(layout.padding()));
        }
    }
    return joined;
}

/// [tiles][ranks]
Result<std::vector<std::vector<TileSize>>> ShareSizes(const BinLayout& layout, const data::BinnedMatrix& own,
                                                      collective::Comm& comm) {
    std::vector<TileSize> mine;
    for (std::size_t t = 0; t < layout.tiles.size(); ++t) {
        const BinnedTile& tile = own.tile(t);
        const std::size_t num_cells = WithCell(
            layout.tiles[t].kind, [&](auto cell) -> std::size_t { return CellsOf<decltype(cell)>(tile).size(); });
        mine.push_back({tile.stride, num_cells});
    }
    const auto all = TRY(comm.AllGatherV(std::as_bytes(std::span(mine))));
    std::vector<std::vector<TileSize>> sizes(layout.tiles.size(), std::vector<TileSize>(all.size()));
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        CHECK(all[rank].size() == mine.size() * sizeof(TileSize));
        for (std::size_t t = 0; t < sizes.size(); ++t) {
            std::memcpy(&sizes[t][rank], all[rank].data() + t * sizeof(TileSize), sizeof(TileSize));
        }
    }
    return sizes;
}

}  // namespace

Result<std::vector<BinnedTile>> JoinTiles(const BinLayout& layout, const data::BinnedMatrix& own,
                                          std::span<const std::size_t> num_rows, collective::Comm& comm) {
    const auto sizes = TRY(ShareSizes(layout, own, comm));
    std::vector<BinnedTile> joined(layout.tiles.size());
    for (std::size_t t = 0; t < layout.tiles.size(); ++t) {
        const BinLayout::Tile& tile = layout.tiles[t];
        Result<void> sent = WithCell(tile.kind, [&](auto cell) -> Result<void> {
            using Cell = decltype(cell);
            std::size_t num_bytes = 0;  // Everybody's message is as long as the longest.
            for (std::size_t rank = 0; rank < num_rows.size(); ++rank) {
                const TileSize& size = sizes[t][rank];
                num_bytes = std::max(num_bytes, OffsetBytes(size, num_rows[rank]) + size.num_cells * sizeof(Cell));
            }
            const std::size_t num_integers = (num_bytes + sizeof(std::int64_t) - 1) / sizeof(std::int64_t);
            const std::vector<std::int64_t> message = Encode<Cell>(own.tile(t), num_integers);
            std::vector<std::size_t> counts(num_rows.size(), 0);
            counts[static_cast<std::size_t>(tile.share)] = num_integers;
            const auto received = TRY(comm.ExchangeSegments(message, counts));
            if (tile.share == comm.rank()) {
                std::vector<Part<Cell>> parts;
                for (std::size_t rank = 0; rank < received.size(); ++rank) {
                    parts.push_back(Decode<Cell>(received[rank], sizes[t][rank], num_rows[rank]));
                }
                joined[t] = JoinParts<Cell>(parts, tile);
            }
            return comm.Barrier();  // `message` has been read.
        });
        TRY(std::move(sent));
    }
    return joined;
}

}  // namespace espalier::learn
