#include "learn/channel_loader.h"

#include <fmt/format.h>
#include <zlib.h>

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

void AppendRows(data::LabeledRows& all, data::LabeledRows&& part) {
    if (all.labels.empty() && all.rows.values.empty()) {
        all = std::move(part);
        return;
    }
    const std::uint64_t base = all.rows.row_offsets.back();
    for (std::size_t row = 1; row < part.rows.row_offsets.size(); ++row) {
        all.rows.row_offsets.push_back(base + part.rows.row_offsets[row]);
    }
    all.rows.feature_idx.insert(all.rows.feature_idx.end(), part.rows.feature_idx.begin(), part.rows.feature_idx.end());
    all.rows.values.insert(all.rows.values.end(), part.rows.values.begin(), part.rows.values.end());
    all.rows.num_features = std::max(all.rows.num_features, part.rows.num_features);
    all.labels.insert(all.labels.end(), part.labels.begin(), part.labels.end());
    all.weights.insert(all.weights.end(), part.weights.begin(), part.weights.end());
    all.query_ids.insert(all.query_ids.end(), part.query_ids.begin(), part.query_ids.end());
}

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

bool HoldsData(const std::string& line, data::InputFormat format) {
    const std::size_t comment = format == data::InputFormat::kLibsvm ? line.find('#') : std::string::npos;
    return line.substr(0, comment).find_first_not_of(" \t\r") != std::string::npos;
}

}  // namespace

std::uint64_t ChannelFiles::size_bytes() const {
    std::uint64_t total = 0;
    for (const data::DataFile& file : files) total += file.size_bytes;
    return total;
}

Result<DataSet> LoadChannel(const ChannelFiles& channel, int num_threads, bool identities, collective::Comm& comm,
                            data::LoadReport& report, const std::function<void(std::uint64_t)>& on_progress) {
    data::LoadOptions options;
    options.format = channel.format;
    options.num_threads = num_threads;
    options.csv_weights = channel.csv_weights;
    options.feature_idx_max = kTrainingFeatureIdxMax;
    options.parquet_columns = channel.parquet_columns;
    options.on_progress = on_progress;
    DataSet set;
    set.name = channel.name;
    if (!identities) {
        set.labeled = TRY(data::LoadRows(channel.files, options, report));
        return set;
    }
    std::vector<FileRows> mine;
    Result<void> loaded;
    for (const data::DataFile& file : channel.files) {
        auto part = data::LoadRows(std::span(&file, 1), options, report);
        if (!part.has_value()) {
            loaded = std::move(part).error();
            break;
        }
        mine.push_back({file.name, comm.rank(), mine.size(), part->labels.size()});
        AppendRows(set.labeled, std::move(*part));
    }
    // Also with an error: the others wait for this exchange.
    set.segments = TRY(AgreeOnPlaces(mine, comm));
    TRY(std::move(loaded));
    if (!set.labeled.weights.empty() && set.labeled.weights.size() != set.labeled.labels.size()) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("some files of the {} data have weights and others do not: give every row a weight "
                                 "(label:weight), or none",
                                 channel.name));
    }
    if (!set.labeled.query_ids.empty() && set.labeled.query_ids.size() != set.labeled.labels.size()) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("some files of the {} data have qids and others do not: give every row a qid (label "
                                 "qid:1 …), or none",
                                 channel.name));
    }
    return set;
}

std::string PlaceOfRow(const ChannelFiles& channel, std::size_t row) {
    std::size_t seen = 0;
    const bool has_lines = channel.format == data::InputFormat::kLibsvm || channel.format == data::InputFormat::kCsv;
    if (!has_lines) return fmt::format("row {} of the {} data", row + 1, channel.name);
    for (const data::DataFile& file : channel.files) {
        const gzFile in = gzopen(file.path.c_str(), "rb");  // Reads plain files as they are.
        if (in == nullptr) continue;
        std::string line;
        std::size_t line_number = 1;
        std::vector<char> buf(1 << 16);
        int size = 0;
        bool found = false;
        const auto end_line = [&] {
            found = HoldsData(line, channel.format) && seen++ == row;
            line.clear();
            if (!found) ++line_number;
        };
        while (!found && (size = gzread(in, buf.data(), static_cast<unsigned>(buf.size()))) > 0) {
            for (int i = 0; i < size && !found; ++i) {
                if (buf[static_cast<std::size_t>(i)] == '\n') {
                    end_line();
                } else {
                    line += buf[static_cast<std::size_t>(i)];
                }
            }
        }
        if (!found && !line.empty()) end_line();
        gzclose(in);
        if (found) return fmt::format("{}, line {}", file.name, line_number);
    }
    return fmt::format("row {} of the {} data", row + 1, channel.name);
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
