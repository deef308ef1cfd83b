#include "learn/binned_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/mapped_memory.h"
#include "data/array_archive.h"

namespace espalier::learn {

namespace {

/// The first 64 bytes of a file.
struct Header {
    char magic[8] = {'E', 'S', 'P', 'B', 'I', 'N', 'S', '\n'};
    std::uint32_t version = 2;
    std::uint32_t crc = 0;  ///< CRC-32C of what follows
    std::uint64_t payload_bytes = 0;
    char unused[40] = {};
};
static_assert(sizeof(Header) == 64);

template <typename Archive>
void Exchange(Archive& archive, data::BinLayout& layout) {
    archive(layout.cuts.offsets);
    archive(layout.cuts.values);
    archive(layout.cuts.min_values);
    archive(layout.cell_offsets);
    archive(layout.skipped_bin);
    archive(layout.has_missing_cell);
    data::ExchangeEach(archive, layout.tiles, [&](data::BinLayout::Tile& tile) {
        archive(tile.feature_begin);
        archive(tile.feature_end);
        archive(tile.cell_begin);
        archive(tile.cell_end);
        archive(tile.kind);
    });
}

template <typename Archive>
void Exchange(Archive& archive, BinnedJob& job) {
    Exchange(archive, job.layout);
    data::ExchangeEach(archive, job.sets, [&](BinnedSet& set) {
        set.matrix.Exchange(archive);
        archive(set.labels);
        archive(set.weights);
        archive(set.query_ids);
        archive(set.num_features);
        archive(set.num_entries);
        archive(set.csv_delimiter);
        data::ExchangeEach(archive, set.warnings, [&](std::string& warning) { archive(warning); });
    });
}

}  // namespace

BinnedCache::BinnedCache(std::string folder, const std::string& description)
    : folder_(std::move(folder)), path_(fmt::format("{}/{}.bins", folder_, HexEncode(Sha256::Of(description)))) {}

Result<std::optional<BinnedJob>> BinnedCache::Read() const {
    Result<std::shared_ptr<const MappedMemory>> mapped = MappedMemory::OfFile(path_);
    if (!mapped.has_value()) {
        if (mapped.error().code() == ErrorCode::kNotFound) return std::optional<BinnedJob>();
        return std::move(mapped).error();
    }
    const std::span<const std::byte> bytes = (*mapped)->bytes();
    Header header;
    if (bytes.size() < sizeof header) return std::optional<BinnedJob>();
    std::memcpy(&header, bytes.data(), sizeof header);
    const std::span<const std::byte> payload = bytes.subspan(sizeof header);
    const Header expected{.crc = Crc32c::Of({reinterpret_cast<const char*>(payload.data()), payload.size()}),
                          .payload_bytes = payload.size()};
    // A file of another version or with a flipped bit is as good as none.
    if (std::memcmp(&header, &expected, sizeof header) != 0) return std::optional<BinnedJob>();
    data::ArrayReader reader(payload, *mapped);
    BinnedJob job;
    Exchange(reader, job);
    return reader.failed() ? std::optional<BinnedJob>() : std::optional<BinnedJob>(std::move(job));
}

Result<std::optional<BinnedJob>> BinnedCache::Open(ProgressMark* mark) {
    if (auto job = TRY(Read()); job.has_value()) return job;
    const std::string lock_path = path_ + ".lock";
    lock_ = Fd(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock_.is_open()) {
        const int errno_value = errno;
        return ErrnoError(fmt::format("open {}", lock_path), errno_value);
    }
    {
        const ProgressMark::Wait wait(mark);
        while (flock(lock_.get(), LOCK_EX) != 0) {
            const int errno_value = errno;
            if (errno_value != EINTR) return ErrnoError(fmt::format("lock {}", lock_path), errno_value);
        }
    }
    // Whoever held the lock before has made the file, unless it failed.
    auto job = TRY(Read());
    if (job.has_value()) lock_.Close();
    return job;
}

Result<void> BinnedCache::Keep(BinnedJob& job) {
    const std::string staging = fmt::format("{}.{}", path_, getpid());
    RealFs fs;
    unlink(staging.c_str());  // of a process of that number that was killed
    const auto write_all = [&]() -> Result<void> {
        const Fd file = TRY(fs.Create(staging));
        Header header;
        TRY(fs.Append(file, {reinterpret_cast<const char*>(&header), sizeof header}));
        data::ArrayWriter writer(fs, file);
        Exchange(writer, job);
        TRY(writer.Close());
        header.crc = writer.crc();
        header.payload_bytes = writer.size_bytes();
        if (pwrite(file.get(), &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) {
            const int errno_value = errno;
            return ErrnoError(fmt::format("write {}", staging), errno_value);
        }
        TRY(fs.Sync(file));
        TRY(fs.Rename(staging, path_));
        return fs.SyncFolder(folder_);
    };
    Result<void> written = write_all();
    if (!written.has_value()) unlink(staging.c_str());
    lock_.Close();
    return written;
}

}  // namespace espalier::learn
