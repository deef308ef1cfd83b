#include "learn/channel_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace espalier::learn {

namespace {

struct FileRows {
    std::string name;
    int rank = 0;
    std::size_t file = 0;
    std::uint64_t num_rows = 0;
};

std::vector<std::byte> Encode(const std::vector<FileRows>& files) {
    std::vector<std::byte> bytes;
    for (const FileRows& file : files) {
        const std::uint64_t head[2] = {file.name.size(), file.num_rows};
        const auto* begin = reinterpret_cast<const std::byte*>(head);
        bytes.insert(bytes.end(), begin, begin + sizeof(head));
        const auto* name = reinterpret_cast<const std::byte*>(file.name.data());
        bytes.insert(bytes.end(), name, name + file.name.size());
    }
    return bytes;
}

std::vector<FileRows> Decode(const std::vector<std::byte>& bytes, int rank) {
    std::vector<FileRows> files;
    for (std::size_t at = 0; at < bytes.size();) {
        std::uint64_t head[2];
        CHECK(at + sizeof(head) <= bytes.size());
        std::memcpy(head, bytes.data() + at, sizeof(head));
        at += sizeof(head);
        CHECK(at + head[0] <= bytes.size());
        files.push_back(
            {std::string(reinterpret_cast<const char*>(bytes.data() + at), head[0]), rank, files.size(), head[1]});
        at += head[0];
    }
    return files;
}

/// Where each of this rank's files begins among the rows of all ranks.
Result<std::vector<RowSegment>> AgreeOnPlaces(const std::vector<FileRows>& mine, collective::Comm& comm) {
    const auto encoded = TRY(comm.AllGatherV(Encode(mine)));
    std::vector<FileRows> all;
    for (std::size_t rank = 0; rank < encoded.size(); ++rank) {
        for (FileRows& file : Decode(encoded[rank], static_cast<int>(rank))) all.push_back(std::move(file));
    }
    std::sort(all.begin(), all.end(), [](const FileRows& a, const FileRows& b) {
        if (a.name != b.name) return a.name < b.name;
        return a.rank != b.rank ? a.rank < b.rank : a.file < b.file;
    });
    std::vector<RowSegment> segments(mine.size());
    std::uint64_t global = 0;
    for (const FileRows& file : all) {
        if (file.rank == comm.rank()) segments[file.file].global_begin = global;
        global += file.num_rows;
    }
    std::uint64_t local = 0;
    for (std::size_t file = 0; file < mine.size(); ++file) {
        segments[file].local_begin = local;
        local += mine[file].num_rows;
    }
    return segments;
}

bool HasCategories(std::span<const data::ParquetColumn> columns) {
    return std::any_of(columns.begin(), columns.end(), [](const auto& column) { return column.categorical; });
}

}  // namespace

std::uint64_t ChannelFiles::size_bytes() const {
    std::uint64_t total = 0;
    for (const data::DataFile& file : files) total += file.size_bytes;
    return total;
}

Result<DataSet> LoadChannel(const ChannelFiles& channel, const ChannelLoadOptions& how, collective::Comm& comm,
                            data::LoadReport& report) {
    const data::LoadOptions options{.format = channel.format,
                                    .num_threads = how.num_threads,
                                    .csv_weights = channel.csv_weights,
                                    .rules = channel.rules,
                                    .feature_idx_max = kTrainingFeatureIdxMax,
                                    .parquet_columns = channel.parquet_columns,
                                    .memory_bytes_max = how.memory_bytes_max,
                                    .spill_folder = how.scratch_folder,
                                    .on_progress = how.on_progress,
                                    .mark = how.mark};
    DataSet set;
    set.name = channel.name;
    Result<data::TrainingRows> loaded = data::LoadRows(channel.files, options, report);
    if (how.identities) {
        std::vector<FileRows> mine;
        for (std::size_t file = 0; loaded.has_value() && file < channel.files.size(); ++file) {
            mine.push_back({channel.files[file].name, comm.rank(), file, report.rows_of_file[file]});
        }
        // Also with an error: the others wait for this exchange.
        set.segments = TRY(AgreeOnPlaces(mine, comm));
    }
    set.labeled = TRY(std::move(loaded));
    if (channel.ignores_weights) set.labeled.weights.clear();
    if (HasCategories(channel.parquet_columns)) {
        for (std::size_t column = 1; column < channel.parquet_columns.size(); ++column) {
            set.labeled.feature_types.push_back(channel.parquet_columns[column].categorical
                                                    ? data::FeatureType::kCategorical
                                                    : data::FeatureType::kNumeric);
        }
    }
    return set;
}

Result<void> AgreeOnErrors(const Error* mine, std::span<const std::string> hosts, collective::Comm& comm) {
    std::string text;
    if (mine != nullptr)
        text = fmt::format("{}{}", static_cast<char>('A' + static_cast<int>(mine->code())), mine->ToString());
    const auto all = TRY(comm.AllGatherV(std::as_bytes(std::span(text))));
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        if (all[rank].empty()) continue;
        const std::string theirs(reinterpret_cast<const char*>(all[rank].data()), all[rank].size());
        const auto code = static_cast<ErrorCode>(theirs[0] - 'A');
        if (code == ErrorCode::kCancelled) continue;  // The reason is another rank's.
        const std::string where = comm.size() > 1 && rank < hosts.size() ? fmt::format(" (on {})", hosts[rank]) : "";
        return Error(code, theirs.substr(1) + where);
    }
    return {};
}

}  // namespace espalier::learn
