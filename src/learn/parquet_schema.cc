#include "learn/parquet_schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace espalier::learn {

namespace {

using nlohmann::json;

/// CBOR keeps category names that are no UTF-8.
std::vector<std::uint8_t> Encode(const std::vector<data::ParquetColumn>& columns) {
    json document = json::array();
    for (const data::ParquetColumn& column : columns) {
        json categories = json::array();
        for (const std::string& category : column.categories) {
            categories.push_back(json::binary({category.begin(), category.end()}));
        }
        document.push_back({json::binary({column.name.begin(), column.name.end()}), column.categorical, categories});
    }
    return json::to_cbor(document);
}

std::string TextOf(const json& value) {
    const auto& bytes = value.get_binary();
    return {bytes.begin(), bytes.end()};
}

std::vector<data::ParquetColumn> Decode(const std::vector<std::byte>& bytes) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::vector<data::ParquetColumn> columns;
    for (const json& entry : json::from_cbor(begin, begin + bytes.size())) {
        columns.push_back({TextOf(entry[0]), entry[1].get<bool>(), {}});
        for (const json& category : entry[2]) columns.back().categories.push_back(TextOf(category));
    }
    return columns;
}

Result<std::vector<data::ParquetColumn>> DescribeMine(std::span<const ChannelFiles> channels) {
    std::vector<data::ParquetColumn> mine;
    for (const ChannelFiles& channel : channels) {
        std::vector<data::ParquetColumn> columns = TRY(data::DescribeParquetFiles(channel.files));
        if (columns.empty()) continue;
        if (mine.empty()) {
            mine = std::move(columns);
        } else {
            TRY_MSG(data::MergeParquetColumns(mine, columns), fmt::format("the {} data", channel.name));
        }
    }
    return mine;
}

}  // namespace

Result<void> AgreeOnParquetColumns(std::span<ChannelFiles> channels, collective::Comm& comm) {
    if (channels.empty() || channels[0].format != data::InputFormat::kParquet) return {};
    Result<std::vector<data::ParquetColumn>> mine = DescribeMine(channels);
    // An instance that cannot go on takes part with no columns, so that the others do not wait for it.
    const auto encoded = Encode(mine.has_value() ? *mine : std::vector<data::ParquetColumn>());
    const auto all = TRY(comm.AllGatherV(std::as_bytes(std::span(encoded))));
    std::vector<data::ParquetColumn> agreed = TRY(std::move(mine));
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        std::vector<data::ParquetColumn> theirs = Decode(all[rank]);
        if (theirs.empty() || static_cast<int>(rank) == comm.rank()) continue;
        if (agreed.empty()) {
            agreed = std::move(theirs);
        } else {
            TRY_MSG(data::MergeParquetColumns(agreed, theirs), fmt::format("the data of instance {}", rank + 1));
        }
    }
    for (ChannelFiles& channel : channels) channel.parquet_columns = agreed;
    return {};
}

}  // namespace espalier::learn
